"""How an architecture's weight is cut out of the shared one.

Source: NAS-BNN, arXiv 2408.15484, Sec. 3. One latent weight per convolution has the shape (widest output,
widest input / fewest groups, K, K); every architecture uses a part of it.
"""
from typing import Mapping

import torch
from torch import Tensor

from ..binary.weight import transform_kernel


def slice_channels(weight: Tensor, out_channels: int, in_channels: int) -> Tensor:
    """First rows and first columns.

    Args:
        weight (Tensor): Shape (O, I, K, K).
        out_channels (int): Rows to keep.
        in_channels (int): Columns to keep, as far as the weight has them.

    Returns:
        Tensor: Shape (out_channels, min(in_channels, I), K, K), a view.
    """
    return weight[:out_channels, :in_channels]


def shrink_kernel(weight: Tensor, kernel: int, matrices: Mapping[str, Tensor]) -> Tensor:
    """Goes from the largest kernel to a smaller one, two pixels at a time.

    Each step crops the centre and multiplies the flattened filter by a learned matrix.

    Args:
        weight (Tensor): Shape (O, I, K, K).
        kernel (int): Wanted size k <= K.
        matrices (Mapping[str, Tensor]): Matrices of shape (k², k²), keyed ``'5to3'``.

    Returns:
        Tensor: Shape (O, I, k, k).
    """
    for size in range(weight.shape[-1], kernel, -2):
        weight = transform_kernel(weight[:, :, 1:-1, 1:-1], matrices[f'{size}to{size - 2}'])
    return weight


def slice_groups(weight: Tensor, in_channels: int, groups: int) -> Tensor:
    """Cuts a grouped convolution's weight out of one with fewer groups.

    The rows are cut into ``groups`` chunks; chunk i takes the columns that begin at
    ``(i mod r) * in_channels / groups`` with r the number of such column ranges.

    Args:
        weight (Tensor): Shape (O, I, k, k), channels already sliced.
        in_channels (int): Input channels of the convolution.
        groups (int): Wanted groups.

    Returns:
        Tensor: Shape (O, in_channels / groups, k, k).
    """
    columns = in_channels // groups
    ranges = weight.shape[1] // columns
    if ranges == 1:
        return weight[:, :columns]
    chunks = weight.chunk(groups)
    return torch.cat([chunk.narrow(1, i % ranges * columns, columns) for i, chunk in enumerate(chunks)])
