"""A chain of packed layers as the kernels' library takes it."""
import ctypes
from functools import lru_cache
from typing import Optional, Sequence, Tuple

import torch
from torch import Tensor

from ..native import current_isa
from ..native.torch_threads import guard_forks, library_on_torch_threads
from .layer import LayerTensors
from .spec import INT_NAMES, LayerSpec


class _CLayer(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int32) for name in (*INT_NAMES[:-1], 'output')]
    _fields_ += [(name, ctypes.c_void_p) for name in LayerTensors._fields]


class _CInput(ctypes.Structure):
    _fields_ = [('data', ctypes.c_void_p)] + [(name, ctypes.c_int64) for name in (
        'batch', 'channels', 'height', 'width', 'stride_n', 'stride_c', 'stride_h', 'stride_w')]


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    """The library, once it takes what this module describes.

    Raises:
        RuntimeError: If the library describes a layer in another way than this module.
    """
    library = library_on_torch_threads()
    library.nb_run.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p,
                               ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
    for size, struct in ((library.nb_layer_size, _CLayer), (library.nb_input_size, _CInput)):
        size.restype = ctypes.c_int64
        if size() != ctypes.sizeof(struct):
            raise RuntimeError(f"the kernels in '{library._name}' take {struct.__name__} as {size()} bytes, this module "
                               f'makes it of {ctypes.sizeof(struct)}: kernels.h and native.py must describe the same fields')
    return library


class NativeChain:
    """A chain as the library takes it. It points into the tensors and must not outlive them.

    Args:
        layers (Sequence): Per layer its spec, its tensors and the index of the output that its map becomes, -1 for none.

    Raises:
        ValueError: If a tensor is not as the kernels read it.
    """

    def __init__(self, layers: Sequence[Tuple[LayerSpec, LayerTensors, int]]) -> None:
        self._layers = (_CLayer * len(layers))()
        for c_layer, (spec, tensors, output) in zip(self._layers, layers):
            for name, value in (*zip(INT_NAMES[:-1], spec.to_ints()), ('output', output)):
                setattr(c_layer, name, value)
            for name, tensor in tensors._asdict().items():
                wanted = torch.int32 if name == 'position_counts' or name == 'weight' and spec.binary else torch.float32
                if tensor.numel() and (tensor.dtype != wanted or tensor.device.type != 'cpu' or not tensor.is_contiguous()):
                    raise ValueError(f"{name} of a packed layer is {tensor.dtype} on '{tensor.device}'; the kernels read "
                                     f'{wanted} on the CPU, contiguous')
                setattr(c_layer, name, tensor.data_ptr() if tensor.numel() else None)

    def run(self, x: Tensor, outputs: Sequence[Tensor], dots: Optional[Tensor] = None,
            sums: Optional[Tensor] = None) -> None:
        """Runs it.

        Args:
            x (Tensor): Float, shape (N, C, H, W); channels_last where the first layer is binary.
            outputs (Sequence[Tensor]): The outputs to fill, float, channels_last.
            dots (Tensor, optional): int32, shape of the last output, channels_last: the last layer's dot products, instead
                of its map.
            sums (Tensor, optional): int64, shape (2, channels of the last output): their sums and those of their squares.

        Raises:
            MemoryError: If there is not enough memory.
        """
        pointers = (ctypes.c_void_p * max(1, len(outputs)))(*(y.data_ptr() for y in outputs))
        source = _CInput(x.data_ptr(), *x.shape, *x.stride())
        threads = torch.get_num_threads()
        if threads > 1:
            guard_forks()
        code = _library().nb_run(current_isa().encode(), self._layers, len(self._layers), ctypes.byref(source), pointers,
                                     *(None if t is None else t.data_ptr() for t in (dots, sums)), threads)
        if code == 2:
            raise MemoryError('not enough memory for the packed network')
        if code:
            raise RuntimeError(f'the kernels refused the chain (code {code})')
