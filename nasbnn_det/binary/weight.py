"""The steps from a latent float weight to a binary one, from which the rules of ``binary/rules/`` are made.

Source: NAS-BNN, arXiv 2408.15484, Sec. 3 (Bi-Transformation and weight normalisation).
"""
from typing import Any, Tuple

import torch
from torch import Tensor

from ..native import training
from .sign import sign_weight


def transform_kernel(weight: Tensor, matrix: Tensor) -> Tensor:
    """Multiplies every flattened k x k filter by a learned matrix.

    Args:
        weight (Tensor): Shape (O, I, k, k).
        matrix (Tensor): Shape (k², k²); the identity changes nothing.

    Returns:
        Tensor: Shape (O, I, k, k).
    """
    return (weight.flatten(2) @ matrix.t()).view_as(weight)


def standardize_weight(weight: Tensor) -> Tensor:
    """Subtracts each output channel's mean and divides by its unbiased standard deviation.

    Args:
        weight (Tensor): Shape (O, I, k, k). A filter of a single number has no deviation and is returned
            as it is; of a constant filter only the rounding error is left, so its signs mean nothing.

    Returns:
        Tensor: Shape (O, I, k, k).
    """
    return weight if weight[0].numel() == 1 else _Standardize.apply(weight)


class _Standardize(torch.autograd.Function):
    """Written out: several times faster on CPUs than PyTorch's own steps, and sums in double precision.

    Rounding errors here move every sum of the convolution that follows, and so turn signs that are close to zero.
    """

    @staticmethod
    def forward(ctx, weight: Tensor) -> Tensor:
        ctx.native = training.can_run(weight)
        if ctx.native:
            out, deviation = training.standardize(weight.contiguous())
            ctx.save_for_backward(out, deviation)
            return out
        flat = weight.flatten(1)
        out = flat - flat.mean(1, keepdim=True, dtype=torch.float64).to(flat.dtype)
        variance = out.square().sum(1, keepdim=True, dtype=torch.float64) / (flat.shape[1] - 1)
        deviation = variance.sqrt().to(flat.dtype).clamp(min=torch.finfo(flat.dtype).tiny)
        out /= deviation
        ctx.save_for_backward(out, deviation)
        return out.view_as(weight)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        out, deviation = ctx.saved_tensors
        if ctx.native:
            return training.standardize_gradient(grad.contiguous(), out, deviation)
        flat = grad.flatten(1)
        along = (flat * out).sum(1, keepdim=True) / (flat.shape[1] - 1)
        centred = flat - flat.mean(1, keepdim=True)
        return centred.addcmul_(out, along, value=-1).div_(deviation).view_as(grad)


def mean_magnitude(weight: Tensor) -> Tensor:
    """Mean of the absolute values per output channel, added up in double precision.

    Args:
        weight (Tensor): Shape (O, I, k, k).

    Returns:
        Tensor: Shape (O, ).
    """
    return weight.abs().flatten(1).mean(1, dtype=torch.float64).to(weight.dtype)


def standardized_signs(weight: Tensor) -> Tuple[Tensor, Tensor]:
    """Signs of the standardised weight, whose gradient is a box, and its mean magnitude, which has none.

    The same as :func:`standardize_weight`, :func:`sign_weight` and :func:`mean_magnitude` one by one; on a CPU in one pass.

    Args:
        weight (Tensor): Shape (O, I, k, k).

    Returns:
        tuple[Tensor, Tensor]: ±1 of shape (O, I, k, k); magnitudes of shape (O, ).
    """
    if training.can_run(weight) and weight[0].numel() > 1:
        return _StandardizedSigns.apply(weight)
    real = standardize_weight(weight)
    return sign_weight(real), mean_magnitude(real.detach())


class _StandardizedSigns(torch.autograd.Function):

    @staticmethod
    def forward(ctx: Any, weight: Tensor) -> Tuple[Tensor, Tensor]:
        weight = weight.contiguous()
        signs, moments = training.binarize(weight)
        ctx.save_for_backward(weight, moments)
        magnitudes = moments[2].clone()
        ctx.mark_non_differentiable(magnitudes)
        return signs, magnitudes

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Any) -> Tensor:
        return training.binarize_gradient(grad.contiguous(), *ctx.saved_tensors)
