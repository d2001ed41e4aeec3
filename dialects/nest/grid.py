"""Floats that are multiples of a power of two, which sums in fixed point hold exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.dialects import arith
from xdsl.ir import Operation, SSAValue

from hetc.dialects.mp import TensorType, dtype_name
from hetc.dialects.nest.accumulate import FoldOp, MergeOp
from hetc.dialects.nest.memory import LoadOp, ReadOp
from hetc.dialects.nest.structure import EntriesOp, ForOp
from hetc.dialects.nest.types import BufferType
from hetc.numerics.dtypes import dtype_of

F32_SIGNIFICAND_BITS = 24
SUM_BITS = 63


@dataclass(frozen=True)
class Grid:
    """NaN, or multiples of `step` of at most `largest`, with so many significant bits."""

    step: float
    largest: float
    bits: int


def grid_of(value: SSAValue) -> Grid | None:
    """The grid that a value lies on; None where none is known: what may be infinite or was rounded lies on none."""
    owner = value.owner
    match owner:
        case ReadOp() | LoadOp():
            type_ = owner.operands[0].type
            assert isinstance(type_, TensorType | BufferType)
            return _of_element(dtype_name(type_.element))
        case arith.SIToFPOp():
            made = grid_of(owner.input)
            return made if made is not None and made.bits <= F32_SIGNIFICAND_BITS else None
        case arith.MulfOp():
            first, second = grid_of(owner.lhs), grid_of(owner.rhs)
            if first is None or second is None or first.bits + second.bits > F32_SIGNIFICAND_BITS:
                return None
            return Grid(first.step * second.step, first.largest * second.largest, first.bits + second.bits)
    return None


def _of_element(name: str) -> Grid | None:
    if name.startswith("index"):
        return None
    dtype = dtype_of(name)
    if dtype.is_integer:
        return Grid(1.0, float(max(dtype.max_finite, -dtype.min_finite)), dtype.bits)
    if not dtype.is_float or np.isinf(np.array(np.inf).astype(dtype.storage)):
        return None
    return Grid(float(dtype.smallest_step), float(dtype.max_finite), dtype.mantissa_bits + 1)


def does_not_fit(states: SSAValue, fraction_bits: int) -> str | None:
    """Why sums with so many bits behind the point may not hold what is folded and merged into states; None where they
    do."""
    folds = [use.operation for use in states.uses if isinstance(use.operation, FoldOp)]
    for fold in folds:
        grid = grid_of(fold.values[0])
        if grid is None or grid.step < 2.0**-fraction_bits:
            return f"a value is not known to be a multiple of 2^-{fraction_bits}"
    return f"{SUM_BITS} bits do not hold it" if _largest(states, ()) * 2.0**fraction_bits >= 2.0**SUM_BITS else None


def _largest(states: SSAValue, around: tuple[SSAValue, ...]) -> float:
    """The largest sum that a state can hold: each fold as often as it runs, partial sums as large as they can be."""
    if states in around:
        return float("inf")  # states that are merged into each other: how often is not known
    total = 0.0
    for use in states.uses:
        op = use.operation
        if isinstance(op, FoldOp):
            grid = grid_of(op.values[0])
            total += _most_times(op, states) * (float("inf") if grid is None else grid.largest)
        elif isinstance(op, MergeOp) and op.states is states:
            total += _most_times(op, states) * _largest(op.part, (*around, states))
    return total


def _most_times(op: Operation, states: SSAValue) -> int:
    """How often an op runs at most while the states that it is inside the scope of are the same."""
    times, loop = 1, op.parent_op()
    outer = states.owner.parent_op() if isinstance(states.owner, Operation) else None
    while loop is not None and loop is not outer:
        if isinstance(loop, ForOp):
            times *= loop.most_passes
        elif isinstance(loop, EntriesOp):
            times *= loop.most.value.data
        loop = loop.parent_op()
    return times
