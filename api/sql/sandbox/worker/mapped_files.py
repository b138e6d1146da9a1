"""A file's bytes, mapped from a descriptor: a worker never learns a path and may open none. What they say: `parts`."""

import ctypes
import mmap
import os
import weakref
from typing import Final

import pyarrow as pa

_FAILED: Final = ctypes.c_void_p(-1).value
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
_libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)


class _Mapping:
    """Owner of one mapping: Arrow buffers keep it alive, and the memory goes when the last of them does."""

    def __init__(self, address: int, size: int) -> None:
        weakref.finalize(self, _libc.munmap, address, size).atexit = False


def map_descriptor(descriptor: int, size: int) -> pa.Buffer:
    """The file's bytes, read-only, not copied. The descriptor may be closed afterwards (Python's own mmap keeps one).

    Raises:
        OSError: the system refuses the mapping.
    """
    if size == 0:
        return pa.py_buffer(b"")
    address = _libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
    if address in {None, _FAILED}:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return pa.foreign_buffer(address, size, base=_Mapping(address, size))
