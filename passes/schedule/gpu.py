"""How a GPU runs a kernel: tile sizes of each statement, and what a call is estimated to take.

Each statement is one launch or a few, one after the other. A launch takes as long as its memory traffic or its
arithmetic, whichever is longer, spread over the units that have a program, and the cost of starting it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from xdsl.dialects.builtin import f32

from hetc.dialects.mp import (
    ComputeOp,
    RangedOp,
    SelectOp,
    TensorType,
    TopkOp,
    dtype_name,
    enclosing_pipeline,
    extent_key,
    storage_bits,
)
from hetc.dialects.task import KernelOp
from hetc.passes.analysis.facts import op_facts
from hetc.passes.schedule.gpu_checks import check_kernel
from hetc.passes.schedule.gpu_dependencies import Dependencies
from hetc.passes.schedule.gpu_products import operand_type
from hetc.passes.schedule.gpu_selection import chunk_of, keys_are_cheap
from hetc.passes.schedule.gpu_tiles import StatementPlan, plan_statement
from hetc.passes.schedule.model import PlanValue, Schedule
from hetc.platforms.device import Gpu

_KEY_BYTES = 4
_SELECTION_PASSES = 5
"""A selection reads the keys once for each of four digits, and once to pack."""


@dataclass(frozen=True)
class LaunchCost:
    """One launch. programs: how many may run side by side."""

    bytes_moved: float
    flop: float
    dtype: str
    programs: float
    matrix: bool = False


def schedule(kernel: KernelOp, device: Gpu, dims: Mapping[str, int]) -> Schedule:
    """The schedule of a task kernel on a GPU with run-time dims of these extents. Raises GpuRefused."""
    check_kernel(kernel)
    extents = {name: dim.largest for name, dim in enclosing_pipeline(kernel).dims.items()} | dict(dims)
    plan: dict[str, PlanValue] = {}
    costs: list[LaunchCost] = []
    largest_tile = 0
    for number, op in enumerate(kernel.block.ops):
        if not isinstance(op, RangedOp):
            continue
        dependencies = Dependencies(op)
        tiles = plan_statement(op, list(op.body.block.args), dependencies)
        plan |= {f"s{number}.{name}": size for name, size in tiles.by_name.items()}
        largest_tile = max(largest_tile, tiles.largest_tile)
        costs += _launches(op, tiles, extents)
    memory_us, compute_us = _time(costs, device)
    launch_us = len(costs) * float(device.launch_us)
    busy_us = sum(max(pair) for pair in zip(memory_us, compute_us, strict=True))
    time_us = busy_us + launch_us
    parts = {"memory": sum(memory_us), "compute": sum(compute_us), "launch": launch_us}
    return Schedule(
        kind="gpu",
        plan=plan,
        resources={"launches": float(len(costs)), "registers": _registers(largest_tile)},
        time_us=time_us,
        energy_mj=time_us * float(device.board_watts) * 1e-3,
        bytes_moved=sum(cost.bytes_moved for cost in costs),
        flop=sum(cost.flop for cost in costs),
        bound=max(parts, key=lambda part: parts[part]),
        launch_us=launch_us,
        notes=("the energy estimate is board power for the whole time",),
    )


def _registers(largest_tile: int) -> float:
    """An estimate: two tiles of the largest size live at a time, and addresses."""
    return min(255.0, 32.0 + 2.0 * largest_tile / 128)


def _time(costs: list[LaunchCost], device: Gpu) -> tuple[list[float], list[float]]:
    """Microseconds of memory traffic and of arithmetic, by launch."""
    memory, compute = [], []
    for cost in costs:
        share = min(1.0, max(cost.programs, 1.0) / float(device.compute_units))
        memory.append(cost.bytes_moved / (device.usable_bandwidth_bytes_per_s * share) * 1e6)
        peak = float(device.vector_flop_per_s)
        if cost.matrix:
            peak = device.peak_ops_per_s(device.compute_dtype(cost.dtype))
        compute.append(cost.flop / (peak * share) * 1e6)
    return memory, compute


def _launches(op: RangedOp, tiles: StatementPlan, extents: Mapping[str, int]) -> list[LaunchCost]:
    facts = op_facts(op, frozenset())
    moved = sum(traffic.bytes_moved().evaluate(extents) for traffic in facts.reads)
    written = sum(_bytes(result.type, extents) for result in op.results if isinstance(result.type, TensorType))
    flop = facts.flop.evaluate(extents)
    sizes = [_extent(extent_key(item.extent), extents) for item in op.index_ranges]
    blocks = [-(-size // tiles.tiles[index]) for size, index in zip(sizes, op.body.block.args, strict=True)]
    matrix = bool(tiles.products)
    dtype = _dtype(tiles)
    if isinstance(op, ComputeOp):
        return [LaunchCost(moved + written, flop, dtype, prod(blocks), matrix)]
    rows, length = prod(sizes[:-1]), sizes[-1]
    launches = []
    key_bytes = _KEY_BYTES if op.yielded.value.type == f32 else 2 * _KEY_BYTES
    scanned = moved
    if not keys_are_cheap(op):
        keys = float(rows * length * key_bytes)
        launches.append(LaunchCost(moved + keys, flop, dtype, prod(blocks), matrix))
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
