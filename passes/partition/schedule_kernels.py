"""Write each kernel's schedule, as its lowering will apply it."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from hetc.dialects.mp import PipelineOp
from hetc.passes.partition.assign_devices import estimate_dims
from hetc.passes.partition.evaluate import kernels_of
from hetc.passes.schedule.schedules import schedules_of
from hetc.platforms import DEFAULT_PLATFORM, load_platform


@dataclass(frozen=True)
class ScheduleKernelsPass(ModulePass):
    """Schedule every `task.kernel` on its device.

    Before: kernels are cut and name a device kind of the platform.
    After: each carries `schedule`: the plan that the lowering applies and the estimate that `explain` prints.
    Raises Refused (with the kernel's op) where the device cannot run it.
    """

    name = "schedule-kernels"
    platform: str = DEFAULT_PLATFORM
    dims: tuple[str, ...] = ()

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        platform = load_platform(self.platform)
        given = {name: int(value) for name, value in (item.split("=", 1) for item in self.dims)}
        for pipeline in op.body.block.ops:
            if isinstance(pipeline, PipelineOp):
                schedules = schedules_of(platform, estimate_dims(pipeline, given))
                for kernel in kernels_of(pipeline):
                    kernel.schedule = schedules.of(kernel).to_attr()
