"""Training's kernels with tensors: the passes of a brick, element-wise work fused, products with signs by look-up tables.

Maps are float32 on the CPU, channels_last. What they replace are the plain operators of ``binary/``, which are the reference
in tests. Sources: ``csrc/train_*.cpp``.
"""
import ctypes
from dataclasses import dataclass
from functools import lru_cache
from typing import Optional, Tuple

import torch
from torch import Tensor

from .library import REFERENCE, current_isa
from .torch_threads import guard_forks, library_on_torch_threads

_WORD = 64
_CL = torch.channels_last
#: Largest sum of signs that is kept in 16 bits.
_MOST = 2**15 - 1
#: The kernels' numbers of gradients of the sign.
SURROGATES = {'quadratic': 0, 'box': 1}


class _Conv(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in (
        'batch', 'in_channels', 'height', 'width', 'out_channels', 'out_height', 'out_width', 'groups', 'kernel_h',
        'kernel_w', 'stride_h', 'stride_w', 'pad_h', 'pad_w', 'dilation_h', 'dilation_w')]


class _Tail(ctypes.Structure):
    _fields_ = [('z', ctypes.c_void_p), ('z_is_float', ctypes.c_int64), ('shortcut', ctypes.c_void_p),
                ('shortcut_channels', ctypes.c_int64), ('vectors', ctypes.c_void_p)]


class _Norm(ctypes.Structure):
    _fields_ = [('channels', ctypes.c_int64)]
    _fields_ += [(name, ctypes.c_double) for name in ('count', 'momentum', 'eps')]
    _fields_ += [(name, ctypes.c_void_p) for name in (
        'scale', 'gamma', 'beta', 'bias_in', 'slope', 'bias_out', 'running_mean', 'running_var')]


@dataclass(frozen=True)
class Geometry:
    """A convolution that keeps the size, divided by its stride: odd kernels, padding of ``dilation * (kernel // 2)`` pixels.

    Args:
        kernel (tuple[int, int]): Height and width; likewise the others.
        stride (tuple[int, int]): Stride.
        dilation (tuple[int, int]): Dilation.
        groups (int): Groups.
    """
    kernel: Tuple[int, int]
    stride: Tuple[int, int] = (1, 1)
    dilation: Tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def padding(self) -> Tuple[int, int]:
        """Pixels outside the image that the kernel meets on each side."""
        return self.dilation[0] * (self.kernel[0] // 2), self.dilation[1] * (self.kernel[1] // 2)

    @property
    def is_odd(self) -> bool:
        """Whether the kernel has a centre."""
        return self.kernel[0] % 2 == 1 and self.kernel[1] % 2 == 1

    def output_shape(self, x: Tensor, channels: int) -> Tuple[int, int, int, int]:
        """Shape of the output of that many channels."""
        height, width = (-(-size // stride) for size, stride in zip(x.shape[2:], self.stride))
        return x.shape[0], channels, height, width

    def describe(self, x: Tensor, channels: int) -> _Conv:
        """As the kernels take it."""
        n, c, h, w = x.shape
        return _Conv(n, c, h, w, *self.output_shape(x, channels)[1:], self.groups, *self.kernel, *self.stride, *self.padding,
                     *self.dilation)


@dataclass
class Tail:
    """What follows a convolution: ``PReLU(scale * z + offset + shortcut) + bias_out``.

    Args:
        z (Tensor): What the convolution gave, int16 or float, shape (N, C, H, W).
        shortcut (Tensor, optional): Shape (N, S, H, W), S <= C; its channels are repeated as far as needed.
        vectors (Tensor): Scale, offset, slope and bias_out, shape (4, C).
    """
    z: Tensor
    shortcut: Optional[Tensor]
    vectors: Tensor

    def describe(self) -> _Tail:
        """As the kernels take it."""
        shortcut = (None, 0) if self.shortcut is None else (self.shortcut.data_ptr(), self.shortcut.shape[1])
        return _Tail(self.z.data_ptr(), int(self.z.dtype == torch.float32), *shortcut, self.vectors.data_ptr())


def in_order(x: Tensor) -> Tensor:
    """The map as the kernels read it: float32, channels_last, without gaps."""
    return x.float().contiguous(memory_format=_CL)


def convolve(x: Tensor, shift: Tensor, weight: Tensor, geometry: Geometry, binary: bool,
             half: bool = False) -> Tuple[Tensor, Tensor, Tensor]:
    """Convolves ``sign(x + shift)``.

    Args:
        x (Tensor): Shape (N, C, H, W).
        shift (Tensor): Shape (C, ).
        weight (Tensor): Shape (C', C / groups, k, k); ±1 if ``binary``.
        geometry (Geometry): Of the convolution.
        binary (bool): Whether the weight is ±1: popcounts, exact.
        half (bool): Computes with real weights in 16 bits. Defaults to False.

    Returns:
        tuple: The signs' bits; z of shape (N, C', H', W'), int16 where it is exact, else float; and the sums over all pixels
        of z and of its squares, double, shape (2, C').
    """
    out_channels = weight.shape[0]
    conv = geometry.describe(x, out_channels)
    words = -(-weight.shape[1] // _WORD)
    bits = torch.empty(x.shape[0], x.shape[2], x.shape[3], geometry.groups, words, dtype=torch.int64)
    binary = binary and weight[0].numel() <= _MOST
    dtype = torch.int16 if binary else torch.float32
    z = torch.empty(geometry.output_shape(x, out_channels), dtype=dtype, memory_format=_CL)
    sums = torch.empty(2, out_channels, dtype=torch.float64)
    _run('convolve', ctypes.byref(conv), x, shift, weight, int(binary), int(half), bits, z, sums)
    return bits, z, sums


def sum_up(z: Tensor) -> Tensor:
    """Sums over all pixels of a map and of its squares, double, shape (2, C)."""
    sums = torch.empty(2, z.shape[1], dtype=torch.float64)
    _run('sum', _int(z.numel() // z.shape[1]), _int(z.shape[1]), z, sums, isa=False)
    return sums


def finish(tail: Tail) -> Tensor:
    """The output, shape (N, C, H, W)."""
    out = torch.empty(tail.z.shape, dtype=torch.float32, memory_format=_CL)
    _run('finish', _int(tail.z.numel() // tail.z.shape[1]), _int(tail.z.shape[1]), ctypes.byref(tail.describe()), out)
    return out


def reduce(tail: Tail, grad: Tensor) -> Tensor:
    """Sums over all pixels of d, of d * z, of the slope's gradient and of ``grad``; d is the gradient of PReLU's input.

    Args:
        tail (Tail): Forward.
        grad (Tensor): Of the output, shape (N, C, H, W).

    Returns:
        Tensor: Double, shape (4, C).
    """
    channels = grad.shape[1]
    sums = torch.empty(4, channels, dtype=torch.float64)
    _run('reduce', _int(grad.numel() // channels), _int(channels), ctypes.byref(tail.describe()), grad, sums)
    return sums


class Grid:
    """The gradient of z, with gaps between its rows that hold zeros, in which a tap of a convolution is a shift.

    Args:
        x (Tensor): The convolution's input, shape (N, C, H, W).
        channels (int): C' of its output.
        geometry (Geometry): Of the convolution.
    """

    def __init__(self, x: Tensor, channels: int, geometry: Geometry) -> None:
        self.conv = geometry.describe(x, channels)
        sizes = (ctypes.c_int64 * 2)()
        _library().nb_train_grid(ctypes.byref(self.conv), sizes)
        self.data = torch.empty(x.shape[0] * sizes[1] * channels + 32)


def spread(tail: Tail, grad: Tensor, terms: Tensor, grid: Grid) -> Optional[Tensor]:
    """Fills a grid with the gradient of z, ``terms[0] * d + terms[1] * z + terms[2]``.

    Args:
        tail (Tail): Forward.
        grad (Tensor): Of the output, shape (N, C, H, W).
        terms (Tensor): Shape (3, C), as :meth:`Norm.terms` gives them.
        grid (Grid): To be filled.

    Returns:
        Tensor: The gradient of the shortcut, of its shape, if there is one.
    """
    grad_shortcut = None if tail.shortcut is None else torch.empty(tail.shortcut.shape, memory_format=_CL)
    _run('spread', ctypes.byref(grid.conv), ctypes.byref(tail.describe()), grad, terms, grid.data, grad_shortcut)
    return grad_shortcut


def weight_gradient(grid: Grid, bits: Tensor, shape: torch.Size, half: bool = False) -> Tensor:
    """The gradient of the weight from that of z and the signs' bits.

    Args:
        grid (Grid): Gradient of z.
        bits (Tensor): As :func:`convolve` gives them.
        shape (Size): Of the weight.
        half (bool): Computes in 16 bits. Defaults to False.
    """
    grad = torch.empty(shape)
    _run('weight_gradient', ctypes.byref(grid.conv), bits, grid.data, int(half), grad)
    return grad


def input_gradient(grid: Grid, weight: Tensor, binary: bool, x: Tensor, shift: Tensor, surrogate: str, grad_x: Tensor,
                   half: bool = False) -> Tensor:
    """Adds the gradient through the convolution and the sign to ``grad_x``.

    Args:
        grid (Grid): Gradient of z.
        weight (Tensor): Shape (C', C / groups, k, k).
        binary (bool): Whether it is ±1.
        x (Tensor): The input, shape (N, C, H, W).
        shift (Tensor): Shape (C, ).
        surrogate (str): The gradient of the sign, of :data:`SURROGATES`.
        grad_x (Tensor): Shape (N, C, H, W), added to.
        half (bool): Computes in 16 bits. Defaults to False.

    Returns:
        Tensor: The gradient of the shift, double, shape (C, ).
    """
    grad_shift = torch.empty(x.shape[1], dtype=torch.float64)
    _run('input_gradient', ctypes.byref(grid.conv), grid.data, weight, int(binary), int(half), x, shift,
         _int(SURROGATES[surrogate]), grad_x, grad_shift)
    return grad_shift


def signs_gradient(grid: Grid, weight: Tensor, binary: bool, x: Tensor, half: bool = False) -> Tensor:
    """The gradient of the signs, shape of ``x``; arguments as for :func:`input_gradient`."""
    grad, nothing = in_order(torch.zeros(x.shape)), torch.empty(x.shape[1], dtype=torch.float64)
    _run('input_gradient', ctypes.byref(grid.conv), grid.data, weight, int(binary), int(half), x, None, _int(-1), grad,
         nothing)
    return grad


_int = ctypes.c_int64


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    library = library_on_torch_threads()
    for name in ('standardize', 'standardize_gradient', 'binarize', 'binarize_gradient', 'grid', 'fold', 'terms'):
        getattr(library, f'nb_train_{name}').restype = None
    return library


def standardize(weight: Tensor) -> Tuple[Tensor, Tensor]:
    """Filters of mean 0 and deviation 1.

    Args:
        weight (Tensor): Shape (O, I, k, k), contiguous, more than one number a filter.

    Returns:
        tuple[Tensor, Tensor]: Of the weight's shape; and the deviations, shape (O, ).
    """
    out, deviation = torch.empty_like(weight), weight.new_empty(weight.shape[0])
    _run('standardize', *_filters(weight), weight, out, deviation, isa=False)
    return out, deviation


def standardize_gradient(grad: Tensor, out: Tensor, deviation: Tensor) -> Tensor:
    """The gradient of the weight from that of :func:`standardize`'s result; all but the last argument of one shape."""
    grad_weight = torch.empty_like(out)
    _run('standardize_gradient', *_filters(out), grad, out, deviation, grad_weight, isa=False)
    return grad_weight


def binarize(weight: Tensor) -> Tuple[Tensor, Tensor]:
    """Signs of filters of mean 0 and deviation 1.

    Args:
        weight (Tensor): Shape (O, I, k, k), contiguous, more than one number a filter.

    Returns:
        tuple[Tensor, Tensor]: ±1, of the weight's shape; and the filters' means, deviations and mean magnitudes after
        standardising, shape (3, O).
    """
    signs, moments = torch.empty_like(weight), weight.new_empty(3, weight.shape[0])
    _run('binarize', *_filters(weight), weight, signs, moments, isa=False)
    return signs, moments


def binarize_gradient(grad: Tensor, weight: Tensor, moments: Tensor) -> Tensor:
    """The gradient of the weight from that of :func:`binarize`'s signs; 0 where the standardised weight leaves [-1, 1]."""
    grad_weight = torch.empty_like(weight)
    _run('binarize_gradient', *_filters(weight), grad, weight, moments, grad_weight, isa=False)
    return grad_weight


def _filters(weight: Tensor) -> Tuple[ctypes.c_int64, ctypes.c_int64]:
    return _int(weight.shape[0]), _int(weight[0].numel())


def can_run(x: Tensor) -> bool:
    """Whether the kernels can take a tensor: of float32, on the CPU, where they are compiled."""
    return x.device.type == 'cpu' and x.dtype == torch.float32 and not x.is_meta and current_isa() != REFERENCE


class Norm:
    """A batch norm between a convolution, whose result z a factor multiplies, and RPReLU.

    Args:
        channels (int): C.
        count (float): Pixels that the statistics are taken of; 0 takes the running ones.
        momentum (float): Of the update of the running statistics.
        eps (float): Added to the variance.
        **vectors (Tensor, optional): ``scale``, the factor; ``gamma``, ``beta``, ``bias_in``, ``slope``, ``bias_out``,
            ``running_mean``, ``running_var``. Shape (C, ) or longer, float32, contiguous; None where it changes nothing.
    """

    def __init__(self, channels: int, count: float, momentum: float, eps: float, **vectors: Optional[Tensor]) -> None:
        self._vectors = vectors  # the kernels read their memory
        pointers = {name: _pointer(v) for name, v in vectors.items() if v is not None}
        self._norm, self.channels = _Norm(channels, count, momentum, eps, **pointers), channels

    def fold(self, sums: Tensor) -> Tuple[Tensor, Tensor]:
        """Takes the statistics, and updates the running ones in training.

        Args:
            sums (Tensor): Of z and of its squares, double, shape (2, C).

        Returns:
            tuple[Tensor, Tensor]: :class:`Tail`'s vectors; and the state that :meth:`terms` wants, double, shape (3, C).
        """
        vectors, state = torch.empty(4, self.channels), torch.empty(3, self.channels, dtype=torch.float64)
        _library().nb_train_fold(ctypes.byref(self._norm), *(ctypes.c_void_p(t.data_ptr()) for t in (sums, vectors, state)))
        return vectors, state

    def terms(self, state: Tensor, sums: Tensor, all_sums: Tensor) -> Tuple[Tensor, Tensor]:
        """Gradients.

        Args:
            state (Tensor): Of the forward pass.
            sums (Tensor): As :func:`reduce` gives them.
            all_sums (Tensor): The first two, of all processes that share the statistics.

        Returns:
            tuple[Tensor, Tensor]: What :func:`spread` wants; and the gradients of gamma, beta, bias_in, slope and bias_out,
            shape (5, C).
        """
        terms, grads = torch.empty(3, self.channels), torch.empty(5, self.channels)
        tensors = (state, sums, all_sums, terms, grads)
        _library().nb_train_terms(ctypes.byref(self._norm), *(ctypes.c_void_p(t.data_ptr()) for t in tensors))
        return terms, grads


def _run(name: str, *args: Optional[object], isa: bool = True) -> None:
    threads = torch.get_num_threads()
    if threads > 1:
        guard_forks()
    pointers = [_pointer(a) if isinstance(a, Tensor) else a for a in args]
    names = [current_isa().encode()] if isa else []
    code = getattr(_library(), f'nb_train_{name}')(*names, *pointers, threads)
    if code == 2:
        raise MemoryError('not enough memory for the kernels of a training step')
    if code:
        raise RuntimeError(f'the training kernels refused their arguments (code {code})')


def _pointer(x: Tensor) -> ctypes.c_void_p:
    if x.dtype in (torch.bfloat16, torch.float16) or x.device.type != 'cpu':
        raise TypeError(f"the training kernels take float32 on the CPU, not {x.dtype} on '{x.device}'")
    return ctypes.c_void_p(x.data_ptr())
