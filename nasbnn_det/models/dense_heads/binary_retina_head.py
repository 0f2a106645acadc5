"""MMDetection's RetinaNet head on binary towers."""
from typing import Any, List, Optional, Sequence, Tuple

from mmdet.models.dense_heads import RetinaHead
from mmdet.models.utils import multi_apply
from mmengine.model import bias_init_with_prob, normal_init
from torch import Tensor

from ...binary import Binarizes
from ...registry import MODELS
from ..layers import build_predictor, build_towers


@MODELS.register_module()
class BinaryRetinaHead(RetinaHead):
    """RetinaNet head (arXiv 1708.02002) with towers of binary bricks and 1 x 1 predictors.

    All levels share the binary convolutions and the predictors; batch norms and activations are each level's own.
    Anchors, assignment, losses and decoding are MMDetection's.

    Args:
        quant_predictors (bool): 8-bit instead of float weights in the predictors. Defaults to True.
        binarization (Binarization | str | dict): Of the bricks; 'float' builds the full-precision twin. Defaults to
            'standardized'.
        init_cfg (dict, optional): Initialisation beyond that of the predictors. Defaults to None.
        **kwargs: As for :class:`mmdet.models.RetinaHead`; ``conv_cfg`` and ``norm_cfg`` have no meaning here.

    Raises:
        ValueError: If the binarization is unknown.
    """

    def __init__(self, *args: Any, quant_predictors: bool = True, binarization: Binarizes = 'standardized',
                 init_cfg: Optional[dict] = None, **kwargs: Any) -> None:
        self.quant_predictors = quant_predictors
        self.binarization = binarization
        super().__init__(*args, init_cfg=init_cfg, **kwargs)

    def _init_layers(self) -> None:
        """Builds a tower per branch and level, and the predictors."""
        levels = self.prior_generator.num_levels
        tower = (self.in_channels, self.feat_channels, self.stacked_convs, levels, self.binarization)
        self.cls_towers = build_towers(*tower)
        self.reg_towers = build_towers(*tower)
        width = self.feat_channels if self.stacked_convs else self.in_channels
        priors = self.num_base_priors
        self.retina_cls = build_predictor(width, priors * self.cls_out_channels, self.quant_predictors)
        self.retina_reg = build_predictor(width, priors * self.bbox_coder.encode_size, self.quant_predictors)

    def init_weights(self) -> None:
        """Predictors start small, classification at a prior of 0.01; bricks keep their own initialisation."""
        super().init_weights()
        normal_init(self.retina_cls, std=0.01, bias=bias_init_with_prob(0.01))
        normal_init(self.retina_reg, std=0.01)

    def forward(self, feats: Sequence[Tensor]) -> Tuple[List[Tensor], List[Tensor]]:
        """Predicts scores and deltas.

        Args:
            feats (Sequence[Tensor]): Shapes (N, in_channels, H_i, W_i), finest first.

        Returns:
            tuple[list[Tensor], list[Tensor]]: Class logits (N, anchors * classes, H_i, W_i) and box deltas
            (N, anchors * 4, H_i, W_i).
        """
        return multi_apply(self.forward_single, feats, range(len(feats)))

    def forward_single(self, x: Tensor, level: int) -> Tuple[Tensor, Tensor]:
        """As :meth:`forward`, for one level."""
        return self.retina_cls(self.cls_towers[level](x)), self.retina_reg(self.reg_towers[level](x))
