"""MMDetection's FCOS head on binary towers."""
from typing import Any, List, Optional, Sequence, Tuple

from mmcv.cnn import Scale
from mmdet.models.dense_heads import FCOSHead
from mmdet.models.utils import multi_apply
from mmengine.model import bias_init_with_prob, normal_init
from torch import Tensor, nn

from ...binary import Binarizes
from ...registry import MODELS
from ..layers import build_predictor, build_towers


@MODELS.register_module()
class BinaryFCOSHead(FCOSHead):
    """FCOS head (arXiv 1904.01355) with towers of binary bricks and 1 x 1 predictors.

    All levels share the binary convolutions and the predictors; batch norms and activations are each level's own.
    Assignment, losses and decoding are MMDetection's.

    Args:
        quant_predictors (bool): 8-bit instead of float weights in the predictors. Defaults to True.
        binarization (Binarization | str | dict): Of the bricks; 'float' builds the full-precision twin. Defaults to
            'standardized'.
        init_cfg (dict, optional): Initialisation beyond that of the predictors. Defaults to None.
        **kwargs: As for :class:`mmdet.models.FCOSHead`; ``conv_cfg`` and ``norm_cfg`` have no meaning here.

    Raises:
        ValueError: If deformable convolutions are asked for, or the binarization is unknown.
    """

    def __init__(self, *args: Any, quant_predictors: bool = True, binarization: Binarizes = 'standardized',
                 init_cfg: Optional[dict] = None, **kwargs: Any) -> None:
        if kwargs.get('dcn_on_last_conv'):
            raise ValueError('BinaryFCOSHead has no deformable convolution; dcn_on_last_conv must be False')
        self.quant_predictors = quant_predictors
        self.binarization = binarization
        super().__init__(*args, init_cfg=init_cfg, **kwargs)

    def _init_layers(self) -> None:
        """Builds a tower per branch and level, and the predictors."""
        levels = len(self.strides)
        tower = (self.in_channels, self.feat_channels, self.stacked_convs, levels, self.binarization)
        self.cls_towers = build_towers(*tower)
        self.reg_towers = build_towers(*tower)
        width = self.feat_channels if self.stacked_convs else self.in_channels
        self.conv_cls, self.conv_reg, self.conv_centerness = (
            build_predictor(width, out, self.quant_predictors) for out in (self.cls_out_channels, 4, 1))
        self.scales = nn.ModuleList(Scale(1.0) for _ in range(levels))

    def init_weights(self) -> None:
        """Predictors start small, classification at a prior of 0.01; bricks keep their own initialisation."""
        super().init_weights()
        normal_init(self.conv_cls, std=0.01, bias=bias_init_with_prob(0.01))
        normal_init(self.conv_reg, std=0.01)
        normal_init(self.conv_centerness, std=0.01)

    def forward(self, feats: Sequence[Tensor]) -> Tuple[List[Tensor], List[Tensor], List[Tensor]]:
        """Predicts scores, distances and centreness.

        Args:
            feats (Sequence[Tensor]): Shapes (N, in_channels, H_i, W_i), finest first.

        Returns:
            tuple[list[Tensor], list[Tensor], list[Tensor]]: Class logits (N, classes, H_i, W_i), distances from each
            point to the four sides of its box (N, 4, H_i, W_i), logits of centreness (N, 1, H_i, W_i).
        """
        return multi_apply(self.forward_single, feats, range(len(feats)))

    def forward_single(self, x: Tensor, level: int) -> Tuple[Tensor, Tensor, Tensor]:
        """As :meth:`forward`, for one level."""
        cls_feat, reg_feat = self.cls_towers[level](x), self.reg_towers[level](x)
        centerness = self.conv_centerness(reg_feat if self.centerness_on_reg else cls_feat)
        distance = self.scales[level](self.conv_reg(reg_feat)).float()
        if self.norm_on_bbox:
            # In units of the stride while training, as the stock head's losses expect it.
            distance = distance.clamp(min=0) * (1 if self.training else self.strides[level])
        else:
            distance = distance.exp()
        return self.conv_cls(cls_feat), distance, centerness
