"""Judging what a step did to the memories: every element where it must be, none where it must not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, SSAValue

from hetc.compiler.report import plain
from hetc.compiler.verify.report import Row
from hetc.dialects.mp import (
    AppendOp,
    ClearOp,
    CommitOp,
    ForOp,
    GetOp,
    PipelineOp,
    ScatterOp,
    StepOp,
    TensorType,
    dtype_name,
    extent_key,
    loop_of,
    loops_around,
)
from hetc.dialects.task import KernelOp, TransferOp
from hetc.numerics import dtype_of
from hetc.numerics.packing import as_bytes
from hetc.numerics.rounding import decode, encode
from hetc.runtime.state import State
from hetc.runtime.trace import KernelTrace


class MemoryJudge:
    """Compares a state's memories after a call with what they held before and what the step's kernels produced."""

    def __init__(self, placed: ModuleOp) -> None:
        self.pipeline = next(op for op in placed.body.block.ops if isinstance(op, PipelineOp))
        self.wrong: dict[str, None] = {}
        self.checked: dict[str, None] = {}

    def contents(self, state: State) -> dict[str, np.ndarray]:
        """Every memory's live contents."""
        return {name: self._held(state, name) for name in self.pipeline.declarations if name in state.pipeline.memories}

    def _held(self, state: State, name: str) -> np.ndarray:
        """A memory's live contents: values, or the bytes where they are codes."""
        return state.read(name, as_stored=self.pipeline.declarations[name].type.coded is not None)

    def judge(
        self,
        step_name: str,
        state: State,
        before: Mapping[str, np.ndarray],
        lengths_before: Mapping[str, np.ndarray],
        traces: Mapping[str, Sequence[KernelTrace]],
        inputs: Mapping[str, np.ndarray],
        given: Mapping[str, Any],
    ) -> None:
        """Check every memory of the pipeline, and the length of every dim, after a call of one step; all is exact.
        traces: what each kernel did in this call, once or in every pass of a loop. given: the live extents of dims that
        do not grow."""
        step = self.pipeline.steps[step_name]
        during = dict(lengths_before)
        for dim, rows in step.grows.data.items():
            during[dim] = lengths_before[dim] + _rows(rows, given)
        call = _Call(self.pipeline, before, lengths_before, during, traces, inputs)
        lengths = call.lengths_at_the_end(step)
        self.wrong.update({dim: None for dim, size in lengths.items() if not np.array_equal(size, state.lengths[dim])})
        commits = {op.declared.data: op for op in step.body.block.ops if isinstance(op, CommitOp)}
        for name, old in before.items():
            actual = self._held(state, name)
            expected = call.value(commits[name].value, ()) if name in commits else old
            expected = self._within(expected, old, actual.shape, self.pipeline.declarations[name].type, state)
            self.checked.setdefault(name)
            if not _same(actual, expected):
                self.wrong.setdefault(name)

    def _within(
        self, values: np.ndarray, old: np.ndarray, shape: tuple[int, ...], type: TensorType, state: State
    ) -> np.ndarray:
        """The live elements of a memory after the step, of `shape`. Past them, rows of a dim that grows hold 0, and
        those of a dim derived from others, which have not come yet, what they held before."""
        result = _padded(values, shape)
        lengths = state.pipeline.with_derived(state.lengths)
        for axis, key in enumerate(type.shape):
            if not isinstance(key, str) or key not in lengths:
                continue
            dim = self.pipeline.dims[key]
            if dim.per is None and dim.derived is None:
                continue
            row = type.shape.index(dim.per.data) if dim.per is not None else None
            live = np.asarray(lengths[key])
            limit = live.reshape(-1)[0] if row is None else _along(live[: shape[row]], row, result.ndim)
            inside = _along(np.arange(shape[axis]), axis, result.ndim) < limit
            result = np.where(inside, result, _padded(old, shape) if dim.derived is not None else 0)
        return result

    def row(self) -> Row | None:
        """One row for all memories, or None for a pipeline without."""
        if not self.checked:
            return None
        wrong = f"differs: {', '.join(self.wrong)}" if self.wrong else ""
        declared = self.pipeline.declarations.values()
        homes = sorted({plain(item.attributes["home"]) for item in declared if "home" in item.attributes})
        return Row("memory", "+".join(homes), "runtime", 0.0, 0.0, None, not self.wrong, wrong)


def _along(values: np.ndarray, axis: int, rank: int) -> np.ndarray:
    """A vector that varies along `axis` of an array of `rank` dims."""
    return values.reshape([-1 if position == axis else 1 for position in range(rank)])


def _wide(values: np.ndarray) -> np.ndarray:
    """The values in float64, integers and conditions in int64: both hold all of them exactly."""
    return values.astype(np.int64 if values.dtype.kind in "iub" else np.float64)


def _padded(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The values with 0 behind them, as far as `shape` goes."""
    values = _wide(values)
    result = np.zeros(shape, values.dtype)
    part = tuple(slice(min(size, limit)) for size, limit in zip(values.shape, shape, strict=True))
    result[part] = values[part]
    return result


@dataclass(frozen=True)
class _Call:
    """What the values of a step were in one call: as the kernels made them, and before it as the memories held them."""

    pipeline: PipelineOp
    before: Mapping[str, np.ndarray]
    lengths_before: Mapping[str, np.ndarray]
    lengths_during: Mapping[str, np.ndarray]
    traces: Mapping[str, Sequence[KernelTrace]]
    inputs: Mapping[str, np.ndarray]

    def lengths_at_the_end(self, step: StepOp) -> dict[str, np.ndarray]:
        """The length of every dim once the step has completed."""
        found = dict(self.lengths_during)
        for op in step.body.block.ops:
            if isinstance(op, ClearOp):
                holds = np.asarray(True) if op.condition is None else self.value(op.condition, ())
                found[op.dim.data] = np.where(holds, 0, found[op.dim.data])
        return found

    def value(self, value: SSAValue, passes: tuple[int, ...]) -> np.ndarray:
        """A value of the step; `passes` are the numbers of the passes of the loops around it, outer ones first."""
        owner, loop = value.owner, loop_of(value)
        if loop is not None:
            return self._argument(loop, value, passes)
        match owner:
            case TransferOp():
                return self.value(owner.value, passes)
            case KernelOp():
                trace = self.traces[owner.sym_name.data][_number(owner, passes)]
                return np.asarray(trace.outputs[list(owner.outputs).index(value)])  # type: ignore[arg-type]
            case AppendOp():
                return self._appended(owner, passes)
            case ScatterOp():
                return self._scattered(owner, passes)
            case ForOp():
                return self._result(owner, list(owner.outputs).index(value), passes)  # type: ignore[arg-type]
        assert isinstance(owner, GetOp)
        name = owner.declared.data
        if name in self.before:
            return np.asarray(self.before[name])
        given, coded = np.asarray(self.inputs[name]), self.pipeline.declarations[name].type.coded
        return given if coded is None else as_bytes(given, dtype_name(coded.element), coded.count.data)

    def _argument(self, loop: ForOp, value: SSAValue, passes: tuple[int, ...]) -> np.ndarray:
        depth = len(loops_around(loop))
        outer, number = passes[:depth], passes[depth]
        if value is loop.number:
            return np.asarray(number)
        if value in loop.layer_arguments:
            return self.value(loop.arguments[value], outer)[number]
        if number == 0:
            return self.value(loop.arguments[value], outer)
        position = list(loop.carried_arguments).index(value)  # type: ignore[arg-type]
        return self.value(loop.next.carried[position], (*outer, number - 1))

    def _result(self, loop: ForOp, position: int, passes: tuple[int, ...]) -> np.ndarray:
        outer = passes[: len(loops_around(loop))]
        if position < len(loop.carried):
            return self.value(loop.next.carried[position], (*outer, loop.passes - 1))
        layer = loop.next.layers[position - len(loop.carried)]
        return np.stack([_wide(self.value(layer, (*outer, number))) for number in range(loop.passes)])

    def _scattered(self, op: ScatterOp, passes: tuple[int, ...]) -> np.ndarray:
        """The places are distinct, so that any order of writing gives the same."""
        result = _wide(self.value(op.memory, passes))
        rows, places = self.value(op.rows, passes), self.value(op.places, passes)
        lanes = np.argwhere((places >= 0) & self._live(places.shape, op.places.type))
        for lane in lanes:
            at = np.unravel_index(int(places[tuple(lane)]), op.leading) if op.leading else ()
            result[at] = rows[tuple(lane)]
        return result

    def _live(self, shape: tuple[int, ...], type: Attribute) -> np.ndarray:
        """Which elements of an array of these extents are within the live ones."""
        assert isinstance(type, TensorType)
        inside = np.ones(shape, np.bool_)
        for axis, key in enumerate(type.shape):
            per = self.pipeline.dims[key].per if isinstance(key, str) else None
            if per is not None and key in self.lengths_during:
                limit = _along(
                    self.lengths_during[str(key)][: shape[type.shape.index(per.data)]],
                    type.shape.index(per.data),
                    len(shape),
                )
                inside &= _along(np.arange(shape[axis]), axis, len(shape)) < limit
        return inside

    def _appended(self, op: AppendOp, passes: tuple[int, ...]) -> np.ndarray:
        old, rows = self.value(op.memory, passes), self.value(op.rows, passes)
        type_ = op.memory.type
        assert isinstance(type_, TensorType)
        along = op.along.data
        after, start = self.lengths_during[along], self.lengths_before[along]
        if type_.is_sparse:
            return _with_columns(old, rows, int(start[0]), int(after[0]), type_)
        position = type_.shape.index(along)
        shape = list(old.shape)
        shape[position] = int(after.max(initial=0))
        result = _padded(old, tuple(shape))
        grown = isinstance(op.rows.type, TensorType) and op.rows.type.rank == type_.rank
        values = _rounded(rows, type_)
        per = self.pipeline.dims[along].per
        for row in range(len(after)):
            at = [slice(None)] * len(shape)
            source = [slice(None)] * (values.ndim)
            if per is not None:
                batch = type_.shape.index(per.data)
                at[batch] = source[batch] = row  # type: ignore[call-overload]
            at[position] = slice(int(start[row]), int(after[row]))
            if grown:
                source[position] = slice(int(after[row] - start[row]))
                result[tuple(at)] = values[tuple(source)]
            else:
                block = np.expand_dims(values[tuple(source)], position - (per is not None and batch < position))
                result[tuple(at)] = block
        return result


def _rows(growth: Attribute, given: Mapping[str, Any]) -> int | np.ndarray:
    """How many rows a step appends: one number, or one for each row of a batch."""
    key = extent_key(growth)
    return np.asarray(given[key]) if isinstance(key, str) else key


def _number(kernel: KernelOp, passes: tuple[int, ...]) -> int:
    """Which of a kernel's executions in a call it was."""
    number = 0
    for loop, at in zip(loops_around(kernel), passes, strict=False):
        number = number * loop.passes + at
    return number


def _rounded(rows: np.ndarray, type: TensorType) -> np.ndarray:
    name = dtype_name(type.element)
    if name in ("index", "bool"):
        return rows.astype(np.int64)
    dtype = dtype_of(name)
    if dtype.is_integer:
        return encode(rows, dtype).astype(np.int64)
    return decode(encode(rows.astype(np.float64), dtype), dtype)


def _with_columns(old: np.ndarray, rows: np.ndarray, start: int, stop: int, type: TensorType) -> np.ndarray:
    """The dense form of a sparse memory with counted columns appended."""
    result = _padded(old, (old.shape[0], stop))
    numbers = rows if rows.ndim == 2 else rows[None]
    largest = dtype_of(dtype_name(type.element)).max_finite
    for column, terms in enumerate(numbers[: stop - start], start):
        kept = terms[(terms >= 0) & (terms < old.shape[0])].astype(np.int64)
        counts = np.bincount(kept, minlength=old.shape[0])
        result[:, column] = _rounded(np.minimum(counts, largest).astype(np.int64), type)
    return result


def _same(actual: np.ndarray, expected: np.ndarray) -> bool:
    return actual.shape == expected.shape and np.array_equal(_wide(actual), _wide(expected), equal_nan=True)
