"""Finds or compiles the kernels' library, and says which instruction set runs.

A compiled library that came with the package is used if it was made from these sources; otherwise one is compiled once
into a cache of the user's. Without a compiler chains and training run on PyTorch's operators, with one warning. PyTorch
itself is not imported here: whole detectors need none.
"""
import ctypes
import os
import stat
import tempfile
import warnings
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

from .build import LIBRARY_NAME, STAMP_NAME, CompileError, build, source_hash

#: Environment variable that chooses the instruction set: one of :func:`available_isas`.
ISA_VARIABLE = 'NASBNN_DET_ISA'
REFERENCE = 'reference'


@lru_cache(maxsize=1)
def load_library() -> Optional[ctypes.CDLL]:
    """The kernels, or None where they can't be compiled; then warns once."""
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
    warnings.warn(f'the packed kernels are not available, what has a slow PyTorch reference runs on that: {problem}',
                  stacklevel=2)
    return None


def need_library() -> ctypes.CDLL:
    """The kernels.

    Raises:
        RuntimeError: If they can't be compiled.
    """
    library = load_library()
    if library is None:
        raise RuntimeError('the kernels are not compiled: there is no C++ compiler, or it failed')
    return library


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
    library.nb_peak.argtypes = [ctypes.c_char_p, ctypes.c_int64, ctypes.c_int64]
    return library


def free_workspaces() -> None:
    """Gives back the memory that the kernels keep between calls: as much as the largest image so far needed."""
    library = load_library()
    if library is not None:
        library.nb_free_workspaces()


def available_isas() -> List[str]:
    """Names of instruction sets this machine can run, fastest first; the last is always 'reference': PyTorch's operators."""
    names: List[str] = []
    library = load_library()
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


@contextmanager
def using_isa(name: str) -> Iterator[None]:
    """Another instruction set for a while, one of :func:`available_isas`."""
    before = os.environ.get(ISA_VARIABLE)
    os.environ[ISA_VARIABLE] = name
    try:
        yield
    finally:
        os.environ.pop(ISA_VARIABLE) if before is None else os.environ.update({ISA_VARIABLE: before})


def peak_rate(rounds: int, words: int) -> Tuple[int, str]:
    """Computes dot products on registers alone, as the kernels do.

    Args:
        rounds (int): How often.
        words (int): Their length in words of 32 bits, at least 1.

    Returns:
        tuple: Binary multiply-accumulates that were done, and the instruction set.
    """
    isa = current_isa()
    return need_library().nb_peak(isa.encode(), rounds, words), isa
