"""Which statements are scans: they run over many rows, and what they read of them streams past.

A scan's last index runs over a run-time dim, or over a constant extent that is long enough to be worth it (the rows of
a weight, the slots of a ring). Each tensor that it reads is one of
  streamed   its row at the scan's index is read once, in order, and used up: `keys[b, t, d]`
  invariant  it does not depend on the scan's index: `q[b, h, d]`; loaded on chip before the scan
  direct     anything else: read where it lies
Statements that only prepare the scan's value element by element are evaluated in place (`fused`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from xdsl.ir import Block, Operation, SSAValue

from hetc.dialects.mp import (
    ComputeOp,
    RangedOp,
    ReadOp,
    ReadStoredOp,
    SelectOp,
    TensorType,
    TopkOp,
    extent_key,
    storage_bits,
)
from hetc.dialects.task import ReturnOp

# A row above this size is not held in registers.
LARGEST_ROW_BITS = 1 << 16
# A constant extent streams from so many rows on, of at least so many bits.
LEAST_ROWS = 128
LEAST_ROW_BITS = 256


@dataclass(frozen=True)
class Streamed:
    """A tensor whose rows pass by. `position` is the scanned dim's; `leading` the free positions before it, `fixed`
    those after it (index position -> free position of the scan); `window` the dims of one row."""

    tensor: SSAValue
    position: int
    fixed: Mapping[int, int]
    window: tuple[int, ...]


@dataclass(frozen=True)
class Invariant:
    """A tensor, or the part of it that belongs to the scan's free indices, held on chip."""

    tensor: SSAValue
    fixed: Mapping[int, int]
    window: tuple[int, ...]


@dataclass
class Scan:
    """What `find_scan` found."""

    op: RangedOp
    fused: dict[SSAValue, ComputeOp] = field(default_factory=dict)
    streamed: list[Streamed] = field(default_factory=list)
    invariants: list[Invariant] = field(default_factory=list)
    direct: list[SSAValue] = field(default_factory=list)

    @property
    def on_chip(self) -> set[SSAValue]:
        """Tensors that the scan's process holds: the row that passes by, and what does not change."""
        return {item.tensor for item in self.streamed} | {item.tensor for item in self.invariants}


def find_scan(op: Operation, on_chip_bits: int) -> Scan | None:
    """The statement as a scan, or None where it is not one."""
    if not isinstance(op, ComputeOp | TopkOp | SelectOp) or not op.ranges:
        return None
    rows = extent_key(op.index_ranges[-1].extent)
    if isinstance(rows, int) and rows < LEAST_ROWS:
        return None
    if any(other.per_position == len(op.ranges) - 1 for other in op.index_ranges):
        return None
    scan = Scan(op)
    reads = _Reads(scan)
    if not reads.collect():
        return None
    for tensor, accesses in reads.by_tensor.items():
        _classify(scan, reads, tensor, accesses, on_chip_bits)
    widest = max((_window_bits(item.tensor.type, item.window) for item in scan.streamed), default=0)  # type: ignore[arg-type]
    return scan if widest >= (LEAST_ROW_BITS if isinstance(rows, int) else 1) else None


class _Reads:
    """The reads of a scan's region, statements evaluated in place included."""

    def __init__(self, scan: Scan):
        self.scan = scan
        self.by_tensor: dict[SSAValue, list[ReadOp]] = {}
        self.same: dict[SSAValue, SSAValue] = {}  # an index of a fused statement -> the scan's
        self.varying: set[SSAValue] = {scan.op.body.block.args[-1]}  # depends on the scan's index

    def collect(self) -> bool:
        """False where the region reads sparse tensors."""
        return self._block(self.scan.op.body.block)

    def _block(self, block: Block) -> bool:
        for op in block.ops:
            inside = [inner for region in op.regions for inner in region.blocks]
            if isinstance(op, ReadStoredOp) or not all(self._block(inner) for inner in inside):
                return False
            if isinstance(op, ReadOp) and not self._read(op):
                return False
            varies = any(operand in self.varying for operand in op.operands)
            varies = varies or any(
                value in self.varying for inner in inside for nested in inner.walk() for value in nested.results
            )
            if varies:
                self.varying.update(op.results)
        return True

    def _read(self, op: ReadOp) -> bool:
        type_ = op.tensor.type
        assert isinstance(type_, TensorType)
        if type_.is_sparse:
            return False
        statement = fusable(op, self.scan.op, self.same)
        if statement is None:
            self.by_tensor.setdefault(op.tensor, []).append(op)
            return True
        self.scan.fused[op.tensor] = statement
        for argument, index in zip(statement.body.block.args, op.indices, strict=True):
            self.same[argument] = self.same.get(index, index)
        self.varying.add(statement.body.block.args[-1])
        self.varying.add(op.result)
        return self._block(statement.body.block)

    def free_position(self, index: SSAValue) -> int | None:
        """Which free index of the scan this is."""
        index = self.same.get(index, index)
        arguments = self.scan.op.body.block.args
        return next((n for n, argument in enumerate(arguments[:-1]) if argument is index), None)

    def is_scanned(self, index: SSAValue) -> bool:
        return self.same.get(index, index) is self.scan.op.body.block.args[-1]


def fusable(read: ReadOp, scan: RangedOp, same: Mapping[SSAValue, SSAValue]) -> ComputeOp | None:
    """The statement behind a read, if the read is all that becomes of it and runs over the same indices."""
    statement = read.tensor.owner
    if not isinstance(statement, ComputeOp) or isinstance(scan, ComputeOp):
        return None
    uses = [use.operation for use in read.tensor.uses]
    if uses != [read] or any(isinstance(use, ReturnOp) for use in uses):
        return None
    indices = [same.get(index, index) for index in read.indices]
    if indices != list(scan.body.block.args):
        return None
    mine = [(item.extent, item.per) for item in statement.index_ranges]
    return statement if mine == [(item.extent, item.per) for item in scan.index_ranges] else None


def _classify(scan: Scan, reads: _Reads, tensor: SSAValue, accesses: list[ReadOp], on_chip_bits: int) -> None:
    type_ = tensor.type
    assert isinstance(type_, TensorType)
    varying = any(index in reads.varying for op in accesses for index in op.indices)
    fixed = {
        position: free
        for position in range(type_.rank)
        if (free := _common_free(scan, reads, type_, accesses, position)) is not None
    }
    if not varying:
        window = tuple(position for position in range(type_.rank) if position not in fixed)
        if _window_bits(type_, window) <= on_chip_bits:
            scan.invariants.append(Invariant(tensor, fixed, window))
            return
    streamed = _streamed(scan, reads, tensor, accesses, fixed) if varying else None
    if streamed is not None:
        scan.streamed.append(streamed)
    else:
        scan.direct.append(tensor)


def _common_free(scan: Scan, reads: _Reads, type_: TensorType, accesses: list[ReadOp], position: int) -> int | None:
    """The free index that every read has at this position, if it runs over the dim that lies there."""
    found = {reads.free_position(op.indices[position]) for op in accesses}
    if len(found) != 1:
        return None
    (free,) = found
    if free is None or extent_key(scan.op.index_ranges[free].extent) != type_.shape[position]:
        return None
    return free


def _streamed(
    scan: Scan, reads: _Reads, tensor: SSAValue, accesses: list[ReadOp], fixed: Mapping[int, int]
) -> Streamed | None:
    type_ = tensor.type
    assert isinstance(type_, TensorType)
    key = extent_key(scan.op.index_ranges[-1].extent)
    places = [p for p in range(type_.rank) if all(reads.is_scanned(op.indices[p]) for op in accesses)]
    if len(places) != 1 or type_.shape[places[0]] != key:
        return None
    (place,) = places
    if any(position not in fixed for position in range(place)):
        return None
    window = tuple(position for position in range(place + 1, type_.rank) if position not in fixed)
    if window and window != tuple(range(type_.rank - len(window), type_.rank)):
        return None
    if any(op.indices[position] in reads.varying for op in accesses for position in window):
        return None
    if _window_bits(type_, window) > LARGEST_ROW_BITS:
        return None
    return Streamed(tensor, place, fixed, window)


def _window_bits(type_: TensorType, window: tuple[int, ...]) -> float:
    extents = [type_.shape[position] for position in window]
    if any(isinstance(extent, str) for extent in extents):
        return float("inf")
    return prod(int(extent) for extent in extents) * storage_bits(type_.element)
