"""What callers hand in - torch, numpy, what speaks DLPack, Python's own numbers - as arrays of an element type.

What may be handed in for a declared element type: the same dtype in torch or ml_dtypes; for a float also float32,
which is rounded to nearest even (8-bit floats saturate); for an integer or an index any integer dtype whose values
all fit. Python's numbers, and lists of them, have no dtype of their own and take the declared one. What is kept in
bytes of codes (see `hetc.numerics.packing`) is handed over as such bytes, or as values.

Autograd is not looked at: a tensor that requires a gradient gives its values, as under `torch.no_grad`.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hetc.numerics import DTYPES, DType
from hetc.numerics.packing import as_bytes, packed_extent
from hetc.numerics.rounding import to_bits
from hetc.runtime.elements import element_type, host_dtype
from hetc.runtime.errors import InputError

# What libraries raise when they are asked for values that they cannot give.
_REFUSALS = (TypeError, ValueError, RuntimeError, BufferError, NotImplementedError)
_PYTHON = (bool, int, float, complex, list, tuple)


def is_torch(value: object) -> bool:
    """Whether `value` is a torch tensor, found without importing torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def to_host(value: Any, element: str, name: str) -> NDArray:
    """A caller's tensor as a C-contiguous host array of `host_dtype(element)`; copies only where it must.

    Raises InputError naming the tensor, what was expected and what was found.
    """
    what, wanted = f"tensor '{name}'", element_type(element)
    array = host_values(value, what)
    if isinstance(value, _PYTHON) and not isinstance(value, np.generic):  # numpy's float64 is a float
        array = _typed(array, wanted, what)
    if wanted.is_float:
        return _float_bits(array, wanted, what)
    if wanted.kind == "bool":
        if array.dtype != np.bool_:
            raise InputError(f"{what}: expected bool, got {array.dtype}")
        return np.asarray(array, order="C").view(np.uint8)
    return _integers(array, wanted, what)


Codes = tuple[str, int]
"""A number type that is kept in bytes, and how many values a row has (0: a byte holds one)."""


def to_stored(value: Any, element: str, codes: Codes | None, name: str) -> NDArray:
    """As `to_host`; for a tensor of codes the bytes, which are taken as they are (see `bytes_of`), or made of values.

    Raises InputError."""
    if codes is None:
        return to_host(value, element, name)
    lying = bytes_of(value, codes)
    if lying is not None:
        return to_host(lying, element, name)
    what, dtype = f"tensor '{name}'", DTYPES[codes[0]]
    array = host_values(value, what)
    if isinstance(value, _PYTHON) and not isinstance(value, np.generic):
        array = _typed(array, dtype, what)
    if array.dtype.name.removeprefix("u") in ("int2", "int4"):  # of ml_dtypes
        array = array.astype(np.int16)
    _float_bits(array, dtype, what) if dtype.is_float else _integers(array, dtype, what)
    try:
        return as_bytes(array, dtype, codes[1])
    except ValueError as error:
        raise InputError(f"{what}: {error}") from error


def bytes_of(value: Any, codes: Codes) -> Any:
    """The bytes of what a caller hands over as bytes, where they lie, else None: an array of uint8 or of the type's own
    packed dtype whose rows are as long as those of the bytes."""
    dtype, count = DTYPES[codes[0]], codes[1]
    length = packed_extent(count, dtype) if count else None
    if not hasattr(value, "dtype") or (length is not None and tuple(value.shape[-1:]) != (length,)):
        return None
    if is_torch(value):
        import torch

        packed = {"fp4": "float4_e2m1fn_x2", "e8m0": "float8_e8m0fnu"}.get(dtype.name, "uint8")
        if value.dtype == getattr(torch, packed, torch.uint8) and value.layout is torch.strided:
            return value.view(torch.uint8)
        return value if value.dtype == torch.uint8 else None
    if dtype.is_scale and str(value.dtype) == "float8_e8m0fnu":
        return np.asarray(value).view(np.uint8)
    return value if value.dtype == np.uint8 else None


def host_values(value: Any, what: str) -> NDArray:
    """A caller's values as a numpy array in the machine's byte order, torch's narrow floats as ml_dtypes'.

    Raises InputError, which begins with `what`."""
    given = plain(value, what)
    if is_torch(given):
        return _from_torch(given, what)
    array = np.asarray(given)
    if array.dtype == np.object_:
        raise InputError(f"{what}: expected an array of numbers, got {type(value).__name__} ({value!r:.60})")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def plain(value: Any, what: str) -> Any:
    """A numpy array, or a dense torch tensor outside of autograd, with the caller's values where they lie.

    Raises InputError for what has no values, or not one for each element."""
    if is_torch(value):
        return _plain_tensor(value, what)
    if isinstance(value, np.ndarray) and np.ma.is_masked(value):
        raise InputError(f"{what}: elements are masked; say what they are, as in `.filled(0)`")
    try:
        if hasattr(value, "__dlpack__") and not isinstance(value, np.ndarray | np.generic):
            return _plain_tensor(_through_dlpack(value), what)
        return np.asarray(value)
    except _REFUSALS as error:
        raise InputError(f"{what}: {type(value).__name__} gives no array: {error}") from error


def _plain_tensor(tensor: Any, what: str) -> Any:
    import torch

    if tensor.is_nested:
        raise InputError(
            f"{what}: expected a dense tensor, got a nested one; pad it (torch.nested.to_padded_tensor) and give the "
            "lengths of its rows"
        )
    if tensor.layout is not torch.strided:
        raise InputError(f"{what}: expected a dense tensor, got {tensor.layout}; give `.to_dense()` of it")
    if tensor.is_quantized:
        raise InputError(
            f"{what}: expected plain elements, got {tensor.dtype}; give `.dequantize()` of it, or `.int_repr()` and "
            "its scales"
        )
    if tensor.is_meta:
        raise InputError(
            f"{what} is on torch's meta device and has no values; load it first (`to_empty`, `load_state_dict`)"
        )
    return tensor.detach().resolve_conj().resolve_neg()


def _through_dlpack(value: Any) -> Any:
    """Another library's array as a torch tensor on its own device; by way of numpy where the library offers that alone
    (for a read-only array)."""
    import torch

    try:
        return torch.from_dlpack(value)
    except _REFUSALS:
        if not hasattr(value, "__array__"):
            raise
        return torch.from_numpy(np.array(value))


def _from_torch(tensor: Any, what: str) -> NDArray:
    import torch

    narrow = {torch.bfloat16: "bf16", torch.float8_e4m3fn: "fp8", torch.float8_e5m2: "fp8e5m2"}
    found = narrow.get(tensor.dtype)
    try:
        on_host = tensor.cpu().contiguous()
        if found is None:
            return np.asarray(on_host.numpy())
        bits = torch.int16 if found == "bf16" else torch.uint8
        return np.asarray(on_host.view(bits).numpy()).view(DTYPES[found].storage)
    except _REFUSALS as error:
        raise InputError(f"{what}: torch gives no values of {tensor.dtype} on {tensor.device}: {error}") from error


def _typed(array: NDArray, wanted: DType, what: str) -> NDArray:
    """Python's numbers in a dtype that the declared one takes."""
    if not array.size:
        return array.astype(np.float32 if wanted.is_float else np.bool_ if wanted.kind == "bool" else np.int64)
    if not wanted.is_float or array.dtype.kind not in "iuf":
        return array
    with np.errstate(over="ignore"):
        narrowed = array.astype(np.float32)
    beyond = np.isinf(narrowed) & np.isfinite(array)
    if beyond.any():
        raise InputError(f"{what}: {array[beyond].flat[0]} does not fit float32")
    return narrowed


def _float_bits(array: NDArray, wanted: DType, what: str) -> NDArray:
    if array.dtype == wanted.storage:
        return np.asarray(array, order="C").view(host_dtype(wanted.name))
    if array.dtype == np.float32:
        return to_bits(np.asarray(array, order="C"), wanted).view(host_dtype(wanted.name))
    accepted = wanted.name if wanted.name == "f32" else f"{wanted.name} (or float32, which is rounded)"
    raise InputError(f"{what}: expected {accepted}, got {array.dtype}")


def _integers(array: NDArray, wanted: DType, what: str) -> NDArray:
    if array.dtype.kind not in "iu":
        raise InputError(f"{what}: expected {wanted.name} integers, got {array.dtype}")
    storage = np.dtype(wanted.storage_name)
    low = int(wanted.min_finite)
    high = 2 ** (wanted.bits - (wanted.kind == "int")) - 1
    if array.size and (array.dtype != storage or wanted.bits < wanted.storage_bits):
        smallest, largest = int(array.min()), int(array.max())
        if smallest < low or largest > high:
            outside = smallest if smallest < low else largest
            raise InputError(f"{what}: {outside} does not fit {wanted.name} ({low} to {high})")
    return np.asarray(array, dtype=storage, order="C")
