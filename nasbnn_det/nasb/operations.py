"""What an edge of a NASB cell may be: the registered operations.

Each takes (N, C, H, W) to (N, C', ceil(H / s), ceil(W / s)), without a full-precision convolution, and ends in a batch
norm: all candidates of an edge then have the same scale, so that none wins a search by its loudness alone.
"""
from dataclasses import dataclass
from typing import Callable, Dict, Tuple, Type

from torch import Tensor, nn

from ..binary import Binarizes, BinaryConv2d, build_conv, get_binarization, shortcut
from ..costs import Ops, conv_macs


@dataclass(frozen=True)
class CellRules:
    """What all cells of a network have in common beside their graphs.

    Args:
        binarization (Binarization | str | dict): Of the binary convolutions; 'float' builds the full-precision twin.
            Defaults to 'standardized'.
        projection (bool): Cells that change stride or channels get a full-precision 1 x 1 convolution beside the
            shortcut, as Bi-Real Net (arXiv 1808.00278) has it. Defaults to False.
    """
    binarization: Binarizes = 'standardized'
    projection: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, 'binarization', get_binarization(self.binarization))


class Operation(nn.Module):
    """Base class of an edge's operation.

    Args:
        in_channels (int): C of the input (N, C, H, W).
        out_channels (int): C' of the output (N, C', ceil(H / stride), ceil(W / stride)).
        stride (int): s.
        num_bases (int): Parallel binary convolutions in place of each one.
        rules (CellRules): What all cells have in common.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, num_bases: int, rules: CellRules) -> None:
        super().__init__()

    @classmethod
    def count_ops(cls, in_channels: int, out_channels: int, size: Tuple[int, int], num_bases: int) -> Ops:
        """Operations for one image whose output map has height and width ``size``; a free operation has none."""
        return Ops()


#: The operations by name; :func:`register_operation` adds to it.
OPERATIONS: Dict[str, Type[Operation]] = {}

#: The name that stands for "no edge".
NO_EDGE = 'none'


def register_operation(name: str) -> Callable[[Type[Operation]], Type[Operation]]:
    """Makes an operation known under a name that cells and configs may use.

    Raises:
        ValueError: If the name is taken.
    """

    def register(operation: Type[Operation]) -> Type[Operation]:
        if name in OPERATIONS:
            raise ValueError(f"operation '{name}' is taken by {OPERATIONS[name].__name__}; choose another name")
        OPERATIONS[name] = operation
        return operation

    return register


@register_operation(NO_EDGE)
class Zero(Operation):
    """No edge: zeros."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, num_bases: int, rules: CellRules) -> None:
        super().__init__(in_channels, out_channels, stride, num_bases, rules)
        self.out_channels, self.stride = out_channels, stride

    def forward(self, x: Tensor) -> Tensor:
        height, width = (-(-n // self.stride) for n in x.shape[2:])
        return x.new_zeros(x.shape[0], self.out_channels, height, width)


@register_operation('skip_connect')
class SkipConnect(Operation):
    """The input itself, brought to shape by the brick's shortcut: average pooling, channels repeated or folded."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, num_bases: int, rules: CellRules) -> None:
        super().__init__(in_channels, out_channels, stride, num_bases, rules)
        self.out_channels, self.stride = out_channels, stride
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(shortcut(x, self.out_channels, self.stride))


class _Pool(Operation):
    """3 x 3 pooling with the stride, then channels repeated or folded."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, num_bases: int, rules: CellRules) -> None:
        super().__init__(in_channels, out_channels, stride, num_bases, rules)
        self.out_channels = out_channels
        self.pool = self._build(stride)
        self.bn = nn.BatchNorm2d(out_channels)

    @staticmethod
    def _build(stride: int) -> nn.Module:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(shortcut(self.pool(x), self.out_channels))


@register_operation('avg_pool_3x3')
class AvgPool3x3(_Pool):
    """3 x 3 average pooling over the pixels that exist."""

    @staticmethod
    def _build(stride: int) -> nn.Module:
        return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)


@register_operation('max_pool_3x3')
class MaxPool3x3(_Pool):
    """3 x 3 max pooling."""

    @staticmethod
    def _build(stride: int) -> nn.Module:
        return nn.MaxPool2d(3, stride, padding=1)


class ConvNorm(nn.Sequential):
    """A convolution and its batch norm."""

    def forward(self, x: Tensor) -> Tensor:
        y = self[0].fused(x, self[1]) if isinstance(self[0], BinaryConv2d) else None
        return super().forward(x) if y is None else y


class ConvBases(nn.ModuleList):
    """The mean of parallel binary convolutions, each with a batch norm (ABC-Net, arXiv 1711.11294, Sec. 3.2).

    Each has its own weights and its own thresholds of the sign; the batch norm's factors weigh them.

    Args:
        num_bases (int): How many.
        in_channels (int): C of the input (N, C, H, W).
        out_channels (int): C' of the output (N, C', ceil(H / stride), ceil(W / stride)).
        kernel_size (int): Odd kernel size.
        stride (int): Stride.
        dilation (int): Dilation.
        rules (CellRules): What all cells have in common.
    """

    def __init__(self, num_bases: int, in_channels: int, out_channels: int, kernel_size: int, stride: int,
                 dilation: int, rules: CellRules) -> None:
        super().__init__(
            ConvNorm(
                build_conv(in_channels, out_channels, kernel_size, stride, dilation=dilation,
                           binarization=rules.binarization),
                nn.BatchNorm2d(out_channels)) for _ in range(num_bases))

    def forward(self, x: Tensor) -> Tensor:
        return sum(base(x) for base in self) / len(self)


class _BinaryConv(Operation):
    """Binary convolutions, as many as the cell has bases."""
    kernel_size = 3
    dilation = 1

    def __init__(self, in_channels: int, out_channels: int, stride: int, num_bases: int, rules: CellRules) -> None:
        super().__init__(in_channels, out_channels, stride, num_bases, rules)
        self.bases = ConvBases(num_bases, in_channels, out_channels, self.kernel_size, stride, self.dilation, rules)

    def forward(self, x: Tensor) -> Tensor:
        return self.bases(x)

    @classmethod
    def count_ops(cls, in_channels: int, out_channels: int, size: Tuple[int, int], num_bases: int) -> Ops:
        kernel = (cls.kernel_size, cls.kernel_size)
        return Ops(bops=num_bases * conv_macs(kernel, in_channels, out_channels, 1, size))


@register_operation('bin_conv_3x3')
class BinaryConv3x3(_BinaryConv):
    """Binary 3 x 3 convolution."""


@register_operation('bin_conv_5x5')
class BinaryConv5x5(_BinaryConv):
    """Binary 5 x 5 convolution."""
    kernel_size = 5


@register_operation('bin_dil_conv_3x3')
class BinaryDilatedConv3x3(_BinaryConv):
    """Binary 3 x 3 convolution with dilation 2: sees 5 x 5 pixels at the price of 3 x 3."""
    dilation = 2
