"""MMDetection's FCOS head on binary towers."""
from typing import Any, Tuple

from mmcv.cnn import Scale
from mmdet.models.dense_heads import FCOSHead
from mmengine.model import bias_init_with_prob, normal_init
from torch import Tensor, nn

from ...registry import MODELS
from .tower_head import TowerHead


@MODELS.register_module()
class BinaryFCOSHead(TowerHead, FCOSHead):
    """FCOS head (arXiv 1904.01355) with towers of binary bricks and 1 x 1 predictors.

    All levels share the binary convolutions and the predictors; batch norms and activations are each level's own.
    Assignment, losses and decoding are MMDetection's. Arguments are those of :class:`TowerHead` and
    :class:`mmdet.models.FCOSHead`.

    Raises:
        ValueError: If deformable convolutions are asked for.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if kwargs.get('dcn_on_last_conv'):
            raise ValueError('BinaryFCOSHead has no deformable convolution; dcn_on_last_conv must be False')
        super().__init__(*args, **kwargs)

    def _init_layers(self) -> None:
        """Builds a tower per branch and level, and the predictors."""
        place = self.in_channels, self.stacked_convs
        self.cls_towers = self._towers(*place, len(self.strides))
        self.reg_towers = self._towers(*place, len(self.strides))
        self.conv_cls, self.conv_reg, self.conv_centerness = (
            self._predictor(*place, outputs) for outputs in (self.cls_out_channels, 4, 1))
        self.scales = nn.ModuleList(Scale(1.0) for _ in self.strides)

    def init_weights(self) -> None:
        """Predictors start small, classification at a prior of 0.01; bricks keep their own initialisation."""
        super().init_weights()
        normal_init(self.conv_cls, std=0.01, bias=bias_init_with_prob(0.01))
        normal_init(self.conv_reg, std=0.01)
        normal_init(self.conv_centerness, std=0.01)

    def forward_single(self, x: Tensor, level: int) -> Tuple[Tensor, Tensor, Tensor]:
        """Class logits (N, classes, H, W), distances from each point to the sides of its box (N, 4, H, W), and logits of
        centreness (N, 1, H, W), of one level."""
        cls_feat, reg_feat = self.cls_towers[level](x), self.reg_towers[level](x)
        centerness = self.conv_centerness(reg_feat if self.centerness_on_reg else cls_feat)
        distance = self.scales[level](self.conv_reg(reg_feat)).float()
        if self.norm_on_bbox:
            # In units of the stride while training, as the stock head's losses expect it.
            distance = distance.clamp(min=0) * (1 if self.training else self.strides[level])
        else:
            distance = distance.exp()
        return self.conv_cls(cls_feat), distance, centerness
