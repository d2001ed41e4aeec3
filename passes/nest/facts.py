"""What holds at a place of a kernel: conditions as conjuncts, and comparisons of indices as sums.

A comparison of integers is a sum over values that is at least 0. It holds where a known one is smaller by something
that is at least 0 whatever its values are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import IndexType, IntegerType, i1
from xdsl.ir import Attribute, Block, Operation, SSAValue

from hetc.dialects import nest
from hetc.dialects.mp import DimSizeOp, TensorType
from hetc.passes.nest.ranges import Range, arithmetic_range, number_of, range_of

_PREDICATES = ("eq", "ne", "slt", "sle", "sgt", "sge")


@dataclass(frozen=True)
class Sum:
    """A constant and integer multiples of values."""

    terms: tuple[tuple[SSAValue, int], ...]
    constant: int = 0

    @staticmethod
    def of(terms: dict[SSAValue, int], constant: int) -> Sum:
        kept = [(value, factor) for value, factor in terms.items() if factor]
        return Sum(tuple(sorted(kept, key=lambda item: id(item[0]))), constant)

    def plus(self, other: Sum, times: int = 1) -> Sum:
        terms = dict(self.terms)
        for value, factor in other.terms:
            terms[value] = terms.get(value, 0) + times * factor
        return Sum.of(terms, self.constant + times * other.constant)

    def less(self, number: int) -> Sum:
        return Sum(self.terms, self.constant - number)

    @property
    def least(self) -> int:
        """A number that it is never below."""
        return self.least_over({})

    def least_over(self, ranges: dict[SSAValue, Range]) -> int:
        """The same; ranges: those of values that were looked up before."""
        total = self.constant
        for value, factor in self.terms:
            if value not in ranges:
                ranges[value] = range_of(value)
            low, high = ranges[value]
            total += factor * (low if factor > 0 else high)
        return total


def conjuncts(condition: SSAValue | None) -> tuple[SSAValue, ...]:
    """The conditions that hold together where one does, each once, in the order in which they are written."""
    if condition is None or number_of(condition) == 1:
        return ()
    owner = condition.owner
    if isinstance(owner, arith.AndIOp) and condition.type == i1:
        return tuple(dict.fromkeys((*conjuncts(owner.lhs), *conjuncts(owner.rhs))))
    return (condition,)


def sum_of(value: SSAValue) -> Sum:
    """An integer as a sum. Arithmetic on indices is exact, on other integers where it cannot wrap."""
    number = number_of(value)
    if number is not None:
        return Sum((), number)
    owner = value.owner
    match owner:
        case arith.AddiOp() | arith.SubiOp() | arith.MuliOp():
            if isinstance(value.type, IndexType) or arithmetic_range(owner) is not None:
                return _joined(owner, value)
        case arith.IndexCastOp() | arith.ExtSIOp():
            if _is_wider(value, owner.operands[0]):
                return sum_of(owner.operands[0])
    return Sum(((value, 1),))


def _joined(op: arith.AddiOp | arith.SubiOp | arith.MuliOp, value: SSAValue) -> Sum:
    first, second = sum_of(op.lhs), sum_of(op.rhs)
    if not isinstance(op, arith.MuliOp):
        return first.plus(second, 1 if isinstance(op, arith.AddiOp) else -1)
    for one, other in ((first, second), (second, first)):
        if not one.terms:
            return Sum(()).plus(other, one.constant)
    return Sum(((value, 1),))


def _is_wider(result: SSAValue, operand: SSAValue) -> bool:
    """Whether a cast keeps every number."""

    def bits(value: SSAValue) -> int:
        return value.type.width.data if isinstance(value.type, IntegerType) else 64

    return bits(result) >= bits(operand)


def sums_of(condition: SSAValue) -> list[Sum] | None:
    """The sums that are at least 0 where, and only where, a condition holds; None where it is no such comparison."""
    owner = condition.owner
    if not isinstance(owner, arith.CmpiOp) or owner.lhs.type == i1:
        return None
    predicate = owner.predicate.value.data
    if predicate >= len(_PREDICATES) or _PREDICATES[predicate] == "ne":
        return None
    difference = sum_of(owner.rhs).plus(sum_of(owner.lhs), -1)
    opposite = Sum(()).plus(difference, -1)
    return {
        "eq": [difference, opposite],
        "slt": [difference.less(1)],
        "sle": [difference],
        "sgt": [opposite.less(1)],
        "sge": [opposite],
    }[_PREDICATES[predicate]]


@dataclass(frozen=True)
class Facts:
    """Conditions that hold, and sums that are at least 0."""

    conditions: frozenset[SSAValue] = frozenset()
    sums: tuple[Sum, ...] = ()

    def given(self, *conditions: SSAValue | None) -> Facts:
        """These and conditions that hold, too."""
        found = [leaf for condition in conditions for leaf in conjuncts(condition)]
        sums = [item for leaf in found for item in sums_of(leaf) or ()]
        return Facts(self.conditions.union(found), (*self.sums, *sums))

    def inside(self, loop: nest.ForOp | nest.EntriesOp) -> Facts:
        """These and what holds in each pass of a loop."""
        known = self if isinstance(loop, nest.ForOp) else self.given(loop.present)
        index = Sum(((loop.index if isinstance(loop, nest.ForOp) else loop.column, 1),))
        low = [index.plus(sum_of(bound), -1) for bound in _bounds(loop.lower, arith.MaxSIOp)]
        high = [sum_of(bound).plus(index, -1).less(1) for bound in _bounds(loop.upper, arith.MinSIOp)]
        return Facts(known.conditions, (*known.sums, *low, *high))

    def of_blocks(self, op: Operation) -> Iterator[tuple[Block, Facts]]:
        """The blocks in an op, each with what holds there."""
        for region in op.regions:
            for block in region.blocks:
                yield block, self._in_block(op, block)

    def _in_block(self, op: Operation, block: Block) -> Facts:
        if isinstance(op, nest.ForOp | nest.EntriesOp):
            return self.inside(op)
        return self.given(op.cond) if isinstance(op, scf.IfOp) and block is op.true_region.block else self

    @staticmethod
    def around(op: Operation) -> Facts:
        """What holds where an op stands, by the loops and branches around it."""
        outer, block = op.parent_op(), op.parent
        if outer is None or block is None or isinstance(outer, nest.KernelOp):
            return Facts()
        return Facts.around(outer)._in_block(outer, block)

    def in_range(self, type: Attribute, indices: Sequence[SSAValue]) -> bool:
        """Whether an element of an operand or a buffer is one for certain."""
        assert isinstance(type, TensorType | nest.BufferType)
        return all(self._within(sum_of(index), extent) for index, extent in zip(indices, type.shape, strict=True))

    def _within(self, index: Sum, extent: int | str) -> bool:
        if not self.at_least_0(index):
            return False
        if isinstance(extent, int):
            return self.at_least_0(Sum(()).plus(index, -1).less(1 - extent))
        return any(_is_below(extent, fact.plus(index)) for fact in self.sums)

    def has_a_pass(self, loop: nest.ForOp) -> bool:
        """Whether a loop that stands where these hold has one for certain."""
        first = sum_of(loop.lower)
        return all(
            self.at_least_0(sum_of(bound).plus(first, -1).less(1)) for bound in _bounds(loop.upper, arith.MinSIOp)
        )

    def imply(self, condition: SSAValue) -> bool:
        """Whether a condition holds for certain."""
        return all(self._holds(leaf) for leaf in conjuncts(condition))

    def deny(self, condition: SSAValue) -> bool:
        """Whether a condition does not hold for certain."""
        sums = sums_of(condition) or ()
        return any(self.at_least_0(Sum(()).plus(item, -1).less(1)) for item in sums)

    def _holds(self, leaf: SSAValue) -> bool:
        if leaf in self.conditions:
            return True
        sums = sums_of(leaf)
        return sums is not None and all(self.at_least_0(item) for item in sums)

    def at_least_0(self, item: Sum) -> bool:
        ranges: dict[SSAValue, Range] = {}
        if item.least_over(ranges) >= 0:
            return True
        own = {value for value, _ in item.terms}
        # One over other values says nothing of it.
        about = (fact for fact in self.sums if any(value in own for value, _ in fact.terms))
        return any(item.plus(fact, -1).least_over(ranges) >= 0 for fact in about)

    def remaining(self, condition: SSAValue | None) -> tuple[SSAValue, ...]:
        """The conjuncts of a condition that are not known already, nor implied by the others."""
        left: Sequence[SSAValue] = [leaf for leaf in conjuncts(condition) if not self._holds(leaf)]
        for leaf in list(left):
            others = [other for other in left if other is not leaf]
            if self.given(*others)._holds(leaf):
                left = others
        return tuple(left)


def _is_below(dim: str, rest: Sum) -> bool:
    """Whether a sum is the length of a run-time dim less 1 or more."""
    if len(rest.terms) != 1 or rest.constant > -1:
        return False
    (value, factor) = rest.terms[0]
    owner = value.owner
    return factor == 1 and isinstance(owner, DimSizeOp) and owner.dim.data == dim


def _bounds(bound: SSAValue, kind: type[arith.MinSIOp] | type[arith.MaxSIOp]) -> Iterable[SSAValue]:
    """The values that a bound is the least or the largest of."""
    owner = bound.owner
    if isinstance(owner, kind):
        return (*_bounds(owner.lhs, kind), *_bounds(owner.rhs, kind))
    return (bound,)
