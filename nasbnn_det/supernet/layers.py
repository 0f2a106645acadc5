"""The sliced incarnation of the brick: one set of shared parameters, any architecture's slice of it.

Nothing here keeps a mode: what is to be computed comes with the call.
"""
from typing import Dict, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..arch import Block, StageSpec
from ..binary import Binarization
from ..binary.activation import RPReLU, RSign, rprelu
from ..binary.conv import convolve_signs
from ..binary.fused import Weight, can_fuse, fuse, fuse_tail
from ..binary.quant import QuantConv2d, quantize_weight
from ..binary.shortcut import shortcut
from ..native.training import Geometry
from .norm import SlicedBatchNorm2d
from .slicing import shrink_kernel, slice_weight


class SlicedBinaryConv2d(nn.Module):
    """Shared weight of all binary convolutions a place in the network may hold.

    Args:
        in_channels (int): Widest input.
        out_channels (int): Widest output.
        kernels (tuple[int]): Kernel choices, ascending.
        groups (tuple[int]): Group choices, ascending.
        binarization (Binarization): The rules its weights follow.
    """

    #: Bits of a weight, read by the optimiser's groups.
    weight_bits = 1

    def __init__(self, in_channels: int, out_channels: int, kernels: Tuple[int, ...], groups: Tuple[int, ...],
                 binarization: Binarization) -> None:
        super().__init__()
        self.binarization = binarization
        self.progress: Optional[float] = None
        self.max_kernel = kernels[-1]
        size = (out_channels, in_channels // groups[0], self.max_kernel, self.max_kernel)
        self.weight = nn.Parameter(torch.empty(size))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)
        self.shrink = nn.ParameterDict({
            f'{k}to{k - 2}': nn.Parameter(torch.eye((k - 2)**2))
            for k in range(self.max_kernel, kernels[0], -2)
        })
        matrix = binarization.weights.matrix((self.max_kernel, self.max_kernel))
        self.transform = None if matrix is None else nn.Parameter(matrix)
        self.sign = SlicedRSign(in_channels, binarization)

    def latent_weight(self, in_channels: int, out_channels: int, kernel: int, groups: int) -> Tensor:
        """The part of the shared weight that a static convolution would own.

        Returns:
            Tensor: Shape (out_channels, in_channels / groups, kernel, kernel).
        """
        with torch.autocast(self.weight.device.type, enabled=False):  # signs and statistics follow from it
            return shrink_kernel(slice_weight(self.weight, out_channels, in_channels, groups), kernel, self.shrink)

    def matrix_for(self, kernel: int) -> Optional[Tensor]:
        """The learned matrix, which is that of the largest kernel, or None."""
        return self.transform if kernel == self.max_kernel else None

    def forward(self, x: Tensor, out_channels: int, kernel: int, groups: int, stride: int,
                real_weights: bool) -> Tensor:
        """Convolves with the slice for ``x``'s channels.

        Args:
            x (Tensor): Shape (N, C, H, W).
            out_channels (int): C'.
            kernel (int): Kernel size.
            groups (int): Groups.
            stride (int): s.
            real_weights (bool): The teacher's path: normalised weights, not transformed and not binarised.

        Returns:
            Tensor: Shape (N, C', ceil(H / s), ceil(W / s)).
        """
        weight = self.weight_for(x.shape[1], out_channels, kernel, groups, real_weights)
        values, scale = weight.prepare(weight.latent, weight.matrix)
        if real_weights:
            return F.conv2d(self.sign(x), values, None, stride, kernel // 2, 1, groups)
        return convolve_signs(self.sign(x), values, scale, stride, kernel // 2, 1, groups)

    def weight_for(self, in_channels: int, out_channels: int, kernel: int, groups: int, real_weights: bool) -> Weight:
        """What an architecture convolves with; arguments as for :meth:`latent_weight` and :meth:`forward`."""
        latent = self.latent_weight(in_channels, out_channels, kernel, groups)
        rule = self.binarization.weights
        if real_weights:
            return Weight(latent, None, lambda weight, matrix: (rule.prepare(weight), None), False)
        progress = self.progress if self.training else 1.0
        return Weight(latent, self.matrix_for(kernel), lambda weight, matrix: rule(weight, matrix, progress), True)


class SlicedRSign(RSign):
    """RSign over the first channels of the widest."""

    def shift(self, x: Tensor) -> Tensor:
        return self.bias[:x.shape[1]].view(-1, 1, 1)


class SlicedRPReLU(RPReLU):
    """RPReLU over the first channels of the widest."""

    def forward(self, x: Tensor) -> Tensor:
        c = x.shape[1]
        return rprelu(x, self.bias_in[:c], self.slope[:c], self.bias_out[:c])


class SlicedBrick(nn.Module):
    """RSign -> binary convolution -> BatchNorm2d -> + shortcut(x) -> RPReLU, sliced.

    Args:
        in_channels (int): Widest input.
        out_channels (int): Widest output.
        kernels (tuple[int]): Kernel choices, ascending.
        groups (tuple[int]): Group choices, ascending.
        stride (int): Its stride.
        binarization (Binarization): The rules its weights follow.
    """

    def __init__(self, in_channels: int, out_channels: int, kernels: Tuple[int, ...], groups: Tuple[int, ...],
                 stride: int, binarization: Binarization) -> None:
        super().__init__()
        self.stride = stride
        self.conv = SlicedBinaryConv2d(in_channels, out_channels, kernels, groups, binarization)
        self.bn = SlicedBatchNorm2d(out_channels)
        self.act = SlicedRPReLU(out_channels)

    def forward(self, x: Tensor, out_channels: int, kernel: int, groups: int, real_weights: bool) -> Tensor:
        if can_fuse(x, self.conv, self.conv.sign, self.bn, self.act):
            weight = self.conv.weight_for(x.shape[1], out_channels, kernel, groups, real_weights)
            geometry = Geometry((kernel, kernel), (self.stride, self.stride), groups=groups)
            return fuse(x, self.conv.sign, weight, geometry, self.bn, self.act, shortcut=True)
        y = self.bn(self.conv(x, out_channels, kernel, groups, self.stride, real_weights))
        return self.act(y + shortcut(x, out_channels, self.stride))


class SlicedBlock(nn.Module):
    """A NAS-BNN block, sliced: k x k brick, then 1 x 1 brick.

    Args:
        in_channels (int): Widest input.
        spec (StageSpec): The choices of the stage.
        stride (int): Stride of the first brick.
        binarization (Binarization): The rules its weights follow.
    """

    def __init__(self, in_channels: int, spec: StageSpec, stride: int, binarization: Binarization) -> None:
        super().__init__()
        self.conv1 = SlicedBrick(in_channels, in_channels, spec.kernels, spec.groups1, stride, binarization)
        self.conv2 = SlicedBrick(in_channels, spec.channels[-1], (1, ), spec.groups2, 1, binarization)

    def forward(self, x: Tensor, block: Block, real_weights: bool) -> Tensor:
        x = self.conv1(x, x.shape[1], block.kernel, block.groups1, real_weights)
        return self.conv2(x, block.channels, 1, block.groups2, real_weights)


class SlicedStem(nn.Module):
    """3 x 3 convolution with 8-bit weights -> BatchNorm2d -> RPReLU, sliced by output channels.

    Args:
        out_channels (int): Widest output.
        stride (int): Stride.
    """

    def __init__(self, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv = QuantConv2d(3, out_channels, 3, stride, padding=1, bias=False)
        self.bn = SlicedBatchNorm2d(out_channels)
        self.act = SlicedRPReLU(out_channels)

    def forward(self, x: Tensor, out_channels: int) -> Tensor:
        conv = self.conv
        step = conv.current_step()[:out_channels]
        weight = quantize_weight(conv.weight[:out_channels], step)
        x = F.conv2d(x, weight, None, conv.stride, conv.padding)
        return fuse_tail(x, self.bn, self.act) if can_fuse(x, self.bn, self.act) else self.act(self.bn(x))


def sliced_state(module: nn.Module, channels: int) -> Dict[str, Tensor]:
    """First ``channels`` entries of each per-channel parameter and buffer of a module; counters whole."""
    return {name: value[:channels] if value.dim() else value for name, value in module.state_dict().items()}
