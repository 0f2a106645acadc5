"""SSD's extra layers in which every convolution is binary."""
from typing import Optional, Sequence, Tuple

from mmengine.model import BaseModule
from torch import Tensor, nn

from ...binary import Binarizes, BinaryConvModule
from ...registry import MODELS
from .binary_neck import check_inputs, input_channels


@MODELS.register_module()
class BinarySSDNeck(BaseModule):
    """The backbone's levels as they are, and further levels of half the size each (SSD, arXiv 1512.02325, Sec. 2.1).

    An extra level is a 3 x 3 brick of stride 2, then a 3 x 3 brick; SSD's 1 x 1 bottlenecks would lose too much.

    Args:
        in_channels (Sequence[int]): Channels of each input, finest level first. Detectors of this package fill them in.
        extra_channels (Sequence[int]): Channels of each extra level. Defaults to none.
        binarization (Binarization | str | dict): Of the bricks; 'float' builds the full-precision twin. Defaults to
            'standardized'.
        init_cfg (dict, optional): Initialisation. Defaults to None.

    Attributes:
        out_channels (tuple[int]): Channels of all levels, for the head.

    Raises:
        ValueError: If there is no input level.
    """

    def __init__(self, in_channels: Optional[Sequence[int]] = None, extra_channels: Sequence[int] = (),
                 binarization: Binarizes = 'standardized', init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg)
        self.in_channels = input_channels('BinarySSDNeck', in_channels)
        self.out_channels = self.in_channels + tuple(extra_channels)
        before = self.out_channels[len(self.in_channels) - 1:]
        self.extra = nn.ModuleList(
            nn.Sequential(
                BinaryConvModule(c_in, c_out, stride=2, binarization=binarization),
                BinaryConvModule(c_out, c_out, binarization=binarization)) for c_in, c_out in zip(before, extra_channels))

    def forward(self, inputs: Sequence[Tensor]) -> Tuple[Tensor, ...]:
        """Adds the extra levels.

        Args:
            inputs (Sequence[Tensor]): Shapes (N, in_channels[i], H_i, W_i), finest first.

        Returns:
            tuple[Tensor]: The inputs, then shapes (N, extra_channels[j], H', W'), each half as large as the one before
            it, rounded up.

        Raises:
            ValueError: If the number of levels or their channels are not those of ``in_channels``.
        """
        check_inputs(self, inputs)
        maps = list(inputs)
        for layer in self.extra:
            maps.append(layer(maps[-1]))
        return tuple(maps)
