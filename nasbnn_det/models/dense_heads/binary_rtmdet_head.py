"""MMDetection's RTMDet head on binary towers."""
from functools import partial
from typing import List, Sequence, Tuple

from mmdet.models.dense_heads import RTMDetHead
from mmengine.model import bias_init_with_prob, normal_init
from torch import Tensor, nn

from ...binary import BinaryConvModule, QuantConv2d
from ...registry import MODELS


@MODELS.register_module()
class BinaryRTMDetHead(RTMDetHead):
    """RTMDet head (arXiv 2212.07784) with towers of binary bricks and 1 x 1 predictors.

    All levels share the binary convolutions; batch norms, activations and predictors are each level's own.
    Assignment, losses and decoding are MMDetection's.

    Args:
        quant_predictors (bool): 8-bit instead of float weights in the predictors. Defaults to True.
        precision (str): 'float' builds the full-precision twin. Defaults to 'binary'.
        **kwargs: As for :class:`mmdet.models.RTMDetHead`; ``conv_cfg``, ``norm_cfg`` and ``act_cfg`` have no
            meaning here.

    Raises:
        ValueError: If an objectness branch is asked for, or the precision is unknown.
    """

    def __init__(self, *args, quant_predictors: bool = True, precision: str = 'binary', **kwargs) -> None:
        self.quant_predictors = quant_predictors
        self.precision = precision
        if kwargs.setdefault('with_objectness', False):
            raise ValueError('BinaryRTMDetHead has no objectness branch; with_objectness must be False')
        super().__init__(*args, **kwargs)

    def _init_layers(self) -> None:
        """Builds a tower per branch and level, and the predictors."""
        levels = len(self.prior_generator.strides)
        self.cls_towers = self._build_towers(levels)
        self.reg_towers = self._build_towers(levels)
        conv = partial(QuantConv2d, learn_step=False) if self.quant_predictors else nn.Conv2d
        priors = self.num_base_priors
        self.rtm_cls = nn.ModuleList(conv(self.feat_channels, priors * self.cls_out_channels, 1)
                                     for _ in range(levels))
        self.rtm_reg = nn.ModuleList(conv(self.feat_channels, priors * 4, 1) for _ in range(levels))

    def _build_towers(self, levels: int) -> nn.ModuleList:
        towers = nn.ModuleList()
        for level in range(levels):
            bricks = []
            for i in range(self.stacked_convs):
                channels = self.in_channels if i == 0 else self.feat_channels
                shared = towers[0][i].conv if level else None
                bricks.append(BinaryConvModule(channels, self.feat_channels, conv=shared, precision=self.precision))
            towers.append(nn.Sequential(*bricks))
        return towers

    def init_weights(self) -> None:
        """Predictors start small, classification at a prior of 0.01; bricks keep their own initialisation."""
        for cls_layer, reg_layer in zip(self.rtm_cls, self.rtm_reg):
            normal_init(cls_layer, std=0.01, bias=bias_init_with_prob(0.01))
            normal_init(reg_layer, std=0.01)

    def forward(self, feats: Sequence[Tensor]) -> Tuple[List[Tensor], List[Tensor]]:
        """Predicts scores and distances.

        Args:
            feats (Sequence[Tensor]): Shapes (N, in_channels, H_i, W_i), finest first.

        Returns:
            tuple[list[Tensor], list[Tensor]]: Class logits (N, classes, H_i, W_i), and distances from each point
            to the four sides of its box in pixels (N, 4, H_i, W_i).
        """
        scores, distances = [], []
        for i, (x, stride) in enumerate(zip(feats, self.prior_generator.strides)):
            scores.append(self.rtm_cls[i](self.cls_towers[i](x)))
            distance = self.rtm_reg[i](self.reg_towers[i](x))
            distances.append(distance.exp() * stride[0])
        return scores, distances
