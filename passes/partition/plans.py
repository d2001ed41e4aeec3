"""Plans: a device for each stage, and what a call then costs.

A plan is tried by placing a copy of the module and cutting it into kernels as the compiler does, so that what is
compared is what is compiled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr

from hetc.dialects.locations import source_line
from hetc.dialects.mp import WRITES_IN_PLACE, ConstantOp, ForOp, GetOp, PipelineOp, in_order, times
from hetc.dialects.task import KernelOp
from hetc.passes.partition.cut_kernels import CutKernelsPass
from hetc.passes.partition.evaluate import Evaluation, beyond_room, evaluate, kernels_of
from hetc.passes.partition.fuse_producers import FuseProducersPass
from hetc.passes.partition.homes import Reads, home_memories, memory_reads
from hetc.passes.partition.insert_transfers import InsertTransfersPass
from hetc.passes.partition.outline import attribute
from hetc.passes.schedule.model import Refused
from hetc.passes.schedule.schedules import Remembered, Schedules
from hetc.platforms import Platform

Unit = tuple[str, str]
"""A stage of a step: (step, stage)."""
Devices = Mapping[Unit, str]
"""The device kind of each."""


@dataclass(frozen=True, eq=False)
class Plan:
    """A device for each stage, and what a call costs (an estimate); or why it cannot be compiled."""

    devices: tuple[tuple[Unit, str], ...]
    cost: Evaluation | None = None
    refused: str = ""

    def value(self, objective: str) -> float:
        """What the plan is compared by: us, mJ, or us x mJ; infinite where it cannot be compiled."""
        if self.cost is None:
            return float("inf")
        return value_of(self.cost.time_us, self.cost.energy_mj, objective)


@dataclass
class Plans:
    """The plans of one pipeline of a module whose statements are expanded, each tried once."""

    module: ModuleOp
    pipeline: str
    schedules: Schedules
    tried: dict[tuple[tuple[Unit, str], ...], Plan] = field(default_factory=dict)
    _placed: dict[Plan, _Placed] = field(default_factory=dict)
    _starts: dict[str | None, _Start] = field(default_factory=dict)

    def of(self, devices: Devices) -> Plan:
        key = tuple(devices.items())
        if key not in self.tried:
            self.tried[key] = self._try(key)
        return self.tried[key]

    def _try(self, devices: tuple[tuple[Unit, str], ...]) -> Plan:
        platform, dims = self.schedules.platform, self.schedules.dims
        pipeline = self._cut(dict(devices))
        lacking = beyond_room(pipeline, platform)
        if lacking:
            return Plan(devices, refused=lacking)
        try:
            placed = self._planned(pipeline)
        except Refused as refused:
            line = source_line(refused.op)
            return Plan(devices, refused=f"{refused.reason}{f' ({line})' if line else ''}")
        plan = Plan(devices, placed.cost(platform, dims))
        self._placed[plan] = placed
        return plan

    def kernels_of_step(self, step: str, devices: Devices) -> Plan:
        """What the kernels of one step take in a call, its stages so placed, without any copies; of the only step, the
        plan itself, which takes no less."""
        if len(_pipelines(self.module)[self.pipeline].steps) == 1:
            return self.of(devices)
        key = tuple(devices.items())
        try:
            kernels = self._planned(self._cut(devices, only=step)).planned
        except Refused as refused:
            return Plan(key, refused=refused.reason)
        taken = [(times(kernel), planned.at(self.schedules.dims)) for kernel, planned in kernels.items()]
        busy = {"": sum(count * schedule.time_us for count, schedule in taken)}
        energy_mj = sum(count * schedule.energy_mj for count, schedule in taken)
        return Plan(key, Evaluation(busy, 0.0, 0.0, energy_mj))

    def _cut(self, devices: Devices, only: str | None = None) -> PipelineOp:
        """A copy of the pipeline so placed, cut into kernels. only: the one step that it keeps."""
        if only not in self._starts:
            self._starts[only] = self._start(only)
        start = self._starts[only]
        module = start.module.clone()
        pipeline = _pipelines(module)[self.pipeline]
        place(pipeline, devices)
        home_memories(pipeline, self.schedules.platform, start.reads)
        for pass_ in (FuseProducersPass(), CutKernelsPass(), InsertTransfersPass()):
            pass_.apply(Context(), module)
        return pipeline

    def _start(self, only: str | None) -> _Start:
        """The pipeline in a module of its own. only: the one step that it keeps."""
        module = self.module.clone()
        pipeline = _pipelines(module)[self.pipeline]
        others = [op for op in module.body.block.ops if op is not pipeline]
        others += [step for name, step in pipeline.steps.items() if only not in (None, name)]
        for other in others:
            other.detach()
        return _Start(module, memory_reads(pipeline, self.schedules.dims))

    def _planned(self, pipeline: PipelineOp) -> _Placed:
        return _Placed(pipeline, {kernel: self.schedules.planned(kernel) for kernel in kernels_of(pipeline)})

    def own_dims(self) -> list[str]:
        """The run-time dims that are derived from no others."""
        dims = _pipelines(self.module)[self.pipeline].dims
        return [name for name, dim in dims.items() if not dim.is_static and dim.derived is None]

    def at(self, plan: Plan, dims: Mapping[str, int]) -> Plan:
        """A plan that can be compiled, with what it costs at other extents: as it is compiled now."""
        return Plan(plan.devices, self._placed[plan].cost(self.schedules.platform, dims))


@dataclass(frozen=True)
class _Start:
    """What is placed and cut: a pipeline, alone in a module. reads: what its statements read of memories."""

    module: ModuleOp
    reads: Reads


@dataclass(frozen=True)
class _Placed:
    """A pipeline that is cut into kernels, and the plan of each."""

    pipeline: PipelineOp
    planned: Mapping[KernelOp, Remembered]

    def cost(self, platform: Platform, dims: Mapping[str, int]) -> Evaluation:
        return evaluate(
            self.pipeline, platform, dims, {kernel: planned.at(dims) for kernel, planned in self.planned.items()}
        )


def _pipelines(module: ModuleOp) -> dict[str, PipelineOp]:
    return {op.sym_name.data: op for op in module.body.block.ops if isinstance(op, PipelineOp)}


def place(pipeline: PipelineOp, devices: Devices) -> None:
    """Note the device of each stage at its statements, and at the loops around them. A loop whose own stage has no
    statements left is where the first of those in it is."""
    for step in pipeline.steps.values():
        name = step.sym_name.data
        own = {stage: kind for (owner, stage), kind in devices.items() if owner == name}
        for op in in_order(step.body.block):
            kind = own.get(attribute(op, "stage"))
            if kind is None and isinstance(op, ForOp):
                inside = [own.get(attribute(inner, "stage")) for inner in in_order(op.body.block)]
                kind = next(filter(None, [*inside, *own.values()]), None)
            if kind is not None and not isinstance(op, (ConstantOp, GetOp, *WRITES_IN_PLACE)):
                op.attributes["device"] = StringAttr(kind)


def value_of(time_us: float, energy_mj: float, objective: str) -> float:
    """What plans are compared by: us, mJ, or us x mJ."""
    return {"latency": time_us, "energy": energy_mj, "edp": time_us * energy_mj}[objective]
