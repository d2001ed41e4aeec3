"""Makes presence explicit: the first pass after the front end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType, ModuleOp, UnitAttr, i1
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
    PresentOp,
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
from hetc.passes.emission import (
    KNOWN,
    conjunction,
    constant,
    constant_value,
    emit,
    irredundant,
    leaves,
    marked,
    union,
    without,
)
from hetc.passes.normalize.bounds import Bounds
from hetc.passes.normalize.predicates import Predicates, rope_partner
from hetc.passes.normalize.region_edits import replace_yield
from hetc.passes.normalize.region_presence import Conditions, RegionPresence
from hetc.passes.normalize.rejection import rejected
from hetc.passes.rebuild import Confinement, erase_unused, merge_equal

SIGNED_GREATER_OR_EQUAL = 5
"""The number of arith.cmpi's predicate."""
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
        region = RegionPresence(self.bounds, self.predicates)
        block = statement.body.block
        region.visit(block)
        end = statement.yielded
        found = region.of_yield(end)
        depends = {value: region.arguments(value) for value in found}
        if isinstance(statement, RopeOp):
            depends.update(self._rotated(statement))
        if isinstance(statement, ComputeOp) and self._shows_itself(end.value, tuple(depends)):
            self.predicates.note_indices(statement.result)
            depends = {}
        self._end(statement, tuple(depends))
        renamed = make_plain(region, statement)
        if not isinstance(statement, TopkOp | SelectOp):
            kept = {renamed(value): used for value, used in depends.items()}
            self.predicates.note(statement, {value: used for value, used in kept.items() if constant_value(value) != 1})
        self.bounds.intervals.note(statement)

    def _update(self, statement: UpdateOp) -> None:
        """An absent place, or value to add, writes nothing; an absent value to assign is its fill."""
        region = RegionPresence(self.bounds, self.predicates)
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
        make_plain(region, statement)

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

    def _shows_itself(self, value: SSAValue, conditions: Conditions) -> bool:
        """Whether an index is -1 exactly where it is absent: it is a pick, or an argmax, and needs nothing else."""
        if len(conditions) != 1 or not isinstance(value.type, IndexType) or self.bounds.intervals.of(value).low < -1:
            return False
        test = conditions[0].owner
        return (
            isinstance(test, arith.CmpiOp)
            and test.predicate.value.data == SIGNED_GREATER_OR_EQUAL
            and test.lhs == value
            and constant_value(test.rhs) == 0
        )

    def _rotated(self, statement: RopeOp) -> dict[SSAValue, frozenset[SSAValue]]:
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
        # The partner is an expression of the axis.
        axes = {partner: arguments[axis]}
        return own | {value: frozenset(axes.get(at, at) for at in used) for value, used in others.items()}


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


def make_plain(region: RegionPresence, statement: RangedOp) -> Callable[[SSAValue], SSAValue]:
    """Put in the place of each mp.guard its value and of each mp.present its condition, and drop what is decided,
    unused, or there twice. Returns what any of the region's values is from then on."""
    instead: dict[SSAValue, SSAValue] = {}

    def now(value: SSAValue) -> SSAValue:
        while value in instead:
            value = instead[value]
        return value

    for op in list(statement.walk()):
        presence = [now(each) for each in region.presence[op.result]] if isinstance(op, PresentOp) else []
        for condition in presence:
            _put_before(condition, op)
        value = _plain(op, presence)
        if value is not None and any(region.hangs_on_absent(each) for each in leaves(value) if presence):
            value = _known(value, op)
        if value is not None:
            (result,) = op.results
            instead[result] = value
            result.replace_all_uses_with(value)
            Rewriter.erase_op(op)
    block = statement.body.block
    erase_unused(block)
    instead.update(merge_equal(block))
    return now


def _known(condition: SSAValue, before: Operation) -> SSAValue:
    """A conjunction as one that a later pass takes as known, though it is computed from what may be absent: the test
    of a pick, which is false where there is none."""
    *others, last = leaves(condition)
    rest = conjunction(others, before)
    return emit(marked(arith.AndIOp(last if rest is None else rest, last), KNOWN), before)


def _put_before(value: SSAValue, op: Operation) -> None:
    """Move what a value is computed from in front of `op`, where it stands behind it: it was hoisted later."""
    owner = value.owner
    if isinstance(owner, Operation) and owner.parent is op.parent and op.is_before_in_block(owner):
        for operand in owner.operands:
            _put_before(operand, op)
        owner.detach()
        assert op.parent is not None
        op.parent.insert_op_before(owner, op)


def _plain(op: Operation, presence: Iterable[SSAValue]) -> SSAValue | None:
    """What stands for the op's result in the explicit form, None where that is the op itself. presence: of mp.present,
    the conditions that it stands for."""
    match op:
        case GuardOp():
            return op.value
        case PresentOp():
            condition = conjunction([each for each in irredundant(presence) if constant_value(each) != 1], op)
            return emit(constant(True, i1), op) if condition is None else condition
        case arith.SelectOp() if constant_value(op.cond) == 1:
            return op.lhs
        case arith.AndIOp() | arith.OrIOp() if op.result.type == i1:
            for side, other in ((op.lhs, op.rhs), (op.rhs, op.lhs)):
                if constant_value(side) == 1:
                    return other if isinstance(op, arith.AndIOp) else side
    return None
