"""What launches on a GPU are estimated to cost.

A statement takes as long as its memory traffic or its arithmetic, whichever is longer, spread over the units that have
a program, each of which takes in what its port to the L2 lets through. A launch adds the cost of starting it. A
selection takes a few launches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod

from xdsl.dialects.builtin import f32
from xdsl.ir import SSAValue

from hetc.dialects.mp import (
    ComputeOp,
    RangedOp,
    ReadOp,
    SelectOp,
    TensorType,
    TopkOp,
    dtype_name,
    extent_key,
    storage_bits,
)
from hetc.passes.analysis.facts import OpFacts, pass_facts
from hetc.passes.schedule.gpu_dependencies import Dependencies, Indices
from hetc.passes.schedule.gpu_launches import Unit
from hetc.passes.schedule.gpu_products import operand_type
from hetc.passes.schedule.gpu_search import searched_bytes
from hetc.passes.schedule.gpu_selection import chunk_of, keys_are_cheap
from hetc.passes.schedule.gpu_tiles import StatementPlan
from hetc.platforms.gpu import Gpu

_KEY_BYTES = 4
_SELECTION_PASSES = 5
"""A selection reads the keys once for each of four digits, and once to pack."""


@dataclass(frozen=True)
class LaunchCost:
    """One statement's part of a launch. programs: how many may run side by side. joins: whether it runs in the launch
    of the statement before it. again: bytes that programs load which others load too."""

    bytes_moved: float
    flop: float
    dtype: str
    programs: float
    matrix: bool = False
    joins: bool = False
    again: float = 0.0


@dataclass
class Estimator:
    """Costs on one device at run-time dims of these extents; remembers what it has worked out."""

    device: Gpu
    extents: Mapping[str, int]
    _closed: dict[RangedOp, tuple[OpFacts, Dependencies]] = field(default_factory=dict)
    _facts: dict[RangedOp, tuple[dict[SSAValue, float], float]] = field(default_factory=dict)
    _loads: dict[RangedOp, list[tuple[float, Indices]]] = field(default_factory=dict)
    _searched: dict[RangedOp, float] = field(default_factory=dict)
    _known: dict[tuple[RangedOp, int], tuple[StatementPlan, list[LaunchCost], float]] = field(default_factory=dict)

    def at(self, extents: Mapping[str, int]) -> Estimator:
        """The same at other extents."""
        return self if extents == self.extents else Estimator(self.device, extents, self._closed)

    def _closed_of(self, op: RangedOp) -> tuple[OpFacts, Dependencies]:
        """What is known of a statement whatever the extents."""
        if op not in self._closed:
            self._closed[op] = pass_facts(op, frozenset()), Dependencies(op)  # a launch is of one pass
        return self._closed[op]

    def _facts_of(self, op: RangedOp) -> tuple[dict[SSAValue, float], float]:
        """Bytes moved by tensor that is read, and operations, those that take bytes apart included."""
        if op not in self._facts:
            facts, _ = self._closed_of(op)
            reads = {traffic.value: traffic.bytes_moved().evaluate(self.extents) for traffic in facts.reads}
            self._facts[op] = reads, (facts.flop + facts.conversions).evaluate(self.extents)
        return self._facts[op]

    def _memo(self, op: RangedOp, plan: StatementPlan) -> tuple[list[LaunchCost], float]:
        """A statement's launches with this plan, and the bytes that its tiles load again."""
        key = (op, id(plan))
        if key not in self._known:
            again = self._loaded_again(op, plan)
            self._known[key] = plan, self._launches(op, plan, again), again
        return self._known[key][1:]

    def costs(self, unit: Unit) -> list[LaunchCost]:
        """What each statement of a unit costs. What an earlier one of its launch has read or written its caches
        have."""
        found = self._side_by_side(unit)
        if unit.rows is None:
            return found
        return [
            replace(cost, bytes_moved=cost.bytes_moved - near, again=cost.again + near)
            for cost, near in zip(found, self._near(unit), strict=True)
        ]

    def _side_by_side(self, unit: Unit) -> list[LaunchCost]:
        """What each statement of a unit costs, whatever the others have read."""
        costs = [self._memo(op, plan)[0] for op, plan in zip(unit.statements, unit.plans, strict=True)]
        if unit.rows is None:
            return costs[0]
        op, plan = unit.statements[0], unit.plans[0]
        sizes = [_extent(extent_key(item.extent), self.extents) for item in op.index_ranges[: unit.rows]]
        tiles = [plan.tiles[index] for index in op.body.block.args[: unit.rows]]
        programs = prod(-(-size // tile) for size, tile in zip(sizes, tiles, strict=True))
        return [replace(cost, programs=programs, joins=number > 0) for number, (cost,) in enumerate(costs)]

    def _near(self, unit: Unit) -> list[float]:
        """Of each statement of a launch the bytes of what an earlier one has read or written: its caches have them."""
        held: dict[SSAValue, float] = {}
        found = []
        for op in unit.statements:
            reads = self._facts_of(op)[0]
            found.append(sum(min(size, held.get(value, 0.0)) for value, size in reads.items()))
            held |= {value: max(size, held.get(value, 0.0)) for value, size in reads.items()}
            held |= dict.fromkeys(op.results, float("inf"))
        return found

    def unit_us(self, unit: Unit) -> float:
        """What launches are compared by: their estimated time, and what programs load that others load too. Caches
        serve most of that, as of what statements of a launch read of each other; how fast, no platform says, so it
        counts as memory traffic."""
        costs = self._side_by_side(unit)
        busy = sum(max(pair) for pair in zip(*self.times(costs), strict=True))
        again = sum(self._memo(op, plan)[1] for op, plan in zip(unit.statements, unit.plans, strict=True))
        programs = max(min(cost.programs for cost in costs), 1.0)
        again_us = self.device.memory_us(again, again, programs)
        return busy + again_us + sum(not cost.joins for cost in costs) * float(self.device.launch_us)

    def _loaded_again(self, op: RangedOp, plan: StatementPlan) -> float:
        """Bytes that tiles of a statement load which other tiles of it load too."""
        blocks = {
            index: -(-_extent(extent_key(item.extent), self.extents) // plan.tiles[index])
            for index, item in zip(op.body.block.args, op.index_ranges, strict=True)
        }
        return sum(
            size * (prod(count for index, count in blocks.items() if index not in varying) - 1)
            for size, varying in self._loads_of(op)
        )

    def _loads_of(self, op: RangedOp) -> list[tuple[float, Indices]]:
        """Of each tensor that a statement reads: its bytes, and what its first read varies with."""
        if op not in self._loads:
            moved, (_, dependencies) = dict(self._facts_of(op)[0]), self._closed_of(op)
            self._loads[op] = [
                (moved.pop(read.tensor), dependencies.union(read.indices))
                for read in op.walk()
                if isinstance(read, ReadOp) and read.tensor in moved
            ]
        return self._loads[op]

    def _searched_by(self, op: RangedOp) -> float:
        """Bytes that the searches of a statement load."""
        if op not in self._searched:
            self._searched[op] = searched_bytes(op, self._closed_of(op)[1], self.extents)
        return self._searched[op]

    def times(self, costs: list[LaunchCost]) -> tuple[list[float], list[float]]:
        """Microseconds of memory traffic and of arithmetic, by launch."""
        memory, compute = [], []
        for cost in costs:
            share = min(1.0, max(cost.programs, 1.0) / float(self.device.compute_units))
            loaded = cost.bytes_moved + cost.again
            memory.append(self.device.memory_us(cost.bytes_moved, loaded, cost.programs))
            peak = float(self.device.vector_flop_per_s)
            if cost.matrix:
                peak = self.device.peak_ops_per_s(self.device.compute_dtype(cost.dtype))
            compute.append(cost.flop / (peak * share) * 1e6)
        return memory, compute

    def _launches(self, op: RangedOp, tiles: StatementPlan, again: float) -> list[LaunchCost]:
        """again: bytes that its tiles load again."""
        reads, flop = self._facts_of(op)
        moved = sum(reads.values())
        written = sum(_bytes(result.type, self.extents) for result in op.results if isinstance(result.type, TensorType))
        sizes = [_extent(extent_key(item.extent), self.extents) for item in op.index_ranges]
        blocks = [-(-size // tiles.tiles[index]) for size, index in zip(sizes, op.body.block.args, strict=True)]
        matrix = bool(tiles.products)
        dtype = _dtype(tiles)
        again += self._searched_by(op)
        if isinstance(op, ComputeOp):
            return [LaunchCost(moved + written, flop, dtype, prod(blocks), matrix, again=again)]
        rows, length = prod(sizes[:-1]), sizes[-1]
        launches = []
        key_bytes = _KEY_BYTES if op.yielded.value.type == f32 else 2 * _KEY_BYTES
        scanned = moved
        if not keys_are_cheap(op):
            keys = float(rows * length * key_bytes)
            launches.append(LaunchCost(moved + keys, flop, dtype, prod(blocks), matrix, again=again))
            scanned = keys
        passes = _SELECTION_PASSES if key_bytes == _KEY_BYTES else _SELECTION_PASSES + 1
        assert isinstance(op, TopkOp | SelectOp)
        chunk = chunk_of(op)
        if chunk is not None:
            count = op.k.value.data if isinstance(op, TopkOp) else op.capacity.value.data
            chunks = -(-length // chunk)
            best = min(length, chunks * count)
            programs = rows * chunks
            launches.append(LaunchCost(passes * scanned, float(passes * rows * length), "i32", programs))
            scanned, length = float(rows * best * (key_bytes + 4)), best
        launches.append(LaunchCost(passes * scanned + written, float(passes * rows * length), "i32", rows))
        if isinstance(op, TopkOp) and op.order.data == "score":
            count = op.k.value.data
            launches.append(LaunchCost(2 * written, float(rows * count * count), "i32", rows * -(-count // 64)))
        return launches


def _dtype(tiles: StatementPlan) -> str:
    """The type that a statement's matrix products run in: the widest of them."""
    types = {dtype_name(operand_type(product.left, product.right)) for product in tiles.products.values()}
    return "f32" if "f32" in types or not types else types.pop()


def _bytes(type: TensorType, extents: Mapping[str, int]) -> float:
    return prod(_extent(size, extents) for size in type.shape) * storage_bits(type.element) / 8


def _extent(size: int | str, extents: Mapping[str, int]) -> int:
    return size if isinstance(size, int) else extents[size]
