"""Proofs that an index lies within its extent.

`Bounds.holds(e)` shows e >= 0 by replacing, one by one, what e is made of by its own bounds: an index runs from 0 to
its extent less 1, x mod c from 0 to c - 1, anything else as far as its interval (see mp.intervals), and so on. It never
claims what is not so; what it cannot show is tested at run time instead.
"""

from __future__ import annotations

from xdsl.dialects import arith
from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import Block, SSAValue

from hetc.dialects.mp import (
    ModOp,
    PipelineOp,
    RangedOp,
    ReadOp,
    ReduceOp,
    SelectOp,
    StepOp,
    TensorType,
    TopkOp,
    extent_key,
    interval_of_type,
    intervals_of,
)
from hetc.passes.emission import leaves
from hetc.passes.normalize.linear import Atom, Extent, Linear, Quotient, extent_of, linear, number

DEPTH = 8
"""How many replacements a proof may take; the indices of a program need two or three."""


class Bounds:
    """What is known of the indices of one step."""

    def __init__(self, step: StepOp, pipeline: PipelineOp):
        self.pipeline = pipeline
        self.intervals = intervals_of(pipeline)
        self.least_extents = {
            name: grown.value.data for name, grown in step.grows.data.items() if isinstance(grown, IntegerAttr)
        }

    def linear(self, value: SSAValue) -> Linear:
        """An index value as a linear expression."""
        return linear(value, self.pipeline, self.intervals)

    def extent(
        self, tensor: TensorType, position: int, indices: tuple[SSAValue, ...]
    ) -> tuple[Linear, SSAValue | None]:
        """The live extent of a tensor's dim at `position`, where its element at `indices` is meant, and the index that
        the dim is `per` (None for a dim that is not)."""
        dim = tensor.shape[position]
        per = self.per_index(tensor, position, indices)
        return extent_of(dim, per, self.pipeline), per

    def per_index(self, tensor: TensorType, position: int, indices: tuple[SSAValue, ...]) -> SSAValue | None:
        """The index, of those given, that the dim at `position` is per."""
        dim = tensor.shape[position]
        declared = self.pipeline.dims.get(dim) if isinstance(dim, str) else None
        if declared is None or declared.per is None:
            return None
        positions = [place for place in range(position) if tensor.shape[place] == declared.per.data]
        return indices[positions[-1]]

    def holds(self, expression: Linear, given: tuple[SSAValue, ...] = (), depth: int = DEPTH) -> bool:
        """Whether expression >= 0 is certain where the conditions `given` hold."""
        if any(self._holds(expression - fact, depth) for fact in self._facts(given)):
            return True
        return self._holds(expression, depth)

    def implies(self, condition: SSAValue, comparison: SSAValue, when: bool) -> bool:
        """Whether the comparison is certain where `condition` has the value `when`."""
        goals = self._facts((comparison,))
        if len(goals) != 1:
            return False
        facts = self._facts((condition,)) if when else self._denied(condition)
        return any(self._holds(goals[0] - fact, DEPTH) for fact in facts)

    def _denied(self, condition: SSAValue) -> list[Linear]:
        """What is >= 0 where the condition is false."""
        facts = self._facts((condition,)) if len(leaves(condition)) == 1 else []
        return [-facts[0] - 1] if len(facts) == 1 else []

    def _holds(self, expression: Linear, depth: int) -> bool:
        if not expression.terms:
            return expression.constant >= 0
        if depth == 0:
            return False
        terms = sorted(expression.terms, key=lambda term: _turn(term[0]))
        for atom, factor in terms:
            rest = expression - Linear.of({atom: factor})
            choices = self._replaced(atom, factor, rest)
            if any(all(self._holds(goal, depth - 1) for goal in goals) for goals in choices):
                return True
        return False

    def _replaced(self, atom: Atom, factor: int, rest: Linear) -> list[list[Linear]]:
        """Ways to show rest + factor * atom >= 0: lists of expressions that must all be >= 0."""
        if isinstance(atom, Quotient):
            exact = [_without_quotient(atom, factor, rest)]
            return [exact, [rest, atom.dividend]] if factor > 0 else [exact]
        if isinstance(atom, Extent):
            limit = self._least(atom) if factor > 0 else self._most(atom)
            return [] if limit is None else [[rest + factor * limit]]
        return [
            [rest + bound * factor for bound in bounds]
            for bounds in (self._lower(atom) if factor > 0 else self._upper(atom))
        ]

    def _least(self, extent: Extent) -> int:
        return self.least_extents.get(extent.symbol, 0)

    def _most(self, extent: Extent) -> int | None:
        declared = self.pipeline.dims.get(extent.symbol)
        return None if declared is None else declared.largest

    def _upper(self, value: SSAValue) -> list[list[Linear]]:
        """Alternatives; in each, one of the listed expressions is an upper bound (all of them must do)."""
        owner = value.owner
        if isinstance(owner, Block):
            own = self._range_extent(value, owner)
            return self._number(value, "high") if own is None else [[own - 1]]
        if isinstance(owner, arith.MinSIOp):
            return [[self.linear(owner.lhs)], [self.linear(owner.rhs)]]
        if isinstance(owner, arith.MaxSIOp | arith.SelectOp):
            return [[self.linear(owner.lhs), self.linear(owner.rhs)]]
        if isinstance(owner, ModOp):
            divisor = self.linear(owner.rhs)
            return [[divisor - 1]] if self._holds(divisor - 1, DEPTH) else []
        if isinstance(owner, ReduceOp) and owner.kind.data in ("argmax", "argmin"):
            return [[extent_of(extent_key(owner.range.extent), owner.per, self.pipeline) - 1]]
        selected = _selection(value)
        if selected is not None:
            selection, read = selected
            chosen = selection.index_ranges[-1]
            position = chosen.per_position
            per = None if position is None else read.indices[position]
            return [[extent_of(extent_key(chosen.extent), per, self.pipeline) - 1]]
        return self._number(value, "high")

    def _lower(self, value: SSAValue) -> list[list[Linear]]:
        """As `_upper`, for lower bounds."""
        owner = value.owner
        if isinstance(owner, arith.MaxSIOp):
            return [[self.linear(owner.lhs)], [self.linear(owner.rhs)]]
        if isinstance(owner, arith.MinSIOp | arith.SelectOp):
            return [[self.linear(owner.lhs), self.linear(owner.rhs)]]
        if isinstance(owner, ModOp) and self._holds(self.linear(owner.rhs), DEPTH):
            return [[number(0)]]
        return self._number(value, "low")

    def _number(self, value: SSAValue, end: str) -> list[list[Linear]]:
        """What is known of a value whatever the data, if anything."""
        found = getattr(self.intervals.of(value), end)
        return [] if found == getattr(interval_of_type(value.type), end) else [[number(found)]]

    def _range_extent(self, argument: SSAValue, block: Block) -> Linear | None:
        op = block.parent_op()
        if isinstance(op, ReduceOp):
            return extent_of(extent_key(op.range.extent), op.per, self.pipeline)
        if not isinstance(op, RangedOp):
            return None
        item = op.index_ranges[block.args.index(argument)]  # type: ignore[arg-type]
        per = None if item.per_position is None else block.args[item.per_position]
        return extent_of(extent_key(item.extent), per, self.pipeline)

    def _facts(self, conditions: tuple[SSAValue, ...]) -> list[Linear]:
        """Expressions that are >= 0 where the conditions hold."""
        found = []
        listed = [leaf for condition in conditions for leaf in leaves(condition)]
        known_true = frozenset(listed)
        for comparison in (condition.owner for condition in listed):
            if not isinstance(comparison, arith.CmpiOp):
                continue
            left = linear(comparison.lhs, self.pipeline, self.intervals, known_true)
            right = linear(comparison.rhs, self.pipeline, self.intervals, known_true)
            known = {
                "slt": [right - left - 1], "sle": [right - left], "sgt": [left - right - 1], "sge": [left - right],
                "eq": [left - right, right - left],
            }  # fmt: skip
            found.extend(known.get(_PREDICATES[comparison.predicate.value.data], []))
        return found


_PREDICATES = ("eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge")


def _turn(atom: Atom) -> int:
    """Indices are replaced first, then quotients, extents last: they are what the others are compared with."""
    return 2 if isinstance(atom, Extent) else 1 if isinstance(atom, Quotient) else 0


def _without_quotient(atom: Quotient, factor: int, rest: Linear) -> Linear:
    """What being >= 0 shows rest + factor * floor(x / c) >= 0. For a factor of 1 or -1 the two are the same:
    floor(x / c) >= -r is x >= -r c, and floor(x / c) <= r is x <= r c + c - 1."""
    dividend, divisor = atom.dividend, atom.divisor
    scaled = rest * divisor + dividend * factor
    if factor == 1:
        return scaled
    if factor == -1:
        return scaled + (divisor - 1)
    return scaled if factor < 0 else scaled - factor * (divisor - 1)


def _selection(value: SSAValue) -> tuple[TopkOp | SelectOp, ReadOp] | None:
    """The selection whose index `value` is, and the read of it."""
    read = value.owner
    if not isinstance(read, ReadOp):
        return None
    selection = read.tensor.owner
    if isinstance(selection, TopkOp | SelectOp) and read.tensor == selection.indices:
        return selection, read
    return None
