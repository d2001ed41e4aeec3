"""Element types in buffers, and the values that their bit patterns stand for.

On the host every buffer is a numpy array of plain integers or floats: bf16 is uint16, fp8 is uint8, bool is one
byte, an index is i32, i4 takes one int8. A GPU's buffers are torch tensors of the true dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hetc.numerics import DTYPES, DType
from hetc.numerics.rounding import from_bits

INDEX = "index"
_WIDTHS = {INDEX: "i32", "index64": "i64"}
ABSENT_INDEX = -1


@cache
def element_type(element: str) -> DType:
    """The numerics' entry for an element type; an index is held as i32, a wide one as i64. Raises UnknownDTypeError."""
    return DTYPES[_WIDTHS.get(element, element)]


@cache
def host_dtype(element: str) -> np.dtype:
    """The numpy dtype of a host buffer."""
    dtype = element_type(element)
    if dtype.kind == "bool":
        return np.dtype(np.uint8)
    return dtype.bits_storage if dtype.storage_name.startswith("ml_dtypes.") else np.dtype(dtype.storage_name)


@cache
def torch_dtype(element: str) -> Any:
    """The torch dtype of a GPU buffer."""
    import torch

    return getattr(torch, element_type(element).torch_name)


def absent_bits(element: str) -> int:
    """What an absent element is stored as: 0, or -1 for an index."""
    return ABSENT_INDEX if element == INDEX else 0


def stored(array: NDArray, element: str) -> NDArray:
    """A host array seen in numpy's own dtype of the element type (ml_dtypes for bf16 and fp8, bool for bool)."""
    dtype = element_type(element)
    return array.view(np.bool_) if dtype.kind == "bool" else array.view(dtype.storage)


def decoded(array: NDArray, element: str) -> NDArray:
    """The values of a host array: float64 for floats, else the integers or bools themselves."""
    dtype = element_type(element)
    if dtype.is_float:
        return from_bits(array.view(dtype.bits_storage), dtype)
    return array.view(np.bool_) if dtype.kind == "bool" else array


def to_torch(array: NDArray, element: str) -> Any:
    """A host array as a torch tensor of the element's dtype, sharing its memory."""
    return as_torch(element)(array)


@cache
def as_torch(element: str) -> Callable[[NDArray], Any]:
    """What `to_torch` does with arrays of one element type."""
    import torch

    dtype, host = torch_dtype(element), host_dtype(element)
    # torch takes no uint16 from numpy in old versions; the bits are what counts.
    bits = np.dtype(np.int16) if host == np.uint16 else host
    known = torch.from_numpy(np.zeros(1, bits)).dtype == dtype

    def make(array: NDArray) -> Any:
        plain = array if bits is host else array.view(bits)
        tensor = torch.from_numpy(np.asarray(plain, order="C"))
        return tensor if known else tensor.view(dtype)

    return make
