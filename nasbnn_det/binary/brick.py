"""The one brick everything binary is made of."""
from typing import Optional

from torch import Tensor, nn

from .activation import RPReLU
from .binarization import Binarizes, get_binarization
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
        binarization (Binarization | str | dict): See :func:`build_conv`. Defaults to 'standardized'.
        conv (nn.Conv2d, optional): A convolution to share instead of an own one; a detection head gives
            all its levels the same convolution and each its own statistics.

    Raises:
        ValueError: If the kernel size is even, channels are not divisible by groups, or the binarization is unknown.
    """

    def __init__(self,
                 in_channels: int,
                 out_channels: int,
                 kernel_size: int = 3,
                 stride: int = 1,
                 groups: int = 1,
                 dilation: int = 1,
                 binarization: Binarizes = 'standardized',
                 conv: Optional[nn.Conv2d] = None) -> None:
        super().__init__()
        if conv is None:
            conv = build_conv(in_channels, out_channels, kernel_size, stride, groups, dilation, binarization)
        self.conv = conv
        self.bn = nn.BatchNorm2d(out_channels)
        self.act = RPReLU(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(self.conv, BinaryConv2d):
            y = self.conv.fused(x, self.bn, self.act, shortcut=True)
            if y is not None:
                return y
        y = self.bn(self.conv(x))
        return self.act(y + shortcut(x, self.conv.out_channels, self.conv.stride[0]))


def build_conv(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, groups: int = 1,
               dilation: int = 1, binarization: Binarizes = 'standardized') -> nn.Conv2d:
    """The convolution of a brick: size-keeping at stride 1, without bias.

    Args:
        in_channels (int): C of the input (N, C, H, W).
        out_channels (int): C' of the output (N, C', ceil(H / stride), ceil(W / stride)).
        kernel_size (int): Odd kernel size.
        stride (int): Defaults to 1.
        groups (int): Defaults to 1.
        dilation (int): Defaults to 1.
        binarization (Binarization | str | dict): As :func:`nasbnn_det.binary.get_binarization` takes it; 'float' builds the
            full-precision counterpart, a plain convolution in the same place. Defaults to 'standardized'.

    Raises:
        ValueError: If the kernel size is even, channels are not divisible by groups, or the binarization is unknown.
    """
    if kernel_size % 2 == 0:
        raise ValueError(f'kernel_size={kernel_size} is even; a brick keeps the size and needs an odd kernel')
    binarization = get_binarization(binarization)
    args = (in_channels, out_channels, kernel_size, stride, dilation * (kernel_size // 2), dilation, groups)
    if binarization.is_float:
        return nn.Conv2d(*args, bias=False)
    return BinaryConv2d(*args, bias=False, binarization=binarization)
