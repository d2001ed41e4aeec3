"""The argument list of each kernel, once its loops are final."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass

from hetc.dialects import nest
from hetc.dialects.mp import ConstantOp, DimAttr, DimSizeOp, TensorType
from hetc.dialects.task import ArgumentAttr
from hetc.passes.nest.building import dims_of

SPARSE_PARTS = ("row_start", "row_length", "column", "value")


@dataclass(frozen=True)
class BindArgumentsPass(ModulePass):
    """Write down what the host passes to each nest.kernel on one of `devices`, in the conventional order: operands in
    parts, results, constants, scratch, lengths, capacities; what the loops do not use is left out.

    Before: the loops are final. After: `arguments` and `scratch` are set; each entry of `scratch` is the type of a
    global buffer that stands outside of the phases, in their order.

        nest.kernel @scan ... arguments [] scratch []   ->   nest.kernel @scan ... arguments [<"operand", 0, "">, ...]
    """

    name = "bind-arguments"
    devices: tuple[str, ...] = ("cpu",)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        order = list(dims_of(op))
        for kernel in [item for item in op.body.block.ops if isinstance(item, nest.KernelOp)]:
            if kernel.device.data in self.devices:
                scratch = scratch_of(kernel)
                kernel.properties["scratch"] = ArrayAttr([_tensor(value) for value in scratch])
                kernel.properties["arguments"] = ArrayAttr(list(_arguments(kernel, scratch, order)))


def scratch_of(kernel: nest.KernelOp) -> list[SSAValue]:
    """The buffers that the host allocates for a kernel."""
    return [op.result for op in kernel.block.ops if isinstance(op, nest.BufferOp)]


def _tensor(value: SSAValue) -> TensorType:
    type_ = value.type
    assert isinstance(type_, nest.BufferType)
    return TensorType(type_.extents, type_.element)


def _arguments(kernel: nest.KernelOp, scratch: list[SSAValue], order: list[str]) -> Iterator[ArgumentAttr]:
    for number, operand in enumerate(kernel.operand_arguments):
        if operand.first_use is not None:
            yield from (ArgumentAttr("operand", number, part) for part in _parts(operand))
    for number, _ in enumerate(kernel.result_arguments):
        yield ArgumentAttr("result", number)
    for number, op in enumerate(item for item in kernel.block.ops if isinstance(item, ConstantOp)):
        if op.result.first_use is not None:
            yield ArgumentAttr("constant", number)
    for number, _ in enumerate(scratch):
        yield ArgumentAttr("scratch", number)
    lengths = {op.dim.data for op in nest.ops_in(kernel) if isinstance(op, DimSizeOp)}
    yield from (ArgumentAttr("length", 0, name) for name in order if name in lengths)
    capacities = {name for op in nest.ops_in(kernel) for name in _capacities(op)}
    yield from (ArgumentAttr("capacity", 0, name) for name in order if name in capacities)


def _parts(operand: SSAValue) -> tuple[str, ...]:
    type_ = operand.type
    assert isinstance(type_, TensorType)
    if type_.is_sparse:
        return SPARSE_PARTS
    return ("", "table") if type_.rows is not None and type_.rows.is_paged else ("",)


def _capacities(op: Operation) -> Iterator[str]:
    """The run-time dims whose capacity an access of the op needs for its address."""
    for value in op.operands:
        type_ = value.type
        if isinstance(type_, nest.BufferType | nest.AccType | TensorType):
            if isinstance(type_, TensorType) and type_.is_sparse:
                continue
            yield from (item.symbol.data for item in type_.extents.data[1:] if isinstance(item, DimAttr))
