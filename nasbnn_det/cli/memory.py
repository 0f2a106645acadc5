"""Memory of a training on a CPU: what a step freed is there for the next one."""
import ctypes
import os
import platform

# Parameters of glibc's mallopt, from malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4


def keep_memory() -> None:
    """Tells glibc's allocator to keep the memory that is freed in place of giving it back to the system.

    Maps of a step are large, so that malloc asks the system for each of them and returns it after use; the system
    clears every page again. With maps above 32 MiB that was a third of a training's time. The process holds as much as at
    its peak until it ends. Without glibc, or where a variable ``MALLOC_...`` of the environment or a tunable says what is
    wanted, this does nothing.
    """
    if platform.libc_ver()[0] != 'glibc' or any(name.startswith('MALLOC_') for name in os.environ):
        return
    if 'glibc.malloc' in os.environ.get('GLIBC_TUNABLES', ''):
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, -1)
    libc.mallopt(_TOP_PAD, 2**28)
