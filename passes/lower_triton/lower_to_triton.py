"""Task kernels on a GPU become launches over tiles."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass

from hetc.dialects.mp import ComputeOp, ConstantOp, SelectOp, TensorType, TopkOp, enclosing_pipeline
from hetc.dialects.task import KernelOp, ReturnOp
from hetc.passes.lower_triton.arguments import Buffer
from hetc.passes.lower_triton.group import lower_group
from hetc.passes.lower_triton.statement import Task, lower_compute
from hetc.passes.lower_triton.topk import lower_select, lower_topk
from hetc.passes.schedule.gpu_checks import check_kernel
from hetc.passes.schedule.model import Schedule


@dataclass(frozen=True)
class LowerToTritonPass(ModulePass):
    """Adds a tile.kernel for each launch of each task.kernel on the GPU.

    Before: the statements are mp.compute, mp.topk, mp.select and mp.constant, in explicit-presence form.
    After: each statement of a GPU kernel has one tile.kernel or more in the module, in the order of their `order`;
    the task.kernel stays, for the host. Tile sizes are those of the kernel's `schedule` (plan keys
    `s<statement>.<index>`), or defaults. Statements with one `launch.s<statement>` run in one launch, whose programs
    run over the first `rows.s<first statement>` indices; by default each has its own.

        task.kernel @k on "gpu" stages ["a"] (%x) { ^bb0(%0: !mp.tensor<[256], f32>): %1 = mp.compute ... }
        // adds
        tile.kernel @k_0_y of "k" order 0 : i64 arguments [#task.argument<"operand", 0, "">, ...] grid [...] ...
    """

    name = "lower-to-triton"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        ctx.get_optional_op("tile.kernel")  # loads the dialect
        kernels = [inner for inner in op.walk() if isinstance(inner, KernelOp) and inner.device.data == "gpu"]
        for kernel in kernels:
            op.body.block.add_ops(lower_kernel(kernel))


def lower_kernel(kernel: KernelOp) -> list[Operation]:
    """The launches of one task kernel. Raises GpuRefused where it has no form on a GPU."""
    check_kernel(kernel)
    chosen = Schedule.from_attr(kernel.schedule).plan if kernel.schedule is not None else {}
    task = Task(
        kernel.sym_name.data,
        enclosing_pipeline(kernel).dims,
        chosen={key: size for key, size in chosen.items() if isinstance(size, int)},
    )
    names = _Names()
    for position, argument in enumerate(kernel.block.args):
        assert isinstance(argument.type, TensorType)
        task.buffers[argument] = Buffer("operand", position, argument.type, names.new(argument.name_hint, "operand"))
    returned = {value: position for position, value in enumerate(kernel.returned.values)}
    constants = 0
    for number, op in enumerate(kernel.block.ops):
        if isinstance(op, ReturnOp):
            continue
        for result in op.results:
            if result.first_use is None:
                continue  # nothing is computed for it, and nothing allocated
            assert isinstance(result.type, TensorType)
            name = names.new(result.name_hint, "result" if result in returned else "temporary")
            if isinstance(op, ConstantOp):
                task.buffers[result] = Buffer("constant", constants, result.type, name)
                constants += 1
            elif result in returned:
                task.buffers[result] = Buffer("result", returned[result], result.type, name)
            else:
                task.buffers[result] = task.new_scratch(result.type, name)
        group = task.group_of(number)
        if len(group) < 2:
            _lower_statement(task, op, number)
        elif number == group[-1]:
            lower_group(task, [(each, op) for each, op in enumerate(kernel.block.ops) if each in group], group[0])
    for launch in task.launches:
        launch.set_scratch(task.scratch)
    return list(task.launches)


def _lower_statement(task: Task, op: Operation, number: int) -> None:
    match op:
        case ComputeOp():
            if op.result in task.buffers:
                lower_compute(task, op, task.buffers[op.result], number)
        case TopkOp():
            lower_topk(task, op, number)
        case SelectOp():
            lower_select(task, op, number)
        case ConstantOp():
            pass
        case _:
            raise AssertionError(f"check_kernel lets {op.name} pass")


class _Names:
    """Names of buffers, each once in a task kernel."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def new(self, hint: str | None, otherwise: str) -> str:
        base = hint or otherwise
        name, count = base, 1
        while name in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name)
        return name
