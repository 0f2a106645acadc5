"""What the binary dense heads have in common: towers of bricks under predictors that stay real-valued."""
from typing import Any, Optional, Sequence, Tuple

from mmdet.models.utils import multi_apply
from torch import Tensor, nn

from ...binary import Binarizes
from ..layers import build_predictor, build_towers


class TowerHead:
    """Before a dense head of MMDetection among the bases, which keeps its assignment, losses and decoding.

    Args:
        quant_predictors (bool): 8-bit instead of float weights in the predictors. Defaults to True.
        binarization (Binarization | str | dict): Of the bricks; 'float' builds the full-precision counterpart. Defaults to
            'standardized'.
        init_cfg (dict, optional): Initialisation beyond that of the predictors. Defaults to None: the stock head's names
            layers that are not here.
        **kwargs: As for the stock head; ``conv_cfg``, ``norm_cfg`` and ``act_cfg`` have no meaning here.

    Raises:
        ValueError: If the binarization is unknown.
    """

    def __init__(self, *args: Any, quant_predictors: bool = True, binarization: Binarizes = 'standardized',
                 init_cfg: Optional[dict] = None, **kwargs: Any) -> None:
        self.quant_predictors = quant_predictors
        self.binarization = binarization
        super().__init__(*args, init_cfg=init_cfg, **kwargs)

    def _towers(self, in_channels: int, depth: int, levels: int) -> nn.ModuleList:
        """A tower per level, all of them with the same convolutions."""
        return build_towers(in_channels, self.feat_channels, depth, levels, self.binarization)

    def _predictor(self, in_channels: int, depth: int, outputs: int) -> nn.Conv2d:
        """A predictor on a tower of :meth:`_towers`, which passes its input through where it has no brick."""
        return build_predictor(self.feat_channels if depth else in_channels, outputs, self.quant_predictors)

    def forward(self, feats: Sequence[Tensor]) -> Tuple:
        """Predicts on every level.

        Args:
            feats (Sequence[Tensor]): Shapes (N, in_channels, H_i, W_i), finest first.

        Returns:
            tuple[list[Tensor]]: What ``forward_single`` returns, a list of all levels for each.
        """
        return multi_apply(self.forward_single, feats, range(len(feats)))
