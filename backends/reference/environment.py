"""The live extents of a step, and the limits and switches that an execution runs under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import Operation

from hetc.dialects.mp import DimOp, PipelineOp, enclosing_pipeline
from hetc.dialects.mp.derived import value_of

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Extent = int | IntArray


class OracleError(Exception):
    """A module that the oracle cannot execute: an unknown op, a missing extent, an array of another shape."""


class OutOfBoundsError(OracleError):
    """Only under `strict`: a read outside of its tensor where presence should have been made explicit."""


@dataclass(frozen=True)
class Environment:
    """Live extents during a step (rows that the step appends included).

    dims: name -> an int, or for a dim `per B` an int array with one length for each row of B.
    strict: the module is in its explicit form: no read may fall outside of its tensor, and an unstored sparse
        entry is an ordinary 0 (0 * inf is NaN).
    magnitudes: also compute, for every float, the bound that tolerances are relative to.
    elements_at_once: the most elements of a broadcast product that are held at a time.
    """

    dims: Mapping[str, int | np.ndarray]
    strict: bool = False
    magnitudes: bool = False
    elements_at_once: int = 1 << 24
    pers: Mapping[str, str] = field(default_factory=dict)

    def extent(self, key: int | str) -> Extent:
        """The live extent of a constant (itself) or of a run-time dim: an int, or int64[B] for a dim per B."""
        if isinstance(key, int):
            return key
        if key not in self.dims:
            raise OracleError(f"no live extent given for the dim {key}; given are {', '.join(self.dims) or 'none'}")
        value = np.asarray(self.dims[key])
        return int(value) if value.ndim == 0 else value.astype(np.int64)

    def longest(self, key: int | str) -> int:
        """The live extent, or the longest of the rows' lengths."""
        value = self.extent(key)
        if isinstance(value, int):
            return value
        rows = self.pers.get(str(key))
        live = value if rows is None else value[: self.longest(rows)]
        return int(live.max(initial=0))

    def exists(self, keys: tuple[int | str, ...], shape: tuple[int, ...]) -> BoolArray:
        """bool[shape] (a read-only view): which elements of a tensor with these extents are within the live ones."""
        inside = np.asarray(True)
        for position, key in enumerate(keys):
            index = along(np.arange(shape[position]), position, len(shape))
            inside = inside & (index < self._extent_over(key, keys, shape))
        return np.broadcast_to(inside, shape)

    def _extent_over(self, key: int | str, keys: tuple[int | str, ...], shape: tuple[int, ...]) -> Extent:
        value = self.extent(key)
        if isinstance(value, int):
            return value
        position = keys.index(self.pers[str(key)])
        lengths = value[: shape[position]]
        padded = np.pad(lengths, (0, shape[position] - len(lengths)))
        return along(padded, position, len(shape))


def along(values: np.ndarray, position: int, rank: int) -> np.ndarray:
    """A vector as an array of `rank` dims that varies along `position` only."""
    shape = [1] * rank
    shape[position] = len(values)
    return values.reshape(shape)


def complete(environment: Environment, op: Operation) -> Environment:
    """The environment with constant and derived dims of the pipeline around `op` filled in, and every dim's `per`. A
    dim that depends on one that the step does not know stays unknown too."""
    pipeline: PipelineOp = enclosing_pipeline(op)
    dims = dict(environment.dims)
    for name, dim in pipeline.dims.items():
        if name in dims:
            _check(name, dim, dims)
        elif dim.size is not None:
            assert isinstance(dim.size, IntegerAttr)
            dims[name] = dim.size.value.data
        elif dim.derived is not None and dim.of is not None and all(base.data in dims for base in dim.of):
            dims[name] = _derive(dim, dims)
    pers = {name: dim.per.data for name, dim in pipeline.dims.items() if dim.per is not None}
    return Environment(dims, environment.strict, environment.magnitudes, environment.elements_at_once, pers)


def _check(name: str, dim: DimOp, dims: Mapping[str, int | np.ndarray]) -> None:
    """A dim per another has one length a row, any other dim one extent; both within the bound."""
    value = np.asarray(dims[name])
    if (value.ndim == 1) != (dim.per is not None) or value.ndim > 1:
        expected = f"one length for each row of {dim.per.data}" if dim.per is not None else "one extent"
        raise OracleError(f"dim {name}: expected {expected}, got an array of shape {value.shape}")
    if value.size and (value.min() < 0 or value.max() > dim.largest):
        raise OracleError(f"dim {name}: expected extents from 0 to {dim.largest}, got {value}")


def _derive(dim: DimOp, dims: Mapping[str, int | np.ndarray]) -> int | np.ndarray:
    assert dim.derived is not None and dim.of is not None
    sources = np.broadcast_arrays(*(np.asarray(dims[name.data]) for name in dim.of))
    rows = zip(*(source.reshape(-1).tolist() for source in sources), strict=True)
    values = np.array([value_of(dim.functions, row) for row in rows], dtype=np.int64)
    return int(values[0]) if sources[0].ndim == 0 else values
