"""Under which conditions each value in a statement's region is present, and reads and reductions made to say so.

A value's conditions are i1 values of the region, kept apart: a reduction over r consumes those that mention r (the
lane is skipped) and passes the others on, which are hoisted out of its region. A condition may be a clause, several
joined by "or": it is consumed as a whole.

In the explicit form what is left of `and` and `or` is marked `decided`, and conditions that hold whatever is absent of
what they are computed from are marked `known`: a later pass finds the same conditions as the first.
"""

from __future__ import annotations

from xdsl.dialects import arith
from xdsl.dialects.builtin import i1
from xdsl.ir import Block, Operation, SSAValue

from hetc.dialects.mp import (
    AndOp,
    DimSizeOp,
    GuardOp,
    OrOp,
    PresentOp,
    RangedOp,
    ReadOp,
    ReadStoredOp,
    ReduceOp,
    YieldOp,
    extent_key,
)
from hetc.passes.emission import (
    DECIDED,
    KNOWN,
    REGION_OPS,
    conjunction,
    constant,
    emit,
    emit_after,
    index,
    irredundant,
    leaves,
    marked,
    set_present,
    union,
    without,
)
from hetc.passes.normalize.bounds import Bounds
from hetc.passes.normalize.in_range import Conditions, RangeTests
from hetc.passes.normalize.linear import extent_of
from hetc.passes.normalize.overflow import held_by_64_bits
from hetc.passes.normalize.predicates import Predicates
from hetc.passes.normalize.region_edits import merged, replace_yield, replaced_by
from hetc.passes.normalize.rejection import rejected
from hetc.passes.normalize.unstored import Unstored
from hetc.passes.rebuild import Confinement, arguments_of, hoist


class RegionPresence:
    """Walks one region in order; afterwards `of` answers for each of its values."""

    def __init__(self, bounds: Bounds, predicates: Predicates):
        self.bounds = bounds
        self.ranges = RangeTests(bounds, self.arguments)
        self.predicates = predicates
        self.unstored = Unstored()
        self.conditions: dict[SSAValue, Conditions] = {}
        self.presence: dict[SSAValue, Conditions] = {}
        """Of each result of mp.present the conditions that it stands for."""
        self._mentioned: dict[SSAValue, frozenset[SSAValue]] = {}
        self._visited: set[Operation] = set()

    def of(self, value: SSAValue | None) -> Conditions:
        """The conditions under which `value` is present; none for None."""
        return () if value is None else self.conditions.get(value, ())

    def hangs_on_absent(self, value: SSAValue) -> bool:
        """Whether a value is computed from one that may be absent. A read that was put in for a condition has none
        noted here, and finds them when it is visited."""
        seen, pending = {value}, [value]
        while pending:
            current = pending.pop()
            if self.of(current) or (isinstance(current.owner, ReadOp) and self._is_pick(current.owner)):
                return True
            if isinstance(current.owner, Operation):
                pending += [operand for operand in current.owner.operands if operand not in seen]
                seen.update(pending)
        return False

    def of_yield(self, end: YieldOp) -> Conditions:
        """The conditions under which a region's value is present, the yield's own included."""
        return irredundant(union(leaves(end.present), self.of(end.present), self.of(end.value)))

    def arguments(self, value: SSAValue) -> frozenset[SSAValue]:
        """The indices that a value mentions. A condition of another statement's element mentions what that statement
        says, even where less of it is left in the condition itself."""
        return frozenset(arguments_of(value)) | self._mentioned.get(value, frozenset())

    def visit(self, block: Block) -> None:
        """Make the ops of `block`, its terminator aside, explicit."""
        for op in list(block.ops):
            if op is block.last_op:
                break
            kept = merged(op)
            if kept not in self._visited:
                kept = self._op(kept)
                self._visited.add(kept)
                kept = self._merged_again(kept)
                self._select_products(kept)

    def _merged_again(self, op: Operation) -> Operation:
        """`op`, or the read before it that got the same condition: maybe one cloned from another statement, whose
        own conditions nobody has asked for."""
        found = [self.of(result) for result in op.results]
        kept = merged(op)
        for result, conditions in zip(kept.results, found, strict=True):
            self.conditions.setdefault(result, conditions)
        return kept

    def _select_products(self, op: Operation) -> None:
        selected = self.unstored.visit(op)
        if selected is not None:
            self.conditions[selected] = self.of(op.results[0])

    def _op(self, op: Operation) -> Operation:
        """Note under which conditions the op's results are present. Returns the op, or what took its place."""
        if KNOWN in op.attributes:
            found: Conditions = ()
        elif isinstance(op, AndOp | OrOp):
            found = self._decided(op, op.lhs, op.rhs, by=op.DECIDES)
            op = replaced_by(
                op, marked((arith.AndIOp if isinstance(op, AndOp) else arith.OrIOp)(op.lhs, op.rhs), DECIDED)
            )
        elif DECIDED in op.attributes:
            assert isinstance(op, arith.AndIOp | arith.OrIOp)
            found = self._decided(op, op.lhs, op.rhs, by=isinstance(op, arith.OrIOp))
        elif not isinstance(op, REGION_OPS):
            raise rejected(op, "explicit-presence", f"{op.name} has no place in the region of a statement")
        elif isinstance(op, ReadOp | ReadStoredOp):
            found = self._read(op)
        elif isinstance(op, ReduceOp):
            found = self._reduce(op)
        elif isinstance(op, arith.SelectOp):
            found = self._select(op)
        elif isinstance(op, arith.AndIOp) and op.result.type == i1:
            # What one side is present under decides for both where it is false and the other side says so.
            left, right = without(self.of(op.lhs), leaves(op.rhs)), without(self.of(op.rhs), leaves(op.lhs))
            found = irredundant(union(left, right))
        elif isinstance(op, GuardOp):
            found = union(self.of(op.value), self.of(op.condition), [op.condition])
        elif isinstance(op, PresentOp):
            self.presence[op.result], found = self.of(op.value), ()
        elif isinstance(op, DimSizeOp):
            found = self.ranges.of_row(op, op.dim.data, self.of(op.per))
        else:
            found = irredundant(union(*(self.of(operand) for operand in op.operands), self._held(op)))
        for result in op.results:
            self.conditions[result] = found
        return op

    def _held(self, op: Operation) -> Conditions:
        """The conditions under which 64 bits hold the index that the op computes."""
        return held_by_64_bits(op, self.bounds.intervals) if self.bounds.intervals.overflows(op.results[0]) else ()

    def _decided(self, op: Operation, lhs: SSAValue, rhs: SSAValue, *, by: bool) -> Conditions:
        """What both sides need; and of what only one side needs, as clauses: one of the two sides is present, and each
        is, or the other decides alone, where it is `by`. Which makes: both are present, or one is and decides."""
        shared = tuple(value for value in self.of(lhs) if value in self.of(rhs))
        left, right = (self._grouped(op, without(self.of(side), shared)) for side in (lhs, rhs))
        clauses = [(one, other) for one in left for other in right]
        for own, side in ((left, rhs), (right, lhs)):
            decides = side
            if own and not by:
                decides = emit(arith.XOrIOp(side, emit(constant(True, i1), op)), op)
            self._mention(decides, self.arguments(side).union(*map(self.arguments, self.of(side))))
            clauses += [(one, decides) for one in own]
        found = list(shared)
        for one, other in clauses:
            clause = emit(marked(arith.OrIOp(one, other), KNOWN), op)
            self._mention(clause, self.arguments(one) | self.arguments(other))
            found.append(clause)
        return irredundant(found)

    def _grouped(self, op: Operation, conditions: Conditions) -> Conditions:
        """The conditions, those that mention the same indices as one."""
        groups: dict[frozenset[SSAValue], list[SSAValue]] = {}
        for condition in conditions:
            groups.setdefault(self.arguments(condition), []).append(condition)
        found = []
        for arguments, members in groups.items():
            group = conjunction(members, op)
            assert group is not None
            self._mention(group, arguments)
            found.append(group)
        return tuple(found)

    def _mention(self, condition: SSAValue, arguments: frozenset[SSAValue]) -> None:
        self._mentioned[condition] = self._mentioned.get(condition, frozenset()) | arguments

    def _read(self, op: ReadOp | ReadStoredOp) -> Conditions:
        own = leaves(op.present)
        given = union(own, self.of(op.present), *(self.of(value) for value in op.indices))
        indices = tuple(op.indices)
        of_index = self.ranges.of_read(op, indices, given)
        tests = union(*of_index.values())
        confinement = Confinement(union(given, tests), of_index) if any(of_index.values()) else Confinement()
        if self._is_pick(op):
            produced: Conditions = ()
            picked = emit_after(op, lambda before: arith.CmpiOp(op.result, index(0, before), "sge"))
        else:
            mentioned = self.predicates.at(op.tensor, indices, op, confinement)
            for condition, depends in mentioned.items():
                self._mention(condition, frozenset().union(*(self.arguments(at) for at in depends)))
            produced, picked = tuple(mentioned), None
        found = irredundant(union(given, tests, produced))
        if without(found, own):
            set_present(op, found)
        return found if picked is None else union(found, [picked])

    def _is_pick(self, op: ReadOp | ReadStoredOp) -> bool:
        """Whether it shows in the element that is read whether there is one."""
        return self.predicates.picks_of(op.tensor) is op.tensor

    def _reduce(self, op: ReduceOp) -> Conditions:
        row = self.ranges.of_row(op, extent_key(op.range.extent), self.of(op.per))
        body = op.body.block
        self.visit(body)
        end = op.yielded
        found = self.of_yield(end)
        consumed = tuple(value for value in found if body.args[0] in self.arguments(value))
        passed = without(found, consumed)
        renamed: dict[SSAValue, SSAValue] = {}
        inside = list(body.ops)
        for value in passed:
            hoist(value, op, renamed)
        skipped = self.unstored.leave(op, renamed)
        self._follow(inside, op, renamed)
        consumed, passed = (union(renamed.get(value, value) for value in part) for part in (consumed, passed))
        kept = union(consumed, skipped)
        if kept != leaves(end.present):
            replace_yield(end, end.value, kept)
        return union(row, passed, self._extreme(op, consumed))

    def _follow(self, inside: list[Operation], op: ReduceOp, renamed: dict[SSAValue, SSAValue]) -> None:
        """Move what the presence of those of the ops hangs on that have left the region of `op`, and note under what
        names all is known since."""
        while left := [each for each in inside if each.parent is not op.body.block]:
            inside = [each for each in inside if each.parent is op.body.block]
            for condition in union(*(self.of(result) for each in left for result in each.results)):
                hoist(condition, op, renamed)
        if not renamed:
            return
        for known in (self.conditions, self.presence):
            for value, conditions in known.items():
                known[value] = union(renamed.get(each, each) for each in conditions)
        for value, same in renamed.items():
            self._mention(same, self._mentioned.get(value, frozenset()))

    def _extreme(self, op: ReduceOp, consumed: Conditions) -> Conditions:
        """argmax and argmin over nothing are absent: -1."""
        if op.kind.data not in ("argmax", "argmin"):
            return ()
        extent = extent_of(extent_key(op.range.extent), op.per, self.bounds.pipeline)
        if not consumed and self.bounds.holds(extent - 1):
            return ()
        return (emit_after(op, lambda before: arith.CmpiOp(op.result, index(0, before), "sge")),)

    def _select(self, op: arith.SelectOp) -> Conditions:
        always = self.of(op.cond)
        if all(isinstance(leaf.owner, ReadStoredOp) for leaf in leaves(op.cond)):
            return union(always, self.of(op.lhs))  # a selected product, present where both of its factors are
        shown = union(leaves(op.cond), *(self.presence.get(leaf, ()) for leaf in leaves(op.cond)))
        first = without(self.of(op.lhs), union(always, shown))
        second = without(self.of(op.rhs), always)
        true = None
        both = tuple(value for value in first if value in second and self._consumed_alike(op, value))
        found = list(union(always, both))
        demands = [(value, True) for value in without(first, both)] + [
            (value, False) for value in without(second, both)
        ]
        for value, chosen in demands:
            if self.bounds.implies(op.cond, value, when=chosen):
                continue
            true = true or emit(constant(True, i1), op)
            branches = (value, true) if chosen else (true, value)
            demand = emit(marked(arith.SelectOp(op.cond, *branches), KNOWN), op)
            self._mention(demand, self.arguments(value))
            found.append(demand)
        return irredundant(found)

    def _consumed_alike(self, op: arith.SelectOp, value: SSAValue) -> bool:
        """Whether `value` mentions each index that the choice mentions, so that a reduction that consumes what depends
        on the choice, here or where the tensor is read, consumes `value` too. Only then may a condition of both
        branches stand without the choice."""
        own, of_choice = self.arguments(value), self.arguments(op.cond)
        parent = op.parent_op()
        while isinstance(parent, ReduceOp | RangedOp):
            if any(index in of_choice and index not in own for index in parent.body.block.args):
                return False
            parent = parent.parent_op()
        return True
