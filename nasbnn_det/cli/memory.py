"""Memory of a training on a CPU: what a step freed is there for the next one, in huge pages."""
import ctypes
import os
import platform

# Parameters of glibc's mallopt, from malloc.h, and of Linux's madvise, from mman.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_HUGE_PAGES = 14
_HUGE_PAGE = 2**21
#: The part of the machine's memory that may come in huge pages.
_PART = 4


def keep_memory() -> None:
    """Tells glibc's allocator to keep the memory that is freed in place of giving it back, and asks for it in huge pages.

    Maps of a step are large, so that malloc asks the system for each of them and returns it after use; the system
    clears every page again. With maps above 32 MiB that was a third of a training's time. Huge pages, where Linux has some,
    are meant to save look-ups of addresses. The process holds as much as at its peak until it ends. Without glibc, or where
    a variable ``MALLOC_...`` of the environment or a tunable says what is wanted, this does nothing.
    """
    if platform.libc_ver()[0] != 'glibc' or any(name.startswith('MALLOC_') for name in os.environ):
        return
    if 'glibc.malloc' in os.environ.get('GLIBC_TUNABLES', ''):
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, -1)
    libc.mallopt(_TOP_PAD, 2**28)
    _ask_for_huge_pages(libc)


def _ask_for_huge_pages(libc: ctypes.CDLL) -> None:
    """For the heap to come: addresses alone, which no memory stands behind until it is used."""
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    size = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') // _PART
    start = libc.malloc(size)
    if start:
        first, end = -(-start // _HUGE_PAGE) * _HUGE_PAGE, (start + size) // _HUGE_PAGE * _HUGE_PAGE
        libc.madvise(first, end - first, _HUGE_PAGES)
        libc.free(start)
