"""MMDetection's RTMDet head on binary towers."""
from typing import Any, List, Sequence, Tuple

from mmdet.models.dense_heads import RTMDetHead
from mmengine.model import BaseModule, bias_init_with_prob, normal_init
from torch import Tensor, nn

from ...registry import MODELS
from .tower_head import TowerHead


@MODELS.register_module()
class BinaryRTMDetHead(TowerHead, RTMDetHead):
    """RTMDet head (arXiv 2212.07784) with towers of binary bricks and 1 x 1 predictors.

    All levels share the binary convolutions; batch norms, activations and predictors are each level's own.
    Assignment, losses and decoding are MMDetection's. Arguments are those of :class:`TowerHead` and
    :class:`mmdet.models.RTMDetHead`.

    Raises:
        ValueError: If an objectness branch is asked for.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if kwargs.setdefault('with_objectness', False):
            raise ValueError('BinaryRTMDetHead has no objectness branch; with_objectness must be False')
        super().__init__(*args, **kwargs)

    def _init_layers(self) -> None:
        """Builds a tower per branch and level, and the predictors."""
        place, levels = (self.in_channels, self.stacked_convs), len(self.prior_generator.strides)
        self.cls_towers = self._towers(*place, levels)
        self.reg_towers = self._towers(*place, levels)
        outputs = self.num_base_priors * self.cls_out_channels, self.num_base_priors * 4
        self.rtm_cls, self.rtm_reg = (
            nn.ModuleList(self._predictor(*place, out) for _ in range(levels)) for out in outputs)

    def init_weights(self) -> None:
        """Predictors start small, classification at a prior of 0.01; bricks keep their own initialisation, or
        ``init_cfg``'s."""
        BaseModule.init_weights(self)
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
