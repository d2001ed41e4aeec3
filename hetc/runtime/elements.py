"""Element types at the boundary: a caller's tensors <-> the bit patterns that buffers hold.

On the host every buffer is a numpy array of plain integers or floats: bf16 is uint16, fp8 is uint8, bool is one
byte, an index is i32, i4 takes one int8. A GPU's buffers are torch tensors of the true dtype.

What a caller may hand in for a declared element type: the same dtype in torch or ml_dtypes; for a float also
float32, which is rounded to nearest even (8-bit floats saturate); for an integer or an index any integer dtype
whose values all fit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hetc.numerics import DTYPES, DType, from_bits, to_bits
from hetc.runtime.errors import InputError

INDEX = "index"
ABSENT_INDEX = -1


def element_type(element: str) -> DType:
    """The numerics' entry for an element type; an index is held as i32. Raises UnknownDTypeError."""
    return DTYPES["i32" if element == INDEX else element]


def host_dtype(element: str) -> np.dtype:
    """The numpy dtype of a host buffer."""
    dtype = element_type(element)
    if dtype.kind == "bool":
        return np.dtype(np.uint8)
    return dtype.bits_storage if dtype.storage_name.startswith("ml_dtypes.") else np.dtype(dtype.storage_name)


def torch_dtype(element: str) -> Any:
    """The torch dtype of a GPU buffer."""
    import torch

    return getattr(torch, element_type(element).torch_name)


def absent_bits(element: str) -> int:
    """What an absent element is stored as: 0, or -1 for an index."""
    return ABSENT_INDEX if element == INDEX else 0


def is_torch(value: object) -> bool:
    """Whether `value` is a torch tensor, found without importing torch."""
    return type(value).__module__.partition(".")[0] == "torch"


def to_host(value: Any, element: str, name: str) -> NDArray:
    """A caller's tensor as a C-contiguous host array of `host_dtype(element)`; copies only where it must.

    Raises InputError naming the tensor, what was expected and what was found.
    """
    array = _numpy_of(value, element, name)
    wanted = element_type(element)
    if wanted.is_float:
        return _float_bits(array, wanted, name)
    if wanted.kind == "bool":
        if array.dtype != np.bool_:
            raise InputError(f"tensor '{name}': expected bool, got {array.dtype}")
        return np.asarray(array, order="C").view(np.uint8)
    return _integers(array, wanted, name)


def _numpy_of(value: Any, element: str, name: str) -> NDArray:
    """numpy's view of the value; torch's narrow floats come as the ml_dtypes of the same bits."""
    if not is_torch(value):
        return np.asarray(value)
    import torch

    tensor = value.detach().cpu().contiguous()
    narrow = {torch.bfloat16: "bf16", torch.float8_e4m3fn: "fp8", torch.float8_e5m2: "fp8e5m2"}
    found = narrow.get(tensor.dtype)
    if found is None:
        return tensor.numpy()
    if found != element:
        raise InputError(f"tensor '{name}': expected {element}, got {found}")
    bits = torch.int16 if found == "bf16" else torch.uint8
    return tensor.view(bits).numpy().view(DTYPES[found].storage)


def _float_bits(array: NDArray, wanted: DType, name: str) -> NDArray:
    if array.dtype == np.float32 or array.dtype == wanted.storage:
        if array.dtype == wanted.storage:
            return np.asarray(array, order="C").view(host_dtype(wanted.name))
        return to_bits(array, wanted).view(host_dtype(wanted.name))
    accepted = wanted.name if wanted.name == "f32" else f"{wanted.name} (or float32, which is rounded)"
    raise InputError(f"tensor '{name}': expected {accepted}, got {array.dtype}")


def _integers(array: NDArray, wanted: DType, name: str) -> NDArray:
    if array.dtype.kind not in "iu":
        raise InputError(f"tensor '{name}': expected {wanted.name} integers, got {array.dtype}")
    storage = np.dtype(wanted.storage_name)
    low = int(wanted.min_finite)
    high = 2 ** (wanted.bits - (wanted.kind == "int")) - 1
    if array.size and (array.dtype != storage or wanted.bits < wanted.storage_bits):
        smallest, largest = int(array.min()), int(array.max())
        if smallest < low or largest > high:
            outside = smallest if smallest < low else largest
            raise InputError(f"tensor '{name}': {outside} does not fit {wanted.name} ({low} to {high})")
    return np.asarray(array, dtype=storage, order="C")


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
    import torch

    dtype = torch_dtype(element)
    # torch takes no uint16 from numpy in old versions; the bits are what counts.
    plain = array.view(np.int16) if array.dtype == np.uint16 else array
    tensor = torch.from_numpy(np.asarray(plain, order="C"))
    return tensor if tensor.dtype == dtype else tensor.view(dtype)
