"""Copies of a kernel's arrays that end where memory ends, so that an access past the end cannot pass unseen."""

import ctypes
import mmap

import numpy as np

from hetc.runtime.csim_errors import CsimError

_CANARY = 0xA5
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


class FencedArray:
    """A copy of `array` whose last byte is the last before an inaccessible page; one lies in front too.

    What remains of the first page is filled with a pattern, and `finish` tells whether it was written.
    """

    def __init__(self, array: np.ndarray) -> None:
        page = mmap.PAGESIZE
        inside = -(-array.nbytes // page) * page
        self.original = array
        self._memory = mmap.mmap(-1, inside + 2 * page)
        whole = np.frombuffer(self._memory, np.uint8)
        self._slack = whole[page : page + inside - array.nbytes]
        self._slack[:] = _CANARY
        self._bytes = whole[page + inside - array.nbytes : page + inside]
        self._bytes[:] = _bytes_of(array)
        self.start = int(whole.ctypes.data) + page + inside - array.nbytes
        self.stop = self.start + array.nbytes
        for fence in (int(whole.ctypes.data), self.stop):
            if _libc.mprotect(fence, page, 0) != 0:
                raise CsimError("the system refuses to protect a page of memory")

    def finish(self, written: bool) -> bool:
        """Copies back if `written`; False where something was written in front of the array."""
        if written:
            _bytes_of(self.original)[:] = self._bytes
        return bool((self._slack == _CANARY).all())

    def locate(self, address: int) -> str | None:
        """Where `address` lies if it is in a page that fences this array."""
        if self.stop <= address < self.stop + mmap.PAGESIZE:
            return f"{address - self.stop} bytes past its end"
        first = self.start - len(self._slack)
        if first - mmap.PAGESIZE <= address < first:
            return f"{self.start - address} bytes before its start"
        return None


def _bytes_of(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1).view(np.uint8)
