"""Index values as linear expressions, exact over the integers.

An atom is an SSA value, the live extent of a dim, or a floor quotient of a linear expression by a constant; a linear
expression is a sum of atoms times integers, and a constant. Two expressions that are equal have equal terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from xdsl.dialects import arith
from xdsl.ir import SSAValue
from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
)

from hetc.dialects.mp import DimSizeOp, Intervals, PipelineOp
from hetc.passes.emission import constant_value, leaves


@dataclass(frozen=True)
class Extent:
    """The live extent of the run-time dim `symbol` (of row `per`)."""

    symbol: str
    per: SSAValue | None


@dataclass(frozen=True)
class Quotient:
    """floor(dividend / divisor), the divisor a positive constant."""

    dividend: Linear
    divisor: int


Atom: TypeAlias = "SSAValue | Extent | Quotient"


@dataclass(frozen=True)
class Linear:
    """sum(coefficient * atom) + constant; no coefficient is 0."""

    terms: frozenset[tuple[Atom, int]]
    constant: int

    @staticmethod
    def of(terms: Mapping[Atom, int], constant: int = 0) -> Linear:
        return Linear(frozenset((atom, factor) for atom, factor in terms.items() if factor), constant)

    def __add__(self, other: Linear | int) -> Linear:
        if isinstance(other, int):
            return Linear(self.terms, self.constant + other)
        total: dict[Atom, int] = dict(self.terms)
        for atom, factor in other.terms:
            total[atom] = total.get(atom, 0) + factor
        return Linear.of(total, self.constant + other.constant)

    def __mul__(self, factor: int) -> Linear:
        return Linear.of({atom: factor * value for atom, value in self.terms}, factor * self.constant)

    def __neg__(self) -> Linear:
        return self * -1

    def __sub__(self, other: Linear | int) -> Linear:
        return self + (-other)

    def quotient(self, divisor: int) -> Linear:
        """floor(self / divisor) for a positive divisor."""
        if not self.terms:
            return number(self.constant // divisor)
        return self if divisor == 1 else Linear.of({Quotient(self, divisor): 1})


def number(value: int) -> Linear:
    """A constant as a linear expression."""
    return Linear.of({}, value)


def linear(
    value: SSAValue, pipeline: PipelineOp, intervals: Intervals, given: frozenset[SSAValue] = frozenset()
) -> Linear:
    """An index (or integer) value as a linear expression; what is not affine, or may wrap, is an atom. Where the
    conditions `given` hold, a row that is selected by them is the row itself."""
    known = constant_value(value)
    if isinstance(known, int):
        return number(known)
    owner = value.owner
    if isinstance(owner, DimSizeOp):
        return extent_of(owner.dim.data, _row(owner.per, given), pipeline)
    if isinstance(owner, arith.IndexCastOp) and intervals.of(owner.input).within(intervals.of(value)):
        return linear(owner.input, pipeline, intervals, given)
    if not isinstance(owner, arith.AddiOp | arith.SubiOp | arith.MuliOp | arith.FloorDivSIOp) or intervals.wraps(value):
        return Linear.of({value: 1})
    left, right = (linear(operand, pipeline, intervals, given) for operand in owner.operands)
    if isinstance(owner, arith.AddiOp):
        return left + right
    if isinstance(owner, arith.SubiOp):
        return left - right
    if isinstance(owner, arith.MuliOp) and not (left.terms and right.terms):
        return left * right.constant if not right.terms else right * left.constant
    if isinstance(owner, arith.FloorDivSIOp) and not right.terms and right.constant > 0:
        return left.quotient(right.constant)
    return Linear.of({value: 1})


def _row(per: SSAValue | None, given: frozenset[SSAValue]) -> SSAValue | None:
    if per is not None and isinstance(per.owner, arith.SelectOp) and given.issuperset(leaves(per.owner.cond)):
        return per.owner.lhs
    return per


def extent_of(dim: int | str, per: SSAValue | None, pipeline: PipelineOp) -> Linear:
    """The live extent of a dim. A derived dim is expressed by those that it is derived from, where it is one affine
    function of them and not the largest or the least of several."""
    if isinstance(dim, int):
        return number(dim)
    declared = pipeline.dims.get(dim)
    if declared is not None and declared.size is not None:
        return number(declared.largest)
    if declared is not None and declared.derived is not None and declared.of is not None:
        sources = [_source(name.data, per, pipeline) for name in declared.of]
        functions = [item for group in declared.functions for item in group]
        derived = _affine(functions[0], sources) if len(functions) == 1 else None
        if derived is not None:
            return derived
    return Linear.of({Extent(dim, per): 1})


def _source(name: str, per: SSAValue | None, pipeline: PipelineOp) -> Linear:
    declared = pipeline.dims.get(name)
    return extent_of(name, per if declared is not None and declared.per is not None else None, pipeline)


def _affine(expression: AffineExpr, sources: list[Linear]) -> Linear | None:
    if isinstance(expression, AffineConstantExpr):
        return number(expression.value)
    if isinstance(expression, AffineDimExpr):
        return sources[expression.position]
    if not isinstance(expression, AffineBinaryOpExpr):
        return None
    left, right = _affine(expression.lhs, sources), _affine(expression.rhs, sources)
    if left is None or right is None:
        return None
    if expression.kind == AffineBinaryOpKind.Add:
        return left + right
    if expression.kind == AffineBinaryOpKind.Mul and not right.terms:
        return left * right.constant
    if expression.kind == AffineBinaryOpKind.Mul and not left.terms:
        return right * left.constant
    if right.terms or right.constant <= 0:
        return None
    if expression.kind == AffineBinaryOpKind.FloorDiv:
        return left.quotient(right.constant)
    if expression.kind == AffineBinaryOpKind.CeilDiv:
        return (left + (right.constant - 1)).quotient(right.constant)
    if expression.kind == AffineBinaryOpKind.Mod:
        return left - left.quotient(right.constant) * right.constant
    return None
