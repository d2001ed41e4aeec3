"""A scan whose elements are reductions over stored entries: `s[n] = sum[q](f(tf[terms[q], n]))`.

Visiting every element and searching each row for it would cost a search an element a row. Instead the scan goes tile by
tile: each row's entries inside the tile are added to an on-chip array of accumulators, and then the tile is scanned.
An element without a stored entry has the reduction's identity and counts as any other.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from xdsl.dialects import arith
from xdsl.dialects.builtin import i1
from xdsl.ir import Block, Operation, SSAValue

from hetc.dialects import fpga
from hetc.dialects.mp import (
    ComputeOp,
    RangedOp,
    ReadOp,
    ReadStoredOp,
    ReduceOp,
    SelectOp,
    TopkOp,
    YieldOp,
    extent_key,
)
from hetc.passes.analysis.stored_entries import conjuncts, depends_on
from hetc.passes.lower_hls.builder import Body, Frame
from hetc.passes.lower_hls.kernel import KernelBuilder
from hetc.passes.lower_hls.memory import Sparse
from hetc.passes.lower_hls.reductions import TREE, combine, identity
from hetc.passes.lower_hls.scan import fusable
from hetc.passes.lower_hls.statements import (
    Nest,
    candidate,
    counted,
    declare_queue,
    finish,
    open_nest,
    store_all,
    store_overflow,
    write_queue,
)

KINDS = (*TREE, "count")


@dataclass
class SparseScan:
    """`reduce` is the reduction over entries, in the block of the scan or of a statement evaluated in place; `read` its
    read of the sparse tensor; `same` maps the indices of such statements to the scan's; `varying` are the values that
    depend on the scan's index."""

    op: RangedOp
    reduce: ReduceOp
    read: ReadStoredOp
    fused: dict[SSAValue, ComputeOp] = field(default_factory=dict)
    same: dict[SSAValue, SSAValue] = field(default_factory=dict)
    varying: set[SSAValue] = field(default_factory=set)


def find_sparse_scan(op: Operation) -> SparseScan | None:
    """The statement as a scan over stored entries, or None."""
    if not isinstance(op, ComputeOp | TopkOp | SelectOp) or not op.ranges:
        return None
    if any(other.per_position == len(op.ranges) - 1 for other in op.index_ranges):
        return None
    same: dict[SSAValue, SSAValue] = {}
    fused: dict[SSAValue, ComputeOp] = {}
    blocks = [op.body.block]
    for block in blocks:  # grows while statements are found
        for read in [inner for inner in block.walk() if isinstance(inner, ReadOp)]:
            statement = fusable(read, op, same)
            if statement is not None:
                fused[read.tensor] = statement
                pairs = zip(statement.body.block.args, read.indices, strict=True)
                same.update({argument: same.get(index, index) for argument, index in pairs})
                blocks.append(statement.body.block)
    varying = _varying(blocks, op.body.block.args[-1], same)
    for block in blocks:
        for reduce in block.ops:
            read_found = _entries(reduce, block, varying) if isinstance(reduce, ReduceOp) else None
            if read_found is not None and isinstance(reduce, ReduceOp):
                return SparseScan(op, reduce, read_found, fused, same, varying)
    return None


def _varying(blocks: list[Block], scanned: SSAValue, same: dict[SSAValue, SSAValue]) -> set[SSAValue]:
    """Values that depend on the scan's index. Innermost statements come last in `blocks`."""
    found = {scanned, *(argument for argument, index in same.items() if index is scanned)}
    for block in reversed(blocks):
        for op in block.walk():
            inside = [value for nested in op.walk() if nested is not op for value in nested.operands]
            if any(value in found for value in (*op.operands, *inside)):
                found.update(op.results)
    return found


def _entries(reduce: ReduceOp, block: Block, varying: set[SSAValue]) -> ReadStoredOp | None:
    """The read whose unstored entries do not count: its column is the scan's index, its row is known before."""
    present = reduce.yielded.present
    if present is None or reduce.kind.data not in KINDS:
        return None
    for condition in conjuncts(present):
        read = condition.owner
        if not (isinstance(read, ReadStoredOp) and condition is read.stored):
            continue
        known = read.indices[0] not in varying and (read.present is None or read.present not in varying)
        if read.parent_block() is reduce.body.block and read.indices[1] is block.args[-1] and known:
            return read if _self_contained(reduce, block, varying) else None
    return None


def _self_contained(reduce: ReduceOp, block: Block, varying: set[SSAValue]) -> bool:
    """Whether the body needs nothing of the statement around it that changes with the scan's index but that itself."""
    for op in reduce.body.block.walk():
        for value in op.operands:
            if value in varying and value not in block.args and not depends_on(value, reduce.body.block):
                return False
    return True


def lower_sparse_scan(kernel: KernelBuilder, scan: SparseScan) -> None:
    """Adds one process with the loops over free indices, tiles and entries."""
    _Tiles(kernel, scan).build()


class _Tiles:
    """The process of one sparse scan under construction."""

    def __init__(self, kernel: KernelBuilder, scan: SparseScan):
        self.kernel, self.scan, self.op = kernel, scan, scan.op
        self.scanned = scan.op.body.block.args[-1]
        item = scan.op.index_ranges[-1]
        key = extent_key(item.extent)
        self.tile = min(kernel.plan.tile, max(kernel.bound(key), 1))
        self.item = item

    def build(self) -> None:
        frame = Frame(self.kernel.step_name(self.op.results[0], "scan"), self.op)
        self.region = self.kernel.region()
        self.region.fused = dict(self.scan.fused)
        nest = open_nest(self.region, frame.body(), self.op, range(len(self.op.ranges) - 1))
        self._enter_free(nest)
        body = nest.body
        per = None
        if self.item.per_position is not None:
            per = self.region.value(self.op.body.block.args[self.item.per_position])
        upper = self.region.extent(body, self.item.extent, per)
        queue = None
        if isinstance(self.op, TopkOp | SelectOp):
            capacity = self.op.k.value.data if isinstance(self.op, TopkOp) else self.op.capacity.value.data
            queue = declare_queue(self.kernel, body, self.op, capacity)
        count = self._tiles(body, upper, queue)
        if queue is not None:
            self._deliver(body, queue, count)
        nest.close()
        finish(self.kernel, frame)

    def _enter_free(self, nest: Nest) -> None:
        """The statement's own indices, and what it computes without the scan's."""
        for argument, index in self.scan.same.items():
            if index is not self.scanned:
                self.region.values[argument] = self.region.value(index)
        block = self.scan.reduce.parent_block()
        assert block is not None
        for op in block.ops:
            if op is self.scan.reduce:
                break
            if not any(value in self.scan.varying for value in op.results) and not isinstance(op, YieldOp):
                self.region.lower_op(op, nest.body)

    def _tiles(self, body: Body, upper: SSAValue, queue: SSAValue | None) -> SSAValue:
        """The loop over tiles; returns how many elements were candidates of a selection."""
        type_ = self.scan.reduce.result.type
        array_type = fpga.ArrayType([self.tile], type_)
        memory = "bram" if array_type.bits <= self.kernel.plan.bram_bits else "uram"
        sums = body.add(fpga.ArrayOp("tile_sums", array_type, memory)).result
        raised = body.add(arith.AddiOp(upper, body.index(self.tile - 1))).result
        tiles = body.add(arith.FloorDivSIOp(raised, body.index(self.tile))).result
        carried = [body.index(0)] if isinstance(self.op, SelectOp) else []
        loop = body.loop("tile", tiles, carried)
        inner = loop.body
        base = inner.add(arith.MuliOp(loop.index, inner.index(self.tile))).result
        base.name_hint = "base"
        left = inner.add(arith.SubiOp(upper, base)).result
        size = inner.add(arith.MinSIOp(left, inner.index(self.tile))).result
        size.name_hint = "size"
        clear = inner.loop("i", size)
        clear.body.add(
            fpga.StoreOp(clear.body.constant(identity(self.scan.reduce.kind.data, type_), type_), sums, [clear.index])
        )
        clear.close()
        self._accumulate(inner, sums, base, size)
        counts = self._scan_tile(inner, sums, base, size, queue, loop.carried)
        results = loop.close(counts)
        return results[0] if results else body.index(0)

    def _accumulate(self, body: Body, sums: SSAValue, base: SSAValue, size: SSAValue) -> None:
        """Every row's entries inside the tile. The columns of one row differ, so that its entries never meet."""
        reduce, read, region = self.scan.reduce, self.scan.read, self.region
        home = region.homes[read.tensor]
        assert isinstance(home, Sparse)
        per = None if reduce.per is None else region.value(reduce.per)
        rows = body.loop(reduce.range.index.data, region.extent(body, reduce.range.extent, per))
        region.values[reduce.body.block.args[0]] = rows.index
        region.safe[rows.index] = extent_key(reduce.range.extent)
        for op in reduce.body.block.ops:
            if not isinstance(op, YieldOp) and not self._varies(op):
                region.lower_op(op, rows.body)
        inner = rows.body
        row_present = None if read.present is None else region.value(read.present)
        start, length = home.row(inner, region.value(read.indices[0]), row_present)
        column_pointer = inner.use(home.column)
        end = inner.add(arith.AddiOp(base, size)).result
        first = inner.add(fpga.LowerBoundOp(column_pointer, start, length, base)).result
        last = inner.add(fpga.LowerBoundOp(column_pointer, start, length, end)).result
        first.name_hint, last.name_hint = "first_entry", "last_entry"
        entries = inner.loop("entry", last, lower=first, apart=0)
        self._entry(entries.body, entries.index, home, start, sums, base)
        entries.close()
        rows.close()

    def _varies(self, op: Operation) -> bool:
        return op is self.scan.read or any(value in self.scan.varying for value in op.results)

    def _entry(
        self, body: Body, index: SSAValue, home: Sparse, start: SSAValue, sums: SSAValue, base: SSAValue
    ) -> None:
        """One stored entry into its accumulator."""
        reduce, region = self.scan.reduce, self.region
        column = home.entry_column(body, start, index)
        column.name_hint = self.item.index.data
        value = home.entry_value(body, start, index, None)
        region.stored[self.scan.read] = (value, body.constant(1, i1))
        for argument in (self.scanned, *(key for key, to in self.scan.same.items() if to is self.scanned)):
            region.values[argument] = column
        region.safe[column] = extent_key(self.item.extent)
        for op in reduce.body.block.ops:
            if not isinstance(op, YieldOp) and self._varies(op):
                region.lower_op(op, body)
        element = region.value(reduce.yielded.value)
        present = region.value(reduce.yielded.present) if reduce.yielded.present is not None else None
        place = body.add(arith.SubiOp(column, base)).result
        before = body.add(fpga.LoadOp(sums, [place])).result
        if reduce.kind.data == "count":
            one = body.constant(1, before.type)
            after = body.select(body.both(element, present), body.add(arith.AddiOp(before, one)).result, before)
        else:
            after = body.select(present, combine(body, reduce.kind.data, before, element), before)
        body.add(fpga.StoreOp(after, sums, [place]))

    def _scan_tile(
        self,
        body: Body,
        sums: SSAValue,
        base: SSAValue,
        size: SSAValue,
        queue: SSAValue | None,
        carried: tuple[SSAValue, ...],
    ) -> list[SSAValue]:
        """The elements of the tile in order, each with its reduction known."""
        region = self.region
        loop = body.loop("i", size, carried)
        inner = loop.body
        index = inner.add(arith.AddiOp(base, loop.index)).result
        index.name_hint = self.item.index.data
        region.values[self.scanned] = index
        region.safe[index] = extent_key(self.item.extent)
        region.given[self.scan.reduce] = inner.add(fpga.LoadOp(sums, [loop.index])).result
        value, present = region.lower(self.op.body.block, inner)
        if queue is None:
            indices = [region.value(argument) for argument in self.op.body.block.args]
            store_all(inner, self.kernel.result_homes(self.op.results[0]), value, indices)
            loop.close()
            return []
        if isinstance(self.op, SelectOp):
            present = candidate(inner, value, present)
        inner.add(fpga.PushOp(value, index, queue, present))
        counts = [counted(inner, number, present) for number in loop.carried if present is not None]
        return list(loop.close(counts))

    def _deliver(self, body: Body, queue: SSAValue, count: SSAValue) -> None:
        assert isinstance(self.op, TopkOp | SelectOp)
        order = self.op.order.data if isinstance(self.op, TopkOp) else "index"
        if order != "any":
            body.add(fpga.ArrangeOp(queue, order))
        outer = [self.region.value(argument) for argument in self.op.body.block.args[:-1]]
        write_queue(self.kernel, body, self.op, queue, outer)
        if isinstance(self.op, SelectOp):
            store_overflow(self.kernel, body, self.op, count, outer)
