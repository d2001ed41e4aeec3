"""How a processor runs a kernel, and what a call is estimated to take: read from the loops that are printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hetc.dialects import nest
from hetc.dialects.mp import enclosing_pipeline
from hetc.dialects.task import KernelOp
from hetc.passes.nest.cost import phase_cost
from hetc.passes.nest.lower_to_nest import lower_kernel
from hetc.passes.nest.rewrites import rewrite
from hetc.passes.refusal import LoweringRefused
from hetc.passes.schedule.model import Refused, Schedule, unreadable
from hetc.platforms.cpu import Cpu


def plan(kernel: KernelOp, device: Cpu, dims: Mapping[str, int]) -> CpuPlan:
    """The loops of a task kernel. Raises Refused."""
    for argument in kernel.block.args:
        reason = unreadable(argument.type)  # type: ignore[arg-type]
        if reason:
            raise Refused(reason, kernel)
    try:
        loops = lower_kernel(kernel)
    except LoweringRefused as refused:
        raise Refused(refused.reason, refused.op or kernel) from refused
    declared = enclosing_pipeline(kernel).dims
    rewrite(loops, declared)
    bounds = {name: dim.largest for name, dim in declared.items()}
    return CpuPlan(device, bounds, loops)


@dataclass(frozen=True)
class CpuPlan:
    """Loops that are decided."""

    device: Cpu
    bounds: Mapping[str, int]
    loops: nest.KernelOp

    def at(self, dims: Mapping[str, int]) -> Schedule:
        """These loops at run-time dims of these extents."""
        phases = [op for op in self.loops.block.ops if isinstance(op, nest.PhaseOp)]
        costs = [phase_cost(phase, self.device, {**self.bounds, **dims}) for phase in phases]
        launch_us = len(costs) * float(self.device.launch_us)
        time_us = sum(cost.time_us for cost in costs) + launch_us
        parts = {
            "memory": sum(cost.memory_us for cost in costs),
            "compute": sum(cost.compute_us for cost in costs),
            "launch": launch_us,
        }
        return Schedule(
            kind="cpu",
            plan={},
            resources={"cores": max((cost.cores for cost in costs), default=1.0)},
            time_us=time_us,
            energy_mj=time_us * float(self.device.board_watts) * 1e-3,
            bytes_moved=sum(cost.bytes_moved for cost in costs),
            flop=sum(cost.flop for cost in costs),
            bound=max(parts, key=lambda part: parts[part]),
            launch_us=launch_us,
            notes=("the energy estimate is the processor's power for the whole time",),
        )
