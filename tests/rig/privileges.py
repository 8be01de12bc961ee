"""Takes from this thread what lets root pass over permissions, so that tests of them run for root as well."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

_VERSION_3 = 0x20080522
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1, 2


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


@contextmanager
def permissions_that_count() -> Iterator[None]:
    """Have the permissions of files hold for this thread, and those that it starts, till the end of the block."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, former, changed = _Header(_VERSION_3, 0), (_Data * 2)(), (_Data * 2)()
    for sets in (former, changed):
        _call(libc.capget, header, sets)
    changed[0].effective &= ~(1 << _DAC_OVERRIDE | 1 << _DAC_READ_SEARCH)
    _call(libc.capset, header, changed)
    try:
        yield
    finally:
        _call(libc.capset, header, former)


def _call(function: "ctypes._NamedFuncPointer", header: _Header, sets: "ctypes.Array[_Data]") -> None:
    if function(ctypes.byref(header), sets) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
