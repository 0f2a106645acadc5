"""ResNet with a cell in place of each k x k convolution (arXiv 1512.03385, Table 1; NASB, arXiv 2008.03515).

Where the cells stand, what is built there, and the value that names all of them.
"""
from dataclasses import dataclass, field
from typing import Callable, Dict, List, Tuple

from torch import Tensor, nn

from ..binary import BinaryConvModule, RPReLU, Stem, build_conv, shortcut
from ..costs import conv_size
from .operations import CellRules

#: Blocks per stage, and whether they are bottlenecks.
DEPTHS: Dict[int, Tuple[Tuple[int, ...], bool]] = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
}
_EXPANSION = 4


@dataclass(frozen=True)
class StemShape:
    """The first layer: a convolution with 8-bit weights, and a max pooling.

    Args:
        kernel_size (int): Defaults to 7.
        stride (int): Of the convolution. Defaults to 2.
        pool (bool): 3 x 3 max pooling of stride 2 behind it. Defaults to True.
    """
    kernel_size: int = 7
    stride: int = 2
    pool: bool = True


@dataclass(frozen=True)
class CellSite:
    """A place for a cell.

    Args:
        name (str): Of the module, for example 'layer1.0.conv1'.
        in_channels (int): Channels of its input.
        out_channels (int): Channels of its output.
        stride (int): Its stride.
        reduction (int): Total stride of its input.
    """
    name: str
    in_channels: int
    out_channels: int
    stride: int
    reduction: int


@dataclass(frozen=True)
class ResNetShape:
    """A ResNet's widths, strides and places for cells.

    Args:
        depth (int): 18, 34 or 50.
        base_channels (int): Width of the stem and of the first stage. Defaults to 64.
        stem (StemShape): The first layer.

    Raises:
        ValueError: If there is no ResNet of this depth, or a width is not positive.
    """
    depth: int
    base_channels: int = 64
    stem: StemShape = field(default_factory=StemShape)

    def __post_init__(self) -> None:
        if self.depth not in DEPTHS:
            raise ValueError(f'depth is {self.depth!r}; allowed are {", ".join(map(str, DEPTHS))}')
        if type(self.base_channels) is not int or self.base_channels < 1:
            raise ValueError(f'base_channels is {self.base_channels!r}; it must be a positive integer')

    @property
    def bottleneck(self) -> bool:
        """Whether blocks are bottlenecks: 1 x 1, 3 x 3, 1 x 1."""
        return DEPTHS[self.depth][1]

    @property
    def stage_channels(self) -> Tuple[int, ...]:
        """Output channels of each stage."""
        expansion = _EXPANSION if self.bottleneck else 1
        return tuple(expansion * self.base_channels * 2**i for i in range(4))

    @property
    def stage_strides(self) -> Tuple[int, ...]:
        """Total stride after each stage."""
        first = self.stem.stride * (2 if self.stem.pool else 1)
        return tuple(first * 2**i for i in range(4))

    @property
    def sites(self) -> List[CellSite]:
        """The places for cells, in the order of the network."""
        sites, before = [], self.base_channels
        for i, blocks in enumerate(DEPTHS[self.depth][0]):
            width = self.base_channels * 2**i
            for j in range(blocks):
                stride = 2 if i and not j else 1
                reduction = self.stage_strides[i] // stride
                name = f'layer{i + 1}.{j}'
                if self.bottleneck:
                    sites.append(CellSite(f'{name}.conv2', width, width, stride, reduction))
                else:
                    sites.append(CellSite(f'{name}.conv1', before, width, stride, reduction))
                    sites.append(CellSite(f'{name}.conv2', width, width, 1, self.stage_strides[i]))
                before = self.stage_channels[i]
        return sites

    def site_sizes(self, input_size: Tuple[int, int]) -> List[Tuple[int, int]]:
        """Height and width of each cell's output for an input of this size, in pixels."""
        return [conv_size(input_size, site.reduction * site.stride) for site in self.sites]


CellBuilder = Callable[[CellSite], nn.Module]


class BasicBlock(nn.Module):
    """Two cells. Each has its own shortcut, as in Bi-Real Net (arXiv 1808.00278, Sec. 3.1), so the block has none.

    Args:
        conv1 (nn.Module): The first cell, with the stride.
        conv2 (nn.Module): The second one.
    """

    def __init__(self, conv1: nn.Module, conv2: nn.Module) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv1, conv2

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.conv1(x))


class Bottleneck(nn.Module):
    """A 1 x 1 brick that narrows, a cell, and a binary 1 x 1 convolution that widens; a shortcut around all.

    The last convolution has no shortcut of its own: with the one around the block the input would be added twice.

    Args:
        in_channels (int): C of the input (N, C, H, W).
        width (int): Channels of the cell.
        stride (int): Of the cell.
        conv2 (nn.Module): The cell.
        rules (CellRules): Of the binary convolutions.
    """

    def __init__(self, in_channels: int, width: int, stride: int, conv2: nn.Module, rules: CellRules) -> None:
        super().__init__()
        self.stride, self.out_channels = stride, _EXPANSION * width
        self.conv1 = BinaryConvModule(in_channels, width, 1, binarization=rules.binarization)
        self.conv2 = conv2
        self.conv3 = nn.Sequential(
            build_conv(width, self.out_channels, 1, binarization=rules.binarization), nn.BatchNorm2d(self.out_channels))
        self.act = RPReLU(self.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv3(self.conv2(self.conv1(x)))
        return self.act(y + shortcut(x, self.out_channels, self.stride))


def build_stem(shape: ResNetShape) -> nn.Sequential:
    """The first layer of a ResNet: shape (N, 3, H, W) to (N, base_channels, H', W')."""
    stem = shape.stem
    layers = [Stem(3, shape.base_channels, stem.stride, stem.kernel_size)]
    return nn.Sequential(*layers, *([nn.MaxPool2d(3, 2, padding=1)] if stem.pool else []))


def build_stages(shape: ResNetShape, build_cell: CellBuilder, rules: CellRules = CellRules()) -> List[nn.Sequential]:
    """The four stages of a ResNet.

    Args:
        shape (ResNetShape): Widths and strides.
        build_cell (Callable): Gives the cell for a place.
        rules (CellRules): Of the bottlenecks' 1 x 1 convolutions.
    """
    sites = {site.name: site for site in shape.sites}
    before, stages = shape.base_channels, []
    for i, blocks in enumerate(DEPTHS[shape.depth][0]):
        layers = []
        for j in range(blocks):
            second = sites[f'layer{i + 1}.{j}.conv2']
            if shape.bottleneck:
                layers.append(Bottleneck(before, second.out_channels, second.stride, build_cell(second), rules))
            else:
                layers.append(BasicBlock(build_cell(sites[f'layer{i + 1}.{j}.conv1']), build_cell(second)))
            before = shape.stage_channels[i]
        stages.append(nn.Sequential(*layers))
    return stages
