"""One step as a Python method."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from xdsl.ir import Operation, SSAValue

from hetc.backends.host import values
from hetc.backends.host.names import Names, method_name, plan_name
from hetc.dialects import host
from hetc.dialects.host import BufferType, described
from hetc.dialects.locations import source_line
from hetc.dialects.mp import TensorType
from hetc.dialects.task import ArgumentAttr
from hetc.writer import Writer

_WIDTH = 116


class StepPrinter:
    """Prints one host.step."""

    def __init__(self, program: host.ProgramOp, step: host.StepOp, writer: Writer) -> None:
        self.program, self.step, self.writer = program, step, writer
        self.names: dict[SSAValue, str] = {}
        self.scope = Names()
        self.passes: list[str] = []
        """The variables of the loops around the line at hand."""
        self._line = ""

    def print(self) -> None:
        name = self.step.sym_name.data
        self.writer.line(
            f"def {method_name(name)}("
            "self, state: State, lengths: Mapping[str, Any] | None = None, /, **tensors: Any) -> dict[str, Any]:"
        )
        with self.writer.indent():
            self._docstring()
            self.writer.line(f"return self.call({values.repr_of(name)}, state, lengths, tensors)")
        self.writer.line()
        self.writer.line(f"def {plan_name(name)}(self, plan: PlanBuilder) -> None:")
        with self.writer.indent():
            self.writer.line(f'"""What a call of `{name}` does."""')
            for op in self.step.block.ops:
                self._op(op)
            self._finish()

    def _docstring(self) -> None:
        line = source_line(self.step)
        grows = ", ".join(f"{dim} by {values.growth(size)}" for dim, size in self.step.grows.data.items())
        grows = grows.replace('"', "")
        place, growth = f" ({line})" if line else "", f", grows {grows}" if grows else ""
        self.writer.line(f'"""Step `{self.step.sym_name.data}`{place}{growth}.')
        self.writer.line()
        for op in self.step.block.ops:
            if isinstance(op, host.InputOp):
                declared = self.program.declarations[op.declared.data]
                self.writer.line(f"{op.declared.data}: {described(declared.type)}, {declared.role.data}")
        gives = [op for op in self.step.block.ops if isinstance(op, host.OutputOp)]
        returned = ", ".join(f"{op.output.data}: {described(_tensor(op.value))}" for op in gives)
        self.writer.line(f"Returns {returned or 'nothing'}.")
        self.writer.line('"""')

    def _finish(self) -> None:
        gives = [op for op in self.step.block.ops if isinstance(op, host.OutputOp)]
        pairs = [f"{values.repr_of(op.output.data)}: {self.names[op.value]}" for op in gives]
        self._call("plan.finish({", pairs, "})")

    def _op(self, op: Operation) -> None:
        if not isinstance(op, host.InputOp | host.MemoryOp | host.OutputOp):
            self._comment(op)
        match op:
            case host.InputOp():
                self._assign(op.result, f"plan.input({values.repr_of(op.declared.data)})")
            case host.MemoryOp():
                self._assign(op.result, f"plan.memory({values.repr_of(op.declared.data)})")
            case host.ConstantOp():
                self._assign(op.result, f"plan.constant({values.repr_of(op.constant.data)}, {_kind(op.result)})")
            case host.AllocateOp():
                self._allocate(op)
            case host.CopyOp():
                self._copy(op)
            case host.KernelOp():
                self._kernel(op)
            case host.ForOp():
                self._loop(op)
            case host.PassOp():
                text, name = f"plan.pass_number({self.passes[-1]}, {_kind(op.result)})", f"{self.passes[-1]}_number"
                self._assign(op.result, text, name)
            case host.LayerOp():
                text = f"plan.layer({self.names[op.value]}, {self.passes[-1]})"
                self._assign(op.result, text, f"{op.value.name_hint or 'value'}_{self.passes[-1]}")
            case host.StoreOp():
                self.writer.line(f"plan.store({self.names[op.value]}, {self.names[op.target]})")
            case host.WaitOp():
                self.writer.line(f"plan.wait({values.repr_of(op.device.data)})")
            case host.AppendOp():
                memory, rows = self.names[op.memory], self.names[op.rows]
                self._assign(op.result, f"plan.append({memory}, {rows}, {values.repr_of(op.along.data)})")
            case host.ScatterOp():
                arguments = ", ".join(self.names[value] for value in op.operands)
                over = values.repr_of(tuple(extent.data for extent in op.over))
                self._assign(op.result, f"plan.scatter({arguments}, {over})")
            case host.ClearOp():
                condition = "" if op.condition is None else f", {self.names[op.condition]}"
                self.writer.line(f"plan.clear({values.repr_of(op.dim.data)}{condition})")
            case host.CommitOp():
                self.writer.line(f"plan.commit({values.repr_of(op.declared.data)}, {self.names[op.value]})")

    def _loop(self, op: host.ForOp) -> None:
        index = self.scope.new(op.index.data or "turn")
        self.writer.line(f"for {index} in range({op.count.value.data}):")
        self.passes.append(index)
        with self.writer.indent():
            for inner in op.block.ops:
                self._op(inner)
            if not op.block.ops:
                self.writer.line("pass")
        self.passes.pop()

    def _comment(self, op: Operation) -> None:
        """The source line, where it changes."""
        line = source_line(op)
        if line and line != self._line:
            self.writer.line(f"# {line}")
            self._line = line

    def _assign(self, value: SSAValue, text: str, name: str = "") -> None:
        self.names[value] = self.scope.new(name or value.name_hint or "value")
        self.writer.line(f"{self.names[value]} = {text}")

    def _assign_call(self, value: SSAValue, function: str, arguments: list[str], name: str) -> None:
        self.names[value] = self.scope.new(name)
        self._call(f"{self.names[value]} = {function}(", arguments, ")")

    def _allocate(self, op: host.AllocateOp) -> None:
        type_ = cast(BufferType, op.result.type)
        tensor = type_.tensor
        arguments = [
            values.repr_of(op.buffer.data), values.repr_of(type_.kind), values.extents(tensor), values.element(tensor),
        ]  # fmt: skip
        arguments += [*_layout(type_), *_slot(op)]
        self._assign_call(op.result, "plan.allocate", arguments, op.buffer.data)

    def _copy(self, op: host.CopyOp) -> None:
        type_ = cast(BufferType, op.result.type)
        arguments = [self.names[op.value], values.repr_of(type_.kind), values.repr_of(op.buffer.data)]
        arguments += [*_layout(type_), *_slot(op)]
        self._assign_call(op.result, "plan.copy", arguments, op.buffer.data)

    def _kernel(self, op: host.KernelOp) -> None:
        reads = ", ".join(self.names[value] for value in op.reads)
        writes = ", ".join(self.names[value] for value in op.writes)
        device = values.repr_of(op.device.data)
        self.writer.line(f"with plan.kernel({values.repr_of(op.task.data)}, {device}, [{reads}], [{writes}]):")
        with self.writer.indent():
            for launch in op.launches:
                self._launch(launch, device)

    def _launch(self, op: host.LaunchOp, device: str) -> None:
        buffers = iter(op.buffers)
        arguments = [self._argument(item, buffers, device) for item in op.arguments]
        given = [values.option(name, item) for name, item in op.options.data.items()]
        options = [item for item in given if item]
        opening = f"plan.launch({device}, {values.repr_of(op.kernel.data)}, ["
        closing = f"]{''.join(f', {item}' for item in options)})"
        self._call(opening, arguments, closing)

    def _argument(self, item: ArgumentAttr, buffers: Iterator[SSAValue], device: str) -> str:
        role, part = item.role.data, item.part.data
        if role == "length":
            return f"plan.length({values.repr_of(part)}, {device})"
        if item.by_value:
            return f"plan.{role}({values.repr_of(part)})"
        name = self.names[next(buffers)]
        if item.stripe is not None:
            return f"plan.stripe({name}, {item.stripe[0]})"
        return f"plan.part({name}, {values.repr_of(part)})" if part else name

    def _call(self, opening: str, items: list[str], closing: str) -> None:
        """On one line where it fits, else one item a line."""
        whole = f"{opening}{', '.join(items)}{closing}"
        if len(whole) <= _WIDTH - 12:
            self.writer.line(whole)
            return
        self.writer.line(opening)
        with self.writer.indent():
            for item in items:
                self.writer.line(f"{item},")
        self.writer.line(closing)


def _tensor(value: SSAValue) -> TensorType:
    return cast(BufferType, value.type).tensor


def _layout(type: BufferType) -> list[str]:
    """The arguments that say how a buffer lies, none for one that is row-major."""
    found = [values.stripes(type)] if values.stripes(type) else []
    return [*found, f"layered={type.depth}"] if type.depth else found


def _slot(op: host.AllocateOp | host.CopyOp) -> list[str]:
    return [] if op.slot_number is None else [f"slot={op.slot_number}"]


def _kind(value: SSAValue) -> str:
    return values.repr_of(cast(BufferType, value.type).kind)
