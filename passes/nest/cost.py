"""What loops take on a processor, read from the loops.

Every op counts as often as the loops around it run at the extents asked for. Elements of a tensor that stay in the
caches are fetched once, others as often as they are accessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log2, prod

from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, IntegerAttr
from xdsl.ir import Attribute, Block, Operation, SSAValue

from hetc.dialects import nest
from hetc.dialects.mp import DimSizeOp, TensorType, storage_bits
from hetc.dialects.mp.storage import SparseAttr
from hetc.platforms.cpu import Cpu

FUNCTION_OPERATIONS = 20
"""Of a function of mathematics (an exponential, a sine), in operations: an estimate."""
OFFER_OPERATIONS = 3
"""Of a pair that is offered to a queue and not taken: an estimate."""
FREE = ("arith.constant", "arith.index_cast", "arith.bitcast", "nest.yield", "scf.yield", "nest.buffer", "nest.acc")


@dataclass(frozen=True)
class PhaseCost:
    """One phase of a kernel. cores: how many have work."""

    operations: float
    flop: float
    bytes_moved: float
    cores: float
    memory_us: float
    compute_us: float

    @property
    def time_us(self) -> float:
        return max(self.memory_us, self.compute_us)


def phase_cost(phase: nest.PhaseOp, device: Cpu, extents: Mapping[str, int]) -> PhaseCost:
    """What one phase takes at run-time dims of these extents."""
    count = _Count(extents)
    count.block(phase.block, 1.0)
    moved = sum(
        count.bytes_of(value, accesses, float(device.cache_bytes)) for value, accesses in count.accesses.items()
    )
    cores = max(1.0, min(float(device.cores), count.parallel))
    memory_us, compute_us = device.memory_us(moved, cores), device.operations_us(count.operations, cores)
    return PhaseCost(count.operations, count.flop, moved, cores, memory_us, compute_us)


@dataclass
class _Count:
    """Operations and accesses of a phase, each as often as its loops run."""

    extents: Mapping[str, int]
    operations: float = 0.0
    flop: float = 0.0
    parallel: float = 1.0
    accesses: Counter[SSAValue] = field(default_factory=Counter)

    def block(self, block: Block, times: float) -> None:
        for op in block.ops:
            inner = times * self._passes(op, times)
            self._op(op, times)
            for region in op.regions:
                for inside in region.blocks:
                    self.block(inside, inner)

    def _passes(self, op: Operation, times: float) -> float:
        """How often an op's region runs each time that the op does."""
        if isinstance(op, nest.ForOp):
            passes = self._trips(op)
            if op.is_bound(nest.PARALLEL):
                self.parallel = max(self.parallel, passes * times)
            return passes
        return self._entries(op.tensor) if isinstance(op, nest.EntriesOp) else 1.0

    def _trips(self, op: nest.ForOp) -> float:
        upper, lower = self._number(op.upper), self._number(op.lower)
        if upper is None:
            return float(op.most_passes)
        return max(0.0, min(float(op.most_passes), -(-(upper - (lower or 0.0)) // op.step_size)))

    def _number(self, value: SSAValue) -> float | None:
        """What an index is at these extents, None where that depends on data or on a pass. The least of several is one
        of those that are known."""
        owner = value.owner
        if isinstance(owner, arith.ConstantOp) and isinstance(owner.value, IntegerAttr):
            return float(owner.value.value.data)
        if isinstance(owner, DimSizeOp):
            return float(self.extents[owner.dim.data])
        if not isinstance(owner, arith.AddiOp | arith.SubiOp | arith.MinSIOp | arith.MaxSIOp):
            return None
        known = [number for operand in owner.operands if (number := self._number(operand)) is not None]
        if isinstance(owner, arith.MinSIOp):
            return min(known, default=None)
        if len(known) < 2:
            return None
        match owner:
            case arith.AddiOp():
                return known[0] + known[1]
            case arith.SubiOp():
                return known[0] - known[1]
        return max(known)

    def _entries(self, tensor: SSAValue) -> float:
        """Stored entries of a row, as a mean at most."""
        type_ = tensor.type
        assert isinstance(type_, TensorType) and isinstance(type_.storage, SparseAttr)
        rows, columns = (self._extent(size) for size in type_.shape)
        return min(columns, type_.storage.stored_bound.data / max(rows, 1.0))

    def _extent(self, size: int | str) -> float:
        return float(size if isinstance(size, int) else self.extents[size])

    def _op(self, op: Operation, times: float) -> None:
        if op.name in FREE:
            return
        dialect = op.name.split(".")[0]
        weight = 1.0
        if dialect == "math":
            weight = FUNCTION_OPERATIONS
        elif isinstance(op, nest.FindOp):
            weight = log2(max(2.0, self._entries(op.tensor)))
        elif isinstance(op, nest.FoldOp) and nest.is_queue(op.states):
            weight = OFFER_OPERATIONS
        self.operations += times * weight
        if _is_float(op):
            self.flop += times
        for value in _touched(op):
            self.accesses[value] += times * (weight if isinstance(op, nest.FindOp) else 1.0)  # type: ignore[assignment]
        if isinstance(op, nest.EntriesOp):
            self.accesses[op.tensor] += times * self._entries(op.tensor)  # type: ignore[assignment]

    def bytes_of(self, value: SSAValue, accesses: float, cache_bytes: float) -> float:
        """Bytes that accesses to a tensor or a buffer move."""
        type_ = value.type
        assert isinstance(type_, TensorType | nest.BufferType)
        each = storage_bits(type_.element) / 8
        if isinstance(type_, TensorType) and type_.is_sparse:
            assert isinstance(type_.storage, SparseAttr)
            size = float(type_.storage.stored_bound.data) * (each + 4)
            return min(size, accesses * (each + 4))
        size = prod(self._extent(extent) for extent in type_.shape) * each
        return min(size, accesses * each) if size <= cache_bytes else accesses * each


def _touched(op: Operation) -> list[SSAValue]:
    """What lies in memory of what an op reads or writes."""
    match op:
        case nest.ReadOp() | nest.FindOp():
            return [op.tensor]
        case nest.LoadOp() | nest.StoreOp():
            type_ = op.buffer.type
            assert isinstance(type_, nest.BufferType)
            return [op.buffer] if type_.where == nest.GLOBAL else []
    return []


def _is_float(op: Operation) -> bool:
    types: list[Attribute] = [value.type for value in op.operands]
    if isinstance(op, nest.FoldOp):
        return any(isinstance(type_, Float32Type) for type_ in types) and not nest.is_queue(op.states)
    is_number = op.name.split(".")[0] in ("arith", "math") and op.name != "arith.select"
    return is_number and any(isinstance(type_, Float32Type) for type_ in types)
