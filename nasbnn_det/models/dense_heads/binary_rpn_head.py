"""MMDetection's region proposal network on binary towers."""
from typing import Tuple

from mmdet.models.dense_heads import RPNHead
from mmengine.model import normal_init
from torch import Tensor

from ...registry import MODELS
from .tower_head import TowerHead


@MODELS.register_module()
class BinaryRPNHead(TowerHead, RPNHead):
    """Region proposal network (arXiv 1506.01497) with binary bricks and 1 x 1 predictors.

    All levels share the binary convolutions and the predictors; batch norms and activations are each level's own.
    Anchors, assignment, losses and decoding are MMDetection's. Arguments are those of :class:`TowerHead` and
    :class:`mmdet.models.RPNHead`; ``num_convs`` is the number of bricks.
    """

    def _init_layers(self) -> None:
        """Builds a tower per level, and the predictors."""
        place = self.in_channels, self.num_convs
        self.towers = self._towers(*place, self.prior_generator.num_levels)
        self.rpn_cls = self._predictor(*place, self.num_base_priors * self.cls_out_channels)
        self.rpn_reg = self._predictor(*place, self.num_base_priors * self.bbox_coder.encode_size)

    def init_weights(self) -> None:
        """Predictors start small; bricks keep their own initialisation."""
        super().init_weights()
        normal_init(self.rpn_cls, std=0.01)
        normal_init(self.rpn_reg, std=0.01)

    def forward_single(self, x: Tensor, level: int) -> Tuple[Tensor, Tensor]:
        """Logits of objects (N, anchors, H, W) and box deltas (N, anchors * 4, H, W) of one level."""
        x = self.towers[level](x)
        return self.rpn_cls(x), self.rpn_reg(x)
