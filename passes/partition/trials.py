"""What each stage would cost on each device kind: cut by stage, schedule, add up."""

from __future__ import annotations

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr

from hetc.dialects.locations import source_line
from hetc.dialects.mp import PipelineOp, StepOp, in_order, times
from hetc.dialects.task import KernelOp
from hetc.passes.partition.cut_kernels import CutKernelsPass
from hetc.passes.partition.fuse_producers import FuseProducersPass
from hetc.passes.partition.outline import statements_of
from hetc.passes.partition.placement import Estimate
from hetc.passes.schedule.model import Refused, Schedule
from hetc.passes.schedule.registry import is_scheduled
from hetc.passes.schedule.schedules import Schedules

Estimates = dict[tuple[str, str], dict[str, Estimate]]
"""(step, stage) -> device kind -> estimate."""


def estimate_stages(module: ModuleOp, schedules: Schedules) -> Estimates:
    """Every stage of every step on every kind of the platform, each stage on its own (neighbours not fused)."""
    found: Estimates = {}
    for kind in schedules.platform.kinds:
        if is_scheduled(kind):
            trial = module.clone()
            _place_all(trial, kind)
            for pass_ in (FuseProducersPass(by_stage=True), CutKernelsPass(by_stage=True)):
                pass_.apply(Context(), trial)
            for step in _steps(trial):
                _estimate(step, kind, schedules, found)
        else:
            for step in _steps(module):
                for stage in stages_of(step):
                    no_backend = Estimate(kind, refused=f"no backend compiles for device kind {kind}")
                    found.setdefault((step.sym_name.data, stage), {})[kind] = no_backend
    return found


def stages_of(step: StepOp) -> list[str]:
    """The stages that hold statements to place, in order of appearance."""
    found: dict[str, None] = {}
    for op in statements_of(step):
        stage = op.attributes["stage"]
        assert isinstance(stage, StringAttr)
        found[stage.data] = None
    return list(found)


def _steps(module: ModuleOp) -> list[StepOp]:
    return [step for op in module.body.block.ops if isinstance(op, PipelineOp) for step in op.steps.values()]


def _place_all(module: ModuleOp, kind: str) -> None:
    for step in _steps(module):
        for op in statements_of(step):
            op.attributes["device"] = StringAttr(kind)


def _estimate(step: StepOp, kind: str, schedules: Schedules, found: Estimates) -> None:
    for kernel in [op for op in in_order(step.body.block) if isinstance(op, KernelOp)]:
        stage = kernel.stages.data[0].data
        row = found.setdefault((step.sym_name.data, stage), {})
        known = row.get(kind, Estimate(kind, 0.0, 0.0))
        if known.refused:
            continue
        try:
            row[kind] = _add(known, schedules.of(kernel), times(kernel))
        except Refused as refused:
            place = source_line(refused.op)
            row[kind] = Estimate(kind, refused=f"{refused.reason}{f' ({place})' if place else ''}")


def _add(known: Estimate, schedule: Schedule, count: int) -> Estimate:
    """With `count` calls of a kernel more; the longest kernel says what limits the stage."""
    assert known.time_us is not None and known.energy_mj is not None
    time_us = count * schedule.time_us
    longer = time_us >= known.time_us
    return Estimate(
        known.kind,
        known.time_us + time_us,
        known.energy_mj + count * schedule.energy_mj,
        schedule.bound if longer or not known.bound else known.bound,
    )
