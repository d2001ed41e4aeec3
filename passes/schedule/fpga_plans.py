"""The plans that the FPGA scheduler chooses from: how many stripes of which operands, how many lanes."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace
from math import prod

from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import Operation, SSAValue

from hetc.dialects.mp import GetOp, ReadOp, TensorType, enclosing_pipeline, storage_bits
from hetc.dialects.task import KernelOp
from hetc.passes.analysis.operands import source_of
from hetc.passes.lower_hls.lanes import assign_lanes
from hetc.passes.lower_hls.plan import FpgaPlan
from hetc.passes.lower_hls.scan import Scan
from hetc.passes.lower_hls.sparse_scan import SparseScan
from hetc.platforms.fpga import Fpga

STRIPES = (1, 2, 4, 5, 8, 10, 12, 16, 20, 24)
NARROW_ROW_BYTES = 16  # rows below this are dealt out by one reader: striping them would only take ports
LANES = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)


Scans = Mapping[Operation, Scan | SparseScan]


def plans(kernel: KernelOp, scans: Scans, base: FpgaPlan, device: Fpga) -> list[FpgaPlan]:
    """The grid of plans. Only operands that one scan reads, in one way, are striped."""
    striped = stripable(kernel, scans)
    ports = len(kernel.block.args) + len(kernel.returned.values) + 4
    most = max(1, int((device.ports.max_bundles - ports) // max(len(striped), 1)))
    choices = [count for count in STRIPES if count <= most] if striped else [1]
    asked = {stripes for number in striped if (stripes := _asked(kernel, number))}
    if asked and max(asked) <= most:
        choices = sorted(asked)
    return [
        replace(base, stripes=count, striped=striped if count > 1 else (), lanes=lanes)
        for count in choices
        for lanes in budgets(scans)
    ]


def budgets(scans: Scans) -> list[int]:
    """The budgets of lanes that differ in what is laid out, the least of those that do not."""
    found: dict[tuple[tuple[int, ...], ...], int] = {}
    for lanes in LANES:
        laid_out = tuple(
            tuple(assign_lanes([op.body.block for op in (scan.op, *scan.fused.values())], lanes).values())
            for scan in scans.values()
            if isinstance(scan, Scan)
        )
        found.setdefault(laid_out, lanes)
    return list(found.values())


def stripable(kernel: KernelOp, found_scans: Scans) -> tuple[int, ...]:
    """The task operands that one scan streams and nothing else reads, memories and inputs of the pipeline (not what
    another kernel has just made); none of a scan that also reads at random."""
    arguments = list(kernel.block.args)
    found = []
    for scan in found_scans.values():
        if not isinstance(scan, Scan) or scan.direct:
            continue
        inside = {scan.op, *scan.fused.values()}
        for item in scan.streamed:
            type_ = item.tensor.type
            assert isinstance(type_, TensorType)
            uses = [use.operation for use in item.tensor.uses]
            if item.tensor not in arguments or not all(isinstance(op, ReadOp) and _is_in(op, inside) for op in uses):
                continue
            number = arguments.index(item.tensor)  # type: ignore[arg-type]
            row = prod(extent for p in item.window if isinstance(extent := type_.shape[p], int))
            wide = row * storage_bits(type_.element) >= 8 * NARROW_ROW_BYTES and type_.rows is None
            if wide and _is_declared(kernel.arguments[number]):
                found.append(number)
    return tuple(sorted(found))


def _asked(kernel: KernelOp, number: int) -> int:
    """The stripes that an operand's declaration asks for, 0 where it leaves the choice."""
    owner = source_of(kernel.arguments[number])[0].owner
    assert isinstance(owner, GetOp)
    wanted = enclosing_pipeline(kernel).declarations[owner.declared.data].attributes.get("stripes")
    return wanted.value.data if isinstance(wanted, IntegerAttr) else 0


def _is_in(op: Operation, statements: Container[Operation]) -> bool:
    """Whether `op` stands in one of the statements."""
    current: Operation | None = op
    while current is not None and current not in statements:
        current = current.parent_op()
    return current is not None


def _is_declared(value: SSAValue) -> bool:
    """Whether a value is a declared tensor, or a layer of one, as it is or with rows appended, wherever it has come
    from."""
    return isinstance(source_of(value)[0].owner, GetOp)
