"""mp.reduce: a loop with accumulators; over the stored entries of a row where the others cannot count."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, IndexType, IntegerType, i1, i32
from xdsl.ir import Attribute, Block, Region, SSAValue

from hetc.dialects import fpga
from hetc.dialects.mp import ReadStoredOp, ReduceOp, YieldOp, extent_key
from hetc.passes.analysis.stored_entries import stored_only, varying_in
from hetc.passes.lower_hls.builder import FLOAT_INFINITY, Body, Loop
from hetc.passes.lower_hls.memory import Sparse
from hetc.passes.lower_hls.regions import RegionLowering

# What the tree of `fpga.lanes` can combine; a mean is a sum over a constant number of present elements.
TREE = {"sum": "sum", "prod": "prod", "max": "max", "min": "min", "any": "any", "all": "all"}


def identity(kind: str, type: Attribute) -> int | float:
    """What a reduction over nothing gives."""
    if kind in ("max", "min"):
        if isinstance(type, Float32Type):
            return -FLOAT_INFINITY if kind == "max" else FLOAT_INFINITY
        bits = type.width.data if isinstance(type, IntegerType) else 32
        if bits == 1:
            return 0 if kind == "max" else 1
        return -(1 << (bits - 1)) if kind == "max" else (1 << (bits - 1)) - 1
    return {"sum": 0, "mean": 0, "prod": 1, "any": 0, "all": 1, "count": 0, "argmax": -1, "argmin": -1}[kind]


def combine(body: Body, kind: str, lhs: SSAValue, rhs: SSAValue) -> SSAValue:
    """Two values into one (sum, prod, max, min, any, all; NaN wins in max and min)."""
    is_float = isinstance(lhs.type, Float32Type)
    is_condition = lhs.type == i1
    table = {
        "sum": arith.AddfOp if is_float else arith.AddiOp,
        "prod": arith.MulfOp if is_float else arith.MuliOp,
        "max": arith.MaximumfOp if is_float else arith.OrIOp if is_condition else arith.MaxSIOp,
        "min": arith.MinimumfOp if is_float else arith.AndIOp if is_condition else arith.MinSIOp,
        "any": arith.OrIOp,
        "all": arith.AndIOp,
    }
    return body.add(table[kind](lhs, rhs)).results[0]


@dataclass(frozen=True)
class Accumulation:
    """How one kind of reduction is carried through a loop."""

    kind: str
    element: Attribute  # of the reduced values
    result: Attribute

    def start(self, body: Body) -> list[SSAValue]:
        if self.kind in ("argmax", "argmin"):
            return [body.constant(0, self.element), body.index(-1)]
        if self.kind == "mean":
            return [body.constant(0, self.element), body.constant(0, i32)]
        return [body.constant(identity(self.kind, self.result), self.result)]

    def step(
        self, body: Body, carried: tuple[SSAValue, ...], value: SSAValue, present: SSAValue | None, index: SSAValue
    ) -> list[SSAValue]:
        """The accumulators after one more element."""
        if self.kind in ("argmax", "argmin"):
            better = body.both(self._better(body, carried, value), present)
            return [body.select(better, value, carried[0]), body.select(better, index, carried[1])]
        if self.kind == "count":
            counted = body.both(value, present)
            one = body.add(arith.AddiOp(carried[0], body.constant(1, self.result))).result
            return [body.select(counted, one, carried[0])]
        kind = "sum" if self.kind == "mean" else self.kind
        combined = [combine(body, kind, carried[0], value)]
        if self.kind == "mean":
            combined.append(body.add(arith.AddiOp(carried[1], body.constant(1, i32))).result)
        return [body.select(present, new, old) for new, old in zip(combined, carried, strict=True)]

    def _better(self, body: Body, carried: tuple[SSAValue, ...], value: SSAValue) -> SSAValue:
        """Whether the value replaces the best so far: the first, a better one, or the first NaN."""
        best, position = carried
        first = body.compare("slt", position, body.index(0))
        above = self.kind == "argmax"
        if not isinstance(self.element, Float32Type):
            if self.element == i1:
                lost, won = (best, value) if above else (value, best)
                flipped = body.add(arith.XOrIOp(lost, body.constant(1, i1))).result
                beats: SSAValue = body.add(arith.AndIOp(flipped, won)).result
            else:
                beats = body.compare("sgt" if above else "slt", value, best)
            return body.add(arith.OrIOp(first, beats)).result
        beats = body.compare("ogt" if above else "olt", value, best)
        is_nan = body.compare("une", value, value)
        beats = body.add(arith.OrIOp(beats, is_nan)).result
        known = body.compare("oeq", best, best)
        beats = body.add(arith.AndIOp(beats, known)).result
        return body.add(arith.OrIOp(first, beats)).result

    def finish(self, body: Body, carried: tuple[SSAValue, ...]) -> SSAValue:
        if self.kind in ("argmax", "argmin"):
            return carried[1]
        if self.kind != "mean":
            return carried[0]
        assert isinstance(self.element, Float32Type)
        count = body.add(arith.SIToFPOp(carried[1], self.element)).result
        mean = body.add(arith.DivfOp(carried[0], count)).result
        nothing = body.compare("eq", carried[1], body.constant(0, i32))
        return body.select(nothing, body.constant(0, self.element), mean)


def lower_reduce(region: RegionLowering, body: Body, op: ReduceOp) -> SSAValue:
    """The reduction's value; see the module's docstring for its forms."""
    if op in region.exact:
        from hetc.passes.lower_hls.products import lower_exact

        return lower_exact(region, body, op, region.exact[op])
    if op in region.lanes:
        return _lanes(region, body, op, region.lanes[op])
    entries = stored_only(op)
    if entries is not None and isinstance(region.homes.get(entries.tensor), Sparse):
        return _over_entries(region, body, op, entries)
    key = extent_key(op.range.extent)
    upper = region.extent(body, op.range.extent, None if op.per is None else region.value(op.per))
    accumulation = _accumulation(op)
    if _interleaves(region, op):
        return _interleaved(region, body, op, upper)
    loop = body.loop(
        op.range.index.data,
        upper,
        accumulation.start(body),
        most=key if isinstance(key, int) else None,
    )
    value, present = _element(region, loop, op)
    return accumulation.finish(body, loop.close(accumulation.step(loop.body, loop.carried, value, present, loop.index)))


def _element(region: RegionLowering, loop: Loop, op: ReduceOp) -> tuple[SSAValue, SSAValue | None]:
    """The reduced value of one iteration."""
    region.safe[loop.index] = extent_key(op.range.extent)
    region.values[op.body.block.args[0]] = loop.index
    return region.lower(op.body.block, loop.body)


def _interleaves(region: RegionLowering, op: ReduceOp) -> bool:
    """A float sum (or product, maximum, ...) waits for the operator before it; several partial ones do not. Not worth
    it for a few elements."""
    key = extent_key(op.range.extent)
    few = isinstance(key, int) and key < 2 * region.accumulators
    floats = isinstance(op.result.type, Float32Type) and op.kind.data in TREE
    return region.accumulators > 1 and floats and not few


def _interleaved(region: RegionLowering, body: Body, op: ReduceOp, upper: SSAValue) -> SSAValue:
    """Element i goes into partial result i modulo their number (a power of two); a tree joins them."""
    key = extent_key(op.range.extent)
    name = op.range.index.data
    partial = Partials.declare(body, op, region.accumulators)
    loop = body.loop(name, upper, apart=partial.count, most=key if isinstance(key, int) else None)
    value, present = _element(region, loop, op)
    partial.add(loop.body, loop.index, value, present)
    loop.close()
    return partial.total(body)


@dataclass(frozen=True)
class Partials:
    """Partial results of one reduction, in registers."""

    array: SSAValue
    kind: str
    type: Attribute
    count: int

    @classmethod
    def declare(cls, body: Body, op: ReduceOp, count: int) -> Partials:
        kind, type_ = op.kind.data, op.result.type
        name = f"partial_{op.range.index.data}"
        array = body.add(fpga.ArrayOp(name, fpga.ArrayType([count], type_), "register", "complete"))
        start = body.loop("i", body.index(count), unroll=0, most=count)
        first = start.body.constant(identity(kind, type_), type_)
        start.body.add(fpga.StoreOp(first, array.result, [start.index]))
        start.close()
        return cls(array.result, kind, type_, count)

    def add(self, body: Body, index: SSAValue, value: SSAValue, present: SSAValue | None) -> None:
        slot = body.add(arith.AndIOp(index, body.index(self.count - 1))).result
        before = body.add(fpga.LoadOp(self.array, [slot])).result
        after = body.select(present, combine(body, self.kind, before, value), before)
        body.add(fpga.StoreOp(after, self.array, [slot]))

    def total(self, body: Body) -> SSAValue:
        block = Block(arg_types=[IndexType()])
        block.args[0].name_hint = "i"
        inner = body.inner(block)
        value = inner.add(fpga.LoadOp(self.array, [block.args[0]])).result
        inner.add(fpga.YieldOp([value]))
        return body.add(fpga.LanesOp(self.kind, "i", self.count, Region(block), self.type)).result


def _accumulation(op: ReduceOp) -> Accumulation:
    return Accumulation(op.kind.data, op.yielded.value.type, op.result.type)


def _lanes(region: RegionLowering, body: Body, op: ReduceOp, lanes: int) -> SSAValue:
    """All elements side by side (`lanes` divides the extent), as many rounds as it takes."""
    extent = extent_key(op.range.extent)
    assert isinstance(extent, int) and extent % lanes == 0
    kind, type_ = op.kind.data, op.result.type
    if extent == lanes:
        return _one_round(region, body, op, None)
    if region.rounds is not None and region.rounds.rounds.op is op:
        first = body.add(arith.MuliOp(region.rounds.number, body.index(lanes))).result
        return region.rounds.add(body, _one_round(region, body, op, first))
    rounds, name = extent // lanes, op.range.index.data
    split = region.accumulators > 1 and isinstance(type_, Float32Type) and rounds > 1
    carried = [] if split else [body.constant(identity(kind, type_), type_)]
    partial = Partials.declare(body, op, region.accumulators) if split else None
    apart = region.accumulators if split else None
    loop = body.loop(f"{name}_round", body.index(rounds), carried, apart=apart, most=rounds)
    first = loop.body.add(arith.MuliOp(loop.index, loop.body.index(lanes))).result
    value = _one_round(region, loop.body, op, first)
    if partial is None:
        return loop.close([combine(loop.body, kind, loop.carried[0], value)])[0]
    partial.add(loop.body, loop.index, value, None)
    loop.close()
    return partial.total(body)


def _one_round(region: RegionLowering, body: Body, op: ReduceOp, first: SSAValue | None) -> SSAValue:
    """One set of lanes, from element `first`."""
    kind, type_ = op.kind.data, op.result.type
    count = region.lanes[op]
    block = Block(arg_types=[IndexType()])
    block.args[0].name_hint = op.range.index.data
    inner = body.inner(block)
    index: SSAValue = block.args[0]
    if first is not None:
        index = inner.add(arith.AddiOp(first, index)).result
    region.values[op.body.block.args[0]] = index
    region.safe[index] = extent_key(op.range.extent)
    value, present = region.lower(op.body.block, inner)
    value = inner.select(present, value, inner.constant(identity(kind, type_), type_)) if present else value
    inner.add(fpga.YieldOp([value]))
    lanes = fpga.LanesOp(TREE[kind], op.range.index.data, count, Region(block), type_)
    return body.add(lanes).result


def _over_entries(region: RegionLowering, body: Body, op: ReduceOp, read: ReadStoredOp) -> SSAValue:
    """A loop over the row's entries; an entry past the range's end is left out."""
    home = region.homes[read.tensor]
    assert isinstance(home, Sparse)
    upper = region.extent(body, op.range.extent, None if op.per is None else region.value(op.per))
    varying = varying_in(op.body.block)
    constant = [item for item in op.body.block.ops if item is not read and not varying.intersection(item.results)]
    for item in constant:
        if not isinstance(item, YieldOp):
            region.lower_op(item, body)
    row_present = None if read.present is None else region.value(read.present)
    start, length = home.row(body, region.value(read.indices[0]), row_present)
    accumulation = _accumulation(op)
    loop = body.loop("entry", length, accumulation.start(body))
    inner = loop.body
    column = home.entry_column(inner, start, loop.index)
    column.name_hint = op.range.index.data
    inside = inner.compare("slt", column, upper)
    stored = home.entry_value(inner, start, loop.index, None)
    region.stored[read] = (stored, inner.constant(1, i1))
    region.values[op.body.block.args[0]] = column
    for item in op.body.block.ops:
        if item not in constant and not isinstance(item, YieldOp):
            region.lower_op(item, inner)
    value = region.value(op.yielded.value)
    present = None if op.yielded.present is None else region.value(op.yielded.present)
    present = inner.both(present, inside)
    return accumulation.finish(body, loop.close(accumulation.step(inner, loop.carried, value, present, column)))
