"""How long every run-time dim is in a call: from the shapes of its tensors, what the caller says, and the state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import is_not
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hetc.runtime.errors import CapacityError, InputError
from hetc.runtime.regions import box, largest
from hetc.runtime.specification import Pipeline, Tensor, length_array
from hetc.runtime.state import State

Shapes = Mapping[str, tuple[int, ...]]
LengthArrays = dict[str, NDArray[np.int32]]


class Lengths(NamedTuple):
    """Of every run-time dim, int32 of one element or of one a row: before a step, during it (appended rows count), and
    what it adds to those that it grows. None of the arrays is written to; what is as before is the same array."""

    before: LengthArrays
    during: LengthArrays
    added: dict[str, NDArray[np.integer]]


@dataclass
class _Memo:
    """A length that follows from others, as long as those are the same arrays."""

    sources: tuple[NDArray, ...] = ()
    value: NDArray = field(default_factory=lambda: np.zeros(0, np.int32))

    def fits(self, sources: tuple[NDArray, ...]) -> bool:
        return len(self.sources) == len(sources) and not any(map(is_not, self.sources, sources))


class CallLengths:
    """The lengths of calls of a step with tensors of these shapes.

    The length of a dim that the state keeps is the state's; any other's is what the caller says, else an input's
    extent, else the state's. Raises InputError where extents disagree, CapacityError where one is too large.
    """

    def __init__(self, state: State, step: str, shapes: Shapes) -> None:
        pipeline = state.pipeline
        self._step, self._shapes = step, shapes
        self._found = extents_of(pipeline, shapes)
        self._constant: dict[tuple[str, int | None], NDArray[np.int32]] = {}
        # Of a call of which the caller says no lengths: what is settled, None where the state says it.
        self._usual: dict[str, NDArray[np.int32] | None] | None = None
        self._derived = {name: (_Memo(), _Memo()) for name, dim in pipeline.dims.items() if dim.derived is not None}
        self._grows = [(name, growth, _Memo()) for name, growth in pipeline.steps[step].grows.items()]
        settled = {name for name in self._found if pipeline.dims[name].per is None}
        dims = {name: pipeline.tensors[name].dims for name in shapes}
        self._unsettled = {name: shapes[name] for name in shapes if not settled.issuperset(dims[name])}

    def of(self, state: State, given: Mapping[str, object]) -> Lengths:
        """The lengths of one call; `given`: what the caller says. Raises InputError, CapacityError."""
        before = self._before(state, given) if given or self._usual is None else self._as_usual(state, self._usual)
        if self._derived:
            self._derive(state.pipeline, before, 0)
        during, added = self._grown(state, before)
        if added and self._derived:
            self._derive(state.pipeline, during, 1)
        if given or self._unsettled:
            self._check_shapes(state.pipeline, self._shapes if given else self._unsettled, during)
        return Lengths(before, during, added)

    @staticmethod
    def _as_usual(state: State, usual: Mapping[str, NDArray[np.int32] | None]) -> LengthArrays:
        held = state.lengths
        return {name: held[name] if settled is None else settled for name, settled in usual.items()}

    def _before(self, state: State, given: Mapping[str, object]) -> LengthArrays:
        pipeline = state.pipeline
        for name in given:
            _check_settable(pipeline, name)
        before: LengthArrays = {}
        for name in pipeline.ordered_dims:
            dim, kept = pipeline.dims[name], name in pipeline.kept
            if dim.per is not None and dim.per not in state.given and dim.per not in before:
                continue  # no tensor has its rows, so none has it
            if kept or (name in state.lengths and name not in given and name not in self._found):
                before[name] = state.lengths[name]
            elif name in given:
                before[name] = length_array(given[name], _rows_of(state, dim.per, before), name)
                self._check_limit(state, name, before[name])
            elif name in self._found:
                rows = _rows_of(state, dim.per, before)
                if (name, rows) not in self._constant:
                    extent = np.full(1 if rows is None else rows, self._found[name][1], np.int32)
                    self._check_limit(state, name, extent)
                    self._constant[name, rows] = extent
                before[name] = self._constant[name, rows]
        if not given:
            held = state.lengths
            self._usual = {name: None if held.get(name) is value else value for name, value in before.items()}
        return before

    def _check_limit(self, state: State, name: str, lengths: NDArray) -> None:
        if lengths.size and int(lengths.max()) > state.given.get(name, state.pipeline.dims[name].bound):
            where = f" (tensor '{self._found[name][0]}')" if name in self._found else ""
            raise CapacityError(f"dim {name}{where}: {int(lengths.max())} exceeds {_limit(state, name)}")

    def _derive(self, pipeline: Pipeline, lengths: LengthArrays, number: int) -> None:
        """Add the lengths of dims that follow from others. number: before (0) or during (1) the step."""
        for name, memos in self._derived.items():
            dim, memo = pipeline.dims[name], memos[number]
            if all(source in lengths for source in dim.of):
                sources = tuple(lengths[source] for source in dim.of)
                if not memo.fits(sources):
                    memo.sources, memo.value = sources, dim.derived(*sources)
                lengths[name] = memo.value

    def _grown(self, state: State, before: LengthArrays) -> tuple[LengthArrays, dict[str, NDArray[np.integer]]]:
        """Lengths with the step's rows counted, and how many these are; rows of the batch that the call does not use
        stay."""
        during, added = dict(before), {}
        for name, growth, memo in self._grows:
            more = added[name] = self._rows_added(state, name, growth, memo, before)
            wanted = before[name] + more
            if largest(wanted) > state.capacities[name]:
                self._refuse_growth(state, name, wanted)
            during[name] = wanted.astype(np.int32, copy=False)
        return during, added

    def _rows_added(
        self, state: State, dim: str, growth: int | str, memo: _Memo, before: LengthArrays
    ) -> NDArray[np.integer]:
        """In int32 where the sum with any length that the dim may have fits into it, else in int64."""
        per, size = state.pipeline.dims[dim].per, len(before[dim])
        if not isinstance(growth, str):
            sources: tuple[NDArray, ...] = () if per is None else (before[per],)
        elif growth in before:
            sources = (before[growth],) if per is None else (before[growth], before[per])
        else:
            raise InputError(
                f"step '{self._step}': dim {dim} grows by {growth}, and no tensor says how long that is; "
                f"give lengths={{'{growth}': ...}}"
            )
        if not memo.fits(sources) or memo.value.size != size:
            count = before[growth].astype(np.int64) if isinstance(growth, str) else np.int64(growth)
            active = np.arange(size) < int(before[per][0]) if per is not None else np.ones(size, np.bool_)
            more = count * active.astype(np.int64)
            fits = state.capacities[dim] + largest(more) <= np.iinfo(np.int32).max
            memo.sources, memo.value = sources, more.astype(np.int32) if fits else more
        return memo.value

    def _refuse_growth(self, state: State, name: str, wanted: NDArray) -> None:
        row = int(np.argmax(wanted))
        grown = [memory for memory, spec in state.pipeline.memories.items() if name in spec.dims]
        where = f" of row {row}" if state.pipeline.dims[name].per is not None else ""
        raise CapacityError(
            f"step '{self._step}': dim {name}{where} would be {int(wanted[row])} long, past {_limit(state, name)} "
            f"(memory {', '.join(grown)})"
        )

    @staticmethod
    def _check_shapes(pipeline: Pipeline, shapes: Shapes, during: LengthArrays) -> None:
        """An input along a growing or derived dim is as long as the dim is during the step."""
        for name, shape in shapes.items():
            spec = pipeline.tensors[name]
            wanted = box(spec.extents, pipeline.pers, during)
            if shape != wanted and any(a < w for a, w in zip(shape, wanted, strict=True)):
                raise InputError(f"tensor '{name}': expected {described(spec)} = {list(wanted)}, got {list(shape)}")


def extents_of(pipeline: Pipeline, shapes: Shapes) -> dict[str, tuple[str, int]]:
    """Run-time dim -> (the tensor that says so, its extent). Raises InputError where a constant extent, or
    two tensors' extents along one dim, disagree."""
    found: dict[str, tuple[str, int]] = {}
    for name, shape in shapes.items():
        spec = pipeline.tensors[name]
        for position, (item, size) in enumerate(zip(spec.extents, shape, strict=True)):
            if not isinstance(item, str):
                if size != item:
                    raise InputError(
                        f"tensor '{name}': expected {described(spec)}, got {list(shape)} "
                        f"({size} instead of {item} in dim {position})"
                    )
            elif item not in pipeline.kept and pipeline.dims[item].derived is None:
                other = found.setdefault(item, (name, size))
                if other[1] != size:
                    raise InputError(f"dim {item} is {other[1]} in tensor '{other[0]}' and {size} in tensor '{name}'")
    return found


def described(spec: Tensor) -> str:
    """The extents of a tensor, as its declaration has them."""
    return "[" + ", ".join(str(item) for item in spec.extents) + "]"


def _check_settable(pipeline: Pipeline, name: str) -> None:
    if name not in pipeline.dims:
        raise InputError(f"pipeline '{pipeline.name}' has no dim '{name}'")
    if name in pipeline.kept or pipeline.dims[name].derived is not None:
        why = "the state keeps it: state.set_lengths sets it" if name in pipeline.kept else "it follows from others"
        raise InputError(f"dim {name} cannot be given with a call; {why}")


def _rows_of(state: State, per: str | None, before: LengthArrays) -> int | None:
    if per is None:
        return None
    return state.given[per] if per in state.given else int(before[per][0])


def _limit(state: State, name: str) -> str:
    bound = state.pipeline.dims[name].bound
    capacity = state.given.get(name)
    return f"the state's capacity {capacity}" if capacity not in (None, bound) else f"its bound {bound}"
