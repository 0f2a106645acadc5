"""A NAS-BNN block: two bricks, k x k with the stride, then 1 x 1 with the change of width."""
from torch import Tensor, nn

from .binarization import Binarizes
from .brick import BinaryConvModule


class BinaryBlock(nn.Module):
    """Grouped k x k brick, then 1 x 1 brick (arXiv 2408.15484, Sec. 3).

    Args:
        in_channels (int): C of the input (N, C, H, W), kept by the first brick.
        out_channels (int): C' of the output (N, C', ceil(H / stride), ceil(W / stride)).
        kernel_size (int): Kernel of the first brick.
        stride (int): Stride of the first brick. Defaults to 1.
        groups1 (int): Groups of the first brick. Defaults to 1.
        groups2 (int): Groups of the second brick. Defaults to 1.
        binarization (Binarization | str | dict): Of both. Defaults to 'standardized'.
    """

    def __init__(self,
                 in_channels: int,
                 out_channels: int,
                 kernel_size: int,
                 stride: int = 1,
                 groups1: int = 1,
                 groups2: int = 1,
                 binarization: Binarizes = 'standardized') -> None:
        super().__init__()
        self.conv1 = BinaryConvModule(in_channels, in_channels, kernel_size, stride, groups1, binarization=binarization)
        self.conv2 = BinaryConvModule(in_channels, out_channels, 1, groups=groups2, binarization=binarization)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.conv1(x))
