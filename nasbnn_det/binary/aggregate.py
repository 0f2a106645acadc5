"""How a path-aggregation neck joins its levels; the static and the packed neck both call this."""
from typing import Callable, Sequence, Tuple

import torch.nn.functional as F
from torch import Tensor

_Layers = Sequence[Callable[[Tensor], Tensor]]


def aggregate_paths(maps: Sequence[Tensor], top_down: _Layers, downsamples: _Layers,
                    bottom_up: _Layers) -> Tuple[Tensor, ...]:
    """Top-down, then bottom-up path aggregation by addition (PANet, arXiv 1803.01534, Sec. 3.1).

    Args:
        maps (Sequence[Tensor]): Shapes (N, C, H_i, W_i), L levels, finest first: what the laterals give.
        top_down (Sequence): L - 1 layers, behind the sum of a level and the enlarged one above it.
        downsamples (Sequence): L - 1 layers of stride 2.
        bottom_up (Sequence): L - 1 layers, behind the sum of a level and the downsampled one below it.

    Returns:
        tuple[Tensor]: Shapes (N, C, H_i, W_i).
    """
    maps = list(maps)
    for i in range(len(maps) - 2, -1, -1):
        above = F.interpolate(maps[i + 1], size=maps[i].shape[2:], mode='nearest')
        maps[i] = top_down[i](above.add_(maps[i]))
    for i in range(len(maps) - 1):
        maps[i + 1] = bottom_up[i](maps[i + 1] + downsamples[i](maps[i]))
    return tuple(maps)
