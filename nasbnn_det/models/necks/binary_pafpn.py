"""A path-aggregation neck in which every convolution is binary."""
from typing import Any, Sequence, Tuple

from torch import Tensor

from ...binary import aggregate_paths
from ...registry import MODELS
from .binary_neck import BinaryNeck


@MODELS.register_module()
class BinaryPAFPN(BinaryNeck):
    """Top-down then bottom-up path aggregation (PANet, arXiv 1803.01534) built of binary bricks.

    Maps are joined by addition. Arguments are those of :class:`BinaryNeck`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        between = [self.out_channels] * (len(self.in_channels) - 1)
        self.top_down = self._bricks(between)
        self.downsamples = self._bricks(between, stride=2)
        self.bottom_up = self._bricks(between)
        self._build_extra()

    def forward(self, inputs: Sequence[Tensor]) -> Tuple[Tensor, ...]:
        """Aggregates the levels.

        Args:
            inputs (Sequence[Tensor]): Shapes (N, in_channels[i], H_i, W_i), finest first, each level half as large
                as the one before it, rounded up.

        Returns:
            tuple[Tensor]: Shapes (N, C, H_i, W_i), and half as large with each further level.

        Raises:
            ValueError: If the number of levels or their channels are not those of ``in_channels``.
        """
        maps = aggregate_paths(self._run_laterals(inputs), self.top_down, self.downsamples, self.bottom_up)
        return tuple(self._append_extra(list(maps)))
