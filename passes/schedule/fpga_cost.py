"""What a statement's region costs on an FPGA: operations, cycles and operators for one evaluation.

All figures are estimates from the card's operator table; address arithmetic and AXI adapters are not in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from math import ceil, log2

from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, i64
from xdsl.ir import Block, Operation, SSAValue

from hetc.dialects.mp import (
    ComputeOp,
    DimSizeOp,
    RangedOp,
    ReadOp,
    ReadStoredOp,
    ReduceOp,
    SparseAttr,
    TensorType,
    YieldOp,
    extent_key,
)
from hetc.passes.analysis.stored_entries import stored_only
from hetc.passes.lower_hls.initiation import FLOAT_OPERATORS, INTEGER_OPERATORS, Latencies
from hetc.passes.lower_hls.lanes import Rounds, assign_lanes, rounds_of
from hetc.passes.lower_hls.products import ExactProduct, exact_sums
from hetc.platforms.fpga import Fpga, Operator

OperatorKey = tuple[str, str]
_COMBINE = {"sum": "add", "mean": "add", "prod": "mul", "count": "add"}


@dataclass
class Cost:
    """One evaluation of a region.

    operations: of the algorithm. cycles: spent in loops, 0 where the region is one pipeline stage set.
    rounds: iterations of the pipeline that one evaluation takes.
    latency: cycles from its inputs to its value, loops aside. operators: how many of each are laid out.
    reads: elements read, by tensor.
    """

    operations: float = 0.0
    cycles: float = 0.0
    latency: float = 0.0
    operators: Counter[OperatorKey] = field(default_factory=Counter)
    reads: Counter[SSAValue] = field(default_factory=Counter)
    rounds: int = 1


@dataclass(frozen=True)
class CostModel:
    """`lanes`: reductions laid out side by side; `fused`: statements evaluated where they are read."""

    dims: Mapping[str, int]
    latencies: Latencies
    lanes: Mapping[ReduceOp, int]
    fused: Mapping[SSAValue, ComputeOp]
    accumulators: int = 8
    exact: Mapping[ReduceOp, ExactProduct] = field(default_factory=dict)
    rounds: Rounds | None = None

    def extent(self, key: int | str) -> int:
        return key if isinstance(key, int) else self.dims[key]

    def of_block(self, block: Block) -> Cost:
        """The cost of a region's ops, one after the other."""
        total = Cost()
        for op in block.ops:
            if isinstance(op, ReduceOp):
                self._reduce(op, total)
            elif isinstance(op, ReadOp) and op.tensor in self.fused:
                self._add(total, self.of_block(self.fused[op.tensor].body.block))
            elif isinstance(op, ReadOp | ReadStoredOp):
                total.reads[op.tensor] += 1
            elif not isinstance(op, YieldOp | DimSizeOp | arith.ConstantOp):
                self._scalar(op, total)
        return total

    @staticmethod
    def _add(total: Cost, part: Cost) -> None:
        total.operations += part.operations
        total.cycles += part.cycles
        total.latency += part.latency
        total.operators.update(part.operators)
        total.reads.update(part.reads)
        total.rounds *= part.rounds

    def _scalar(self, op: Operation, total: Cost) -> None:
        key = operator_of(op)
        total.operations += 1
        if key is not None:
            total.operators[key] += 1
            total.latency += self.latencies.operator(*key)

    def _trips(self, op: ReduceOp) -> int:
        """Iterations: the extent, or the entries of an average row where only those are visited."""
        extent = self.extent(extent_key(op.range.extent))
        entries = stored_only(op)
        if entries is None:
            return extent
        type_ = entries.tensor.type
        assert isinstance(type_, TensorType)
        storage = type_.storage
        rows = max(self.extent(type_.shape[0]), 1)
        return min(extent, ceil(storage.stored_bound.data / rows)) if isinstance(storage, SparseAttr) else extent

    def _exact(self, op: ReduceOp, total: Cost) -> None:
        """A tree over products of codes: integer adders, one conversion at its end."""
        lanes, product = self.lanes[op], self.exact[op]
        key: OperatorKey = ("fp8" if product.is_float else "i8", "madd")
        total.operators[key] += lanes
        total.operations += 2 * lanes
        total.latency += self.latencies.operator(*key) + ceil(log2(max(lanes, 2)))
        if product.is_float:
            total.operators[("f32", "from_int")] += 1
            total.latency += self.latencies.operator("f32", "from_int")

    def _reduce(self, op: ReduceOp, total: Cost) -> None:
        if op in self.exact:
            self._exact(op, total)
            return
        trips = self._trips(op)
        lanes = self.lanes.get(op, 1)
        inner = self.of_block(op.body.block)
        is_float = isinstance(op.yielded.value.type, Float32Type)
        join: OperatorKey = ("f32" if is_float else "i32", _COMBINE.get(op.kind.data, "cmp"))
        rounds = ceil(trips / lanes)
        join_latency = self.latencies.operator(*join)
        depth = ceil(log2(max(lanes, 2))) * join_latency
        if self.rounds is not None and op is self.rounds.op:
            total.rounds = rounds
            partial = min(self.accumulators, rounds) if is_float else 1
            total.operators[join] += partial
            total.latency += inner.latency + depth + ceil(log2(max(2 * partial, 2))) * join_latency
        elif rounds > 1 or op not in self.lanes:
            interval = 1 if rounds >= 2 * self.accumulators else join_latency
            total.cycles += rounds * max(inner.cycles, interval) + inner.latency + depth
        else:
            total.latency += inner.latency + depth
            total.cycles += inner.cycles
        total.operations += trips * (inner.operations + 1)
        for key, count in inner.operators.items():
            total.operators[key] += count * lanes
        total.operators[join] += lanes
        for tensor, count in inner.reads.items():
            total.reads[tensor] += count * trips


@dataclass
class Costs:
    """Costs of one kernel's statements: each is needed for many plans, which differ in little that it depends on."""

    card: Fpga
    dims: Mapping[str, int]
    accumulators: int
    _known: dict[tuple[Operation, int], Cost] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._latencies = Latencies.of(self.card)

    def of(
        self, op: RangedOp, fused: Mapping[SSAValue, ComputeOp], budget: int, on_chip: Container[SSAValue] = ()
    ) -> Cost:
        """The cost of the statement's region, with reductions laid out within a budget of lanes."""
        if (op, budget) not in self._known:
            blocks = [op.body.block, *(statement.body.block for statement in fused.values())]
            lanes = assign_lanes(blocks, budget) if budget > 1 else {}
            exact = exact_sums(lanes, on_chip)
            rounds = rounds_of(op, blocks, lanes) if on_chip else None
            model = CostModel(self.dims, self._latencies, lanes, fused, self.accumulators, exact, rounds)
            self._known[(op, budget)] = model.of_block(op.body.block)
        return self._known[(op, budget)]


def operator_of(op: Operation) -> OperatorKey | None:
    """The entry of a card's table that carries an operation out; None for wiring."""
    values = (*op.operands, *op.results)
    if op.name in FLOAT_OPERATORS:
        floats = any(isinstance(value.type, Float32Type) for value in values)
        return ("f32" if floats else "i32", FLOAT_OPERATORS[op.name])
    if op.name in INTEGER_OPERATORS:
        return ("i64" if any(value.type == i64 for value in values) else "i32", INTEGER_OPERATORS[op.name])
    return None


def price(card: Fpga, operators: Mapping[OperatorKey, float]) -> tuple[dict[str, float], set[str]]:
    """LUT, FF and DSP of so many operators, and the names of those that the card's table lacks."""
    totals = {"lut": 0.0, "ff": 0.0, "dsp": 0.0}
    missing: set[str] = set()
    for (dtype, name), count in operators.items():
        cost: Operator | None = card.operators.get(dtype, {}).get(name)
        if cost is None:
            missing.add(f"{dtype}.{name}")
            continue
        for resource in totals:
            totals[resource] += count * float(getattr(cost, resource))
    return totals, missing
