"""Let the tensors of a CPU reuse freed memory, in huge pages.

A training step allocates and frees hundreds of megabytes, again and again. By default the C library returns large
blocks to the kernel, which clears thousands of pages of 4 KB when the next step touches them.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
from functools import cache

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # parameters of mallopt(3)
KEPT = 2**30  # bytes of the heap in huge pages; larger blocks are still returned to the kernel
NEVER = 2**31 - 1  # bytes of free memory at which the heap shrinks: the largest that mallopt takes
HUGE_PAGE = 2**21  # bytes


@cache
def keep_freed_memory() -> bool:
    """Make the C library keep freed blocks below 1 GiB for later ones; return whether it does.

    They lie in huge pages if the kernel has them. The call reserves addresses, not memory: the process keeps about as
    much as it used at its peak. It does nothing outside Linux with glibc, or if the user has set malloc by the
    environment (`GLIBC_TUNABLES`, `MALLOC_…`).
    """
    is_set = any(name == "GLIBC_TUNABLES" or name.startswith("MALLOC_") for name in os.environ)
    if is_set or platform.libc_ver()[0] != "glibc" or platform.system() != "Linux":
        return False
    libc = ctypes.CDLL(None)
    libc.malloc.restype = libc.sbrk.restype = ctypes.c_void_p
    libc.malloc.argtypes, libc.free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
    libc.sbrk.argtypes, libc.madvise.argtypes = [ctypes.c_ssize_t], [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    if not (libc.mallopt(MMAP_THRESHOLD, KEPT) and libc.mallopt(TRIM_THRESHOLD, NEVER)):
        return False
    start = libc.sbrk(0)
    libc.free(libc.malloc(KEPT - mmap.PAGESIZE))  # below the threshold: the heap grows and stays as large
    end = libc.sbrk(0)
    first = -(-start // HUGE_PAGE) * HUGE_PAGE
    if end > first:
        libc.madvise(first, end - first, mmap.MADV_HUGEPAGE)  # a kernel without huge pages refuses; that is no harm
    return True
