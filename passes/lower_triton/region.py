"""Evaluates the region of a statement on tiles.

Every value is a tile over the indices that it varies with. A reduction runs over tiles of its index; what does not
depend on that index is evaluated before the loop. Lanes past an index's extent compute on zeros and are never
combined or stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from xdsl.dialects import arith
from xdsl.ir import Block, Operation, SSAValue

from hetc.dialects import tile
from hetc.dialects.mp import DimSizeOp, ReadOp, ReadStoredOp, ReduceOp, TensorType, YieldOp, extent_key
from hetc.dialects.tile import shape_of
from hetc.passes.lower_triton.arguments import Arguments, Buffer, element_offset, live_extent
from hetc.passes.lower_triton.builder import Mask, TileBuilder, named, tile_element
from hetc.passes.lower_triton.convert import widened
from hetc.passes.lower_triton.dot import lower_dot
from hetc.passes.lower_triton.elementwise import lower_elementwise
from hetc.passes.lower_triton.reductions import Lanes, Reduction, reduction_of
from hetc.passes.lower_triton.sparse import StoredRow, search_row
from hetc.passes.schedule.gpu_dependencies import Dependencies, Indices, outside_values, stored_row
from hetc.passes.schedule.gpu_tiles import StatementPlan


@dataclass
class Region:
    """The state of one statement's lowering.

    buffers: where each tensor lives. values: the tile of each value of the region so far. masks: for each index in
    scope the condition that it lies within its extent."""

    builder: TileBuilder
    arguments: Arguments
    buffers: dict[SSAValue, Buffer]
    dependencies: Dependencies
    plan: StatementPlan
    values: dict[SSAValue, SSAValue] = field(default_factory=dict)
    masks: dict[SSAValue, Mask] = field(default_factory=dict)

    def bind(self, index: SSAValue, value: SSAValue, mask: Mask) -> None:
        self.values[index] = named(value, index.name_hint)
        if mask is not None and index.name_hint:
            named(mask, f"in_{index.name_hint}")
        self.masks[index] = mask

    def lanes(self, indices: Indices) -> Mask:
        """The condition that all of these indices lie within their extents."""
        ordered = sorted(indices, key=lambda index: self.plan.dims.get(index, -1))
        return self.builder.both(*(self.masks[index] for index in ordered if index in self.masks))

    def varying(self, values: Sequence[SSAValue]) -> Indices:
        return self.dependencies.union(values)

    def lower_block(self, block: Block) -> None:
        """Evaluate every op of a block but its yield."""
        for op in block.ops:
            if not isinstance(op, YieldOp):
                self.lower(op)

    def lower(self, op: Operation) -> None:
        """Evaluate one op, once."""
        if op.results[0] in self.values:
            return
        with self.builder.at(op):
            match op:
                case ReduceOp():
                    results = [self._reduce(op)]
                case ReadOp():
                    results = [self._read(op)]
                case ReadStoredOp():
                    results = list(search_row(self, op))
                case DimSizeOp():
                    results = [self.extent(op.dim.data, op.per)]
                case _:
                    results = [lower_elementwise(self.builder, op, [self.values[item] for item in op.operands])]
        for source, result in zip(op.results, results, strict=True):
            self.values[source] = named(result, source.name_hint)

    def extent(self, dim: str, per: SSAValue | None) -> SSAValue:
        """The live extent of a run-time dim, 0 for a row that does not exist."""
        if per is None:
            return live_extent(self.builder, self.arguments, dim, None, None)
        row = self.values[per]
        mask = self.lanes(self.varying([per]))
        if per not in self.masks:
            rows = self.arguments.dims[dim].per
            assert rows is not None
            mask = self.builder.both(mask, self.within(row, rows.data, None))
        return live_extent(self.builder, self.arguments, dim, row, mask)

    def within(self, index: SSAValue, extent: int | str, per: SSAValue | None) -> SSAValue:
        """0 <= index < (live) extent."""
        builder = self.builder
        limit = builder.constant(extent) if isinstance(extent, int) else self.extent(extent, per)
        return builder.binary(arith.AndIOp, builder.compare("ge", index, 0), builder.compare("lt", index, limit))

    def present(self, condition: SSAValue | None) -> Mask:
        return None if condition is None else self.values[condition]

    def _read(self, op: ReadOp) -> SSAValue:
        type_ = op.tensor.type
        assert isinstance(type_, TensorType)
        if type_.is_sparse:
            return search_row(self, op)[0]
        stored = self.load(op)
        return widened(self.builder, stored, type_.element)

    def load(self, op: ReadOp) -> SSAValue:
        """The stored elements that a dense read reads, 0 where it is absent."""
        builder, buffer = self.builder, self.buffers[op.tensor]
        used = [*op.indices, *([op.present] if op.present is not None else [])]
        mask = builder.both(self.lanes(self.varying(used)), self.present(op.present))
        indices = [self.values[index] for index in op.indices]
        offset = element_offset(builder, self.arguments, buffer, indices, mask)
        return named(builder.load(self.arguments.pointer(buffer), offset, mask), buffer.name)

    # reductions

    def hoist(self, block: Block) -> None:
        """Evaluate now what, inside a reduction, depends on nothing that the reduction binds."""
        for op in block.ops:
            if isinstance(op, YieldOp) or op.results[0] in self.values:
                continue
            if all(value in self.values for value in outside_values(op)):
                self.lower(op)
            elif isinstance(op, ReduceOp):
                self.hoist(op.body.block)

    def _reduce(self, op: ReduceOp) -> SSAValue:
        self.hoist(op.body.block)
        product = lower_dot(self, op)
        if product is not None:
            return product
        return self._reduce_tiles(op)

    def _reduction(self, op: ReduceOp) -> Reduction:
        index = op.body.block.args[0]
        kept = self.dependencies.of[op.result]
        return reduction_of(
            self.builder,
            op.kind.data,
            tile_element(op.yielded.value.type),
            self.plan.shape(kept),
            self.plan.shape(kept | {index}),
            self.plan.dims.get(index),
        )

    def _reduce_tiles(self, op: ReduceOp) -> SSAValue:
        index = op.body.block.args[0]
        reduction, size = self._reduction(op), self.plan.tiles[index]
        row = stored_row(op)
        if row is not None:
            entries = StoredRow.of(self, row)
            return self._loop(op, reduction, entries.length, lambda i, m: entries.bind(self, row, index, i, m))
        extent = extent_key(op.range.extent)
        if isinstance(extent, str):
            limit = self.extent(extent, op.per)
            return self._loop(op, reduction, limit, lambda i, m: self.bind(index, i, m))
        if extent > size:
            limit = self.builder.constant(extent)
            exact = extent % size == 0
            return self._loop(op, reduction, limit, lambda i, m: self.bind(index, i, None if exact else m))
        lane = self.lane(index)
        self.bind(index, lane, None if extent == size else self.builder.compare("lt", lane, extent))
        return reduction.finish(reduction.partial(self._lanes_of(op)))

    def lane(self, index: SSAValue) -> SSAValue:
        """0, 1, 2, ... along an index's dimension; 0 for an index of one element at a time."""
        if index not in self.plan.dims:
            return self.builder.constant(0)
        return self.builder.add(tile.RangeOp(self.plan.shape(frozenset({index})), self.plan.dims[index]))

    def _loop(self, op: ReduceOp, reduction: Reduction, limit: SSAValue, bind: object) -> SSAValue:
        """Run a reduction up to `limit`, which may differ from line to line."""
        builder, index = self.builder, op.body.block.args[0]
        lane = self.lane(index) if index in self.plan.dims else None
        upper = self.largest(limit)

        def body(start: SSAValue, kept: list[SSAValue]) -> Sequence[SSAValue]:
            position = start if lane is None else builder.binary(arith.AddiOp, start, lane)
            inside: Mask = builder.compare("lt", position, limit)
            if lane is None and shape_of(limit.type) == ():
                inside = None  # the loop ends at the limit itself
            outside = dict(self.values)
            bind(position, inside)  # type: ignore[operator]
            result = reduction.combine(kept, reduction.partial(self._lanes_of(op)))
            self.values = outside
            return result

        kept = [named(value, "total") for value in reduction.initial()]
        return reduction.finish(builder.loop(upper, self.plan.tiles[index], kept, body, f"{index.name_hint}_start"))

    def largest(self, limit: SSAValue) -> SSAValue:
        """The largest element of a tile, as a scalar."""
        for dim, size in enumerate(shape_of(limit.type)):
            if shape_of(limit.type) and size > 1:
                limit = self.builder.add(tile.ReduceOp("max", limit, dim))
        return limit

    def _lanes_of(self, op: ReduceOp) -> Lanes:
        """Evaluate one tile of a reduction's body."""
        block, index = op.body.block, op.body.block.args[0]
        self.lower_block(block)
        counts = self.builder.both(self.masks[index], self.present(op.yielded.present))
        return Lanes(self.values[op.yielded.value], counts, self.values[index])
