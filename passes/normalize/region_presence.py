"""Under which conditions each value in a statement's region is present, and reads and reductions made to say so.

A value's conditions are i1 values of the region, kept apart: a reduction over r consumes those that mention r (the
lane is skipped) and passes the others on, which are hoisted out of its region.
"""

from __future__ import annotations

from collections.abc import Callable

from xdsl.dialects import arith
from xdsl.dialects.builtin import i1
from xdsl.ir import Block, Operation, SSAValue
from xdsl.rewriter import Rewriter

from hetc.dialects.locations import copy_location
from hetc.dialects.mp import (
    DimSizeOp,
    GuardOp,
    RangedOp,
    ReadOp,
    ReadStoredOp,
    ReduceOp,
    TensorType,
    YieldOp,
)
from hetc.passes.emission import (
    REGION_OPS,
    confined,
    conjunction,
    constant,
    constant_value,
    earlier_equal,
    emit,
    index,
    irredundant,
    leaves,
    set_present,
    union,
    without,
)
from hetc.passes.normalize.bounds import Bounds
from hetc.passes.normalize.linear import Linear, extent_of
from hetc.passes.normalize.rejection import rejected
from hetc.passes.normalize.unstored import Unstored
from hetc.passes.rebuild import Confinement, arguments_of, hoist, mentions, replace

Conditions = tuple[SSAValue, ...]
TensorConditions = Callable[[SSAValue, tuple[SSAValue, ...], Operation, Confinement], Conditions]
"""(tensor, indices, before, bounds) -> the conditions under which the tensor's element is present, built before
`before`; `bounds` are those under which the indices are in range (see `clone_expression`)."""


class RegionPresence:
    """Walks one region in order; afterwards `of` answers for each of its values."""

    def __init__(self, bounds: Bounds, tensor_conditions: TensorConditions):
        self.bounds = bounds
        self.tensor_conditions = tensor_conditions
        self.unstored = Unstored()
        self.conditions: dict[SSAValue, Conditions] = {}
        self._visited: set[Operation] = set()

    def of(self, value: SSAValue | None) -> Conditions:
        """The conditions under which `value` is present; none for None."""
        return () if value is None else self.conditions.get(value, ())

    def of_yield(self, end: YieldOp) -> Conditions:
        """The conditions under which a region's value is present, the yield's own included."""
        return irredundant(union(leaves(end.present), self.of(end.present), self.of(end.value)))

    def visit(self, block: Block) -> None:
        """Make the ops of `block`, its terminator aside, explicit."""
        for op in list(block.ops):
            if op is block.last_op:
                break
            kept = _merged(op)
            if kept not in self._visited:
                self._visited.add(kept)
                self._op(kept)
                kept = self._merged_again(kept)
                self._select_products(kept)

    def _merged_again(self, op: Operation) -> Operation:
        """`op`, or the read before it that got the same condition: maybe one cloned from another statement, whose
        own conditions nobody has asked for."""
        found = [self.of(result) for result in op.results]
        kept = _merged(op)
        for result, conditions in zip(kept.results, found, strict=True):
            self.conditions.setdefault(result, conditions)
        return kept

    def _select_products(self, op: Operation) -> None:
        selected = self.unstored.visit(op)
        if selected is not None:
            self.conditions[selected] = self.of(op.results[0])

    def _op(self, op: Operation) -> None:
        if not isinstance(op, REGION_OPS):
            raise rejected(op, "explicit-presence", f"{op.name} has no place in the region of a statement")
        if isinstance(op, ReadOp | ReadStoredOp):
            found = self._read(op)
        elif isinstance(op, ReduceOp):
            found = self._reduce(op)
        elif isinstance(op, arith.SelectOp):
            found = self._select(op)
        elif isinstance(op, GuardOp):
            found = union(self.of(op.value), self.of(op.condition), [op.condition])
        elif isinstance(op, DimSizeOp):
            found = self._per(op, op.dim.data)
        else:
            found = irredundant(union(*(self.of(operand) for operand in op.operands)))
        for result in op.results:
            self.conditions[result] = found

    def _read(self, op: ReadOp | ReadStoredOp) -> Conditions:
        own = leaves(op.present)
        given = union(own, self.of(op.present), *(self.of(value) for value in op.indices))
        indices = tuple(op.indices)
        of_index = self._tests(op, indices, given)
        tests = union(*of_index.values())
        confinement = Confinement(union(given, tests), of_index) if any(of_index.values()) else Confinement()
        produced = self.tensor_conditions(op.tensor, indices, op, confinement)
        found = irredundant(union(given, tests, produced))
        if without(found, own):
            set_present(op, found)
        return found

    def _tests(
        self, op: ReadOp | ReadStoredOp, indices: tuple[SSAValue, ...], given: Conditions
    ) -> dict[SSAValue, Conditions]:
        """For each index, the conditions under which it is in range: none, some run-time tests, or `given` where
        these show it."""
        tensor = op.tensor.type
        assert isinstance(tensor, TensorType)
        of_index: dict[SSAValue, Conditions] = {}
        for position, value in enumerate(indices):
            at = self.bounds.linear(value)
            extent, per = self.bounds.extent(tensor, position, indices)
            goals = {
                half: goal for half, goal in (("lower", at), ("upper", extent - 1 - at)) if not self.bounds.holds(goal)
            }
            halves = [half for half, goal in goals.items() if not self.bounds.holds(goal, given)]
            if halves == ["lower"] and per is not None and not arguments_of(per) <= arguments_of(value):
                halves.append("upper")  # that the index is in range depends on the row, even where one half does not
            tests = self._half_tests(op, value, halves, tensor.shape[position], per, of_index)
            relied = given if len(halves) < len(goals) else ()
            of_index[value] = union(of_index.get(value, ()), relied, tests)
        return of_index

    def _half_tests(
        self,
        op: Operation,
        value: SSAValue,
        halves: list[str],
        dim: int | str,
        per: SSAValue | None,
        of_index: dict[SSAValue, Conditions],
    ) -> Conditions:
        tests = []
        if "lower" in halves:
            tests.append(emit(arith.CmpiOp(value, index(0, op), "sge"), op))
        if "upper" in halves:
            if isinstance(dim, int):
                size = index(dim, op)
            else:
                row = None if per is None else confined(per, of_index.get(per, ()), op)
                size = emit(DimSizeOp(dim, row), op)
            tests.append(emit(arith.CmpiOp(value, size, "slt"), op))
        if len(tests) == 2 and per is not None:
            # One condition an index: its halves must not part at a reduction over the row that the extent is per.
            return (emit(arith.AndIOp(tests[0], tests[1]), op),)
        return tuple(tests)

    def _per(self, op: DimSizeOp | ReduceOp, dim: int | str) -> Conditions:
        """The conditions of the row that a length is asked for."""
        if op.per is None or isinstance(dim, int):
            return ()
        declared = self.bounds.pipeline.dims[dim].per
        assert declared is not None
        rows = extent_of(declared.data, None, self.bounds.pipeline)
        if self._is_confined(op.per, rows):
            return self.of(op.per)
        at = self.bounds.linear(op.per)
        tests = []
        if not self.bounds.holds(at):
            tests.append(emit(arith.CmpiOp(op.per, index(0, op), "sge"), op))
        if not self.bounds.holds(rows - 1 - at):
            size = emit(DimSizeOp(declared.data), op)
            tests.append(emit(arith.CmpiOp(op.per, size, "slt"), op))
        found = union(self.of(op.per), tests)
        if tests:
            op.operands[0] = confined(op.per, tuple(tests), op)
        return found

    def _is_confined(self, row: SSAValue, rows: Linear) -> bool:
        """Whether `row` is a selection between a row in range, where a condition shows that it is, and 0."""
        owner = row.owner
        if not isinstance(owner, arith.SelectOp) or constant_value(owner.rhs) != 0:
            return False
        at, given = self.bounds.linear(owner.lhs), leaves(owner.cond)
        return self.bounds.holds(at, given) and self.bounds.holds(rows - 1 - at, given)

    def _reduce(self, op: ReduceOp) -> Conditions:
        extent = op.range.extent
        row = self._per(op, extent.symbol.data) if op.per is not None else ()  # type: ignore[attr-defined]
        body = op.body.block
        self.visit(body)
        end = op.yielded
        found = self.of_yield(end)
        consumed = tuple(value for value in found if mentions(value, body.args[0]))
        passed = without(found, consumed)
        renamed: dict[SSAValue, SSAValue] = {}
        for value in passed:
            hoist(value, op, renamed)
        passed = union(renamed.get(value, value) for value in passed)
        kept = union(consumed, self.unstored.leave(op, renamed))
        if kept != leaves(end.present):
            replace_yield(end, end.value, kept)
        return union(row, passed)

    def _select(self, op: arith.SelectOp) -> Conditions:
        always = self.of(op.cond)
        if all(isinstance(leaf.owner, ReadStoredOp) for leaf in leaves(op.cond)):
            return union(always, self.of(op.lhs))  # a selected product, present where both of its factors are
        first = without(self.of(op.lhs), union(always, leaves(op.cond)))
        second = without(self.of(op.rhs), always)
        true = None
        both = tuple(value for value in first if value in second and _consumed_alike(op, value))
        found = list(union(always, both))
        demands = [(value, True) for value in without(first, both)] + [
            (value, False) for value in without(second, both)
        ]
        for value, chosen in demands:
            if self.bounds.implies(op.cond, value, when=chosen):
                continue
            true = true or emit(constant(True, i1), op)
            branches = (value, true) if chosen else (true, value)
            found.append(emit(arith.SelectOp(op.cond, *branches), op))
        return irredundant(found)


def _consumed_alike(op: arith.SelectOp, value: SSAValue) -> bool:
    """Whether `value` mentions each index that the choice mentions, so that a reduction that consumes what depends on
    the choice, here or where the tensor is read, consumes `value` too. Only then may a condition of both branches
    stand without the choice."""
    parent = op.parent_op()
    while isinstance(parent, ReduceOp | RangedOp):
        indices = parent.body.block.args
        if any(mentions(op.cond, own) and not mentions(value, own) for own in indices):
            return False
        parent = parent.parent_op()
    return True


def replace_yield(end: YieldOp, value: SSAValue, conditions: Conditions) -> None:
    """End the region with `value`, present where all of the conditions hold."""
    fresh = YieldOp(value, conjunction(conditions, end))
    block = end.parent
    assert block is not None
    block.insert_op_before(copy_location(end, fresh), end)
    Rewriter.erase_op(end)


def _merged(op: Operation) -> Operation:
    """An op equal to `op` that stands before it, which then takes its place; or `op`."""
    twin = earlier_equal(op)
    if twin is None:
        return op
    replace(op, twin, {})
    return twin
