"""What loops take on a processor, read from the loops.

Every op counts as often as the loops around it run at the extents asked for. Elements of a tensor that stay in the
caches are fetched once, others as often as they are accessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import log2, prod

from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType, IntegerAttr
from xdsl.ir import Block, Operation, SSAValue

from hetc.dialects import nest
from hetc.dialects.mp import DimSizeOp, TensorType, storage_bits
from hetc.dialects.mp.storage import SparseAttr
from hetc.passes.nest.counted import decoding, is_float, touched
from hetc.platforms.cpu import Cpu

FUNCTION_OPERATIONS = 20
"""Of a function of mathematics (an exponential, a sine), in operations: an estimate."""
OFFER_OPERATIONS = 3
"""Of a pair that is offered to a queue and not taken: an estimate."""
REGISTER_LANES = 16
"""Lanes that one operation has at most: those of 64 bytes, the widest registers that processors have."""
CORE_CACHE_BYTES = 1 << 21
"""The cache of its own that a core of a large processor has."""
FUNCTIONS_OF_LANES = ("math.exp",)
"""What is worked out for the lanes of a register at once; other functions go lane by lane."""
GATHER_OPERATIONS = 2
"""Of a lane's element that does not lie beside its neighbour's, in operations: an estimate."""
JOIN_OPERATIONS = 2
"""Of a level of the tree that joins lanes, in operations: an estimate."""
_ARITHMETIC: Mapping[str, Callable[..., float]] = {
    "arith.addi": lambda a, b: a + b, "arith.subi": lambda a, b: a - b, "arith.muli": lambda a, b: a * b,
    "arith.minsi": min, "arith.maxsi": max, "arith.floordivsi": lambda a, b: a // b if b else 0.0,
}  # fmt: skip
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


@dataclass
class Known:
    """What is looked up once of loops that are counted several times, while their ops stay as they are: the values of
    which lanes of a loop have their own, and the operations of each op of a single pass."""

    own: dict[nest.ForOp, set[SSAValue]] = field(default_factory=dict)
    weights: dict[Operation, float] = field(default_factory=dict)


def operations(op: Operation, extents: Mapping[str, int], known: Known | None = None) -> float:
    """How many operations an op with what is in it takes, at run-time dims of these extents."""
    count = _Count(extents, known or Known())
    count.op(op, 1.0)
    return count.operations


def operations_of_each(loop: nest.ForOp, extents: Mapping[str, int]) -> dict[Operation, float]:
    """How many operations each op in a loop without loops takes for one pass."""
    count, found = _Count(extents), {}
    lanes = next((item for item in (loop, *_outer(loop)) if item.lane_count), None)
    if lanes is not None:
        count.lanes = _Lanes(lanes, nest.own_values(lanes), lanes.lane_count)
    for op in nest.inner_ops(loop):
        before = count.operations
        count.only(op, 1.0)
        found[op] = count.operations - before
    return found


def _outer(loop: nest.ForOp) -> Iterator[nest.ForOp]:
    parent = loop.parent_op()
    while parent is not None:
        if isinstance(parent, nest.ForOp):
            yield parent
        parent = parent.parent_op()


def phase_cost(phase: nest.PhaseOp, device: Cpu, extents: Mapping[str, int]) -> PhaseCost:
    """What one phase takes at run-time dims of these extents."""
    count = _PhaseCount(extents)
    count.block(phase.block, 1.0)
    moved = sum(
        count.bytes_of(value, accesses, float(device.cache_bytes)) for value, accesses in count.accesses.items()
    )
    cores = max(1.0, min(float(device.cores), count.parallel))
    memory_us, compute_us = device.memory_us(moved, cores), device.operations_us(count.operations, cores)
    return PhaseCost(count.operations, count.flop, moved, cores, memory_us, compute_us)


@dataclass(frozen=True)
class _Lanes:
    """The loop of lanes that is counted in, and the values of which each lane has its own."""

    loop: nest.ForOp
    own: set[SSAValue]
    count: int

    def of(self, op: Operation) -> int:
        """How many lanes carry an op out, each for itself."""
        return 1 if self.own.isdisjoint(op.operands) and self.own.isdisjoint(op.results) else self.count

    def steps(self, op: Operation) -> float:
        """How many operations an op of all lanes takes."""
        if self.of(op) == 1:
            return 1.0
        if op.name.startswith("math.") and op.name not in FUNCTIONS_OF_LANES:
            return float(self.count)
        if not nest.is_in_line(op, self.loop, self.own):
            return GATHER_OPERATIONS * self.count
        return max(1.0, self.count / REGISTER_LANES)


@dataclass
class _Count:
    """Operations, each as often as its loops run."""

    extents: Mapping[str, int]
    known: Known = field(default_factory=Known)
    operations: float = 0.0
    parallel: float = 1.0
    lanes: _Lanes | None = None
    means: dict[SSAValue, float] = field(default_factory=dict)

    def block(self, block: Block, times: float) -> None:
        for op in block.ops:
            self.op(op, times)

    def op(self, op: Operation, times: float) -> None:
        """One op, and what is in it."""
        self.only(op, times)
        if not op.regions:
            return
        if isinstance(op, nest.ForOp) and op.is_bound(nest.VECTOR):
            self._in_lanes(op, times)
            return
        inner = times * self._passes(op, times)
        for region in op.regions:
            for inside in region.blocks:
                self.block(inside, inner)

    def _in_lanes(self, op: nest.ForOp, times: float) -> None:
        """A loop of lanes: whole steps, the passes that are left, and the tree that joins what was folded."""
        passes, count = self._trips(op), op.lane_count
        whole, rest = divmod(passes, count)
        if op not in self.known.own:
            self.known.own[op] = nest.own_values(op)
        outside = sum(
            isinstance(item, nest.FoldOp)
            and not isinstance(item.states.owner, Block)
            and not nest.is_inside(item.states.owner, op)
            for item in nest.inner_ops(op)
        )
        self.operations += times * outside * JOIN_OPERATIONS * log2(count)
        self.lanes = _Lanes(op, self.known.own[op], count)
        self.block(op.block, times * whole)
        self.lanes = None
        if rest:
            self.block(op.block, times * rest)

    def _passes(self, op: Operation, times: float) -> float:
        """How often an op's region runs each time that the op does."""
        if isinstance(op, nest.ForOp):
            passes = self._trips(op)
            self.means[op.index] = (self._known(op.lower) or 0.0) + max(passes - 1, 0) // 2 * op.step_size
            if op.is_bound(nest.PARALLEL):
                self.parallel = max(self.parallel, passes * times)
            return passes
        return self._entries(op.tensor) if isinstance(op, nest.EntriesOp) else 1.0

    def _trips(self, op: nest.ForOp) -> float:
        upper, lower = self._known(op.upper), self._known(op.lower)
        if upper is None:
            return float(op.most_passes)
        return max(0.0, min(float(op.most_passes), -(-(upper - (lower or 0.0)) // op.step_size)))

    def _known(self, value: SSAValue) -> float | None:
        """What an index is, of the index of a loop the mean; None where the loops do not say. The least of several is
        one of those that are known."""
        owner = value.owner
        if isinstance(owner, Block):
            return self.means.get(value)
        match owner:
            case arith.ConstantOp() if isinstance(owner.value, IntegerAttr):
                return float(owner.value.value.data)
            case DimSizeOp():
                return float(self.extents[owner.dim.data])
            case nest.FinishOp():
                folds = [use.operation for use in owner.states.uses if isinstance(use.operation, nest.FoldOp)]
                is_one = len(folds) == 1 and len(folds[0].values) == 1 and isinstance(value.type, IndexType)
                return self._known(folds[0].values[0]) if is_one else None
        made = _ARITHMETIC.get(owner.name)
        if made is None:
            return None
        given = [number for operand in owner.operands if (number := self._known(operand)) is not None]
        if isinstance(owner, arith.MinSIOp):
            return min(given, default=None)
        return made(*given) if len(given) == len(owner.operands) else None

    def _entries(self, tensor: SSAValue) -> float:
        """Stored entries of a row, as a mean at most."""
        type_ = tensor.type
        assert isinstance(type_, TensorType) and isinstance(type_.storage, SparseAttr)
        rows, columns = (self._extent(size) for size in type_.shape)
        return min(columns, type_.storage.stored_bound.data / max(rows, 1.0))

    def _extent(self, size: int | str) -> float:
        return float(size if isinstance(size, int) else self.extents[size])

    def only(self, op: Operation, times: float) -> None:
        """One op without what is in it."""
        if op.name not in FREE:
            self.operations += times * self.weight(op) * (1.0 if self.lanes is None else self.lanes.steps(op))

    def weight(self, op: Operation) -> float:
        """The operations of an op in a single pass."""
        if op not in self.known.weights:
            self.known.weights[op] = self._weight(op)
        return self.known.weights[op]

    def _weight(self, op: Operation) -> float:
        if op.name.startswith("math."):
            return FUNCTION_OPERATIONS
        if isinstance(op, nest.ReadOp):
            return 1.0 + decoding(op)
        if isinstance(op, nest.FindOp):
            return log2(max(2.0, self._entries(op.tensor)))
        return OFFER_OPERATIONS if isinstance(op, nest.FoldOp) and nest.is_queue(op.states) else 1.0


@dataclass
class _PhaseCount(_Count):
    """Operations of a phase, and those of floats and accesses among them."""

    flop: float = 0.0
    accesses: Counter[SSAValue] = field(default_factory=Counter)

    def only(self, op: Operation, times: float) -> None:
        super().only(op, times)
        if op.name in FREE:
            return
        lanes = 1.0 if self.lanes is None else self.lanes.of(op)
        if is_float(op):
            self.flop += times * lanes
        for value in touched(op):
            self.accesses[value] += times * lanes * (self.weight(op) if isinstance(op, nest.FindOp) else 1.0)  # type: ignore[assignment]
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
