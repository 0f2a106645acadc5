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
        conv (BinaryConv2d, optional): A convolution to share instead of an own one; a detection head gives
            all its levels the same convolution and each its own statistics.

    Raises:
        ValueError: If the kernel size is even or channels are not divisible by groups.
    """

    def __init__(self,
                 in_channels: int,
                 out_channels: int,
                 kernel_size: int = 3,
                 stride: int = 1,
                 groups: int = 1,
                 dilation: int = 1,
                 bi_transform: bool = False,
                 conv: Optional[BinaryConv2d] = None) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f'kernel_size={kernel_size} is even; a brick keeps the size and needs an odd kernel')
        self.conv = conv if conv is not None else BinaryConv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding=None,
            dilation=dilation,
            groups=groups,
            bi_transform=bi_transform)
        self.bn = nn.BatchNorm2d(out_channels)
        self.act = RPReLU(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn(self.conv(x))
        return self.act(y + shortcut(x, self.conv.out_channels, self.conv.stride[0]))
