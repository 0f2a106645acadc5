"""MMDetection's RetinaNet head on binary towers."""
from typing import Tuple

from mmdet.models.dense_heads import RetinaHead
from mmengine.model import bias_init_with_prob, normal_init
from torch import Tensor

from ...registry import MODELS
from .tower_head import TowerHead


@MODELS.register_module()
class BinaryRetinaHead(TowerHead, RetinaHead):
    """RetinaNet head (arXiv 1708.02002) with towers of binary bricks and 1 x 1 predictors.

    All levels share the binary convolutions and the predictors; batch norms and activations are each level's own.
    Anchors, assignment, losses and decoding are MMDetection's. Arguments are those of :class:`TowerHead` and
    :class:`mmdet.models.RetinaHead`.
    """

    def _init_layers(self) -> None:
        """Builds a tower per branch and level, and the predictors."""
        place = self.in_channels, self.stacked_convs
        self.cls_towers = self._towers(*place, self.prior_generator.num_levels)
        self.reg_towers = self._towers(*place, self.prior_generator.num_levels)
        self.retina_cls = self._predictor(*place, self.num_base_priors * self.cls_out_channels)
        self.retina_reg = self._predictor(*place, self.num_base_priors * self.bbox_coder.encode_size)

    def init_weights(self) -> None:
        """Predictors start small, classification at a prior of 0.01; bricks keep their own initialisation."""
        super().init_weights()
        normal_init(self.retina_cls, std=0.01, bias=bias_init_with_prob(0.01))
        normal_init(self.retina_reg, std=0.01)

    def forward_single(self, x: Tensor, level: int) -> Tuple[Tensor, Tensor]:
        """Class logits (N, anchors * classes, H, W) and box deltas (N, anchors * 4, H, W) of one level."""
        return self.retina_cls(self.cls_towers[level](x)), self.retina_reg(self.reg_towers[level](x))
