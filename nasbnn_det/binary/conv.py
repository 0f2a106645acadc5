"""The binary convolution: sign of the input, convolved with a binarised weight."""
from typing import Optional, Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .activation import CenteredRSign, RSign
from .weight import binarize_weight, standardize_weight, transform_kernel

_Size = Union[int, Tuple[int, int]]


class BinaryConv2d(nn.Conv2d):
    """Convolution of ±1 activations with ±a weights, a one float per output channel.

    The input passes an RSign first, so the layer can stand wherever an ``nn.Conv2d`` stands, for example
    by ``conv_cfg=dict(type='nasbnn_det.BinaryConv2d')`` in any MMDetection layer. Pixels outside the image
    do not count (zero padding of the ±1 map).

    The float ``weight`` is latent: the forward pass applies Bi-Transformation, weight normalisation and
    the sign to it (arXiv 2408.15484, Sec. 3).

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
        weight_norm (bool): Standardises each filter before its sign. Defaults to True.
        bi_transform (bool): Multiplies each flattened filter by a learned matrix before normalisation;
            for square kernels larger than 1. Defaults to False.
        center (bool): The RSign's shift starts at minus the mean of the first training batch instead of zero, for
            inputs that are not centred, such as a ReLU's. Defaults to False.
        padding_mode (str): Only 'zeros'.

    Raises:
        ValueError: If channels are not divisible by groups, or an option has no binary meaning.
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
                 weight_norm: bool = True,
                 bi_transform: bool = False,
                 center: bool = False,
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
        self.sign = CenteredRSign(in_channels) if center else RSign(in_channels)
        self.weight_norm = weight_norm
        self.transform: Optional[nn.Parameter] = None
        if bi_transform:
            if kernel[0] != kernel[1] or kernel[0] == 1:
                raise ValueError(f'bi_transform needs a square kernel larger than 1, not {kernel}')
            self.transform = nn.Parameter(torch.eye(kernel[0]**2))

    def binary_weight(self) -> Tensor:
        """The weight the convolution uses: in every output channel ±a.

        Returns:
            Tensor: Shape (out_channels, in_channels / groups, k, k).
        """
        weight = self.weight
        if self.transform is not None:
            weight = transform_kernel(weight, self.transform)
        if self.weight_norm:
            weight = standardize_weight(weight)
        return binarize_weight(weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(
            self.sign(x), self.binary_weight(), self.bias, self.stride, self.padding, self.dilation, self.groups)

    def extra_repr(self) -> str:
        return super().extra_repr() + f', bi_transform={self.transform is not None}'


def _pair(value: _Size) -> Tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)
