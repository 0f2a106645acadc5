"""How an architecture's weight is cut out of the shared one.

Source: NAS-BNN, arXiv 2408.15484, Sec. 3. One latent weight per convolution has the shape (widest output,
widest input / fewest groups, K, K); every architecture uses a part of it.
"""
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Iterator, List, Mapping, Optional, Tuple

import torch
from torch import Tensor

from ..binary.weight import transform_kernel

_Part = Tuple[slice, slice]
_adds = ContextVar('adds', default=False)


@contextmanager
def gradients_added_to_parts() -> Iterator[None]:
    """What is cut here from a parameter adds its gradient to that part of ``parameter.grad`` alone.

    Autograd would fill a gradient of the whole weight's size with zeros and add it up, for every architecture of a step.
    Not for ``torch.autograd.grad``, which would not be given the gradient.
    """
    token = _adds.set(True)
    try:
        yield
    finally:
        _adds.reset(token)


def slice_weight(weight: Tensor, out_channels: int, in_channels: int, groups: int) -> Tensor:
    """First rows and first columns, and of a convolution with more groups than the shared one each group's own.

    The rows are cut into ``groups`` chunks; chunk i takes the columns that begin at
    ``(i mod r) * in_channels / groups`` with r the number of such column ranges.

    Args:
        weight (Tensor): Shape (O, I, K, K).
        out_channels (int): Rows to keep.
        in_channels (int): Input channels of the convolution.
        groups (int): Wanted groups.

    Returns:
        Tensor: Shape (out_channels, in_channels / groups, K, K).
    """
    columns, rows = in_channels // groups, out_channels // groups
    ranges = min(in_channels, weight.shape[1]) // columns
    if ranges == 1:
        return _cut(weight, [(slice(out_channels), slice(columns))])
    begins = [i % ranges * columns for i in range(groups)]
    return _cut(weight, [(slice(i * rows, (i + 1) * rows), slice(k, k + columns)) for i, k in enumerate(begins)])


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


def _cut(weight: Tensor, parts: List[_Part]) -> Tensor:
    """Parts of a weight, one below the other; no copy where it is only one."""
    if not (weight.requires_grad and torch.is_grad_enabled()):
        return _take(weight, parts)
    adds = _adds.get() and weight.is_leaf and not weight._backward_hooks and not weight._post_accumulate_grad_hooks
    return _Cut.apply(weight, parts, adds)


def _take(weight: Tensor, parts: List[_Part]) -> Tensor:
    return weight[parts[0]] if len(parts) == 1 else torch.cat([weight[part] for part in parts])


class _Cut(torch.autograd.Function):

    @staticmethod
    def forward(ctx: Any, weight: Tensor, parts: List[_Part], adds: bool) -> Tensor:
        ctx.weight, ctx.parts = weight if adds else None, parts
        ctx.like = weight.detach()
        return _take(weight, parts)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tuple[Optional[Tensor], None, None]:
        if grad.shape == ctx.like.shape and len(ctx.parts) == 1:
            return grad, None, None
        whole = ctx.weight.grad if ctx.weight is not None else None
        if whole is None:
            whole = torch.zeros_like(ctx.like)
        begin = 0
        for part in ctx.parts:
            own = whole[part]
            own += grad[begin:begin + own.shape[0]]
            begin += own.shape[0]
        if ctx.weight is None:
            return whole, None, None
        ctx.weight.grad = whole
        return None, None, None
