"""Writes at computed places that reach a small part of a memory: in place, instead of the memory anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import IntegerType, ModuleOp, f32, i1, i32, i64
from xdsl.ir import Attribute, Operation, Region, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from hetc.dialects.locations import copy_location
from hetc.dialects.mp import (
    ComputeOp,
    DimAttr,
    ForOp,
    RangeAttr,
    ReadOp,
    ScatterOp,
    TensorType,
    UpdateOp,
    YieldOp,
    compute_type,
    dim_of,
    extent_key,
    in_order,
    index_block,
    values_a_byte,
)
from hetc.passes.emission import conjunction, constant, emit, index
from hetc.passes.normalize.expansion import steps
from hetc.passes.normalize.explicit_presence import StepPresence
from hetc.passes.normalize.region_edits import replace_yield
from hetc.passes.normalize.region_presence import Conditions, RegionPresence
from hetc.passes.normalize.update_lanes import Mapping, Term, offset_from, owners_first, piece_of, reduce_lanes
from hetc.passes.rebuild import clone_expression, erase_unused, merge_equal

LEAST = 4096


@dataclass(frozen=True)
class ScatterUpdatePass(ModulePass):
    """Rewrites each mp.update that leaves at least `least` elements of its memory as they are (at the largest extents)
    as statements that compute what is written and where to, and an mp.scatter.

    Before: presence is explicit. After: no such mp.update is left, but of those that write a part of a byte (`m[j, at]`
    of i4), and of those of a memory in pages that a loop takes on. The last indices of the memory that the update runs
    over as a whole are written in one piece. Where several indices of the update may reach one place, `assign` leaves
    the last of them, and `add` adds all up at each and leaves the last: the number of places squared, whatever the size
    of the memory.

    Example: `m[idx[j], d] = x[j, d]` over j in 8, d in 64 and a memory [100000, 64] becomes

        %p = mp.compute [j in 8] { idx[%j] where 0 <= idx[%j] < 100000 and for no k > j idx[%k] == idx[%j], else -1 }
        %r = mp.compute [j in 8, d in 64] { x[%j, %d] }
        %m1 = mp.scatter %m, %r at %p
    """

    name = "scatter-update"
    least: int = LEAST

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for step, presence in steps(op):
            for statement in list(in_order(step.body.block)):
                if isinstance(statement, UpdateOp) and _may(statement) and _spared(statement) >= self.least:
                    _Scatter(statement, presence).rewrite()


def _may(op: UpdateOp) -> bool:
    """Whether the memory may be written where it lies: in whole bytes, and not a memory in pages that a loop takes on
    from there, as what a loop carries lies row after row."""
    moved = op.memory.type != op.result.type
    return _in_bytes(op) and not (moved and any(isinstance(use.operation, ForOp) for use in op.result.uses))


def _in_bytes(op: UpdateOp) -> bool:
    """Whether whole bytes are written: of what is packed, whole rows."""
    type_ = op.memory.type
    assert isinstance(type_, TensorType)
    return values_a_byte(type_) == 1 or bool(piece_of(op))


def _spared(op: UpdateOp) -> int:
    """How many elements of the memory an update does not write, at the largest extents."""
    type_ = op.memory.type
    assert isinstance(type_, TensorType)
    written = prod(_largest(op, item.extent) for item in op.index_ranges)
    return prod(_largest(op, extent) for extent in type_.extents) - written


def _largest(op: Operation, extent: Attribute) -> int:
    return dim_of(op, extent).largest if isinstance(extent, DimAttr) else int(extent_key(extent))


class _Scatter:
    """The statements that one update becomes."""

    def __init__(self, op: UpdateOp, presence: StepPresence):
        self.op, self.presence = op, presence
        self.arguments = op.body.block.args
        self.put = op.put
        self.piece = piece_of(op)
        inside = [position for position in range(len(self.arguments)) if position not in self.piece]
        self.leading = owners_first(op, inside)
        self.axes = len(self.put.indices) - len(self.piece)
        extents = tuple(op.memory.type.extents)  # type: ignore[attr-defined]
        self.sizes = [_largest(op, extent) for extent in extents[: self.axes]]
        self.number: IntegerType = i32 if prod(self.sizes) < 2**31 else i64
        self.searched = self._searched()

    def rewrite(self) -> None:
        first = self._reached()
        places = self._last(first) if self.searched else first
        rows = self._rows(first)
        made = copy_location(self.op, ScatterOp(self.op.memory, rows, places))
        made.attributes.update(self.op.attributes)
        made.result.name_hint = self.op.result.name_hint
        self._insert(made)
        self.op.result.replace_all_uses_with(made.result)
        Rewriter.erase_op(self.op)

    def _insert(self, op: Operation) -> None:
        block = self.op.parent
        assert block is not None
        block.insert_op_before(op, self.op)

    def _searched(self) -> list[int]:
        """Positions of the indices that a place does not give: two places may be equal that differ in these alone."""
        given: set[int] = set()
        settled: set[int] = set()
        for position in self.leading:
            owner = self.op.index_ranges[position].per_position
            if owner is not None and owner not in given:
                continue
            for axis, value in enumerate(self.put.indices[: self.axes]):
                if axis not in settled and offset_from(value, self.arguments[position]) is not None:
                    settled.add(axis)
                    given.add(position)
                    break
        return [position for position in self.leading if position not in given]

    def _begin(self, name: str, positions: Sequence[int], element: Attribute) -> tuple[YieldOp, Mapping]:
        """A statement over some of the update's indices: the end of its region, which yields 0 so far, and what the
        update's indices are there."""
        ranges = [self.op.index_ranges[position] for position in positions]
        owners = [None if item.per_position is None else positions.index(item.per_position) for item in ranges]
        ranges = [RangeAttr(item.index, item.extent, per) for item, per in zip(ranges, owners, strict=True)]
        block = index_block(ranges)
        neutral = copy_location(self.op, constant(0, compute_type(element)))
        end = copy_location(self.op, YieldOp(neutral.results[0]))
        block.add_ops([neutral, end])
        made = ComputeOp(ranges, Region(block), TensorType([item.extent for item in ranges], element))  # type: ignore[misc]
        made.attributes.update(self.op.attributes)
        made.result.name_hint = f"{self.op.result.name_hint or 'memory'}_{name}"
        self._insert(copy_location(self.op, made))
        return end, {self.arguments[at]: block.args[place] for place, at in enumerate(positions)}

    @staticmethod
    def _finish(end: YieldOp, value: SSAValue) -> SSAValue:
        """The statement's result, once it yields the value."""
        statement = end.parent_op()
        assert isinstance(statement, ComputeOp)
        replace_yield(end, value, ())
        erase_unused(statement.body.block)
        merge_equal(statement.body.block)
        return statement.result

    def _reached(self) -> SSAValue:
        """The number of the place that each combination of the leading indices writes, -1 where it writes none."""
        end, mapping = self._begin("places", self.leading, self.number)
        where, conditions = self._checked_place(end, mapping)
        number = self._integer(0, end)
        for place, (value, size) in enumerate(zip(where[: self.axes], self.sizes, strict=True)):
            at = emit(arith.IndexCastOp(value, self.number), end)
            if place:
                at = emit(arith.AddiOp(emit(arith.MuliOp(number, self._integer(size, end)), end), at), end)
            number = at
        condition = conjunction(conditions, end)
        if condition is not None:
            number = emit(arith.SelectOp(condition, number, self._integer(-1, end)), end)
        return self._finish(end, number)

    def _where(self, mapping: Mapping, end: YieldOp) -> list[SSAValue]:
        """The place in the memory; 0 along what is written in one piece and is no index here."""
        found = []
        for value in self.put.indices:
            unbound = any(value is self.arguments[position] for position in self.piece) and value not in mapping
            found.append(index(0, end) if unbound else clone_expression(value, mapping, end))
        return found

    def _checked_place(self, end: YieldOp, mapping: Mapping) -> tuple[Sequence[SSAValue], Conditions]:
        """The place, and the conditions under which something is written there: there it could be read."""
        where = self._where(mapping, end)
        present = None if self.put.present is None else clone_expression(self.put.present, mapping, end)
        probe = copy_location(self.op, ReadOp(self.op.memory, where, present))
        block = end.parent
        assert block is not None
        block.insert_op_before(probe, end)
        neutral = end.value
        end.operands[0] = probe.result
        region = RegionPresence(self.presence.bounds, self.presence.predicates)
        region.visit(block)  # equal ops become one: what is used afterwards is what the read uses
        read = end.value.owner
        assert isinstance(read, ReadOp)
        conditions = region.of(end.value)
        end.operands[0] = neutral
        return tuple(read.indices), conditions

    def _own(self, tensor: SSAValue, mapping: Mapping, positions: Sequence[int], end: YieldOp) -> SSAValue:
        """The element at the update's indices as they are in `mapping`."""
        return emit(ReadOp(tensor, [mapping[self.arguments[position]] for position in positions]), end)

    def _last(self, places: SSAValue) -> SSAValue:
        """The places without those that a later combination of the searched indices writes too."""
        end, mapping = self._begin("places", self.leading, self.number)
        own = self._own(places, mapping, self.leading, end)

        def later(inner: YieldOp, lanes: Mapping) -> tuple[SSAValue, Conditions]:
            same = emit(arith.CmpiOp(self._own(places, lanes, self.leading, inner), own, "eq"), inner)
            return emit(arith.AndIOp(same, self._after(lanes, mapping, inner)), inner), ()

        written = self._over_lanes("any", i1, mapping, end, later)
        return self._finish(end, emit(arith.SelectOp(written, self._integer(-1, end), own), end))

    def _after(self, lanes: Mapping, own: Mapping, end: YieldOp) -> SSAValue:
        """Whether a combination of the searched indices comes after another."""
        found: SSAValue | None = None
        for position in reversed(self.searched):
            argument = self.arguments[position]
            later = emit(arith.CmpiOp(lanes[argument], own[argument], "sgt"), end)
            if found is not None:
                same = emit(arith.CmpiOp(lanes[argument], own[argument], "eq"), end)
                later = emit(arith.OrIOp(later, emit(arith.AndIOp(same, found), end)), end)
            found = later
        assert found is not None
        return found

    def _rows(self, places: SSAValue) -> SSAValue:
        """What is written: for `assign` the value, for `add` the old value and all that goes to its place."""
        positions = (*self.leading, *self.piece)
        added = self.op.mode.data == "add"
        values = self._values(positions) if added and self.searched else None
        memory = self.op.memory.type
        assert isinstance(memory, TensorType)
        end, mapping = self._begin("rows", positions, memory.element)
        if values is None:
            value = clone_expression(self.put.value, mapping, end)
        else:
            value = self._total(values, places, positions, mapping, end)
        return self._finish(end, self._added(value, places, mapping, end) if added else value)

    def _added(self, value: SSAValue, places: SSAValue, mapping: Mapping, end: YieldOp) -> SSAValue:
        """The old value at the place and another, 0 where nothing is written: the place may be out of range there."""
        type_ = value.type
        present = emit(arith.CmpiOp(self._own(places, mapping, self.leading, end), self._integer(0, end), "sge"), end)
        where = self._where(mapping, end)
        old = emit(ReadOp(self.op.memory, where, present), end)
        total = emit((arith.AddfOp if type_ == f32 else arith.AddiOp)(old, value), end)
        return emit(arith.SelectOp(present, total, emit(constant(0, type_), end)), end)

    def _values(self, positions: Sequence[int]) -> SSAValue:
        end, mapping = self._begin("values", positions, self.put.value.type)
        return self._finish(end, clone_expression(self.put.value, mapping, end))

    def _total(
        self, values: SSAValue, places: SSAValue, positions: Sequence[int], mapping: Mapping, end: YieldOp
    ) -> SSAValue:
        """The sum over all combinations of the searched indices that write the same place."""
        own = self._own(places, mapping, self.leading, end)

        def term(inner: YieldOp, lanes: Mapping) -> tuple[SSAValue, Conditions]:
            same = emit(arith.CmpiOp(self._own(places, lanes, self.leading, inner), own, "eq"), inner)
            return self._own(values, lanes, positions, inner), (same,)

        return self._over_lanes("sum", self.put.value.type, mapping, end, term)

    def _over_lanes(self, kind: str, type: Attribute, mapping: Mapping, end: YieldOp, term: Term) -> SSAValue:
        return reduce_lanes(self.op, self.searched, kind, type, mapping, end, lambda value, before: value, term)

    def _integer(self, value: int, end: YieldOp) -> SSAValue:
        return emit(constant(value, self.number), end)
