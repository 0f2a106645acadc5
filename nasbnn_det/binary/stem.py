"""The network's first layer, which stays real-valued."""
from torch import Tensor, nn

from .activation import RPReLU
from .fused import can_fuse, fuse_tail
from .quant import QuantConv2d


class Stem(nn.Module):
    """Convolution with 8-bit weights, 3 x 3 by default -> BatchNorm2d -> RPReLU (arXiv 2408.15484, Sec. 3).

    Args:
        in_channels (int): C of the input (N, C, H, W).
        out_channels (int): C' of the output (N, C', ceil(H / stride), ceil(W / stride)).
        stride (int): Defaults to 2.
        kernel_size (int): Odd kernel size. Defaults to 3.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 2, kernel_size: int = 3) -> None:
        super().__init__()
        self.conv = QuantConv2d(in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)
        self.act = RPReLU(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return fuse_tail(x, self.bn, self.act) if can_fuse(x, self.bn, self.act) else self.act(self.bn(x))
