"""The packed brick: the numbers of one layer, laid out for the kernels."""
from typing import Callable, Dict, NamedTuple, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .bits import WORD, count_ones, pack_words, unpack_words, words_of
from .spec import LayerSpec


class LayerTensors(NamedTuple):
    """The tensors of a layer in the kernels' layout (see ``csrc/kernels.h``). Those a layer has no use for are empty.

    Per-channel numbers are padded to tiles of 32 channels a group, T in all.

    Args:
        weight (Tensor): Binary: int32 (groups, tiles, kh * kw * words, 32). Real: float (groups, tiles, I * kh * kw, 32).
        position_counts (Tensor): Binary: int32 (kh + 1, kw + 1, T), weight bits that are 1 in the first rows and columns of
            the kernel, for pixels at the border.
        sign_shift (Tensor): Binary: (in_channels, ), the RSign before the convolution.
        scale (Tensor): (T, ).
        shift (Tensor): (T, ).
        slope (Tensor): (T, ), with an activation.
        bias_out (Tensor): (T, ), with an activation.
    """
    weight: Tensor
    position_counts: Tensor
    sign_shift: Tensor
    scale: Tensor
    shift: Tensor
    slope: Tensor
    bias_out: Tensor


class PackedLayer(nn.Module):
    """Holds a :class:`LayerSpec` and its tensors; :class:`PackedChain` runs it.

    Args:
        spec (LayerSpec): What the layer is.
        weight (Tensor): Binary: bool (O, I / groups, kh, kw), True is +1; or the same as words, int32 (O, kh, kw,
            ceil(I / groups / 32)). Real: float (O, I / groups, kh, kw).
        scale (Tensor): Factor after the convolution, shape (O, ).
        shift (Tensor): Summand after it, shape (O, ).
        sign_shift (Tensor, optional): Of the RSign, shape (in_channels, ), for binary layers.
        slope (Tensor, optional): Of the PReLU, shape (O, ), for layers with an activation.
        bias_out (Tensor, optional): Added after the PReLU, shape (O, ), likewise.
        step (Tensor, optional): Of 8-bit weights, shape (O, ): ``weight`` holds whole multiples of it.

    Raises:
        ValueError: If a tensor is missing or has a wrong shape.
    """

    def __init__(self,
                 spec: LayerSpec,
                 weight: Tensor,
                 scale: Tensor,
                 shift: Tensor,
                 sign_shift: Optional[Tensor] = None,
                 slope: Optional[Tensor] = None,
                 bias_out: Optional[Tensor] = None,
                 step: Optional[Tensor] = None) -> None:
        super().__init__()
        self.spec = spec
        # The kernels read the CPU's memory, wherever the float network was.
        weight, scale, shift, sign_shift, slope, bias_out, step = (
            None if t is None else t.cpu() for t in (weight, scale, shift, sign_shift, slope, bias_out, step))
        out = (spec.out_channels, )
        if spec.binary and weight.dtype == torch.bool and tuple(weight.shape) == spec.weight_shape:
            weight = pack_words(weight.permute(0, 2, 3, 1).contiguous())
        weight_shape = (*out, *spec.kernel, words_of(spec.in_per_group)) if spec.binary else spec.weight_shape
        shapes = dict(
            weight=(weight, weight_shape), scale=(scale, out), shift=(shift, out),
            sign_shift=(sign_shift, (spec.in_channels, ) if spec.binary else None),
            slope=(slope, out if spec.activation else None), bias_out=(bias_out, out if spec.activation else None),
            step=(step, out if spec.weight == 'int8' else None))
        for name, (tensor, shape) in shapes.items():
            if (tensor is None) != (shape is None) or tensor is not None and tuple(tensor.shape) != shape:
                given = None if tensor is None else tuple(tensor.shape)
                raise ValueError(f'{name} of a layer has shape {given}, not {shape}')
        empty = torch.zeros(0)
        tiled = [empty if t is None else _tile_channels(t.float(), spec) for t in (scale, shift, slope, bias_out)]
        if spec.binary:
            tensors = (_tile_bits(weight, spec), _position_counts(weight, spec), sign_shift.float().clone(), *tiled)
        else:
            tensors = (_tile_reals(weight.float(), spec), empty, empty, *tiled)
        for name, tensor in zip(LayerTensors._fields, tensors):
            self.register_buffer(name, tensor)
        self.register_buffer('step', step)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> 'PackedLayer':
        # What half(), cuda() or to() do to a module's tensors. The kernels read float32 and bits in the CPU's memory, laid
        # out their way: a layer stays as it is, and a chain takes maps from any device.
        return self

    def tensors(self) -> LayerTensors:
        """Its tensors in the kernels' order."""
        return LayerTensors(*(getattr(self, name) for name in LayerTensors._fields))

    def plain(self) -> Dict[str, Tensor]:
        """The arguments it was made of."""
        out = {**plain_tensors(self.spec, self.tensors()), 'step': self.step}
        return {name: tensor for name, tensor in out.items() if tensor is not None and tensor.numel()}

    def affine(self) -> Tuple[Tensor, Tensor]:
        """Factor and summand after the convolution, double, shape (O, )."""
        per_group = self.spec.out_channels // self.spec.groups
        scale, shift = (t.view(self.spec.groups, -1)[:, :per_group].flatten().double() for t in (self.scale, self.shift))
        return scale, shift

    def set_affine(self, scale: Tensor, shift: Tensor) -> None:
        """Replaces the factor and the summand after the convolution, both of shape (O, ), in place."""
        self.scale.copy_(_tile_channels(scale, self.spec))
        self.shift.copy_(_tile_channels(shift, self.spec))

    def convolve(self, x: Tensor) -> Tensor:
        """The bare convolution of a layer with real weights, shape (N, O, H', W')."""
        s = self.spec
        return F.conv2d(x, self.plain()['weight'], None, s.stride, s.padding, s.dilation, s.groups)

    def extra_repr(self) -> str:
        s = self.spec
        return (f'{s.weight}, {s.in_channels}, {s.out_channels}, kernel={s.kernel}, stride={s.stride}, groups={s.groups}, '
                f'shortcut={s.shortcut}, activation={s.activation}')


def plain_tensors(spec: LayerSpec, tensors: LayerTensors) -> Dict[str, Tensor]:
    """Brings tensors in the kernels' layout back to plain shapes, as :class:`PackedLayer` takes them."""
    per_group, positions = spec.out_channels // spec.groups, spec.kernel[0] * spec.kernel[1]
    tiled = tensors.weight.unflatten(2, (positions, -1) if spec.binary else (spec.in_per_group, positions))
    # (groups, tiles, a, b, 32) -> (groups, tiles * 32, a, b) without the padding
    rows = tiled.permute(0, 1, 4, 2, 3).flatten(1, 2)[:, :per_group]
    rows = unpack_words(rows.contiguous(), spec.in_per_group).transpose(2, 3) if spec.binary else rows
    out = dict(weight=rows.reshape(spec.out_channels, spec.in_per_group, *spec.kernel), sign_shift=tensors.sign_shift)
    for name in ('scale', 'shift', 'slope', 'bias_out'):
        value = getattr(tensors, name)
        out[name] = value.view(spec.groups, -1)[:, :per_group].flatten() if value.numel() else value
    return out


def _tile_channels(value: Tensor, spec: LayerSpec) -> Tensor:
    out = value.new_zeros(spec.groups, spec.tiles * WORD)
    out[:, :spec.out_channels // spec.groups] = value.view(spec.groups, -1)
    return out.flatten()


def _tile_rows(rows: Tensor, spec: LayerSpec) -> Tensor:
    """(O, K) -> (groups, tiles, K, 32), zeros where channels are missing."""
    out = rows.new_zeros(spec.groups, spec.tiles * WORD, rows.shape[1])
    out[:, :spec.out_channels // spec.groups] = rows.view(spec.groups, -1, rows.shape[1])
    return out.view(spec.groups, spec.tiles, WORD, -1).transpose(2, 3).contiguous()


def _tile_bits(words: Tensor, spec: LayerSpec) -> Tensor:
    return _tile_rows(words.flatten(1), spec)


def _tile_reals(weight: Tensor, spec: LayerSpec) -> Tensor:
    return _tile_rows(weight.flatten(1), spec)


def _position_counts(words: Tensor, spec: LayerSpec) -> Tensor:
    """Ones per kernel position, summed over the first rows and columns; index 0 is the empty sum."""
    if spec.kernel == (1, 1) and spec.padding == (0, 0):
        return torch.zeros(0, dtype=torch.int32)
    ones = count_ones(words).flatten(1)
    tiled = _tile_rows(ones, spec).permute(2, 0, 1, 3).reshape(*spec.kernel, -1)
    out = torch.zeros(spec.kernel[0] + 1, spec.kernel[1] + 1, tiled.shape[-1], dtype=torch.int32)
    out[1:, 1:] = tiled.cumsum(0).cumsum(1)
    return out
