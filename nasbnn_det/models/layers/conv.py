"""BinaryConv2d as a convolution that a config names: the light way to a binary neck or head."""
from dataclasses import replace
from typing import Any

from ...binary import Binarizes, BinaryConv2d, get_binarization
from ...registry import MODELS


@MODELS.register_module(name='BinaryConv2d')
def build_binary_conv(*args: Any, binarization: Binarizes = 'standardized', **kwargs: Any) -> BinaryConv2d:
    """Builds the convolution of ``conv_cfg=dict(type='nasbnn_det.BinaryConv2d')``.

    Args:
        *args: As for ``nn.Conv2d``.
        binarization (Binarization | str | dict): As :func:`nasbnn_det.binary.get_binarization` takes it. A shift that is
            learned begins at minus the mean here ('centered'): many stock heads have a ReLU in front of their convolutions,
            whose output has no sign. Defaults to 'standardized'.
        **kwargs: As for :class:`nasbnn_det.binary.BinaryConv2d`.
    """
    binarization = get_binarization(binarization)
    if binarization.shift == 'learned':
        binarization = replace(binarization, shift='centered')
    return BinaryConv2d(*args, binarization=binarization, **kwargs)
