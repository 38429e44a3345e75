"""Memory that is kept from one operation to the next, where the system would clear it each time.

glibc gives a large block back to the system when it is freed, and the system clears each page that
it hands out again. Layers that write tens of megabytes spend up to a third of their time on that.
"""

import ctypes
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Of `mallopt`, from glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4

_MOST_INT = 2**31 - 1
_USUAL_MMAPS = 65536
_LARGEST_THRESHOLD = 32 * 2**20  # to which glibc's own rises, once such blocks were freed

_libc = ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
_lock = threading.Lock()
_n_inside = 0


@contextmanager
def kept() -> Iterator[None]:
    """Let what is freed inside wait for its next use; the system has all of it back at the end.

    It is the process that keeps it, whichever thread asks. Without glibc nothing happens.
    """
    _count(+1)
    try:
        yield
    finally:
        _count(-1)


def _count(change: int) -> None:
    """Keep from the first that enters to the last that leaves."""
    global _n_inside
    if _libc is None:
        return
    with _lock:
        before, _n_inside = _n_inside, _n_inside + change
        if before == 0:
            _libc.mallopt(_MMAP_MAX, 0)
            _libc.mallopt(_TRIM_THRESHOLD, _MOST_INT)
        elif _n_inside == 0:
            _libc.mallopt(_MMAP_MAX, _USUAL_MMAPS)
            _libc.mallopt(_MMAP_THRESHOLD, _LARGEST_THRESHOLD)
            _libc.mallopt(_TRIM_THRESHOLD, 2 * _LARGEST_THRESHOLD)
            _libc.malloc_trim(0)
