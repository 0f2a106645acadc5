"""Finds or compiles the kernels' library, and calls it.

A compiled library that came with the package is used if it was made from these sources; otherwise one is compiled once
into a cache of the user's. Without a compiler everything runs on the PyTorch reference, with one warning.
"""
import ctypes
import os
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any, List, Optional, Sequence, Tuple

import torch
from torch import Tensor

from .build import LIBRARY_NAME, STAMP_NAME, CompileError, build, source_hash
from .layer import LayerTensors
from .spec import LayerSpec

#: Environment variable that chooses the path: one of :func:`available_paths`.
PATH_VARIABLE = 'NASBNN_DET_PATH'
REFERENCE = 'reference'


class _CLayer(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int32) for name in (
        'binary', 'in_channels', 'out_channels', 'groups', 'kernel_h', 'kernel_w', 'stride_h', 'stride_w', 'pad_h',
        'pad_w', 'dilation_h', 'dilation_w', 'shortcut', 'tap')]
    _fields_ += [(name, ctypes.c_void_p) for name in LayerTensors._fields]


class _CInput(ctypes.Structure):
    _fields_ = [('data', ctypes.c_void_p)] + [(name, ctypes.c_int64) for name in (
        'batch', 'channels', 'height', 'width', 'stride_n', 'stride_c', 'stride_h', 'stride_w')]


@lru_cache(maxsize=1)
def load_library() -> Optional[ctypes.CDLL]:
    """The kernels, or None where they can't be compiled; then warns once."""
    packaged = Path(__file__).with_name('lib')
    stamp = packaged / STAMP_NAME
    try:
        if stamp.is_file() and stamp.read_text().strip() == source_hash():
            return _open(packaged / LIBRARY_NAME)
        cached = cache_dir() / source_hash()[:16] / LIBRARY_NAME
        return _open(cached if cached.is_file() else build(cached))
    except (CompileError, OSError) as error:
        warnings.warn(f'the packed kernels are not available, the slow PyTorch reference is used instead: {error}',
                      stacklevel=2)
        return None


def cache_dir() -> Path:
    """Where compiled kernels are kept."""
    return Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'nasbnn_det' / 'kernels'


def _open(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    library.nb_path.restype = ctypes.c_char_p
    library.nb_peak.restype = ctypes.c_int64
    library.nb_peak.argtypes = [ctypes.c_char_p, ctypes.c_int64]
    library.nb_use_openmp.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    library.nb_run.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p,
                               ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
    library.nb_use_openmp(*_torch_openmp())
    return library


def _torch_openmp() -> Tuple[Optional[int], Optional[int]]:
    """PyTorch's own thread pool: two pools would fight for the cores."""
    names = ('GOMP_parallel', 'omp_get_thread_num')
    candidates: List[Optional[str]] = [None]
    try:
        with open('/proc/self/maps', encoding='utf-8') as maps:
            candidates += sorted({line.split()[-1] for line in maps if 'libgomp' in line or 'libomp' in line})
    except OSError:
        pass
    for name in candidates:
        try:
            loaded = ctypes.CDLL(name)
            return tuple(ctypes.cast(getattr(loaded, symbol), ctypes.c_void_p).value for symbol in names)
        except (AttributeError, OSError):
            continue
    return None, None


def available_paths() -> List[str]:
    """Names of the paths this machine can run, fastest first; the last is always 'reference'."""
    paths, library = [], load_library()
    while library is not None and (name := library.nb_path(len(paths))):
        paths.append(name.decode())
    return [*paths, REFERENCE]


def current_path() -> str:
    """The path in use.

    Raises:
        ValueError: If the environment variable names one this machine can't run.
    """
    wanted = os.environ.get(PATH_VARIABLE)
    if wanted == REFERENCE:
        return REFERENCE
    paths = _available()
    if wanted and wanted not in paths:
        raise ValueError(f"{PATH_VARIABLE} is '{wanted}'; this machine can run {', '.join(paths)}")
    return wanted or paths[0]


_available = lru_cache(maxsize=1)(available_paths)


class NativeChain:
    """A chain as the library takes it. It points into the tensors and must not outlive them.

    Args:
        layers (Sequence): Per layer its spec, its tensors and the index of the output that its map becomes, -1 for none.
    """

    def __init__(self, layers: Sequence[Tuple[LayerSpec, LayerTensors, int]]) -> None:
        self._layers = (_CLayer * len(layers))()
        for c_layer, (spec, tensors, tap) in zip(self._layers, layers):
            ints = spec.to_ints()
            values: List[Any] = [*ints[:13], tap, *(t.data_ptr() if t.numel() else None for t in tensors)]
            for (name, _), value in zip(_CLayer._fields_, values):
                setattr(c_layer, name, value)

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
        taps = (ctypes.c_void_p * max(1, len(outputs)))(*(y.data_ptr() for y in outputs))
        source = _CInput(x.data_ptr(), *x.shape, *x.stride())
        code = load_library().nb_run(current_path().encode(), self._layers, len(self._layers), ctypes.byref(source), taps,
                                     *(None if t is None else t.data_ptr() for t in (dots, sums)),
                                     torch.get_num_threads())
        if code == 2:
            raise MemoryError('not enough memory for the packed network')
        if code:
            raise RuntimeError(f'the kernels refused the chain (code {code})')


def peak_rate(rounds: int) -> Tuple[int, str]:
    """Runs xor, popcount and add on registers alone.

    Args:
        rounds (int): How often.

    Returns:
        tuple: Binary multiply-accumulates that were done, and the path.
    """
    path = current_path()
    return load_library().nb_peak(path.encode(), rounds), path
