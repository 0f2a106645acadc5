"""The one brick everything binary is made of."""
from typing import Optional

from torch import Tensor, nn

from .activation import RPReLU
from .conv import BinaryConv2d
from .shortcut import shortcut


class BinaryConvModule(nn.Module):
    """RSign -> BinaryConv2d -> BatchNorm2d -> + shortcut(x) -> RPReLU.

    Args:
        in_channels (int): C of the input (N, C, H, W).
        out_channels (int): C' of the output (N, C', ceil(H / stride), ceil(W / stride)).
        kernel_size (int): Odd kernel size. Defaults to 3.
        stride (int): Defaults to 1.
        groups (int): Groups of the convolution. Defaults to 1.
        dilation (int): Defaults to 1.
        bi_transform (bool): See :class:`BinaryConv2d`. Defaults to False.
        weight_norm (bool): See :class:`BinaryConv2d`. Defaults to True.
        conv (nn.Conv2d, optional): A convolution to share instead of an own one; a detection head gives
            all its levels the same convolution and each its own statistics.
        precision (str): 'float' builds the full-precision twin: a plain convolution in the same place, all else
            the same. Defaults to 'binary'.

    Raises:
        ValueError: If the kernel size is even, channels are not divisible by groups, or the precision is unknown.
    """

    def __init__(self,
                 in_channels: int,
                 out_channels: int,
                 kernel_size: int = 3,
                 stride: int = 1,
                 groups: int = 1,
                 dilation: int = 1,
                 bi_transform: bool = False,
                 weight_norm: bool = True,
                 conv: Optional[nn.Conv2d] = None,
                 precision: str = 'binary') -> None:
        super().__init__()
        if conv is None:
            conv = build_conv(in_channels, out_channels, kernel_size, stride, groups, dilation, precision,
                              bi_transform=bi_transform, weight_norm=weight_norm)
        self.conv = conv
        self.bn = nn.BatchNorm2d(out_channels)
        self.act = RPReLU(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn(self.conv(x))
        return self.act(y + shortcut(x, self.conv.out_channels, self.conv.stride[0]))


def build_conv(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, groups: int = 1,
               dilation: int = 1, precision: str = 'binary', **rules: bool) -> nn.Conv2d:
    """The convolution of a brick: size-keeping at stride 1, without bias.

    Args:
        in_channels (int): C of the input (N, C, H, W).
        out_channels (int): C' of the output (N, C', ceil(H / stride), ceil(W / stride)).
        kernel_size (int): Odd kernel size.
        stride (int): Defaults to 1.
        groups (int): Defaults to 1.
        dilation (int): Defaults to 1.
        precision (str): 'binary', or 'float' for the full-precision twin. Defaults to 'binary'.
        **rules (bool): ``bi_transform`` and ``weight_norm`` of :class:`BinaryConv2d`.

    Raises:
        ValueError: If the kernel size is even, channels are not divisible by groups, or the precision is unknown.
    """
    if kernel_size % 2 == 0:
        raise ValueError(f'kernel_size={kernel_size} is even; a brick keeps the size and needs an odd kernel')
    padding = dilation * (kernel_size // 2)
    args = (in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
    if precision == 'binary':
        return BinaryConv2d(*args, bias=False, **rules)
    if precision == 'float':
        return nn.Conv2d(*args, bias=False)
    raise ValueError(f"precision '{precision}' is unknown; allowed are 'binary' and 'float'")
