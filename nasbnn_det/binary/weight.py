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
            as it is; of a constant filter only the rounding error is left, so its signs mean nothing.

    Returns:
        Tensor: Shape (O, I, k, k).
    """
    if weight[0].numel() == 1:
        return weight
    # Flattened, and not torch.std_mean: ten times faster on a CPU.
    flat = weight.flatten(1)
    centred = flat - flat.mean(1, keepdim=True)
    variance = centred.square().sum(1, keepdim=True) / (flat.shape[1] - 1)
    return (centred * variance.clamp(min=torch.finfo(weight.dtype).tiny).rsqrt()).view_as(weight)


def binarize_weight(weight: Tensor) -> Tensor:
    """Sign of the weight times its mean magnitude per output channel.

    The scale is a constant for the gradient: only the sign's surrogate carries it.

    Args:
        weight (Tensor): Shape (O, I, k, k).

    Returns:
        Tensor: Shape (O, I, k, k), in every output channel ±a.
    """
    scale = weight.detach().abs().flatten(1).mean(1).view(-1, 1, 1, 1)
    return scale * sign_weight(weight)
