"""One step as host ops, in program order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import cast

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Block, Operation, Region, SSAValue

from hetc.dialects import host
from hetc.dialects.host import HOST_KIND, BufferType, buffer_of
from hetc.dialects.locations import copy_location
from hetc.dialects.mp import (
    AppendOp,
    ClearOp,
    CommitOp,
    ConstantOp,
    ForOp,
    GetOp,
    NextOp,
    OutputOp,
    PipelineOp,
    ScatterOp,
    StepOp,
    TensorType,
)
from hetc.dialects.task import KernelOp, TransferOp
from hetc.passes.analysis.versions import Versions
from hetc.passes.lower_host.generated import Launch, named_arguments
from hetc.passes.lower_host.layout import Layout
from hetc.passes.lower_host.loops import LoopBuilder
from hetc.passes.lower_host.order import ordered
from hetc.passes.lower_host.refusal import HostLoweringRefused


class StepBuilder:
    """Builds the host ops of one step."""

    def __init__(
        self, pipeline: PipelineOp, step: StepOp, launches: Mapping[str, Sequence[Launch]], layout: Layout
    ) -> None:
        self.pipeline, self.step, self.launches, self.layout = pipeline, step, launches, layout
        self.run_time_dims = [name for name, dim in pipeline.dims.items() if not dim.is_static]
        self.versions = Versions(step)
        self.values: dict[SSAValue, SSAValue] = {}
        # Where what is about to be made has its place: the new contents of a loop's layer.
        self.places: dict[SSAValue, SSAValue] = {}
        self.ops: list[Operation] = []
        self._names: dict[str, int] = {}
        self._copies: dict[tuple[SSAValue, BufferType], SSAValue] = {}
        self._constants: dict[tuple[str, int], SSAValue] = {}

    def build(self) -> list[Operation]:
        """The ops, in the order in which they happen. Raises HostLoweringRefused."""
        self.statements(self.step.body.block.ops)
        return ordered(self.ops)

    def statements(self, ops: Iterable[Operation]) -> None:
        for op in ops:
            match op:
                case GetOp():
                    self._get(op)
                case TransferOp():
                    self._transfer(op)
                case KernelOp():
                    self._kernel(op)
                case AppendOp():
                    self._append(op)
                case ScatterOp():
                    self._scatter(op)
                case ForOp():
                    LoopBuilder(self).build(op)
                case NextOp():
                    pass
                case ClearOp():
                    condition = None if op.condition is None else self.values[op.condition]
                    self.add(op, host.ClearOp(op.dim.data, condition))
                case CommitOp():
                    self._commit(op)
                case OutputOp():
                    self.add(op, host.OutputOp(op.output.data, self.values[op.value]))
                case _:
                    raise HostLoweringRefused(f"{op.name} stands outside of a kernel", op)

    @contextmanager
    def inside_of_loop(self) -> Iterator[list[Operation]]:
        """Ops go to a list of their own; copies made inside are not there for what follows."""
        outer, self.ops = self.ops, []
        copies, constants = dict(self._copies), dict(self._constants)
        yield self.ops
        self.ops, self._copies, self._constants = outer, copies, constants

    def add(self, source: Operation, op: Operation) -> Operation:
        copy_location(source, op)
        self.ops.append(op)
        return op

    def name(self, wanted: str) -> str:
        """A buffer name that the step has not used."""
        count = self._names.get(wanted, 0) + 1
        self._names[wanted] = count
        return wanted if count == 1 else self.name(f"{wanted}_{count}")

    def _get(self, op: GetOp) -> None:
        name = op.declared.data
        declaration = self.pipeline.declarations[name]
        if declaration.role.data != "memory":
            if declaration.type.is_sparse:
                raise HostLoweringRefused(f"'{name}' is sparse, and only a memory can be", op)
            made: Operation = host.InputOp(name, BufferType(declaration.type, HOST_KIND))
        else:
            made = host.MemoryOp(name, self.layout.memory_type(name, home_of(self.pipeline, name)))
        self._names[name] = 1
        self.values[op.result] = self.add(op, made).results[0]

    def _transfer(self, op: TransferOp) -> None:
        if _only_row_numbers(op.result):
            return  # a sparse memory is maintained on the host: `_append` brings the rows there
        self.values[op.result] = self.copied(op, op.value, self.layout.type_of(op.result, op.target.data))

    def copied(self, user: Operation, value: SSAValue, type: BufferType) -> SSAValue:
        source = self.values[value]
        if source.type == type:
            return source
        if (source, type) not in self._copies:
            name = self.name(f"{source.name_hint or 'value'}_{type.kind}")
            self._copies[source, type] = self.add(user, host.CopyOp(name, source, type)).results[0]
        return self._copies[source, type]

    def forget_copies(self, value: SSAValue) -> None:
        """Something was written in the buffer of `value`: who reads it from now on needs another copy."""
        written = buffer_of(value)
        self._copies = {key: copy for key, copy in self._copies.items() if buffer_of(key[0]) is not written}

    def _kernel(self, op: KernelOp) -> None:
        task, device = op.sym_name.data, op.device.data
        launches = self.launches.get(task, [])
        if not launches:
            raise HostLoweringRefused(f"{task} has no generated kernel for the {device}; lower the device first", op)
        reads = [self._operand(op, launches, number) for number in range(len(op.arguments))]
        writes = [self._result(op, number) for number in range(len(op.outputs))]
        scratch = [
            self.allocate(op, f"{task}_scratch_{number}", BufferType(type_, device))
            for number, type_ in enumerate(_scratch_of(op, launches))
        ]
        block = Block([self._launch(op, launch, reads, writes, scratch) for launch in launches])
        self.add(op, host.KernelOp(task, device, reads, writes, Region(block)))

    def _operand(self, op: KernelOp, launches: Sequence[Launch], number: int) -> SSAValue:
        value = op.arguments[number]
        type_ = self.values[value].type
        assert isinstance(type_, BufferType)
        if type_.kind != op.device.data:
            raise HostLoweringRefused(f"{op.sym_name.data} reads a value that is on the {type_.kind}", op)
        return self.copied(op, value, self.layout.wanted(op, launches, number, type_))

    def _result(self, op: KernelOp, number: int) -> SSAValue:
        value = op.outputs[number]
        type_ = value.type
        assert isinstance(type_, TensorType)
        if type_.is_sparse:
            raise HostLoweringRefused(f"{op.sym_name.data} makes a sparse tensor", op)
        name = value.name_hint or f"{op.sym_name.data}_{number}"
        self.values[value] = self.result_buffer(op, value, name, self.layout.type_of(value, op.device.data))
        return self.values[value]

    def result_buffer(self, op: Operation, value: SSAValue, name: str, type: BufferType) -> SSAValue:
        """A buffer for what `op` makes: its place, where one of this type waits for it, else a new one."""
        place = self.places.get(value)
        return place if place is not None and place.type == type else self.allocate(op, name, type)

    def allocate(self, op: Operation, name: str, type: BufferType) -> SSAValue:
        return self.add(op, host.AllocateOp(self.name(name), type)).results[0]

    def _launch(
        self,
        op: KernelOp,
        launch: Launch,
        reads: Sequence[SSAValue],
        writes: Sequence[SSAValue],
        scratch: Sequence[SSAValue],
    ) -> Operation:
        buffers: list[SSAValue] = []
        for item in launch.arguments:
            number = item.index.data
            match item.role.data:
                case "operand":
                    buffers.append(reads[number])
                case "result":
                    buffers.append(writes[number])
                case "scratch":
                    buffers.append(scratch[number])
                case "constant":
                    buffers.append(self._constant(op, number))
        arguments = named_arguments(launch, self.run_time_dims)
        return copy_location(op, host.LaunchOp(launch.name, arguments, launch.options, buffers))

    def _constant(self, op: KernelOp, number: int) -> SSAValue:
        task = op.sym_name.data
        if (task, number) not in self._constants:
            constants = [inner for inner in op.block.ops if isinstance(inner, ConstantOp)]
            table = constants[number]
            type_ = table.result.type
            assert isinstance(type_, TensorType)
            made = host.ConstantOp(f"{task}_table_{number}", table.value, BufferType(type_, op.device.data))
            self._constants[task, number] = self.add(op, made).results[0]
        return self._constants[task, number]

    def _append(self, op: AppendOp) -> None:
        memory = self.values[op.memory]
        type_ = op.memory.type
        assert isinstance(type_, TensorType)
        rows = op.rows
        if type_.is_sparse:
            while isinstance(rows.owner, TransferOp):
                rows = rows.owner.value
            assert isinstance(rows.type, TensorType)
            on_host = self.copied(op, rows, BufferType(rows.type, HOST_KIND))
            made = host.AppendOp(memory, on_host, op.along.data)
        else:
            made = host.AppendOp(memory, self.values[rows], op.along.data)
        self.values[op.result] = self.add(op, made).results[0]

    def _scatter(self, op: ScatterOp) -> None:
        memory = self.values[op.memory]
        if not self.versions.in_place(op):
            type_ = cast(BufferType, memory.type)
            whole = self.allocate(op, f"{memory.name_hint or 'memory'}_new", type_)
            self.add(op, host.StoreOp(memory, whole))
            memory = whole
        made = host.ScatterOp(memory, self.values[op.rows], self.values[op.places], op.leading)
        self.values[op.result] = self.add(op, made).results[0]

    def _commit(self, op: CommitOp) -> None:
        name, value = op.declared.data, self.values[op.value]
        type_ = self.layout.memory_type(name, home_of(self.pipeline, name))
        if self.pipeline.declarations[name].type.is_sparse and not isinstance(op.value.owner, AppendOp | GetOp):
            raise HostLoweringRefused(f"the sparse memory '{name}' is overwritten; it can only be appended to", op)
        if value.type != type_:
            value = self.copied(op, op.value, type_)
        self.add(op, host.CommitOp(name, value))


def home_of(pipeline: PipelineOp, name: str) -> str:
    """The device kind that keeps a memory; the host where nothing says so (no kernel reads it)."""
    home = pipeline.declarations[name].attributes.get("home")
    return home.data if isinstance(home, StringAttr) else HOST_KIND


def _scratch_of(op: KernelOp, launches: Sequence[Launch]) -> Sequence[TensorType]:
    """The scratch buffers that the launches share."""
    longest = max((launch.scratch for launch in launches), key=len)
    if any(launch.scratch != longest[: len(launch.scratch)] for launch in launches):
        raise HostLoweringRefused(f"the launches of {op.sym_name.data} disagree about their scratch buffers", op)
    return longest


def _only_row_numbers(value: SSAValue) -> bool:
    """Whether a value is used as the row numbers of sparse appends and for nothing else."""
    uses = list(value.uses)
    return bool(uses) and all(
        isinstance(use.operation, AppendOp)
        and use.index == 1
        and isinstance(use.operation.memory.type, TensorType)
        and use.operation.memory.type.is_sparse
        for use in uses
    )
