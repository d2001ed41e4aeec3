"""lower-to-hls: the kernels placed on an FPGA as processes, FIFOs, ports and on-chip memory.

*Before*: presence is explicit; each unit on "fpga" is a `task.kernel` of mp.compute, mp.topk, mp.select and
mp.constant; its `schedule`, if any, says what the kernel is to look like.
*After*: the module holds one `fpga.kernel` for each of them, of the same name, after everything else; the task
kernels stay for the host's lowering. Nothing is left to decide for the backend.

    task.kernel @scan on "fpga" stages ["relevancy"] (%q, %keys) { ... mp.compute ... }
becomes, besides,
    fpga.kernel @scan task "scan" arguments [...] scratch [] { fpga.port ... fpga.process "compute_s" ... }
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from hetc.dialects import fpga
from hetc.dialects.locations import copy_location
from hetc.dialects.mp import ConstantOp
from hetc.dialects.task import KernelOp as TaskOp
from hetc.passes.lower_hls.initiation import Latencies, annotate_intervals, latencies_of
from hetc.passes.lower_hls.kernel import KernelBuilder
from hetc.passes.lower_hls.plan import FpgaPlan
from hetc.passes.lower_hls.returns import lower_returns
from hetc.passes.lower_hls.scan import Scan, find_scan
from hetc.passes.lower_hls.sparse_scan import SparseScan, find_sparse_scan, lower_sparse_scan
from hetc.passes.lower_hls.statements import lower_statement
from hetc.passes.lower_hls.streaming import lower_scan
from hetc.platforms import DEFAULT_PLATFORM


@dataclass(frozen=True)
class LowerToHlsPass(ModulePass):
    """Adds an fpga.kernel for every task.kernel on "fpga". Raises LoweringRefused for what it cannot express.

    Before: kernels are cut and carry their schedule. After: each on "fpga" has an fpga.kernel of its name beside it,
    built by the schedule's plan, its loops pipelined as the operators of `platform`'s card allow; the task kernels
    stay, for the host's lowering.

        task.kernel @scan on "fpga" ...  ->  task.kernel @scan on "fpga" ... ; fpga.kernel @scan task "scan" ...
    """

    name = "lower-to-hls"
    platform: str = DEFAULT_PLATFORM

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        tasks = [item for item in op.walk() if isinstance(item, TaskOp) and item.device.data == "fpga"]
        if not tasks:
            return
        try:
            latencies = latencies_of(self.platform)
        except ValueError as error:
            raise PassFailedException(f"{self.name}: {error}") from error
        for task in tasks:
            op.body.block.add_op(lower_kernel(task, FpgaPlan.of(task), latencies))


def lower_kernel(task: TaskOp, plan: FpgaPlan, latencies: Latencies) -> fpga.KernelOp:
    """The FPGA kernel of one task kernel by a plan, on a card whose operators take so many cycles."""
    builder = KernelBuilder(task, plan)
    constants = [op for op in task.block.ops if isinstance(op, ConstantOp)]
    statements = [op for op in task.block.ops if op is not task.returned and not isinstance(op, ConstantOp)]
    scans = find_scans(statements, builder.plan)
    flows = {statement: scan for statement, scan in scans.items() if isinstance(scan, Scan)}
    builder.declare_operands(list(flows.values()))
    builder.declare_results()
    for number, constant in enumerate(constants):
        builder.declare_constant(constant, number)
    fused = {statement for scan in scans.values() for statement in scan.fused.values()}
    kept = [statement for statement in statements if statement not in fused]
    builder.place_intermediates(_made_by(kept), _made_by([statement for statement in kept if statement in flows]))
    builder.interface.declare_dims(builder.plan.stripes)
    for statement in kept:
        match scans.get(statement):
            case Scan() as scan:
                lower_scan(builder, scan)
            case SparseScan() as sparse:
                lower_sparse_scan(builder, sparse)
            case None:
                lower_statement(builder, statement)
    lower_returns(builder)
    kernel = builder.finish()
    copy_location(task, kernel)
    annotate_intervals(kernel, latencies)
    return kernel


def find_scans(statements: list[Operation], plan: FpgaPlan) -> dict[Operation, Scan | SparseScan]:
    """The statements that become dataflows. What one of them evaluates in place is not a scan of its own."""
    if not plan.streaming:
        return {}
    found: dict[Operation, Scan | SparseScan] = {}
    for statement in reversed(statements):
        if any(statement in scan.fused.values() for scan in found.values()):
            continue
        scan = find_sparse_scan(statement) or find_scan(statement, plan.on_chip_bits)
        if scan is not None:
            found[statement] = scan
    return found


def _made_by(statements: list[Operation]) -> list[SSAValue]:
    return [result for statement in statements for result in statement.results]
