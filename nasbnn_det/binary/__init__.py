"""1-bit arithmetic and the static brick. Imports torch only."""
from .activation import CenteredRSign, RPReLU, RSign
from .aggregate import aggregate_paths
from .block import BinaryBlock
from .brick import BinaryConvModule, build_conv
from .conv import BinaryConv2d
from .quant import QuantConv2d
from .shortcut import shortcut
from .sign import sign_activation, sign_weight
from .stem import Stem
from .weight import Binarization, binarize_weight, standardize_weight, transform_kernel

__all__ = [
    'Binarization', 'BinaryBlock', 'BinaryConv2d', 'BinaryConvModule', 'CenteredRSign', 'QuantConv2d', 'RPReLU',
    'RSign', 'Stem', 'aggregate_paths', 'binarize_weight', 'build_conv', 'shortcut', 'sign_activation', 'sign_weight',
    'standardize_weight', 'transform_kernel'
]
