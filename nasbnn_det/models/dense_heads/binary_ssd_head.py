"""MMDetection's SSD head with binary towers."""
from typing import Any, Optional, Sequence

from mmdet.models.dense_heads import SSDHead
from mmengine.model import normal_init
from torch import nn

from ...binary import Binarizes
from ...registry import MODELS
from ..layers import build_predictor, build_towers


@MODELS.register_module()
class BinarySSDHead(SSDHead):
    """SSD head (arXiv 1512.02325) with optional towers of binary bricks and 1 x 1 predictors, each level its own.

    Anchors, assignment, losses and decoding are MMDetection's.

    Args:
        in_channels (Sequence[int]): Channels of each level.
        quant_predictors (bool): 8-bit instead of float weights in the predictors. Defaults to True.
        binarization (Binarization | str | dict): Of the bricks; 'float' builds the full-precision twin. Defaults to
            'standardized'.
        init_cfg (dict, optional): Initialisation beyond that of the predictors. Defaults to None.
        **kwargs: As for :class:`mmdet.models.SSDHead`; ``conv_cfg``, ``norm_cfg``, ``act_cfg`` and ``use_depthwise``
            have no meaning here.

    Raises:
        ValueError: If the numbers of levels differ, or the binarization is unknown.
    """

    def __init__(self, *args: Any, in_channels: Sequence[int], quant_predictors: bool = True,
                 binarization: Binarizes = 'standardized', init_cfg: Optional[dict] = None, **kwargs: Any) -> None:
        self.quant_predictors = quant_predictors
        self.binarization = binarization
        super().__init__(*args, in_channels=in_channels, init_cfg=init_cfg, **kwargs)
        # Decoding asks every head for this module, which SSD's alone does not have: its loss is a function.
        self.loss_cls = None

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
        tower, = build_towers(in_channels, self.feat_channels, self.stacked_convs, 1, self.binarization)
        width = self.feat_channels if self.stacked_convs else in_channels
        return nn.Sequential(*tower, build_predictor(width, outputs, self.quant_predictors))

    def init_weights(self) -> None:
        """Predictors start small; bricks keep their own initialisation."""
        super().init_weights()
        for branch in (*self.cls_convs, *self.reg_convs):
            normal_init(branch[-1], std=0.01)
