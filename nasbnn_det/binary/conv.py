"""The binary convolution: signs of the input, convolved with signs of the weight, then scaled."""
from typing import Any, Optional, Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..identity import decode, encode
from ..native.training import Geometry
from .activation import CenteredRSign, RPReLU, RSign
from .binarization import Binarization, Binarizes, get_binarization
from .fused import Weight, can_fuse, fuse

_Size = Union[int, Tuple[int, int]]


def convolve_signs(signs: Tensor, weight: Tensor, scale: Optional[Tensor], stride: _Size, padding: _Size,
                   dilation: _Size = 1, groups: int = 1) -> Tensor:
    """Convolves ±1 with ±1, then scales.

    The products are ±1 and their sums whole numbers, so the convolution is exact in TF32, and in float16 up to 2,048
    products (4,096 where their number is even). bfloat16 rounds sums beyond 256.

    Args:
        signs (Tensor): ±1, shape (N, C, H, W).
        weight (Tensor): ±1, shape (C', C / groups, k, k).
        scale (Tensor, optional): Per output channel, shape (C', ); None for 1.
        stride (int | tuple[int]): As for :func:`torch.nn.functional.conv2d`, like all that follow.
        padding (int | tuple[int]): Pixels outside do not count.
        dilation (int | tuple[int]): Defaults to 1.
        groups (int): Defaults to 1.

    Returns:
        Tensor: Shape (N, C', H', W'), of the scale's precision.
    """
    y = F.conv2d(signs, weight, None, stride, padding, dilation, groups)
    return y if scale is None else y * scale.view(-1, 1, 1)


class BinaryConv2d(nn.Conv2d):
    """Convolution of ±1 activations with weights ±a, where a is one float per output channel.

    The input passes an RSign first, so the layer can stand wherever an ``nn.Conv2d`` stands, for example
    by ``conv_cfg=dict(type='nasbnn_det.BinaryConv2d')`` in any MMDetection layer. Pixels outside the image
    do not count (zero padding of the ±1 map). The float ``weight`` is latent: the forward pass binarises it by a rule.

    The rule is part of the layer's state: a state dict of another rule is refused.

    Args:
        in_channels (int): Channels of the input (N, C, H, W).
        out_channels (int): Channels of the output (N, C', H', W').
        kernel_size (int | tuple[int]): Kernel size.
        stride (int | tuple[int]): Defaults to 1.
        padding (int | tuple[int] | None): ``None`` keeps the size at stride 1 for odd kernels:
            ``dilation * (kernel_size // 2)``. Defaults to 0, as in ``nn.Conv2d``.
        dilation (int | tuple[int]): Defaults to 1.
        groups (int): Defaults to 1.
        bias (bool): A float bias added to the output. Defaults to False.
        binarization (Binarization | str | dict): As :func:`nasbnn_det.binary.get_binarization` takes it. Defaults to
            'standardized'.
        padding_mode (str): Only 'zeros'.

    Attributes:
        is_float (bool): Convolves the input itself with the latent weight, as a full-precision twin does, while a training
            has not yet come to this layer; see ``nasbnn_det.ProgressiveBinarizationHook``. No part of its state.

    Raises:
        ValueError: If channels are not divisible by groups, an option has no binary meaning, or a state dict of another rule
            is loaded.
    """

    #: Bits of a weight and of an activation, read by reports and by packing.
    weight_bits = 1
    activation_bits = 1

    def __init__(self,
                 in_channels: int,
                 out_channels: int,
                 kernel_size: _Size,
                 stride: _Size = 1,
                 padding: Optional[_Size] = 0,
                 dilation: _Size = 1,
                 groups: int = 1,
                 bias: bool = False,
                 *,
                 binarization: Binarizes = 'standardized',
                 padding_mode: str = 'zeros') -> None:
        if padding_mode != 'zeros':
            raise ValueError(f"padding_mode is '{padding_mode}'; BinaryConv2d allows 'zeros' only")
        if groups < 1:
            raise ValueError(f'groups={groups} must be positive')
        if in_channels % groups or out_channels % groups:
            raise ValueError(f'in_channels={in_channels} and out_channels={out_channels} must both be '
                             f'divisible by groups={groups}')
        kernel = _pair(kernel_size)
        if padding is None:
            padding = tuple(d * (k // 2) for d, k in zip(_pair(dilation), kernel))
        super().__init__(in_channels, out_channels, kernel, stride, padding, dilation, groups, bias)
        self.binarization = get_binarization(binarization)
        if self.binarization.is_float:
            raise ValueError("BinaryConv2d cannot be 'float'; nn.Conv2d is its full-precision counterpart")
        self.register_buffer('rule_json', encode(self.binarization.to_dict()))
        self.progress: Optional[float] = None
        self.is_float = False
        self.sign = (CenteredRSign if self.binarization.shift == 'centered' else RSign)(in_channels, self.binarization)
        matrix = self.binarization.weights.matrix(kernel)
        self.transform = None if matrix is None else nn.Parameter(matrix)

    def binarized(self) -> Tuple[Tensor, Optional[Tensor]]:
        """What the convolution uses: signs of shape (C', C / groups, k, k), and the scale of shape (C', ), None for 1."""
        return self.binarize(self.weight, self.transform)

    def binarize(self, weight: Tensor, matrix: Optional[Tensor]) -> Tuple[Tensor, Optional[Tensor]]:
        """The same of any weight and matrix."""
        return self.binarization.weights(weight, matrix, self.progress if self.training else 1.0)

    def binary_weight(self) -> Tensor:
        """Signs times scale, shape (C', C / groups, k, k)."""
        signs, scale = self.binarized()
        return signs if scale is None else signs * scale.view(-1, 1, 1, 1)

    def fused(self, x: Tensor, norm: Optional[nn.Module] = None, act: Optional[RPReLU] = None,
              shortcut: bool = False) -> Optional[Tensor]:
        """Itself and what follows it as one function, see :func:`nasbnn_det.binary.fused.fuse`; None where that can't run.

        Args:
            x (Tensor): Shape (N, C, H, W).
            norm (Module, optional): A batch norm behind it; no bias may stand between them. Defaults to None.
            act (RPReLU, optional): Behind that. Defaults to None.
            shortcut (bool): Added between them. Defaults to False.
        """
        if self.is_float or (norm is not None and self.bias is not None):
            return None
        geometry = Geometry(self.kernel_size, self.stride, self.dilation, self.groups)
        parts = [self.sign, *(part for part in (norm, act) if part is not None)]
        if geometry.padding != tuple(self.padding) or not geometry.is_odd or not can_fuse(x, self, *parts):
            return None
        weight = Weight(self.weight, self.transform, self.binarize, True)
        return fuse(x, self.sign, weight, geometry, norm, act, self.bias, shortcut)

    def forward(self, x: Tensor) -> Tensor:
        y = self.fused(x)
        if y is not None:
            return y
        if self.is_float:
            return super().forward(x)
        signs, scale = self.binarized()
        y = convolve_signs(self.sign(x), signs, scale, self.stride, self.padding, self.dilation, self.groups)
        return y if self.bias is None else y + self.bias.view(-1, 1, 1)

    def extra_repr(self) -> str:
        return super().extra_repr() + f', binarization={self.binarization}'

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any) -> None:
        check_rule(self.binarization, state_dict.get(prefix + 'rule_json'), prefix)
        super()._load_from_state_dict(state_dict, prefix, *args)


def check_rule(binarization: Binarization, stored: Optional[torch.Tensor], prefix: str) -> None:
    """Raises ValueError if a checkpoint's layer was binarised by another rule than this one."""
    if stored is None:
        return
    found = get_binarization(decode(stored))
    if found != binarization:
        raise ValueError(f"the checkpoint's layer '{prefix.rstrip('.')}' is binarised by {found}, this network's by "
                         f'{binarization}; set binarization accordingly')


def _pair(value: _Size) -> Tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)
