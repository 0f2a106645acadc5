"""Operations: the one table that the search, the reports and the docs read.

``OPs = FLOPs + BOPs / 64``, multiply-accumulates only; 8-bit work counts 1/8 of a FLOP. Batch norm,
activations, biases, shortcuts and pooling count nothing (arXiv 2408.15484, Sec. 4). Always for a stated
input size and scope.
"""
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional, Tuple

if TYPE_CHECKING:
    from ..arch.arch import Arch


@dataclass(frozen=True)
class Ops:
    """Multiply-accumulates by precision, plain counts.

    Args:
        float_macs (int): Full precision.
        int8_macs (int): 8-bit weights.
        bops (int): Binary.
    """
    float_macs: int = 0
    int8_macs: int = 0
    bops: int = 0

    @property
    def flops(self) -> float:
        """Full precision plus an eighth of the 8-bit work."""
        return self.float_macs + self.int8_macs / 8

    @property
    def ops(self) -> float:
        """``flops + bops / 64``."""
        return self.flops + self.bops / 64

    @property
    def macs(self) -> int:
        """Multiply-accumulates of any precision."""
        return self.float_macs + self.int8_macs + self.bops

    @property
    def binary_share(self) -> float:
        """Share of binary multiply-accumulates, 0 to 1."""
        return self.bops / self.macs if self.macs else 0.0

    def __add__(self, other: 'Ops') -> 'Ops':
        return Ops(self.float_macs + other.float_macs, self.int8_macs + other.int8_macs, self.bops + other.bops)


def conv_macs(kernel: Tuple[int, int], in_channels: int, out_channels: int, groups: int,
              output_size: Tuple[int, int]) -> int:
    """Multiply-accumulates of a convolution for one image.

    Args:
        kernel (tuple[int, int]): Height and width of the kernel.
        in_channels (int): Input channels.
        out_channels (int): Output channels.
        groups (int): Groups.
        output_size (tuple[int, int]): Height and width of the output, in pixels.
    """
    return kernel[0] * kernel[1] * (in_channels // groups) * out_channels * output_size[0] * output_size[1]


def conv_size(size: Tuple[int, int], stride: int) -> Tuple[int, int]:
    """Output height and width of a size-keeping convolution with a stride: rounded up."""
    return -(-size[0] // stride), -(-size[1] // stride)


def count_ops(arch: 'Arch', input_size: Tuple[int, int] = (224, 224), num_classes: Optional[int] = None) -> Ops:
    """Operations of an architecture for one RGB image.

    Args:
        arch (Arch): The architecture.
        input_size (tuple[int, int]): Height and width in pixels. Defaults to (224, 224).
        num_classes (int, optional): Counts the linear classifier too; ``None`` counts the backbone alone.

    Returns:
        Ops: Plain counts; ``.flops``, ``.bops`` and ``.ops``.
    """
    stages = arch.stages
    channels = stages[0][0].channels
    size = conv_size(input_size, arch.space.stages[0].stride)
    int8_macs = conv_macs((3, 3), 3, channels, 1, size)
    bops = 0
    for spec, blocks in zip(arch.space.stages[1:], stages[1:]):
        size = conv_size(size, spec.stride)
        for block in blocks:
            bops += conv_macs((block.kernel, block.kernel), channels, channels, block.groups1, size)
            bops += conv_macs((1, 1), channels, block.channels, block.groups2, size)
            channels = block.channels
    float_macs = num_classes * (channels + 1) if num_classes else 0
    return Ops(float_macs, int8_macs, bops)
