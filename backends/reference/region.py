"""Evaluates a region of index notation: every index combination of a block of the index space at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from xdsl.dialects.arith import SelectOp as ArithSelectOp
from xdsl.dialects.builtin import AnyFloat, IndexType, i1
from xdsl.ir import Block, Operation, SSAValue

from hetc.backends.reference.arithmetic import FUNCTIONS, held_by_64_bits
from hetc.backends.reference.environment import Environment, OracleError, along
from hetc.backends.reference.lanes import (
    Axes,
    Lanes,
    any_doubt,
    axes_of,
    condition,
    decided,
    either,
    implied_by,
    merge,
    where_any,
)
from hetc.backends.reference.magnitude import magnitude
from hetc.backends.reference.reads import ReadCounter, read, read_stored
from hetc.backends.reference.tensors import SparseTensor, Tensor, stored, stored_magnitude
from hetc.dialects.mp import (
    AndOp,
    DimSizeOp,
    GuardOp,
    OrOp,
    PresentOp,
    PutOp,
    RangeAttr,
    ReadOp,
    ReadStoredOp,
    ReduceOp,
    RoundOp,
    YieldOp,
    extent_key,
)
from hetc.numerics.tolerance import tolerance


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
             ) -> YieldOp | PutOp:  # fmt: skip
        """Evaluate the ops of a block in order, adding their results to `bindings`; `without` skips one."""
        for op in block.ops:
            if isinstance(op, YieldOp | PutOp):
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
            present = value.under(merge([guard.conditions, condition(guard.axes, guard.value)]))
            result = replace(present, axes=value.axes | guard.axes)
        elif isinstance(op, PresentOp):
            result = Lanes(operands[0].present(), operands[0].axes)
        elif isinstance(op, AndOp | OrOp):
            result = replace(self._scalar(op, operands), conditions=decided(operands[0], operands[1], op.DECIDES))
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
        return Lanes(value, x.axes, x.conditions, remains_zero(value, [x]), size)

    def _scalar(self, op: Operation, operands: list[Lanes]) -> Lanes:
        function = FUNCTIONS.get(op.name)
        if function is None:
            raise OracleError(f"{op.name} is not an operation of a region")
        values = [item.value for item in operands]
        value = np.asarray(function(op, *values))
        zero = _forced_zero(op.name, operands)
        if zero is not None:
            value = np.where(zero, np.zeros((), value.dtype), value)
        size = None
        if self.environment.magnitudes and isinstance(op.results[0].type, AnyFloat):
            sizes = [item.magnitude for item in operands if item.magnitude is not None]
            size = magnitude(op.name, value, values, sizes)
            if zero is not None:
                size = np.where(zero, 0.0, size)
        conditions, unstored = merge(item.conditions for item in operands), remains_zero(value, operands)
        if isinstance(op.results[0].type, IndexType) and not self.environment.strict:
            conditions = merge([conditions, condition(axes_of(operands), held_by_64_bits(op, *values))])
        doubt = any_doubt(operands) if op.results[0].type == i1 else None
        if op.name == "arith.cmpf" and operands[0].magnitude is not None and operands[1].magnitude is not None:
            doubt = comparison_doubt(*operands)
        return Lanes(value, axes_of(operands), conditions, unstored, size, doubt)


def select(guard: Lanes, chosen: Lanes, other: Lanes) -> Lanes:
    """where(c, a, b): present where the condition and the chosen branch are."""
    conditions = merge(
        [guard.conditions, implied_by(guard, chosen.conditions), implied_by(guard, other.conditions, when=False)]
    )
    size = None
    if chosen.magnitude is not None and other.magnitude is not None:
        size = np.where(guard.value, chosen.magnitude, other.magnitude)
    value = np.where(guard.value, chosen.value, other.value)
    doubt = any_doubt((guard, chosen, other)) if value.dtype == np.bool_ else None
    if size is not None and guard.doubt is not None:
        # A condition in doubt may choose the other branch: as wrong as the branches differ.
        apart = np.abs(chosen.value - other.value) / tolerance("f32").rtol
        size = np.where(guard.doubt, np.maximum(size, np.where(np.isfinite(apart), apart, np.inf)), size)
    unstored = remains_zero(value, (guard, chosen, other))
    return Lanes(value, axes_of((guard, chosen, other)), conditions, unstored, size, doubt)


def comparison_doubt(left: Lanes, right: Lanes) -> np.ndarray | None:
    """Where two floats are closer than their tolerances, and not exact by being infinite."""
    assert left.magnitude is not None and right.magnitude is not None
    apart = np.abs(left.value - right.value)
    doubt = apart <= tolerance("f32").rtol * (left.magnitude + right.magnitude)
    # Equal values of magnitude 0 (and zeros against zeros) leave nothing to round.
    doubt = doubt & (left.magnitude + right.magnitude > 0) & np.isfinite(apart)
    return doubt if doubt.any() else None


def _forced_zero(name: str, operands: list[Lanes]) -> np.ndarray | None:
    """Where a product or quotient is 0 whatever its other operand is: an unstored factor or numerator."""
    if name in ("arith.mulf", "arith.muli"):
        return where_any(either(item.unstored for item in operands))
    return where_any(operands[0].unstored) if name in ("arith.divf", "arith.floordivsi") else None


def remains_zero(value: np.ndarray, operands: Iterable[Lanes]) -> dict[Axes, np.ndarray]:
    """Where the result of these operands is 0 at an unstored entry."""
    flags = either(item.unstored for item in operands)
    return {axes: mask & (value == 0) for axes, mask in flags.items()} if flags else {}
