"""MMDetection's region proposal network on binary towers."""
from typing import Any, List, Optional, Sequence, Tuple

from mmdet.models.dense_heads import RPNHead
from mmdet.models.utils import multi_apply
from mmengine.model import normal_init
from torch import Tensor

from ...binary import Binarizes
from ...registry import MODELS
from ..layers import build_predictor, build_towers


@MODELS.register_module()
class BinaryRPNHead(RPNHead):
    """Region proposal network (arXiv 1506.01497) with binary bricks and 1 x 1 predictors.

    All levels share the binary convolutions and the predictors; batch norms and activations are each level's own.
    Anchors, assignment, losses and decoding are MMDetection's.

    Args:
        quant_predictors (bool): 8-bit instead of float weights in the predictors. Defaults to True.
        binarization (Binarization | str | dict): Of the bricks; 'float' builds the full-precision twin. Defaults to
            'standardized'.
        init_cfg (dict, optional): Initialisation beyond that of the predictors. Defaults to None.
        **kwargs: As for :class:`mmdet.models.RPNHead`; ``num_convs`` is the number of bricks.

    Raises:
        ValueError: If the binarization is unknown.
    """

    def __init__(self, *args: Any, quant_predictors: bool = True, binarization: Binarizes = 'standardized',
                 init_cfg: Optional[dict] = None, **kwargs: Any) -> None:
        self.quant_predictors = quant_predictors
        self.binarization = binarization
        super().__init__(*args, init_cfg=init_cfg, **kwargs)

    def _init_layers(self) -> None:
        """Builds a tower per level, and the predictors."""
        self.towers = build_towers(
            self.in_channels, self.feat_channels, self.num_convs, self.prior_generator.num_levels, self.binarization)
        width = self.feat_channels if self.num_convs else self.in_channels
        priors = self.num_base_priors
        self.rpn_cls = build_predictor(width, priors * self.cls_out_channels, self.quant_predictors)
        self.rpn_reg = build_predictor(width, priors * self.bbox_coder.encode_size, self.quant_predictors)

    def init_weights(self) -> None:
        """Predictors start small; bricks keep their own initialisation."""
        super().init_weights()
        normal_init(self.rpn_cls, std=0.01)
        normal_init(self.rpn_reg, std=0.01)

    def forward(self, feats: Sequence[Tensor]) -> Tuple[List[Tensor], List[Tensor]]:
        """Predicts objectness and deltas.

        Args:
            feats (Sequence[Tensor]): Shapes (N, in_channels, H_i, W_i), finest first.

        Returns:
            tuple[list[Tensor], list[Tensor]]: Logits (N, anchors, H_i, W_i) and box deltas (N, anchors * 4, H_i, W_i).
        """
        return multi_apply(self.forward_single, feats, range(len(feats)))

    def forward_single(self, x: Tensor, level: int) -> Tuple[Tensor, Tensor]:
        """As :meth:`forward`, for one level."""
        x = self.towers[level](x)
        return self.rpn_cls(x), self.rpn_reg(x)
