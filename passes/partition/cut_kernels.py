"""Move placed statements into kernels."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from hetc.dialects.locations import source_line
from hetc.dialects.mp import ConstantOp, PipelineOp, StepOp, blocks_of
from hetc.passes.partition.outline import attribute, group_statements, order_by_dependency, outline, statements_of


@dataclass(frozen=True)
class CutKernelsPass(ModulePass):
    """Group neighbouring statements of one device into `task.kernel` ops.

    Before: every mp.compute, mp.topk and mp.select of a step carries `device` and `stage`.
    After: they stand in `task.kernel` ops only, in an order in which every value is defined before its use; tables
    (mp.constant) are copied into the kernels that read them. With `by_stage` stages are not fused.

        %s = mp.compute ... {device = "fpga", stage = "relevancy"}        %p = task.kernel @relevancy_retrieve
        %p, %b = mp.topk ... {device = "fpga", stage = "retrieve"}    ->      on "fpga" ... { both }
    """

    name = "cut-kernels"
    by_stage: bool = False

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for pipeline in op.body.block.ops:
            if not isinstance(pipeline, PipelineOp):
                continue
            names = _Names(several_steps=len(pipeline.steps) > 1)
            for step in pipeline.steps.values():
                self._cut(step, names)

    def _cut(self, step: StepOp, names: _Names) -> None:
        for statement in statements_of(step):
            if not attribute(statement, "device"):
                raise PassFailedException(
                    f"cut-kernels: {statement.name} at {source_line(statement) or 'an unknown place'} has no device"
                )
        blocks = list(blocks_of(step.body.block))
        for block in blocks:
            for group in group_statements(block, by_stage=self.by_stage):
                stages = list(dict.fromkeys(attribute(op, "stage") for op in group))
                outline(group, names.fresh(step.sym_name.data, stages), attribute(group[0], "device"))
        for block in blocks:
            for constant in [op for op in block.ops if isinstance(op, ConstantOp)]:
                if not constant.result.uses:
                    constant.detach()
                    constant.erase()
            order_by_dependency(block)


class _Names:
    """Kernel names, unique in a pipeline: the stages, and the step where there are several."""

    def __init__(self, several_steps: bool) -> None:
        self.several_steps = several_steps
        self.used: dict[str, int] = {}

    def fresh(self, step: str, stages: list[str]) -> str:
        base = "_".join(([step] if self.several_steps else []) + [stage for stage in stages if stage]) or step
        count = self.used.get(base, 0) + 1
        self.used[base] = count
        return base if count == 1 else f"{base}_{count}"
