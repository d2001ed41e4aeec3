"""Facts of one statement: work, traffic, access, sparsity, scans. Closed forms in the run-time dims; read only.

A statement scans where it iterates over a run-time dim that says how much a memory holds, or over the slots of a ring
memory.

An operation of `arith` or `math` on floats or data integers counts one, a combining step of a reduction one; what takes
values out of packed bytes is counted by itself.
Traffic counts each element that a statement touches once, however often its loops come back to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from xdsl.dialects.builtin import IndexType, IntegerType, i1
from xdsl.ir import Attribute, BlockArgument, Operation, SSAValue

from hetc.dialects.locations import source_line
from hetc.dialects.mp import (
    GetOp,
    QuantizeOp,
    RangedOp,
    ReadOp,
    ReadStoredOp,
    ReduceOp,
    RopeOp,
    SelectOp,
    StepOp,
    TensorType,
    TopkOp,
    dtype_name,
    enclosing_pipeline,
    extent_key,
    origin,
    storage_bits,
    times,
)
from hetc.passes.analysis.access import access_kind, indices_used, is_indirect, touched
from hetc.passes.analysis.polynomial import Polynomial
from hetc.passes.analysis.rings import Slots, goes_over_slots
from hetc.passes.analysis.sparse_reads import density, sparse_shape, stored_bound, stored_guards, without_dim
from hetc.passes.emission import CONVERSION

BURST_BYTES = 64
"""What memory delivers at least for one address: 64 bytes on HBM2 (32-byte pseudo-channel bursts of two)."""


COLUMN_BYTES = 4


@dataclass(frozen=True)
class Traffic:
    """Elements of one tensor that a statement reads. `contiguous` elements in a row lie side by side; `over_slots`
    where they are those of a ring memory, slot by slot, or of a value as long as one. codes: what bytes hold."""

    value: SSAValue
    elements: Polynomial
    element: Attribute
    access: str
    contiguous: int
    over_slots: bool = False
    codes: Attribute | None = None

    @property
    def dtype(self) -> str:
        """The number type of the values: of bytes that are codes, what they hold."""
        return dtype_name(self.codes or self.element)

    def bytes_moved(self, bits: int | None = None) -> Polynomial:
        """Bytes at `bits` an element (default: as stored); a gather moves whole bursts, and a sparse element
        brings its 32-bit column."""
        width = (bits or storage_bits(self.element)) / 8
        if self.access == "sparse":
            return self.elements * (width + COLUMN_BYTES)
        if self.access != "gather":
            return self.elements * width
        run_bytes = self.contiguous * width
        bursts = -(-run_bytes // BURST_BYTES)
        return self.elements * (bursts * BURST_BYTES / self.contiguous)


@dataclass(frozen=True)
class OpFacts:
    """One statement. `conversions`: operations that take values out of bytes and put them in. `irregular` names what a
    regular, dense loop nest would not do."""

    op: Operation
    stage: str
    line: str
    flop: Polynomial
    conversions: Polynomial
    reads: tuple[Traffic, ...]
    scan: bool
    irregular: tuple[str, ...]


def live_dims(step: StepOp) -> frozenset[str]:
    """Run-time dims that say how much a memory holds, and those derived from them: dims along which one grows, and
    dims of one that no input has, which would say how much is asked instead."""
    pipeline = enclosing_pipeline(step)
    live = {name for other in pipeline.steps.values() for name in other.grows.data}
    of_role: dict[str, set[str]] = {"memory": set(), "input": set()}
    for declaration in pipeline.declarations.values():
        of_role.setdefault(declaration.role.data, set()).update(
            size for size in declaration.type.shape if isinstance(size, str)
        )
    live |= {name for name in of_role["memory"] - of_role["input"] if not pipeline.dims[name].is_static}
    for name, dim in pipeline.dims.items():
        if dim.of is not None and any(base.data in live for base in dim.of):
            live.add(name)
    return frozenset(live)


def op_facts(op: Operation, live: frozenset[str], slots: Slots | None = None) -> OpFacts:
    """Facts of one statement of a step (any op that carries a `stage`). live: the step's `live_dims`, slots: its
    `slots_of`. Over all passes of the loops around it."""
    facts, count = pass_facts(op, live, slots), times(op)
    reads = tuple(replace(traffic, elements=traffic.elements * count) for traffic in facts.reads)
    return replace(facts, flop=facts.flop * count, conversions=facts.conversions * count, reads=reads)


def pass_facts(op: Operation, live: frozenset[str], slots: Slots | None = None) -> OpFacts:
    """The same for one pass of the loops around the statement."""
    walker = _Walker(op, slots or {})
    stage = op.attributes.get("stage")
    return OpFacts(
        op=op,
        stage="" if stage is None else stage.data,  # type: ignore[attr-defined]
        line=source_line(op),
        flop=walker.flop,
        conversions=walker.conversions,
        reads=tuple(walker.reads.values()),
        scan=bool(walker.iterated & live) or any(traffic.over_slots for traffic in walker.reads.values()),
        irregular=tuple(sorted(walker.irregular)),
    )


def source_of(value: SSAValue) -> str:
    """memory, weight, input or intermediate: where a value of a step comes from."""
    owner = origin(value).owner
    if isinstance(owner, GetOp):
        return enclosing_pipeline(owner).declarations[owner.declared.data].role.data
    return "intermediate"


class _Walker:
    """Accumulates the facts of one statement while walking its regions with their trip counts."""

    def __init__(self, op: Operation, slots: Slots) -> None:
        self.slots = slots
        self.flop, self.conversions = Polynomial(), Polynomial()
        self.reads: dict[SSAValue, Traffic] = {}
        self.iterated: set[int | str] = set()
        self.irregular: set[str] = set()
        self.trips: dict[BlockArgument, Polynomial] = {}
        if isinstance(op, RangedOp):
            self._ranged(op)
        elif isinstance(op, QuantizeOp):
            self._whole(op.x, 4)

    def _ranged(self, op: RangedOp) -> None:
        space = Polynomial.of(1)
        for argument, item in zip(op.body.block.args, op.ranges, strict=True):
            space = space * self._enter(argument, extent_key(item.extent))
        if isinstance(op, TopkOp | SelectOp):
            self.irregular.add("selection")
            self.flop += space
        if isinstance(op, RopeOp):
            self._whole(op.x, 6)
        self._block(op.body.block.ops, space)

    def _whole(self, value: SSAValue, flop_per_element: int) -> None:
        """A statement that reads all of one tensor."""
        assert isinstance(value.type, TensorType)
        elements = _product(value.type.shape)
        self.iterated.update(value.type.shape)
        self.flop += elements * flop_per_element
        self.reads[value] = Traffic(value, elements, value.type.element, "affine", 1)

    def _enter(self, argument: BlockArgument, size: int | str) -> Polynomial:
        self.iterated.add(size)
        self.trips[argument] = Polynomial.of(size)
        return self.trips[argument]

    def _block(self, ops: Iterable[Operation], space: Polynomial) -> None:
        for op in ops:
            if isinstance(op, ReduceOp):
                self._reduce(op, space)
            elif isinstance(op, ReadOp | ReadStoredOp):
                self._read(op)
            elif op.name.startswith(("arith.", "math.")) and _counts(op):
                if CONVERSION in op.attributes:
                    self.conversions += space
                else:
                    self.flop += space

    def _reduce(self, op: ReduceOp, space: Polynomial) -> None:
        argument = op.body.block.args[0]
        trip = self._enter(argument, extent_key(op.range.extent))
        inner = space * trip
        for read in stored_guards(op):
            inner = self._sparse_space(read, inner)
        self.flop += inner
        self._block(op.body.block.ops, inner)

    def _sparse_space(self, read: ReadStoredOp, space: Polynomial) -> Polynomial:
        """Iterate over stored entries: the column's trip count becomes the mean number of entries of a row."""
        column = read.indices[1]
        if not isinstance(column, BlockArgument):
            return space
        rows, columns = sparse_shape(read)
        kept = Polynomial.of(density(read) if isinstance(columns, int) else 1)
        if isinstance(columns, int):
            return space * kept
        return without_dim(space, columns, stored_bound(read) / rows)

    def _read(self, read: ReadOp | ReadStoredOp) -> None:
        type_ = read.tensor.type
        assert isinstance(type_, TensorType)
        access = access_kind(read)
        if access == "gather":
            self.irregular.add("data-dependent")
        elements = Polynomial.of(1)
        for argument, share in touched(read).items():
            elements = elements * self.trips[argument] * share
        if isinstance(read, ReadStoredOp):
            self.irregular.add("sparse")
            column = read.indices[1]
            if isinstance(column, BlockArgument) and not isinstance(sparse_shape(read)[1], int):
                elements = without_dim(elements, str(sparse_shape(read)[1]), stored_bound(read) / sparse_shape(read)[0])
        known = self.reads.get(read.tensor)
        over_slots = goes_over_slots(read, self.slots)
        if known is None or _size(known.elements) < _size(elements):
            over_slots = over_slots or (known is not None and known.over_slots)
            contiguous = _contiguous(read, self.trips)
            codes = None if type_.coded is None else type_.coded.element
            self.reads[read.tensor] = Traffic(
                read.tensor, elements, type_.element, access, contiguous, over_slots, codes
            )
        elif over_slots and not known.over_slots:
            self.reads[read.tensor] = replace(known, over_slots=True)


def _counts(op: Operation) -> bool:
    if op.name in ("arith.constant", "arith.index_cast", "arith.sitofp", "arith.select", "arith.extui"):
        return False
    type_ = op.operands[0].type
    return not isinstance(type_, IndexType) and type_ != i1 and not (isinstance(type_, IntegerType) and type_ == i1)


def _product(shape: tuple[int | str, ...]) -> Polynomial:
    total = Polynomial.of(1)
    for size in shape:
        total = total * size
    return total


def _contiguous(read: ReadOp | ReadStoredOp, trips: dict[BlockArgument, Polynomial]) -> int:
    """Elements read side by side at one indirect place: trailing plain indices over whole constant extents."""
    run = 1
    for index in reversed(list(read.indices)):
        if is_indirect(index):
            break
        for argument in indices_used(index):
            trip = trips[argument]
            if not trip.dims:
                run *= max(1, int(trip.evaluate({})))
    return run


def _size(value: Polynomial) -> float:
    return value.evaluate(dict.fromkeys(value.dims, 1e6))
