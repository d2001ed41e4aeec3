"""Judging what a step did to the memories: every element where it must be, none where it must not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue

from hetc.compiler.report import plain
from hetc.compiler.verify.report import Row
from hetc.dialects.mp import AppendOp, CommitOp, GetOp, PipelineOp, StepOp, TensorType, dtype_name
from hetc.dialects.task import KernelOp, TransferOp
from hetc.numerics import decode, dtype_of, encode
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
        return {name: state.read(name) for name in self.pipeline.declarations if name in state.pipeline.memories}

    def judge(
        self,
        step_name: str,
        state: State,
        before: Mapping[str, np.ndarray],
        lengths_before: Mapping[str, np.ndarray],
        traces: Mapping[str, KernelTrace],
        inputs: Mapping[str, np.ndarray],
    ) -> None:
        """Check every memory of the pipeline after a call of one step; all is exact."""
        step = self.pipeline.steps[step_name]
        commits = {op.declared.data: op for op in step.body.block.ops if isinstance(op, CommitOp)}
        for name, old in before.items():
            actual = state.read(name)
            commit = commits.get(name)
            if commit is None:
                expected = old
            elif isinstance(commit.value.owner, AppendOp):
                rows = _value(commit.value.owner.rows, traces, inputs)
                expected = self._appended(step, commit.value.owner, old, rows, lengths_before, state)
            else:
                expected = self._replaced(name, old, _value(commit.value, traces, inputs), actual.shape, state)
            self.checked.setdefault(name)
            if not _same(actual, expected):
                self.wrong.setdefault(name)

    def _replaced(
        self, name: str, old: np.ndarray, produced: np.ndarray, shape: tuple[int, ...], state: State
    ) -> np.ndarray:
        """The live elements anew; what lies past them, where a dim derived from others has not come yet, as before."""
        lengths = state.pipeline.with_derived(state.lengths)
        result = np.zeros(shape)
        result[tuple(slice(size) for size in old.shape)] = old
        part = produced[tuple(slice(size) for size in shape)]
        inside = np.ones(part.shape, bool)
        extents = state.pipeline.tensors[name].extents
        for axis, dim in enumerate(extents):
            if isinstance(dim, str):
                live = np.asarray(lengths[dim])
                row = extents.index(state.pipeline.pers[dim]) if dim in state.pipeline.pers else None
                limit = live[0] if row is None else _along(live[: part.shape[row]], row, part.ndim)
                inside &= _along(np.arange(part.shape[axis]), axis, part.ndim) < limit
        place = tuple(slice(size) for size in part.shape)
        result[place] = np.where(inside, part.astype(np.float64), result[place])
        return result

    def _appended(
        self,
        step: StepOp,
        op: AppendOp,
        old: np.ndarray,
        rows: np.ndarray,
        lengths_before: Mapping[str, np.ndarray],
        state: State,
    ) -> np.ndarray:
        type_ = op.memory.type
        assert isinstance(type_, TensorType)
        along = op.along.data
        after, start = state.lengths[along], lengths_before[along]
        if type_.is_sparse:
            return _with_columns(old, rows, int(start[0]), int(after[0]), type_)
        position = type_.shape.index(along)
        shape = list(old.shape)
        shape[position] = int(after.max(initial=0))
        result = np.zeros(shape)
        result[tuple(slice(size) for size in old.shape)] = old
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


def _value(value: SSAValue, traces: Mapping[str, KernelTrace], inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """What a value of the step was: a kernel's output as its device held it, or what the caller handed in."""
    owner: object = value.owner
    while isinstance(owner, TransferOp):
        value = owner.value
        owner = value.owner
    if isinstance(owner, KernelOp):
        return np.asarray(traces[owner.sym_name.data].outputs[list(owner.outputs).index(value)])  # type: ignore[arg-type]
    assert isinstance(owner, Operation) and isinstance(owner, GetOp)
    return np.asarray(inputs[owner.declared.data])


def _rounded(rows: np.ndarray, type: TensorType) -> np.ndarray:
    name = dtype_name(type.element)
    if name in ("index", "bool"):
        return rows.astype(np.int64)
    dtype = dtype_of(name)
    return decode(encode(rows.astype(np.float64) if dtype.is_float else rows, dtype), dtype)


def _with_columns(old: np.ndarray, rows: np.ndarray, start: int, stop: int, type: TensorType) -> np.ndarray:
    """The dense form of a sparse memory with counted columns appended."""
    result = np.zeros((old.shape[0], stop))
    result[:, : old.shape[1]] = old
    numbers = rows if rows.ndim == 2 else rows[None]
    largest = dtype_of(dtype_name(type.element)).max_finite
    for column, terms in enumerate(numbers[: stop - start], start):
        kept = terms[(terms >= 0) & (terms < old.shape[0])].astype(np.int64)
        result[:, column] = np.minimum(np.bincount(kept, minlength=old.shape[0]), largest)
    return result


def _same(actual: np.ndarray, expected: np.ndarray) -> bool:
    wide = np.float64
    return actual.shape == expected.shape and np.array_equal(actual.astype(wide), expected.astype(wide), equal_nan=True)
