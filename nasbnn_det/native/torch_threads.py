"""Kernels that compute within PyTorch run on its own threads: two pools would fight for the cores.

Threads do not survive a fork. In a forked process the kernels begin with threads of their own, and where the parent has
used several, PyTorch is set to one, as it would wait for its own for ever.
"""
import ctypes
import os
from functools import lru_cache
from pathlib import Path
from typing import Optional, Tuple

import torch

from .library import need_library


@lru_cache(maxsize=1)
def library_on_torch_threads() -> ctypes.CDLL:
    """The kernels, told which threads are PyTorch's.

    Raises:
        RuntimeError: If they can't be compiled.
    """
    library = need_library()
    library.nb_use_openmp.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    library.nb_use_openmp(*torch_openmp())
    return library


def torch_openmp() -> Tuple[Optional[int], Optional[int]]:
    """Addresses of PyTorch's ``GOMP_parallel`` and ``omp_get_thread_num``, or None twice where it has none."""
    # A library's handle finds what it is linked to; None is whatever the process has loaded for all.
    for name in (*map(str, Path(torch.__file__).with_name('lib').glob('libtorch_cpu.*')), None):
        try:
            loaded = ctypes.CDLL(name)
            parallel, number = (ctypes.cast(getattr(loaded, symbol), ctypes.c_void_p).value
                                for symbol in ('GOMP_parallel', 'omp_get_thread_num'))
            return parallel, number
        except (AttributeError, OSError):
            continue
    return None, None


@lru_cache(maxsize=1)
def guard_forks() -> None:
    """PyTorch's threads have run: a process that is forked from now on must not ask for them."""
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
