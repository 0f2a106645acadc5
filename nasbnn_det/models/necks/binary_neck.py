"""What binary necks have in common: their inputs, and the levels above the backbone's last one."""
from functools import partial
from typing import List, Optional, Sequence, Tuple

from mmengine.model import BaseModule
from torch import Tensor, nn

from ...binary import Binarizes, BinaryConvModule


def input_channels(neck: str, in_channels: Optional[Sequence[int]]) -> Tuple[int, ...]:
    """What a neck's config says of its inputs.

    Raises:
        ValueError: If there is no input level, or they are no numbers.
    """
    if in_channels is None:
        raise ValueError(f'{neck} needs in_channels, a number per input level; in a detector of nasbnn_det (such as '
                         'nasbnn_det.BinaryRTMDet) it takes those of the backbone')
    if not isinstance(in_channels, (list, tuple)) or not all(type(c) is int and c > 0 for c in in_channels):
        raise ValueError(f'in_channels of {neck} is {in_channels!r}; allowed is a list of numbers, the channels of each '
                         'input level; a detector of nasbnn_det (such as nasbnn_det.BinaryRTMDet) fills them in')
    if not in_channels:
        raise ValueError(f'{neck} needs the channels of at least one input level; in_channels is empty')
    return tuple(in_channels)


def check_inputs(neck: BaseModule, inputs: Sequence[Tensor]) -> None:
    """Raises ValueError if the number of levels or their channels are not those of ``neck.in_channels``."""
    channels = tuple(x.shape[1] for x in inputs)
    if channels != neck.in_channels:
        raise ValueError(f'{type(neck).__name__} was built for levels of {neck.in_channels} channels and got '
                         f'{channels}')


class BinaryNeck(BaseModule):
    """Base of necks built of binary bricks.

    Laterals are 3 x 3: binary 1 x 1 convolutions lose too much where channels are reduced. Every brick has a shortcut
    around it, so that real values reach every level.

    Args:
        in_channels (Sequence[int]): Channels of each input, finest level first. Detectors of this package fill them in.
        out_channels (int): C, channels of each output. Defaults to 256.
        num_outs (int, optional): Levels of the output; those beyond the inputs are bricks of stride 2 on the last
            one. Defaults to None, as many as inputs.
        binarization (Binarization | str | dict): Of the bricks; 'float' builds the full-precision twin. Defaults to
            'standardized'.
        init_cfg (dict, optional): Initialisation. Defaults to None.

    Raises:
        ValueError: If there is no input level, or fewer outputs than inputs.
    """

    def __init__(self, in_channels: Optional[Sequence[int]] = None, out_channels: int = 256,
                 num_outs: Optional[int] = None, binarization: Binarizes = 'standardized',
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg)
        name = type(self).__name__
        self.in_channels = input_channels(name, in_channels)
        levels = len(self.in_channels)
        if num_outs is not None and num_outs < levels:
            raise ValueError(f'{name} has {levels} input levels and num_outs={num_outs}; at least {levels} are allowed')
        self.out_channels = out_channels
        self._brick = partial(BinaryConvModule, out_channels=out_channels, binarization=binarization)
        self.laterals = self._bricks(self.in_channels)
        self._extra_levels = (num_outs or levels) - levels

    def _bricks(self, channels: Sequence[int], stride: int = 1) -> nn.ModuleList:
        """A 3 x 3 brick to ``out_channels`` for each number of input channels."""
        return nn.ModuleList(self._brick(c, stride=stride) for c in channels)

    def _build_extra(self) -> None:
        """Bricks of the levels above the inputs; to be called last, as their weights are drawn last."""
        self.extra = self._bricks([self.out_channels] * self._extra_levels, stride=2)

    def _run_laterals(self, inputs: Sequence[Tensor]) -> List[Tensor]:
        """Brings all levels to ``out_channels``."""
        check_inputs(self, inputs)
        return [lateral(x) for lateral, x in zip(self.laterals, inputs)]

    def _append_extra(self, maps: List[Tensor]) -> List[Tensor]:
        """Adds the levels above the last one."""
        for brick in self.extra:
            maps.append(brick(maps[-1]))
        return maps
