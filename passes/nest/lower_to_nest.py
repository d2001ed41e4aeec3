"""Task kernels as loops."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.passes import ModulePass

from hetc.dialects import nest
from hetc.dialects.locations import copy_location
from hetc.dialects.mp import ConstantOp, TensorType, enclosing_pipeline
from hetc.dialects.task import KernelOp as TaskOp
from hetc.passes.nest.building import Builder
from hetc.passes.nest.regions import RegionLowering
from hetc.passes.nest.statements import StatementLowering
from hetc.passes.refusal import refuse


@dataclass(frozen=True)
class LowerToNestPass(ModulePass):
    """Add a `nest.kernel` for each task kernel on one of `devices`: the naive form, in which a statement is a phase,
    its free indices are loops, a reduction is a fold and a selection a queue. Raises LoweringRefused.

    Before: kernels are cut, presence is explicit. After: each kernel on one of the devices has a nest.kernel of its
    name beside the pipeline; the task kernels stay, for the host's lowering.

        %s = mp.compute [b, t] { ... mp.reduce "sum" <d in 128> ... }   ->   nest.phase {
                                                                               nest.for %b ... { nest.for %t ... {
                                                                                 %sum = nest.acc ... sum<f32>
                                                                                 nest.for %d ... { nest.fold ... }
                                                                                 nest.store ... } } }
    """

    name = "lower-to-nest"
    devices: tuple[str, ...] = ("cpu",)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        ctx.get_optional_op("nest.kernel")  # loads the dialect
        for task in [item for item in op.walk() if isinstance(item, TaskOp) and item.device.data in self.devices]:
            op.body.block.add_op(lower_kernel(task))


def lower_kernel(task: TaskOp) -> nest.KernelOp:
    """The loops of one task kernel."""
    block, returned = Block(), task.returned.values
    dims = enclosing_pipeline(task).dims
    homes: dict[SSAValue, SSAValue] = {}
    places: dict[SSAValue, list[SSAValue]] = {}
    for argument in task.block.args:
        homes[argument] = _named(block.insert_arg(argument.type, len(block.args)), argument)
    for value in returned:
        target = block.insert_arg(_global(value.type, task), len(block.args))
        places.setdefault(value, []).append(_named(target, value))
    builder = Builder(dims, block, task)
    for op in task.block.ops:
        builder.source = op
        if isinstance(op, ConstantOp):
            copied = builder.add(op.clone())
            homes[op.result] = _named(copied.results[0], op.result)
        elif op is not task.returned:
            for result in op.results:
                if result.first_use is not None and result not in places:
                    made = builder.value(nest.BufferOp(result.name_hint or "value", _global(result.type, task)))
                    places[result] = [made]
                if result in places:
                    homes[result] = places[result][0]
    statements = StatementLowering(RegionLowering(builder, homes), places)
    for op in task.block.ops:
        if op is not task.returned and not isinstance(op, ConstantOp):
            statements.lower(op)
    builder.source = task
    for value in dict.fromkeys(returned):
        if value in task.block.args or isinstance(value.owner, ConstantOp):
            _copy(builder, value, homes[value], places[value])
    name = task.sym_name.data
    return copy_location(task, nest.KernelOp(name, name, task.device.data, Region(block)))


def _named(value: SSAValue, source: SSAValue) -> SSAValue:
    value.name_hint = source.name_hint
    return value


def _global(type: Attribute, task: TaskOp) -> nest.BufferType:
    assert isinstance(type, TensorType)
    if type.is_sparse:
        raise refuse("a sparse result", task, task.device.data)
    return nest.BufferType(type.extents, type.element, nest.GLOBAL)


def _copy(builder: Builder, value: SSAValue, source: SSAValue, targets: list[SSAValue]) -> None:
    """A value that is returned as it came, element by element."""
    type_ = value.type
    assert isinstance(type_, TensorType)
    with builder.phase():
        _copy_from(builder, type_, source, targets, [])


def _copy_from(
    builder: Builder, type: TensorType, source: SSAValue, targets: list[SSAValue], indices: list[SSAValue]
) -> None:
    if len(indices) == type.rank:
        element = builder.value(nest.ReadOp(source, indices))
        for target in targets:
            builder.add(nest.StoreOp(element, target, indices))
        return
    extents = type.extents.data
    extent = extents[len(indices)]
    with builder.loop(f"i{len(indices)}", extent, builder.row_of(extent, extents, indices)) as index:
        _copy_from(builder, type, source, targets, [*indices, index])
