"""How a latent float weight becomes a binary one: transform, standardise, sign times scale.

Source: NAS-BNN, arXiv 2408.15484, Sec. 3 (Bi-Transformation and weight normalisation). These functions
serve the static convolution and the supernet's sliced one alike.
"""
import torch
from torch import Tensor

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
            as it is; a constant filter becomes zero.

    Returns:
        Tensor: Shape (O, I, k, k).
    """
    if weight[0].numel() == 1:
        return weight
    std, mean = torch.std_mean(weight, dim=(1, 2, 3), keepdim=True)
    return (weight - mean) / std.clamp(min=torch.finfo(weight.dtype).tiny)


def binarize_weight(weight: Tensor) -> Tensor:
    """Sign of the weight times its mean magnitude per output channel.

    The scale is a constant for the gradient: only the sign's surrogate carries it.

    Args:
        weight (Tensor): Shape (O, I, k, k).

    Returns:
        Tensor: Shape (O, I, k, k), in every output channel ±a.
    """
    scale = weight.detach().abs().mean(dim=(1, 2, 3), keepdim=True)
    return scale * sign_weight(weight)
