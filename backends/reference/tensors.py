"""Tensor values: an array, where it is present, and how it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import AnyFloat, IntegerType
from xdsl.ir import Attribute

from hetc.backends.reference.environment import Environment, OracleError
from hetc.backends.reference.selection import Selection
from hetc.backends.reference.sparse import SparseMatrix
from hetc.dialects.mp import TensorType, dtype_name, is_index
from hetc.numerics import DType, dtype_of
from hetc.numerics.packing import as_bytes, unpack
from hetc.numerics.rounding import round_to, ulp
from hetc.numerics.tolerance import tolerance

BoolArray = NDArray[np.bool_]
DimConditions = Mapping[frozenset[int], BoolArray]
"""Positions of dims -> where elements are present, an array of extent 1 along every other dim."""


@dataclass(frozen=True)
class Tensor:
    """A dense tensor value.

    array: the elements, in the storage dtype for what the caller gave and in float64, int64 or bool for what was
        computed; at least as large as the live extents (0, -1 or false where absent or beyond them).
    type: its extents and element type.
    conditions: where elements are present within the live extents: everywhere if empty.
    inside: bool of the array's shape: which elements lie within the live extents.
    magnitude: float64 of the array's shape: what rounding errors are relative to; None where not computed.
    is_storage: a memory's whole array, spare capacity included.
    selection: of the indices that topk or select picked: what they were picked from.
    """

    array: np.ndarray
    type: TensorType
    inside: BoolArray
    conditions: DimConditions = field(default_factory=dict)
    magnitude: NDArray[np.float64] | None = None
    is_storage: bool = False
    selection: Selection | None = None

    @property
    def present(self) -> BoolArray:
        """bool of the array's shape: live and present."""
        mask = self.inside.copy()
        for one in self.conditions.values():
            mask &= one
        return mask

    @property
    def dtype(self) -> DType | None:
        """The element's entry in the table of number types; None for an index."""
        return element_dtype(self.type.element)


@dataclass(frozen=True)
class SparseTensor:
    """A sparse tensor value; its present elements are those within the live extents."""

    matrix: SparseMatrix
    type: TensorType

    @property
    def array(self) -> np.ndarray:
        return self.matrix.to_dense()

    @property
    def present(self) -> BoolArray:
        return np.ones(self.matrix.shape, dtype=np.bool_)


def element_dtype(element: Attribute) -> DType | None:
    """The number type of an element; None for an index."""
    return None if is_index(element) else dtype_of(dtype_name(element))


def compute_kind(element: Attribute) -> type:
    """The numpy type that an element computes in: float64, int64 or bool."""
    if isinstance(element, AnyFloat):
        return np.float64
    return np.bool_ if isinstance(element, IntegerType) and element.width.data == 1 else np.int64


def fill_of(element: Attribute) -> float:
    """What an absent element is stored as: -1 for an index, else 0 or what is nearest to it."""
    dtype = element_dtype(element)
    return -1 if dtype is None else dtype.min_finite if dtype.is_scale else 0


def stored(value: np.ndarray, element: Attribute) -> np.ndarray:
    """What remains of a computed value in an element of this type. f32 is kept in float64; an index in int64."""
    dtype = element_dtype(element)
    if dtype is None or dtype.name in ("f32", "i32", "i64", "bool"):
        return value.astype(compute_kind(element), copy=False)
    if dtype.is_integer:
        return np.clip(value, int(dtype.min_finite), int(dtype.max_finite)).astype(np.int64)
    return round_to(value, dtype)


def stored_magnitude(magnitude: np.ndarray, value: np.ndarray, element: Attribute) -> np.ndarray:
    """The magnitude after storing: one that lies near a tie may round the other way, by one step of the type."""
    dtype = element_dtype(element)
    if dtype is None or not dtype.is_float or dtype.name == "f32":
        return magnitude
    # A type that saturates has no step beyond its end.
    step = np.where(np.isfinite(value), ulp(np.where(np.isfinite(value), value, 0.0), dtype), 0.0)
    capped = np.minimum(magnitude, 2 * dtype.max_finite) if dtype.bits <= 8 else magnitude
    return capped + step / tolerance("f32").rtol


def bind(given: np.ndarray | SparseMatrix | Tensor | SparseTensor, type: TensorType, environment: Environment,
         label: str) -> Tensor | SparseTensor:  # fmt: skip
    """A caller's array as a tensor of this type. Its extents are the capacities: for a run-time dim at least the
    live extent, for a constant dim exactly it. Raises OracleError for another shape or kind."""
    if isinstance(given, Tensor | SparseTensor):
        return given
    if type.is_sparse:
        matrix = given if isinstance(given, SparseMatrix) else SparseMatrix.from_dense(np.asarray(given))
        _check_extents(matrix.shape, type, environment, label)
        return SparseTensor(matrix, type)
    if isinstance(given, SparseMatrix):
        raise OracleError(f"{label} is dense, but a sparse matrix was given")
    array = np.asarray(given)
    if type.coded is not None:
        array = as_bytes(array, dtype_name(type.coded.element), type.coded.count.data)
    _check_extents(array.shape, type, environment, label)
    if isinstance(type.element, AnyFloat) == (array.dtype.kind in "iub"):
        raise OracleError(f"{label}: elements are {dtype_name(type.element)}, but the array's are {array.dtype}")
    return Tensor(array, type, environment.exists(type.shape, array.shape))


def values_of(array: np.ndarray, type: TensorType) -> np.ndarray:
    """The values that an array of the type stands for: of bytes that are codes, what they are codes of."""
    if type.coded is None:
        return array
    return unpack(array.astype(np.uint8), dtype_name(type.coded.element), type.coded.count.data)


def _check_extents(shape: tuple[int, ...], type: TensorType, environment: Environment, label: str) -> None:
    if len(shape) != type.rank:
        raise OracleError(f"{label}: expected {type.rank} dims {list(type.shape)}, got an array of shape {shape}")
    for key, capacity in zip(type.shape, shape, strict=True):
        live = environment.longest(key)
        if capacity < live or (isinstance(key, int) and capacity != live):
            raise OracleError(f"{label}: dim {key} has the live extent {live}, but the array has {capacity}")


def live_part(tensor: Tensor, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, dict[frozenset[int], BoolArray]]:
    """(value, magnitude, conditions) of the leading [shape] part, computed with in float64."""
    part = tuple(slice(extent) for extent in shape)
    value = tensor.array[part].astype(np.float64)
    magnitude = np.abs(value) if tensor.magnitude is None else tensor.magnitude[part]
    conditions = {
        dims: mask[tuple(part[k] if k in dims else slice(None) for k in range(len(shape)))]
        for dims, mask in tensor.conditions.items()
    }
    return value, magnitude, conditions
