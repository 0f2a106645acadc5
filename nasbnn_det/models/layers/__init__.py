"""Registers the binary layers, so that any OpenMMLab layer can name them, as in
``conv_cfg=dict(type='nasbnn_det.BinaryConv2d')``."""
from ...binary import BinaryConv2d, BinaryConvModule, QuantConv2d
from ...registry import MODELS
from .act import SharedRPReLU
from .conv import build_binary_conv
from .towers import build_predictor, build_towers

for layer in (BinaryConvModule, QuantConv2d):
    MODELS.register_module(module=layer)

__all__ = [
    'BinaryConv2d', 'BinaryConvModule', 'QuantConv2d', 'SharedRPReLU', 'build_binary_conv', 'build_predictor',
    'build_towers'
]
