"""Write down what the host does in one call."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Region
from xdsl.passes import ModulePass

from hetc.dialects import host
from hetc.dialects.locations import copy_location, source_file
from hetc.dialects.mp import PipelineOp
from hetc.passes.lower_host.generated import launches_of
from hetc.passes.lower_host.layout import Layout
from hetc.passes.lower_host.step import StepBuilder


@dataclass(frozen=True)
class LowerToHostPass(ModulePass):
    """Add a `host.program` for each pipeline.

    Before: a step holds mp.get, task.transfer, task.kernel, mp.append, mp.commit and mp.output only; each task kernel
    has generated kernels beside the pipeline, with their argument lists; each memory has a `home`.
    After: the module also holds a host.program with the pipeline's dims and declarations and one host.step a step:
    buffers, copies, launches with every argument named, waits, appends, commits and outputs, in the order in which
    they happen. Launches come before the waits that do not concern them.

        %q1 = task.transfer %q from "host" to "gpu"          %q_gpu = host.copy "q_gpu" %q
        %s = task.kernel @scan on "gpu" (%q1) { ... }   ->   %s = host.allocate "s"
                                                             host.kernel "scan" on "gpu" reads (%q_gpu) writes (%s) {
                                                               host.launch "scan_0" arguments [...] options {...} (...)
                                                             }
    """

    name = "lower-to-host"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        ctx.get_optional_op("host.program")  # loads the dialect
        launches = launches_of(op)
        for pipeline in [item for item in op.body.block.ops if isinstance(item, PipelineOp)]:
            layout = Layout(pipeline, launches)
            block = Block([item.clone() for item in (*pipeline.dims.values(), *pipeline.declarations.values())])
            for step in pipeline.steps.values():
                builder = StepBuilder(pipeline, step, launches, layout)
                body = Block(builder.build())
                block.add_op(copy_location(step, host.StepOp(step.sym_name.data, step.grows, Region(body))))
            program = host.ProgramOp(pipeline.sym_name.data, source_file(pipeline), Region(block))
            op.body.block.add_op(copy_location(pipeline, program))
