"""A path-aggregation neck in which every convolution is binary."""
from functools import partial
from typing import Optional, Sequence, Tuple, Union

from mmengine.model import BaseModule
from torch import Tensor, nn

from ...arch import arch_channels
from ...binary import BinaryConvModule, aggregate_paths
from ...registry import MODELS


@MODELS.register_module()
class BinaryPAFPN(BaseModule):
    """Top-down then bottom-up path aggregation (PANet, arXiv 1803.01534) built of binary bricks.

    Laterals are 3 x 3: binary 1 x 1 convolutions lose too much where channels are reduced. Maps are joined
    by addition, and every brick has a shortcut around it, so that real values reach every level.

    Args:
        in_channels (Sequence[int] | dict): Channels of each input, finest level first; or
            ``dict(arch=..., out_indices=...)`` for those of a :class:`NASBNN` with these arguments.
        out_channels (int): C, channels of each output.
        precision (str): 'float' builds the full-precision twin. Defaults to 'binary'.
        init_cfg (dict, optional): Initialisation. Defaults to None.

    Raises:
        ValueError: If there is no input level.
    """

    def __init__(self, in_channels: Union[Sequence[int], dict], out_channels: int, precision: str = 'binary',
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg)
        if isinstance(in_channels, dict):
            in_channels = arch_channels(**in_channels)
        if not in_channels:
            raise ValueError('BinaryPAFPN needs the channels of at least one input level; in_channels is empty')
        self.in_channels = tuple(in_channels)
        levels = len(self.in_channels)
        brick = partial(BinaryConvModule, out_channels=out_channels, precision=precision)
        self.laterals = nn.ModuleList(brick(c) for c in self.in_channels)
        self.top_down = nn.ModuleList(brick(out_channels) for _ in range(levels - 1))
        self.downsamples = nn.ModuleList(brick(out_channels, stride=2) for _ in range(levels - 1))
        self.bottom_up = nn.ModuleList(brick(out_channels) for _ in range(levels - 1))

    def forward(self, inputs: Sequence[Tensor]) -> Tuple[Tensor, ...]:
        """Aggregates the levels.

        Args:
            inputs (Sequence[Tensor]): Shapes (N, in_channels[i], H_i, W_i), finest first, each level half as large
                as the one before it, rounded up.

        Returns:
            tuple[Tensor]: Shapes (N, C, H_i, W_i).

        Raises:
            ValueError: If the number of levels or their channels are not those of ``in_channels``.
        """
        channels = tuple(x.shape[1] for x in inputs)
        if channels != self.in_channels:
            raise ValueError(f'BinaryPAFPN was built for levels of {self.in_channels} channels and got {channels}')
        return aggregate_paths(inputs, self.laterals, self.top_down, self.downsamples, self.bottom_up)
