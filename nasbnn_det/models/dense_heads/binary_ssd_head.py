"""MMDetection's SSD head with binary towers."""
from typing import Any

from mmdet.models.dense_heads import SSDHead
from mmengine.model import normal_init
from torch import nn

from ...registry import MODELS
from .tower_head import TowerHead


@MODELS.register_module()
class BinarySSDHead(TowerHead, SSDHead):
    """SSD head (arXiv 1512.02325) with optional towers of binary bricks and 1 x 1 predictors, each level its own.

    Anchors, assignment, losses and decoding are MMDetection's. Arguments are those of :class:`TowerHead` and
    :class:`mmdet.models.SSDHead`; ``use_depthwise`` has no meaning here.

    Raises:
        ValueError: If the numbers of levels differ.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Decoding asks every head for this module, which SSD's alone does not have: its loss is a function.
        self.loss_cls = None

    # The stock head's goes level by level through its layers, as ours are built.
    forward = SSDHead.forward

    def _init_layers(self) -> None:
        """Builds towers and predictors of each level."""
        if len(self.in_channels) != len(self.num_base_priors):
            raise ValueError(f'BinarySSDHead has {len(self.in_channels)} levels in in_channels and '
                             f'{len(self.num_base_priors)} in its anchor generator; both must be the same')
        self.cls_convs, self.reg_convs = (
            nn.ModuleList(self._branch(channels, priors * outputs)
                          for channels, priors in zip(self.in_channels, self.num_base_priors))
            for outputs in (self.cls_out_channels, 4))

    def _branch(self, in_channels: int, outputs: int) -> nn.Sequential:
        tower, = self._towers(in_channels, self.stacked_convs, 1)
        return nn.Sequential(*tower, self._predictor(in_channels, self.stacked_convs, outputs))

    def init_weights(self) -> None:
        """Predictors start small; bricks keep their own initialisation."""
        super().init_weights()
        for branch in (*self.cls_convs, *self.reg_convs):
            normal_init(branch[-1], std=0.01)
