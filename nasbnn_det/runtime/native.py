"""Finds or compiles the kernels' library, and calls it.

A compiled library that came with the package is used if it was made from these sources; otherwise one is compiled once
into a cache of the user's. Without a compiler everything runs on the PyTorch reference, with one warning.

Threads do not survive a fork. In a forked process the kernels begin with threads of their own, and where the parent has
used several, PyTorch is set to one, as it would wait for its own for ever.
"""
import ctypes
import os
import stat
import tempfile
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Tuple

import torch
from torch import Tensor

from .build import LIBRARY_NAME, STAMP_NAME, CompileError, build, source_hash
from .layer import LayerTensors
from .spec import INT_NAMES, LayerSpec

#: Environment variable that chooses the instruction set: one of :func:`available_isas`.
ISA_VARIABLE = 'NASBNN_DET_ISA'
REFERENCE = 'reference'


class _CLayer(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int32) for name in (*INT_NAMES[:-1], 'output')]
    _fields_ += [(name, ctypes.c_void_p) for name in LayerTensors._fields]


class _CInput(ctypes.Structure):
    _fields_ = [('data', ctypes.c_void_p)] + [(name, ctypes.c_int64) for name in (
        'batch', 'channels', 'height', 'width', 'stride_n', 'stride_c', 'stride_h', 'stride_w')]


@lru_cache(maxsize=1)
def load_library() -> Optional[ctypes.CDLL]:
    """The kernels, or None where they can't be compiled; then warns once.

    Raises:
        RuntimeError: If the library describes a layer in another way than this module.
    """
    packaged = Path(__file__).with_name('lib')
    stamp = packaged / STAMP_NAME
    problem: Exception = OSError('no folder can be written')
    try:
        if stamp.is_file() and stamp.read_text().strip() == source_hash():
            return _open(packaged / LIBRARY_NAME)
    except OSError as error:
        problem = error
    for folder in _cache_folders():
        cached = folder / source_hash()[:16] / LIBRARY_NAME
        try:
            return _open(cached if cached.is_file() else build(cached))
        except CompileError as error:
            problem = error
            break  # it would fail elsewhere too
        except OSError as error:
            problem = error
    warnings.warn(f'the packed kernels are not available, the slow PyTorch reference is used instead: {problem}',
                  stacklevel=2)
    return None


def _cache_folders() -> Iterator[Path]:
    """Where compiled kernels may be kept: the user's cache, else a folder for temporary files that is the user's alone."""
    try:
        yield Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'nasbnn_det' / 'kernels'
    except RuntimeError:  # there is no home folder
        pass
    folder = Path(tempfile.gettempdir(), f'nasbnn_det-kernels-{os.getuid()}')
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return
    # Others can write beside it: what they made is never loaded.
    if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022:
        yield folder


def _open(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    library.nb_isa.restype = ctypes.c_char_p
    library.nb_peak.restype = ctypes.c_int64
    library.nb_peak.argtypes = [ctypes.c_char_p, ctypes.c_int64]
    library.nb_use_openmp.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    library.nb_run.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p,
                               ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
    for size, struct in ((library.nb_layer_size, _CLayer), (library.nb_input_size, _CInput)):
        size.restype = ctypes.c_int64
        if size() != ctypes.sizeof(struct):
            raise RuntimeError(f"the kernels in '{path}' take {struct.__name__} as {size()} bytes, this module makes it of "
                               f'{ctypes.sizeof(struct)}: csrc/kernels.h and native.py must describe the same fields')
    library.nb_use_openmp(*_torch_openmp())
    return library


def _torch_openmp() -> Tuple[Optional[int], Optional[int]]:
    """PyTorch's own thread pool: two pools would fight for the cores."""
    # A library's handle finds what it is linked to; None is whatever the process has loaded for all.
    for name in (*map(str, Path(torch.__file__).with_name('lib').glob('libtorch_cpu.*')), None):
        try:
            loaded = ctypes.CDLL(name)
            return tuple(ctypes.cast(getattr(loaded, symbol), ctypes.c_void_p).value
                         for symbol in ('GOMP_parallel', 'omp_get_thread_num'))
        except (AttributeError, OSError):
            continue
    return None, None


@lru_cache(maxsize=1)
def _guard_forks() -> None:
    """PyTorch's threads have run: a process that is forked from now on must not ask for them."""
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


def free_workspaces() -> None:
    """Gives back the memory that the kernels keep between calls: as much as the largest image so far needed."""
    library = load_library()
    if library is not None:
        library.nb_free_workspaces()


def available_isas() -> List[str]:
    """Names of instruction sets this machine can run, fastest first; the last is always 'reference': PyTorch's operators."""
    names, library = [], load_library()
    while library is not None and (name := library.nb_isa(len(names))):
        names.append(name.decode())
    return [*names, REFERENCE]


def current_isa() -> str:
    """The instruction set in use.

    Raises:
        ValueError: If the environment variable names one this machine can't run.
    """
    wanted = os.environ.get(ISA_VARIABLE)
    if wanted == REFERENCE:
        return REFERENCE
    names = _available()
    if wanted and wanted not in names:
        raise ValueError(f"{ISA_VARIABLE} is '{wanted}'; this machine can run {', '.join(names)}")
    return wanted or names[0]


_available = lru_cache(maxsize=1)(available_isas)


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
            _guard_forks()
        code = load_library().nb_run(current_isa().encode(), self._layers, len(self._layers), ctypes.byref(source), pointers,
                                     *(None if t is None else t.data_ptr() for t in (dots, sums)), threads)
        if code == 2:
            raise MemoryError('not enough memory for the packed network')
        if code:
            raise RuntimeError(f'the kernels refused the chain (code {code})')


def peak_rate(rounds: int) -> Tuple[int, str]:
    """Runs xor, popcount and add on registers alone.

    Args:
        rounds (int): How often.

    Returns:
        tuple: Binary multiply-accumulates that were done, and the instruction set.
    """
    isa = current_isa()
    return load_library().nb_peak(isa.encode(), rounds), isa
