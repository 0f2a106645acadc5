"""BinaryConv2d as a convolution that a config names: the light way to a binary neck or head."""
from typing import Any

from ...binary import BinaryConv2d
from ...registry import MODELS


@MODELS.register_module(name='BinaryConv2d')
def build_binary_conv(*args: Any, center: bool = True, **kwargs: Any) -> BinaryConv2d:
    """Builds the convolution of ``conv_cfg=dict(type='nasbnn_det.BinaryConv2d')``.

    Args:
        *args: As for ``nn.Conv2d``.
        center (bool): See :class:`nasbnn_det.binary.BinaryConv2d`. Defaults to True here: many stock heads have a
            ReLU in front of their convolutions, whose output has no sign.
        **kwargs: As for :class:`nasbnn_det.binary.BinaryConv2d`.
    """
    return BinaryConv2d(*args, center=center, **kwargs)
