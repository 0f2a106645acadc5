"""A feature pyramid in which every convolution is binary."""
from typing import Any, Sequence, Tuple

import torch.nn.functional as F
from torch import Tensor

from ...registry import MODELS
from .binary_neck import BinaryNeck


@MODELS.register_module()
class BinaryFPN(BinaryNeck):
    """Feature pyramid (FPN, arXiv 1612.03144) built of binary bricks: laterals, top-down sums, and a brick on each.

    Arguments are those of :class:`BinaryNeck`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.outputs = self._bricks([self.out_channels] * len(self.in_channels))
        self._build_extra()

    def forward(self, inputs: Sequence[Tensor]) -> Tuple[Tensor, ...]:
        """Builds the pyramid.

        Args:
            inputs (Sequence[Tensor]): Shapes (N, in_channels[i], H_i, W_i), finest first.

        Returns:
            tuple[Tensor]: Shapes (N, C, H_i, W_i), and half as large, rounded up, with each further level.

        Raises:
            ValueError: If the number of levels or their channels are not those of ``in_channels``.
        """
        maps = self._run_laterals(inputs)
        for i in range(len(maps) - 2, -1, -1):
            maps[i] = maps[i] + F.interpolate(maps[i + 1], size=maps[i].shape[2:], mode='nearest')
        return tuple(self._append_extra([brick(x) for brick, x in zip(self.outputs, maps)]))
