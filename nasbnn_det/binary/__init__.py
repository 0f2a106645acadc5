"""1-bit arithmetic and the static brick. Imports torch only."""
from . import rules  # noqa: F401
from .activation import CenteredRSign, RPReLU, RSign
from .aggregate import aggregate_paths
from .binarization import BINARIZATIONS, ActivationRule, Binarization, Binarizes, WeightRule, get_binarization, register_rule
from .block import BinaryBlock
from .brick import BinaryConvModule, build_conv
from .conv import BinaryConv2d, convolve_signs
from .quant import QuantConv2d
from .shortcut import shortcut
from .sign import sign_activation, sign_weight
from .stem import Stem
from .weight import standardize_weight, transform_kernel

__all__ = [
    'ActivationRule', 'BINARIZATIONS', 'Binarization', 'Binarizes', 'BinaryBlock', 'BinaryConv2d', 'BinaryConvModule',
    'CenteredRSign', 'QuantConv2d', 'RPReLU', 'RSign', 'Stem', 'WeightRule', 'aggregate_paths', 'build_conv',
    'convolve_signs', 'get_binarization', 'register_rule', 'shortcut', 'sign_activation', 'sign_weight',
    'standardize_weight', 'transform_kernel'
]
