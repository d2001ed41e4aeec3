"""Bodies with loops of lanes: what each lane has its own of is printed as `hetc::lanes`, the rest as numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType
from xdsl.ir import Operation, SSAValue

from hetc.backends.cpu import lane_expressions as lanes
from hetc.backends.cpu.body_printer import BodyPrinter
from hetc.backends.cpu.buffers import (
    assignment,
    buffer_type,
    dims_in_order,
    first_store,
    is_value,
    lane_place,
    lanes_in,
)
from hetc.backends.cpu.hints import hint_of
from hetc.backends.cpu.places import in_rows, row_major, value_type
from hetc.backends.cxx import c_types
from hetc.backends.cxx.expressions import Expression
from hetc.backends.cxx.names import Names
from hetc.dialects import nest
from hetc.dialects.mp import TensorType, compute_type
from hetc.writer import Writer

Place = Callable[[list[Expression]], str]


class LanePrinter(BodyPrinter):
    """Prints ops of the nest dialect, those of a step of lanes as straight code without a loop."""

    def __init__(self, writer: Writer, names: Names):
        super().__init__(writer, names)
        self.loop: nest.ForOp | None = None
        self._own: set[SSAValue] = set()
        # Of indices that grow by one from lane to lane, that of the first lane.
        self._first: dict[SSAValue, Expression] = {}
        # Variables that are declared where their first value stands.
        self._waiting: set[SSAValue] = set()
        self._lane_counts: dict[SSAValue, int] = {}

    @property
    def count(self) -> int:
        assert self.loop is not None
        return self.loop.lane_count

    def _for(self, op: nest.ForOp) -> None:
        if not op.is_bound(nest.VECTOR):
            super()._for(op)
            return
        self.comment(op)
        self.loop, self._own, self._first = op, nest.own_values(op), {op.index: Expression("0")}
        self.block(op.block)
        self.loop, self._own, self._first = None, set(), {}

    # Values

    def _lanes(self, value: SSAValue) -> Expression:
        """A value as lanes, whether or not each has its own."""
        if value in self._first:
            return Expression(f"hetc::counting<{self.count}>({self._first[value].text})")
        return self.texts[value] if value in self._own else lanes.splat(value.type, self.texts[value], self.count)

    def _either(self, value: SSAValue) -> Expression:
        """A value as lanes where each has its own, else the number."""
        return self._lanes(value) if value in self._own else self.texts[value]

    def define(self, value: SSAValue, text: str, hint: str) -> None:
        if value not in self._own:
            super().define(value, text, hint)
            return
        type_ = lanes.lanes_of(value_type(value.type), self.count)
        self.writer.line(f"const {type_} {self.declare(value, hint)} = {text};")

    def _scalar(self, op: Operation) -> None:
        if op.results[0] not in self._own:
            super()._scalar(op)
            return
        first = self._counted(op)
        if first is not None:
            self._first[op.results[0]] = first
            return
        operands = [self._either(operand) for operand in op.operands]
        own = [operand in self._own for operand in op.operands]
        self.use_or_define(op.results[0], lanes.lane_expression(op, operands, own, self.count), hint_of(op))

    def _counted(self, op: Operation) -> Expression | None:
        """The first lane's index, where it grows by one from lane to lane."""
        if not isinstance(op, arith.AddiOp | arith.SubiOp) or not isinstance(op.result.type, IndexType):
            return None
        counting = [operand in self._first for operand in op.operands]
        own = [operand in self._own for operand in op.operands]
        if sum(own) != 1 or counting != own or (isinstance(op, arith.SubiOp) and own[1]):
            return None
        first, second = (self._first.get(operand) or self.texts[operand] for operand in op.operands)
        if second.text == "0":
            return first
        if first.text == "0" and isinstance(op, arith.AddiOp):
            return second
        sign = "+" if isinstance(op, arith.AddiOp) else "-"
        return Expression(f"{first.operand} {sign} {second.operand}", False)

    # Elements

    def _access(self, indices: Sequence[SSAValue], in_line: bool, place: Place) -> tuple[str, bool]:
        """Where the lanes' elements lie, and whether that is one behind the other; `in_line`: whether elements are that
        differ in the last index by one."""
        own = [position for position, index in enumerate(indices) if index in self._own]
        if in_line and own == [len(indices) - 1] and indices[-1] in self._first:
            return place([self._first.get(index) or self.texts[index] for index in indices]), True
        text = place([self._either(index) for index in indices])
        return (text if own else lanes.splat(IndexType(), Expression(text), self.count).text), False

    def _loaded_lanes(self, op: nest.ReadOp | nest.LoadOp, pointer: str, place: str, in_line: bool) -> str:
        """Stored elements of a pointer; 0 in lanes whose condition is false."""
        own_condition = op.present is not None and op.present in self._own
        condition = f"{self.text(op.present)}, " if own_condition and op.present is not None else ""
        suffix = "_if" if own_condition else ""
        if in_line:
            return f"hetc::load{suffix}<{self.count}>({condition}{_plus(pointer, place)})"
        return f"hetc::gather{suffix}<{self.count}>({condition}{pointer}, {place})"

    def _where(self, made: Expression, op: nest.ReadOp | nest.LoadOp) -> Expression:
        """The same where a condition that all lanes share holds, else 0."""
        present = op.present
        if present is None or present in self._own or self.text(present) == "true":
            return made
        zero = lanes.splat(op.result.type, Expression(c_types.zero(op.result.type)), self.count)
        return Expression(f"{self.operand(present)} ? {made.operand} : {zero.text}", False)

    def _read(self, op: nest.ReadOp) -> None:
        if op.result not in self._own:
            super()._read(op)
            return
        type_ = op.tensor.type
        assert isinstance(type_, TensorType)
        name, shape, rows = self.text(op.tensor), type_.shape, type_.rows

        def place(indices: list[Expression]) -> str:
            if rows is None:
                return row_major(shape, indices)
            return in_rows(f"{name}_table", shape, type_.row_axis, rows, indices)

        in_line = rows is None or type_.row_axis + 1 < len(shape)
        text, in_line = self._access(list(op.indices), in_line, place)
        stored = self._loaded_lanes(op, name, text, in_line)
        self.use_or_define(
            op.result, self._where(lanes.decoded(type_.element, stored, self.count), op), f"{name}_value"
        )

    # Buffers

    def _is_private(self, buffer: SSAValue) -> bool:
        """Whether each lane has a buffer of its own."""
        return self.loop is not None and isinstance(buffer.owner, Operation) and nest.is_inside(buffer.owner, self.loop)

    def _buffer(self, op: nest.BufferOp) -> None:
        count = self.count if self._is_private(op.result) else self._lanes_in(op.result)
        if not count:
            super()._buffer(op)
            return
        type_ = buffer_type(op.result)
        name = self.declare(op.result, op.sym_name.data)
        if not self._is_private(op.result) and _is_stored_next(op):
            self._waiting.add(op.result)
            return
        kind = value_type(compute_type(type_.element)) if is_value(type_) else c_types.storage(type_.element)
        shape = type_.shape if self._is_private(op.result) else type_.shape[:-1]
        size = "".join(f"[{extent}]" for extent in shape)
        first = first_store(op) if self._is_private(op.result) and not shape else None
        start = ""
        if first is not None:
            self._scalar_at(first.value)
            start = f" = {self._kept(type_, self._lanes(first.value).text)}"
            self._initial.add(first)
        self.writer.line(f"{lanes.lanes_of(kind, count)} {name}{size}{start};")

    def _kept(self, type: nest.BufferType, text: str) -> str:
        """Values as they lie in a variable of lanes."""
        return text if is_value(type) else lanes.kept(type.element, text, self.count)

    def _lanes_in(self, buffer: SSAValue) -> int:
        """As `lanes_in`, looked up once for each buffer."""
        if buffer not in self._lane_counts:
            self._lane_counts[buffer] = lanes_in(buffer)
        return self._lane_counts[buffer]

    def _variable(self, buffer: SSAValue, indices: Sequence[SSAValue]) -> str | None:
        """The variable of lanes that holds an element of each lane, None where a buffer is another kind of memory."""
        if self._is_private(buffer):
            return self.text(buffer) + "".join(f"[{self.text(index)}]" for index in indices)
        if not self._lanes_in(buffer):
            return None
        return self.text(buffer) + "".join(f"[{self.text(index)}]" for index in indices[:-1])

    def _load(self, op: nest.LoadOp) -> None:
        type_, variable = buffer_type(op.buffer), self._variable(op.buffer, op.indices)
        if variable is not None and self.loop is None:
            self._loaded(op, Expression(f"{variable}.at({self.text(op.indices[-1])})"))
        elif variable is not None:
            self._loaded(op, self._where(self._of_variable(op, type_, variable), op))
        elif op.result not in self._own:
            super()._load(op)
        else:
            pointer, place, in_line = self._slots(op.buffer, op.indices)
            stored = self._loaded_lanes(op, pointer, place, in_line)
            self._loaded(op, self._where(lanes.decoded(type_.element, stored, self.count), op))

    def _of_variable(self, op: nest.LoadOp, type: nest.BufferType, variable: str) -> Expression:
        """What lies in a variable of lanes, or in a part of it."""
        if not self._is_private(op.buffer):
            assert self.loop is not None
            first, width = lane_place(op.indices[-1], self.loop), self._lanes_in(op.buffer)
            if width != self.count:
                variable = f"hetc::part<{self.count}, {first}>({variable})"
        return Expression(variable) if is_value(type) else lanes.decoded(type.element, variable, self.count)

    def _store(self, op: nest.StoreOp) -> None:
        if op in self._initial:
            return
        type_, variable = buffer_type(op.buffer), self._variable(op.buffer, op.indices)
        if variable is not None and self.loop is None:
            self.writer.line(f"{variable}.set({self.text(op.indices[-1])}, {self.text(op.value)});")
        elif variable is not None:
            text = self._kept(type_, self._lanes(op.value).text)
            if op.buffer in self._waiting:
                self._waiting.remove(op.buffer)
                kind = value_type(compute_type(type_.element)) if is_value(type_) else c_types.storage(type_.element)
                self.writer.line(f"{lanes.lanes_of(kind, self.count)} {variable} = {text};")
            else:
                self.writer.line(assignment(variable, text))
        elif self.loop is None:
            super()._store(op)
        else:
            pointer, place, in_line = self._slots(op.buffer, op.indices)
            value = lanes.encoded(type_.element, self._lanes(op.value).text)
            if in_line:
                self.writer.line(f"hetc::store({_plus(pointer, place)}, {value});")
            else:
                self.writer.line(f"hetc::scatter({pointer}, {place}, {value});")

    def _slots(self, buffer: SSAValue, indices: Sequence[SSAValue]) -> tuple[str, str, bool]:
        """The pointer of a buffer, where the lanes' elements lie from it, and whether that is one behind the other."""
        type_, name, dims = buffer_type(buffer), self.text(buffer), dims_in_order(buffer)
        if type_.where != nest.GLOBAL and len(dims) > 1:
            name = "&" + name + "[0]" * len(dims)
        shape = [type_.shape[at] for at in dims]
        place, in_line = self._access([indices[at] for at in dims], True, lambda made: row_major(shape, made))
        return name, place, in_line

    # Queues

    def _push(self, op: nest.FoldOp) -> None:
        if self.loop is None:
            super()._push(op)
            return
        values = ", ".join(self._lanes(value).text for value in op.values)
        here = "" if op.present is None else f", {self._lanes(op.present).text}"
        self.writer.line(f"hetc::offer({self.text(op.states)}, {values}{here});")


def _is_stored_next(op: nest.BufferOp) -> bool:
    """Whether all that comes next in a buffer's block is a step of lanes that stores to it and does not use it."""
    type_, following = buffer_type(op.result), op.next_op
    while isinstance(following, arith.ConstantOp | nest.BufferOp):
        following = following.next_op
    if len(type_.shape) != 1 or not isinstance(following, nest.ForOp) or not nest.is_lockstep(following):
        return False
    used = [access for access in nest.accesses_inside(following) if access.target is op.result]
    return len(used) == 1 and used[0].writes and used[0].op.parent is following.block


def _plus(pointer: str, place: str) -> str:
    return pointer if place == "0" else f"{pointer} + {place}"
