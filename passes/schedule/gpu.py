"""How a GPU runs a kernel: which statements share a launch, their tile sizes, and what a call is estimated to take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hetc.dialects.mp import RangedOp, enclosing_pipeline
from hetc.dialects.task import KernelOp
from hetc.passes.schedule.gpu_checks import check_kernel
from hetc.passes.schedule.gpu_cost import Estimator
from hetc.passes.schedule.gpu_launches import Grouping, Unit
from hetc.passes.schedule.model import PlanValue, Schedule
from hetc.platforms.gpu import Gpu


def schedule(kernel: KernelOp, device: Gpu, dims: Mapping[str, int]) -> Schedule:
    """The schedule of a task kernel on a GPU with run-time dims of these extents. Raises GpuRefused."""
    return plan(kernel, device, dims).at(dims)


def plan(kernel: KernelOp, device: Gpu, dims: Mapping[str, int]) -> GpuPlan:
    """The launches of a task kernel, chosen for run-time dims of these extents. Raises GpuRefused."""
    check_kernel(kernel)
    bounds = {name: dim.largest for name, dim in enclosing_pipeline(kernel).dims.items()}
    statements = [
        (number, op)
        for number, op in enumerate(kernel.block.ops)
        if isinstance(op, RangedOp) and any(result.first_use is not None for result in op.results)
    ]
    estimator = Estimator(device, bounds | dict(dims))
    return GpuPlan(device, bounds, tuple(Grouping(estimator.unit_us).units(statements)), estimator)


@dataclass(frozen=True)
class GpuPlan:
    """Launches that are decided. estimator: of the extents that they were chosen for."""

    device: Gpu
    bounds: Mapping[str, int]
    units: tuple[Unit, ...]
    estimator: Estimator

    def at(self, dims: Mapping[str, int]) -> Schedule:
        """These launches at run-time dims of these extents."""
        device, units, estimator = self.device, self.units, self.estimator.at({**self.bounds, **dims})
        chosen: dict[str, PlanValue] = {}
        for unit in units:
            chosen |= _plan_of(unit)
        costs = [cost for unit in units for cost in estimator.costs(unit)]
        largest_tile = max((tiles.largest_tile for unit in units for tiles in unit.plans), default=0)
        memory_us, compute_us = estimator.times(costs)
        launches = sum(not cost.joins for cost in costs)
        launch_us = launches * float(device.launch_us)
        busy_us = sum(max(pair) for pair in zip(memory_us, compute_us, strict=True))
        time_us = busy_us + launch_us
        parts = {"memory": sum(memory_us), "compute": sum(compute_us), "launch": launch_us}
        return Schedule(
            kind="gpu",
            plan=chosen,
            resources={"launches": float(launches), "registers": _registers(largest_tile)},
            time_us=time_us,
            energy_mj=time_us * float(device.board_watts) * 1e-3,
            bytes_moved=sum(cost.bytes_moved for cost in costs),
            flop=sum(cost.flop for cost in costs),
            bound=max(parts, key=lambda part: parts[part]),
            launch_us=launch_us,
            notes=("the energy estimate is board power for the whole time",),
        )


def _plan_of(unit: Unit) -> dict[str, PlanValue]:
    """The tiles of each statement by loop; for several in one launch also what they share."""
    plan: dict[str, PlanValue] = {}
    for number, tiles in zip(unit.numbers, unit.plans, strict=True):
        plan |= {f"s{number}.{name}": size for name, size in tiles.by_loop.items()}
    if unit.rows is not None:
        plan[f"rows.s{unit.numbers[0]}"] = unit.rows
        plan |= {f"launch.s{number}": unit.numbers[0] for number in unit.numbers}
    return plan


def _registers(largest_tile: int) -> float:
    """An estimate: two tiles of the largest size live at a time, and addresses."""
    return min(255.0, 32.0 + 2.0 * largest_tile / 128)
