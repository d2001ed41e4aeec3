"""Evaluates a region of index notation: every index combination of a block of the index space at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from xdsl.dialects.arith import SelectOp as ArithSelectOp
from xdsl.dialects.builtin import AnyFloat, i1
from xdsl.ir import Block, Operation, SSAValue

from hetc.backends.reference.arithmetic import FUNCTIONS
from hetc.backends.reference.environment import Environment, OracleError, along
from hetc.backends.reference.lanes import Lanes, any_doubt, axes_of, condition, implied_by, merge
from hetc.backends.reference.magnitude import magnitude
from hetc.backends.reference.reads import ReadCounter, read, read_stored
from hetc.backends.reference.tensors import SparseTensor, Tensor, stored, stored_magnitude
from hetc.dialects.mp import (
    DimSizeOp,
    GuardOp,
    RangeAttr,
    ReadOp,
    ReadStoredOp,
    ReduceOp,
    RoundOp,
    YieldOp,
    extent_key,
)
from hetc.numerics.tolerance import tolerance

# f(0) = 0: an unstored zero stays one.
_KEEPS_ZERO = {
    "arith.negf", "math.absf", "math.absi", "math.sqrt", "math.sin", "math.tanh", "math.erf", "math.floor",
    "math.ceil", "math.roundeven", "arith.sitofp", "arith.fptosi", "arith.extsi", "arith.trunci", "arith.index_cast",
}  # fmt: skip
_ZERO_WHERE_BOTH = {
    "arith.addf", "arith.subf", "arith.addi", "arith.subi", "arith.maximumf", "arith.minimumf", "arith.maxsi",
    "arith.minsi",
}  # fmt: skip


@dataclass(frozen=True)
class Frame:
    """The indices in force: how many axes, how many elements their product has, and which of those exist (ragged
    rows end early)."""

    depth: int
    elements: int
    exists: tuple[np.ndarray, ...] = ()


class RegionEvaluator:
    """Evaluates the region of one statement. `tensors` are the values that it may read."""

    def __init__(self, environment: Environment, tensors: Mapping[SSAValue, Tensor | SparseTensor]):
        self.environment = environment
        self.tensors = tensors
        self.reads = ReadCounter()

    def index(self, position: int, rank: int, start: int, stop: int) -> Lanes:
        """The index at `position` of `rank`, running over start..stop-1 on its own axis."""
        axis = rank - position
        return Lanes(along(np.arange(start, stop), position, rank), frozenset([axis]), span=(axis, start, stop))

    def length(self, item: RangeAttr, per: Lanes | None) -> Lanes:
        """The live extent of a range: of the row that `per` names, where its dim is per a dim."""
        return self.live_extent(extent_key(item.extent), per)

    def live_extent(self, key: int | str, per: Lanes | None) -> Lanes:
        value = self.environment.extent(key)
        if isinstance(value, int):
            return Lanes(np.asarray(value, dtype=np.int64))
        if per is None:
            raise OracleError(f"the extent of {key} differs by row, and no row was named")
        if not len(value):
            return Lanes(np.zeros(per.value.shape, np.int64), per.axes, per.conditions)
        row = np.clip(per.value, 0, len(value) - 1)
        within = (per.value >= 0) & (per.value < len(value))
        return Lanes(np.where(within, value[row], 0), per.axes, merge([per.conditions, condition(per.axes, within)]))

    def body(self, block: Block, frame: Frame, bindings: dict[SSAValue, Lanes], without: Operation | None = None
             ) -> YieldOp:  # fmt: skip
        """Evaluate the ops of a block in order, adding their results to `bindings`; `without` skips one."""
        for op in block.ops:
            if isinstance(op, YieldOp):
                return op
            if op is not without:
                self.operation(op, frame, bindings)
        raise OracleError("a region does not end in mp.yield")

    def operation(self, op: Operation, frame: Frame, bindings: dict[SSAValue, Lanes]) -> None:
        if isinstance(op, ReadOp | ReadStoredOp):
            self._read(op, frame, bindings)
            return
        operands = [bindings[value] for value in op.operands]
        if isinstance(op, ReduceOp):
            from hetc.backends.reference.reduction import Reduction

            result = Reduction(self, op, frame, bindings).evaluate()
        elif isinstance(op, ArithSelectOp):
            result = select(*operands)
        elif isinstance(op, GuardOp):
            value, guard = operands
            result = value.under(merge([guard.conditions, condition(guard.axes, guard.value)]))
        elif isinstance(op, DimSizeOp):
            result = self.live_extent(op.dim.data, operands[0] if operands else None)
        elif isinstance(op, RoundOp):
            result = self._round(op, operands[0])
        else:
            result = self._scalar(op, operands)
        bindings[op.results[0]] = result

    def _read(self, op: ReadOp | ReadStoredOp, frame: Frame, bindings: dict[SSAValue, Lanes]) -> None:
        if op.tensor not in self.tensors:
            raise OracleError(f"{op.name} reads a value that has not been computed")
        tensor = self.tensors[op.tensor]
        indices = [bindings[value] for value in op.indices]
        guard = bindings[op.present] if op.present is not None else None
        if isinstance(op, ReadOp):
            bindings[op.result] = read(self.environment, tensor, indices, guard, frame.exists, self.reads)
        else:
            value, is_stored = read_stored(self.environment, tensor, indices, guard, frame.exists, self.reads)
            bindings[op.result], bindings[op.stored] = value, is_stored

    def _round(self, op: RoundOp, x: Lanes) -> Lanes:
        value = stored(x.value, op.element)
        size = None if x.magnitude is None else stored_magnitude(x.magnitude, value, op.element)
        return Lanes(value, x.axes, x.conditions, x.zero, size)

    def _scalar(self, op: Operation, operands: list[Lanes]) -> Lanes:
        function = FUNCTIONS.get(op.name)
        if function is None:
            raise OracleError(f"{op.name} is not an operation of a region")
        values = [item.value for item in operands]
        value = np.asarray(function(op, *values))
        zero = _zero(op.name, operands)
        if zero is not None and not self.environment.strict:
            value = np.where(zero, np.zeros((), value.dtype), value)
        size = None
        if self.environment.magnitudes and isinstance(op.results[0].type, AnyFloat):
            sizes = [item.magnitude for item in operands if item.magnitude is not None]
            size = magnitude(op.name, value, values, sizes)
            if zero is not None:
                size = np.where(zero, 0.0, size)
        doubt = any_doubt(operands) if op.results[0].type == i1 else None
        if op.name == "arith.cmpf" and operands[0].magnitude is not None and operands[1].magnitude is not None:
            doubt = comparison_doubt(*operands)
        return Lanes(value, axes_of(operands), merge(item.conditions for item in operands), zero, size, doubt)


def select(guard: Lanes, chosen: Lanes, other: Lanes) -> Lanes:
    """where(c, a, b): present where the condition and the chosen branch are."""
    conditions = merge(
        [guard.conditions, implied_by(guard, chosen.conditions), implied_by(guard, other.conditions, when=False)]
    )
    size = zero = None
    if chosen.magnitude is not None and other.magnitude is not None:
        size = np.where(guard.value, chosen.magnitude, other.magnitude)
    if chosen.zero is not None or other.zero is not None:
        nowhere = np.asarray(False)
        zero = np.where(
            guard.value,
            nowhere if chosen.zero is None else chosen.zero,
            nowhere if other.zero is None else other.zero,
        )
    value = np.where(guard.value, chosen.value, other.value)
    doubt = any_doubt((guard, chosen, other)) if value.dtype == np.bool_ else None
    if size is not None and guard.doubt is not None:
        # A condition in doubt may choose the other branch: as wrong as the branches differ.
        apart = np.abs(chosen.value - other.value) / tolerance("f32").rtol
        size = np.where(guard.doubt, np.maximum(size, np.where(np.isfinite(apart), apart, np.inf)), size)
    return Lanes(value, axes_of((guard, chosen, other)), conditions, zero, size, doubt)


def comparison_doubt(left: Lanes, right: Lanes) -> np.ndarray | None:
    """Where two floats are closer than their tolerances, and not exact by being infinite."""
    assert left.magnitude is not None and right.magnitude is not None
    apart = np.abs(left.value - right.value)
    doubt = apart <= tolerance("f32").rtol * (left.magnitude + right.magnitude)
    # Equal values of magnitude 0 (and zeros against zeros) leave nothing to round.
    doubt = doubt & (left.magnitude + right.magnitude > 0) & np.isfinite(apart)
    return doubt if doubt.any() else None


def _zero(name: str, operands: list[Lanes]) -> np.ndarray | None:
    """Where the result is an unstored sparse zero: x * 0 and 0 / x, sums of such zeros, functions with f(0) = 0."""
    zeros = [item.zero for item in operands]
    if all(item is None for item in zeros):
        return None
    if name in ("arith.mulf", "arith.muli"):
        present = [item for item in zeros if item is not None]
        return present[0] if len(present) == 1 else present[0] | present[1]
    if name in ("arith.divf", "arith.floordivsi"):
        return zeros[0]
    if name in _KEEPS_ZERO:
        return zeros[0]
    if name in _ZERO_WHERE_BOTH and zeros[0] is not None and zeros[1] is not None:
        return zeros[0] & zeros[1]
    return None
