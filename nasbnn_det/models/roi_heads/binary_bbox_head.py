"""The second stage of Faster R-CNN on binary bricks."""
from typing import Any, Tuple

from mmdet.models.roi_heads.bbox_heads import BBoxHead
from torch import Tensor, nn

from ...binary import Binarizes, BinaryConvModule
from ...costs import conv_size
from ...registry import MODELS
from ..layers import build_predictor


@MODELS.register_module()
class BinaryBBoxHead(BBoxHead):
    """Binary bricks of stride 2 on each proposal's features, then two predictors over what is left of the map.

    Faster R-CNN's (arXiv 1506.01497) two linear layers of 1024 cost 13.9 GFLOPs for 1,000 proposals; two bricks of 256
    channels, from 7 x 7 over 4 x 4 to 2 x 2, cost 0.18G OPs. Assignment, losses and decoding are MMDetection's.

    Args:
        conv_out_channels (int): C, channels of the bricks. Defaults to 256.
        num_convs (int): Bricks; each halves the map. Defaults to 2.
        quant_predictors (bool): 8-bit instead of float weights in the predictors. Defaults to True.
        binarization (Binarization | str | dict): Of the bricks; 'float' builds the full-precision twin. Defaults to
            'standardized'.
        **kwargs: As for :class:`mmdet.models.BBoxHead`; predictors' configs have no meaning here.

    Raises:
        ValueError: If the binarization is unknown.
    """

    def __init__(self, conv_out_channels: int = 256, num_convs: int = 2, quant_predictors: bool = True,
                 binarization: Binarizes = 'standardized', **kwargs: Any) -> None:
        # The base builds linear predictors, which are replaced; with pooling they are small until then.
        super().__init__(**{**kwargs, 'with_avg_pool': True})
        self.with_avg_pool = False
        del self.avg_pool
        size, bricks = self.roi_feat_size, []
        for i in range(num_convs):
            channels = conv_out_channels if i else self.in_channels
            bricks.append(BinaryConvModule(channels, conv_out_channels, stride=2, binarization=binarization))
            size = conv_size(size, 2)
        self.bricks = nn.Sequential(*bricks)
        width = conv_out_channels if num_convs else self.in_channels
        if self.with_cls:
            self.fc_cls = build_predictor(width, self.fc_cls.out_features, quant_predictors, size)
        if self.with_reg:
            self.fc_reg = build_predictor(width, self.fc_reg.out_features, quant_predictors, size)

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        """Predicts scores and deltas.

        Args:
            x (Tensor): Features of R proposals, shape (R, in_channels, roi_feat_size, roi_feat_size).

        Returns:
            tuple[Tensor, Tensor]: Class logits (R, classes + 1), the last one background, and box deltas (R, 4), or
            (R, 4 * classes) unless ``reg_class_agnostic``; None for a branch that is switched off.
        """
        x = self.bricks(x)
        cls_score = self.fc_cls(x).flatten(1) if self.with_cls else None
        bbox_pred = self.fc_reg(x).flatten(1) if self.with_reg else None
        return cls_score, bbox_pred
