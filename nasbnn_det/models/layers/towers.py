"""What the heads of binary detectors have in common: towers of bricks, and predictors that stay real-valued."""
from typing import Tuple, Union

from torch import nn

from ...binary import Binarizes, BinaryConvModule, QuantConv2d


def build_towers(in_channels: int, channels: int, depth: int, levels: int,
                 binarization: Binarizes = 'standardized') -> nn.ModuleList:
    """A tower of 3 x 3 bricks per level. All levels share the convolutions and have their own batch norms.

    Levels see objects at the same scale, so one set of filters serves them all; but their statistics differ, and a
    batch norm of all levels fits none of them.

    Args:
        in_channels (int): Channels of every level's input.
        channels (int): Channels of the towers.
        depth (int): Bricks in a tower; 0 passes the input through.
        levels (int): Number of towers.
        binarization (Binarization | str | dict): Of the bricks. Defaults to 'standardized'.

    Returns:
        nn.ModuleList: Per level a module from (N, in_channels, H, W) to (N, channels, H, W).
    """
    towers = nn.ModuleList()
    for level in range(levels):
        bricks = []
        for i in range(depth):
            shared = towers[0][i].conv if level else None
            bricks.append(BinaryConvModule(channels if i else in_channels, channels, binarization=binarization, conv=shared))
        towers.append(nn.Sequential(*bricks))
    return towers


def build_predictor(in_channels: int, out_channels: int, quantized: bool,
                    kernel_size: Union[int, Tuple[int, int]] = 1) -> nn.Conv2d:
    """The last layer of a head, without padding. It stays real-valued: its outputs are the detector's numbers.

    Args:
        in_channels (int): Channels of the input (N, C, H, W).
        out_channels (int): Channels of the output.
        quantized (bool): 8-bit instead of float weights.
        kernel_size (int | tuple[int, int]): 1, or the whole map's size where one vector is predicted from it. Defaults
            to 1; a float 3 x 3 predictor of 80 classes would cost more than the rest of a binary detector.
    """
    if quantized:
        return QuantConv2d(in_channels, out_channels, kernel_size)
    return nn.Conv2d(in_channels, out_channels, kernel_size)
