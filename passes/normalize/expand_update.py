"""Expands writes at computed places into what each element of the memory becomes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType, IntegerType, ModuleOp, f32, i32, i64
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint, Rewriter

from hetc.dialects.locations import copy_location
from hetc.dialects.mp import (
    ComputeOp,
    DimAttr,
    DimSizeOp,
    ModOp,
    PipelineOp,
    RangeAttr,
    ReadOp,
    TensorType,
    UpdateOp,
    YieldOp,
    dim_of,
    extent_key,
    in_order,
    index_block,
)
from hetc.passes.emission import conjunction, constant, emit, index, union
from hetc.passes.normalize.expansion import ranges_over
from hetc.passes.normalize.region_edits import replace_yield
from hetc.passes.normalize.region_presence import Conditions
from hetc.passes.normalize.update_lanes import Term, offset_from, reduce_lanes
from hetc.passes.rebuild import Confinement, clone_expression, erase_unused, merge_equal


@dataclass(frozen=True)
class ExpandUpdatePass(ModulePass):
    """Rewrites each mp.update as one mp.compute over the memory, which gathers what is written to each element.

    Before: presence is explicit. After: no mp.update is left. An index of the update that stands alone (or shifted by
    a constant) as an index of the memory is read off from the element's place; the others are searched: `assign` takes
    the last that writes the element, `add` sums all that do. The cost is the memory's elements times the extents that
    are searched, whatever the number of elements written, and the memory is written whole.

    Example: `m[idx[j], d] = x[j, d]` over j in 8, d in 64 and a memory [100, 64] becomes

        %m1 = mp.compute [i0 in 100, i1 in 64] {
          %last = mp.reduce "max" <j in 8> { mp.yield %j if idx[j] == %i0 }
          %v = mp.read x[%last, %i1] if %last >= 0
          mp.yield arith.select %last >= 0, %v, m[%i0, %i1]
        }
    """

    name = "expand-update"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for pipeline in [item for item in op.body.block.ops if isinstance(item, PipelineOp)]:
            for step in pipeline.steps.values():
                for statement in list(in_order(step.body.block)):
                    if isinstance(statement, UpdateOp):
                        made = _Gather(statement).compute()
                        Rewriter.insert_op(made, InsertPoint.before(statement))
                        statement.result.replace_all_uses_with(made.result)
                        made.result.name_hint = statement.result.name_hint
                        Rewriter.erase_op(statement)


class _Gather:
    """The element of the memory at indices of its own, as an expression."""

    def __init__(self, op: UpdateOp):
        self.op = op
        self.type = op.result.type  # the memory's, row-major: what is computed anew lies nowhere yet
        assert isinstance(self.type, TensorType)
        self.ranges = ranges_over(op, op.memory, op.index_names)
        self.block: Block = index_block(self.ranges)
        self.places = tuple(self.block.args)
        old = copy_location(op, ReadOp(op.memory, self.places))
        self.old = old.results[0]
        self.end = copy_location(op, YieldOp(self.old))
        self.block.add_ops([old, self.end])
        # The update's indices that are read off from the place, with the conditions that they are in range.
        self.direct: dict[SSAValue, SSAValue] = {}
        self.guards: dict[SSAValue, Conditions] = {}
        self.settled: set[int] = set()

    def compute(self) -> ComputeOp:
        self._read_off()
        build = self._assigned if self.op.mode.data == "assign" else self._added
        replace_yield(self.end, build(), ())
        erase_unused(self.block)
        merge_equal(self.block)
        made = ComputeOp(self.ranges, Region(self.block), self.type)  # type: ignore[arg-type]
        made.attributes.update(self.op.attributes)
        return copy_location(self.op, made)

    @property
    def searched(self) -> list[int]:
        """Positions of the update's indices that the element's place does not give."""
        return [position for position, argument in enumerate(self.op.body.block.args) if argument not in self.direct]

    def _read_off(self) -> None:
        arguments = self.op.body.block.args
        for position, (argument, item) in enumerate(zip(arguments, self.op.index_ranges, strict=True)):
            for place, value in enumerate(self.op.put.indices):
                offset = offset_from(value, argument)
                row = item.per_position
                if offset is None or place in self.settled or (row is not None and arguments[row] not in self.direct):
                    continue
                at: SSAValue = self.places[place]
                if offset:
                    at = emit(arith.SubiOp(at, index(offset, self.end)), self.end)
                self.settled.add(place)
                self.direct[arguments[position]] = at
                self.guards[at] = self._in_range(item, place, offset, at)
                break

    def _in_range(self, item: RangeAttr, place: int, offset: int, at: SSAValue) -> Conditions:
        """The conditions under which the element at `place` is one that the index reaches."""
        own = self.ranges[place]
        row = None
        if item.per_position is not None:
            row = self.direct[self.op.body.block.args[item.per_position]]
        same_row = row is None or (own.per_position is not None and self.places[own.per_position] is row)
        conditions: list[SSAValue] = []
        if offset > 0:
            conditions.append(emit(arith.CmpiOp(at, index(0, self.end), "sge"), self.end))
        reach, extent = extent_key(item.extent), extent_key(own.extent)
        if isinstance(reach, int) and isinstance(extent, int):
            inside = extent - offset <= reach
        else:
            inside = reach == extent and offset >= 0 and same_row
        if not inside:
            conditions.append(emit(arith.CmpiOp(at, self._extent(reach, row), "slt"), self.end))
        return tuple(conditions)

    def _extent(self, key: int | str, row: SSAValue | None) -> SSAValue:
        if isinstance(key, int):
            return index(key, self.end)
        confined = None if row is None else self._bounds().row(row, self.end)
        return emit(DimSizeOp(key, confined), self.end)

    def _bounds(self, more: dict[SSAValue, Conditions] | None = None) -> Confinement:
        of_index = {**self.guards, **(more or {})}
        return Confinement(union(*of_index.values()), of_index)

    def _lane(self, end: YieldOp, mapping: dict[SSAValue, SSAValue]) -> Conditions:
        """The conditions under which the update writes this element from the indices of `mapping`."""
        bounds = self._bounds()
        conditions = list(bounds.conditions)
        for place, value in enumerate(self.op.put.indices):
            if place not in self.settled:
                at = clone_expression(value, mapping, end, bounds)
                conditions.append(emit(arith.CmpiOp(at, self.places[place], "eq"), end))
        if self.op.put.present is not None:
            conditions.append(clone_expression(self.op.put.present, mapping, end, bounds))
        return tuple(dict.fromkeys(conditions))

    def _nest(self, kind: str, type: Attribute, term: Term) -> SSAValue:
        """A reduction over all searched indices, outer ones first."""
        row = self._bounds().row
        return reduce_lanes(self.op, self.searched, kind, type, self.direct, self.end, row, term)

    def _added(self) -> SSAValue:
        type_ = self.op.put.value.type

        def term(end: YieldOp, mapping: dict[SSAValue, SSAValue]) -> tuple[SSAValue, Conditions]:
            return clone_expression(self.op.put.value, mapping, end, self._bounds()), self._lane(end, mapping)

        if self.searched:
            total = self._nest("sum", type_, term)
        else:
            total, conditions = term(self.end, dict(self.direct))
            written = conjunction(conditions, self.end)
            if written is not None:
                total = emit(arith.SelectOp(written, total, emit(constant(0, type_), self.end)), self.end)
        add = arith.AddfOp if type_ == f32 else arith.AddiOp
        return emit(add(self.old, total), self.end)

    def _assigned(self) -> SSAValue:
        mapping = dict(self.direct)
        if self.searched:
            found, winners = self._last()
            bounds = self._bounds(dict.fromkeys(winners.values(), (found,)))
            mapping.update(winners)
        else:
            written = conjunction(self._lane(self.end, dict(self.direct)), self.end)
            bounds = self._bounds()
            if written is None:
                return clone_expression(self.op.put.value, mapping, self.end, bounds)
            found = written
        value = clone_expression(self.op.put.value, mapping, self.end, bounds)
        return emit(arith.SelectOp(found, value, self.old), self.end)

    def _last(self) -> tuple[SSAValue, dict[SSAValue, SSAValue]]:
        """Whether anything writes the element, and the searched indices of what does last."""
        extents = [self._largest(self.op.index_ranges[position]) for position in self.searched]
        type_: IntegerType = i32 if prod(extents) < 2**31 else i64
        arguments = [self.op.body.block.args[position] for position in self.searched]

        def term(end: YieldOp, mapping: dict[SSAValue, SSAValue]) -> tuple[SSAValue, Conditions]:
            rank: SSAValue | None = None
            for argument, extent in zip(arguments, extents, strict=True):
                at = emit(arith.IndexCastOp(mapping[argument], type_), end)
                if rank is not None:
                    scaled = emit(arith.MuliOp(rank, emit(constant(extent, type_), end)), end)
                    at = emit(arith.AddiOp(scaled, at), end)
                rank = at
            assert rank is not None
            return rank, self._lane(end, mapping)

        last = self._nest("max", type_, term)
        found = emit(arith.CmpiOp(last, emit(constant(0, type_), self.end), "sge"), self.end)
        winners: dict[SSAValue, SSAValue] = {}
        for argument, extent in zip(reversed(arguments), reversed(extents), strict=True):
            own = last
            if argument is not arguments[0]:
                size = emit(constant(extent, type_), self.end)
                own = emit(ModOp(last, size), self.end)
                last = emit(arith.FloorDivSIOp(last, size), self.end)
            winners[argument] = emit(arith.IndexCastOp(own, IndexType()), self.end)
        return found, winners

    def _largest(self, item: RangeAttr) -> int:
        extent = item.extent
        return dim_of(self.op, extent).largest if isinstance(extent, DimAttr) else int(extent_key(extent))
