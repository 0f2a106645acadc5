"""The slow, obvious form of a chain, in PyTorch operations. What the kernels must compute, to the last bit."""
from typing import List, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..binary import shortcut
from .layer import LayerTensors, plain_tensors
from .spec import LayerSpec


def run_reference(x: Tensor, layers: Sequence[Tuple[LayerSpec, LayerTensors, int]],
                  ) -> Tuple[List[Tensor], Optional[Tensor]]:
    """Runs a chain.

    Args:
        x (Tensor): Shape (N, C, H, W).
        layers (Sequence): Per layer its spec, its tensors and the index of the output that its map becomes, -1 for none.

    Returns:
        tuple: The outputs, and the dot products of the last layer if it is binary.
    """
    outputs: List[Tuple[int, Tensor]] = []
    dots = None
    for spec, tensors, output in layers:
        plain = plain_tensors(spec, tensors)
        weight = plain['weight']
        if spec.binary:
            signs = torch.where(x + plain['sign_shift'].view(-1, 1, 1) >= 0, 1.0, -1.0)
            weight = torch.where(weight, 1.0, -1.0)
            # Sums of ±1 are exact in float up to 2^24.
            dots = y = F.conv2d(signs, weight, None, spec.stride, spec.padding, spec.dilation, spec.groups)
        else:
            dots = None
            y = F.conv2d(x, weight, None, spec.stride, spec.padding, spec.dilation, spec.groups)
        y = y * plain['scale'].view(-1, 1, 1) + plain['shift'].view(-1, 1, 1)
        if spec.shortcut:
            y = y + shortcut(x, spec.out_channels, spec.stride[0])
        if spec.activation:
            y = torch.where(y > 0, y, y * plain['slope'].view(-1, 1, 1)) + plain['bias_out'].view(-1, 1, 1)
        x = y
        if output >= 0:
            outputs.append((output, y))
    return [y for _, y in sorted(outputs, key=lambda item: item[0])], dots
