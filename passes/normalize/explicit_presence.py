"""Makes presence explicit: the first pass after the front end."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType, ModuleOp, UnitAttr
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from hetc.dialects.locations import copy_location
from hetc.dialects.mp import (
    AppendOp,
    ClearOp,
    CommitOp,
    ComputeOp,
    ConstantOp,
    ForOp,
    GetOp,
    GuardOp,
    NextOp,
    OutputOp,
    PutOp,
    QuantizeOp,
    RangedOp,
    RopeOp,
    ScatterOp,
    SelectOp,
    SoftmaxOp,
    StepOp,
    TopkOp,
    UpdateOp,
    enclosing_pipeline,
)
from hetc.passes.emission import conjunction, constant, constant_value, emit, irredundant, leaves, union, without
from hetc.passes.normalize.bounds import Bounds
from hetc.passes.normalize.predicates import Predicates, rope_partner
from hetc.passes.normalize.region_presence import Conditions, RegionPresence, replace_yield
from hetc.passes.normalize.rejection import rejected
from hetc.passes.rebuild import Confinement, erase_unused, merge_equal

EXPLICIT = "explicit"
"""The attribute of a step in which presence is explicit."""
_WITHOUT_REGION = (GetOp, ConstantOp, QuantizeOp, AppendOp, ScatterOp, ClearOp, CommitOp, OutputOp, NextOp)


@dataclass(frozen=True)
class ExplicitPresencePass(ModulePass):
    """Turns presence, which the language leaves implicit, into conditions on reads, yields and selected values.

    Before: an mp module as the front end makes it: a read may be out of range, mp.guard may stand in regions.
    After: each mp.read that is not provably in range has `if %p`; a reduction's mp.yield has `if %p` where lanes may be
    absent, and `if %stored` where unstored lanes add nothing; mp.topk, mp.select, mp.softmax and mp.rope yield
    `if %p`; mp.compute yields a selected value (0, false, or -1 for an index, where absent); no mp.guard is left. What
    a consumer needs of its producer's presence is cloned into it; a predicate that contains a reduction becomes an
    mp.compute of its own, before the producer. The step carries `explicit`, and a step that does is left as it is.

    Example: `o[b, j] = x[b, picked[b, j]]`, with `picked` an mp.topk over the second dim of x, becomes

        %i = mp.read %picked[%b, %j] : !mp.tensor<[B, 4], index> -> index
        %p = arith.cmpi sge, %i, %c0 : index
        %v = mp.read %x[%b, %i] if %p : !mp.tensor<[B, T], f32> -> f32
        %o = arith.select %p, %v, %zero : f32
        mp.yield %o : f32
    """

    name = "explicit-presence"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for nested in list(op.walk()):
            if isinstance(nested, StepOp) and EXPLICIT not in nested.attributes:
                nested.attributes[EXPLICIT] = UnitAttr()
                presence = StepPresence(nested)
                for statement in list(nested.body.block.ops):
                    presence.visit(statement)


class StepPresence:
    """Makes the statements of one step explicit, in program order."""

    def __init__(self, step: StepOp):
        self.bounds = Bounds(step, enclosing_pipeline(step))
        self.predicates = Predicates()

    def visit(self, statement: Operation) -> None:
        """Make one statement explicit; those that it reads were visited before. Raises PassFailedException for an op
        that is no statement."""
        if isinstance(statement, _WITHOUT_REGION):
            return
        if isinstance(statement, UpdateOp):
            self._update(statement)
            return
        if isinstance(statement, ForOp):
            for inner in list(statement.body.block.ops):
                self.visit(inner)
            return
        if not isinstance(statement, ComputeOp | TopkOp | SelectOp | SoftmaxOp | RopeOp):
            raise rejected(
                statement, "explicit-presence", f"expected a statement of the mp dialect, got {statement.name}"
            )
        region = RegionPresence(self.bounds, self.predicates.at)
        block = statement.body.block
        region.visit(block)
        end = statement.yielded
        found = region.of_yield(end)
        if isinstance(statement, RopeOp):
            found = union(found, self._rotated(statement))
        self._end(statement, found)
        found = _without_guards(found)
        _remove_guards(statement)
        erase_unused(block)
        renamed = merge_equal(block)
        if not isinstance(statement, TopkOp | SelectOp):
            self.predicates.note(statement, union(renamed.get(value, value) for value in found))

    def _update(self, statement: UpdateOp) -> None:
        """An absent place, or value to add, writes nothing; an absent value to assign is its fill."""
        region = RegionPresence(self.bounds, self.predicates.at)
        block = statement.body.block
        region.visit(block)
        end = statement.put
        placed = union(leaves(end.present), region.of(end.present), *(region.of(place) for place in end.indices))
        value, of_value = end.value, region.of(end.value)
        if statement.mode.data == "add":
            placed = union(placed, of_value)
        elif without(of_value, placed):
            condition = conjunction(without(of_value, placed), end)
            assert condition is not None
            value = emit(arith.SelectOp(condition, value, emit(fill(value.type), end)), end)
        fresh = PutOp(value, tuple(end.indices), conjunction(irredundant(placed), end))
        block.insert_op_before(copy_location(end, fresh), end)
        Rewriter.erase_op(end)
        _remove_guards(statement)
        erase_unused(block)
        merge_equal(block)

    def _end(self, statement: RangedOp, found: Conditions) -> None:
        end = statement.yielded
        if not isinstance(statement, ComputeOp):
            if found != leaves(end.present):
                replace_yield(end, end.value, found)
            return
        value = end.value
        if found and not _is_filled(value, found):
            condition = conjunction(found, end)
            assert condition is not None
            filling = emit(fill(value.type), end)
            value = emit(arith.SelectOp(condition, value, filling), end)
        if value is not end.value or end.present is not None:
            replace_yield(end, value, ())

    def _rotated(self, statement: RopeOp) -> Conditions:
        """A rotated channel is present where both channels of its pair are."""
        end = statement.yielded
        arguments = tuple(statement.body.block.args)
        axis = statement.axis.value.data
        own = self.predicates.at(statement.x, arguments, end, Confinement())
        if not self.predicates.vary_along(statement.x, axis):
            return own
        partner = rope_partner(statement, end)
        others = self.predicates.at(
            statement.x, (*arguments[:axis], partner, *arguments[axis + 1 :]), end, Confinement()
        )
        return union(own, others)


def fill(type: Attribute) -> arith.ConstantOp:
    """What an absent element is stored as: 0, false, or -1 for an index."""
    return constant(-1 if isinstance(type, IndexType) else 0, type)


def _is_filled(value: SSAValue, conditions: Conditions) -> bool:
    owner = value.owner
    return (
        isinstance(owner, arith.SelectOp)
        and constant_value(owner.rhs) == constant_value(fill(value.type).result)
        and set(irredundant([*leaves(owner.cond), *conditions])) <= set(leaves(owner.cond))
    )


def _without_guards(conditions: Conditions) -> Conditions:
    """The conditions as they are once every mp.guard is replaced by its value."""

    def plain(value: SSAValue) -> SSAValue:
        return plain(value.owner.value) if isinstance(value.owner, GuardOp) else value

    return union(map(plain, conditions))


def _remove_guards(statement: RangedOp) -> None:
    for op in list(statement.walk()):
        if isinstance(op, GuardOp):
            op.result.replace_all_uses_with(op.value)
            Rewriter.erase_op(op)
