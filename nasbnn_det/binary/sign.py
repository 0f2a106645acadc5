"""The one sign of this project, ``+1 where x >= 0, else -1``, with its surrogate gradients.

The sign's true gradient is zero almost everywhere, so training replaces it: for activations by the
derivative of a piecewise quadratic (Bi-Real Net, arXiv 1808.00278, Sec. 3.3), for weights by a box
(straight-through estimator). NAS-BNN uses the same pair (arXiv 2408.15484, Sec. 3).
"""
from typing import Any, Callable, Tuple

import torch
from torch import Tensor


def sign(x: Tensor) -> Tensor:
    """``+1 where x >= 0, else -1``, shape and dtype of ``x``; it has no useful gradient."""
    # Not torch.sign, which maps 0 to 0: a third value that no single bit can hold. Adding +0 turns -0 into +0,
    # whose sign bit says +1. Twenty times faster on a CPU than torch.where.
    return torch.copysign(x.new_ones(()), x + 0.0)


class _SignActivation(torch.autograd.Function):
    """Forward: sign. Backward: ``2 - 2|x|`` on [-1, 1], else 0."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return sign(x)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        x, = ctx.saved_tensors
        return torch.rsub(x.abs(), 1).clamp_(min=0).mul_(grad).mul_(2)


class _SignWeight(torch.autograd.Function):
    """Forward: sign. Backward: 1 where ``|x| <= 1``, else 0."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return sign(x)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        x, = ctx.saved_tensors
        return grad * (x.abs() <= 1)


class _SignWithGradient(torch.autograd.Function):
    """Forward: sign. Backward: what a rule says."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, derivative: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.save_for_backward(x)
        ctx.derivative = derivative
        return sign(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tuple[Tensor, None]:
        x, = ctx.saved_tensors
        return grad * ctx.derivative(x), None


def sign_with_gradient(x: Tensor, derivative: Callable[[Tensor], Tensor]) -> Tensor:
    """Binarises to ±1 with a surrogate gradient of one's own.

    Args:
        x (Tensor): Any shape.
        derivative (Callable): Gives the surrogate's derivative at ``x``, of its shape.

    Returns:
        Tensor: ±1, shape and dtype of ``x``.
    """
    return _SignWithGradient.apply(x, derivative)


def sign_activation(x: Tensor) -> Tensor:
    """Binarises activations to ±1; the gradient is ``2 - 2|x|`` on [-1, 1], else 0.

    Args:
        x (Tensor): Any shape.

    Returns:
        Tensor: ±1, shape and dtype of ``x``.
    """
    return _SignActivation.apply(x)


def sign_weight(x: Tensor) -> Tensor:
    """Binarises weights to ±1; the gradient is 1 where ``|x| <= 1``, else 0.

    Args:
        x (Tensor): Any shape.

    Returns:
        Tensor: ±1, shape and dtype of ``x``.
    """
    return _SignWeight.apply(x)
