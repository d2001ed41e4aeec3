"""The conditions under which 64 bits hold an index: one that they do not hold is absent (see mp.intervals)."""

from __future__ import annotations

from xdsl.dialects import arith
from xdsl.ir import Operation, SSAValue

from hetc.dialects.mp import Intervals
from hetc.passes.emission import constant_value, emit, index

LARGEST = 2**63 - 1
"""Of an index; the least is the negative of it."""


def held_by_64_bits(op: Operation, intervals: Intervals) -> tuple[SSAValue, ...]:
    """Comparisons, put before a sum, difference or product of indices, that hold where its result has at most 64 bits;
    without those that hold for any data. What they compute has at most 64 bits itself, wherever the operands do."""
    value, least, most = _product(op) if isinstance(op, arith.MuliOp) else _sum(op)
    held = intervals.of(value)
    tests = []
    if held.low < intervals.of(least).high:
        tests.append(emit(arith.CmpiOp(value, least, "sge"), op))
    if held.high > intervals.of(most).low:
        tests.append(emit(arith.CmpiOp(value, most, "sle"), op))
    return tuple(tests)


def _sum(op: Operation) -> tuple[SSAValue, SSAValue, SSAValue]:
    """The left operand, and between what it must lie."""
    left, right = op.operands
    positive = emit(arith.MaxSIOp(right, index(0, op)), op)
    negative = emit(arith.MinSIOp(right, index(0, op)), op)
    if isinstance(op, arith.SubiOp):
        most = emit(arith.AddiOp(index(LARGEST, op), negative), op)
        least = emit(arith.AddiOp(index(-LARGEST, op), positive), op)
    else:
        most = emit(arith.SubiOp(index(LARGEST, op), positive), op)
        least = emit(arith.SubiOp(index(-LARGEST, op), negative), op)
    return left, least, most


def _product(op: arith.MuliOp) -> tuple[SSAValue, SSAValue, SSAValue]:
    """A factor, and between what it must lie: the largest index over the size of the other."""
    left, right = op.lhs, op.rhs
    if constant_value(left) is not None:
        left, right = right, left
    factor = constant_value(right)
    if isinstance(factor, int):
        most = LARGEST // max(abs(factor), 1)
        return left, index(-most, op), index(most, op)
    zero, one = index(0, op), index(1, op)
    size = emit(arith.MaxSIOp(right, emit(arith.SubiOp(zero, right), op)), op)
    limit = emit(arith.FloorDivSIOp(index(LARGEST, op), emit(arith.MaxSIOp(size, one), op)), op)
    return left, emit(arith.SubiOp(zero, limit), op), limit
