"""The body of a kernel: loops, and what they read and write, as C++ statements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from xdsl.dialects import scf
from xdsl.ir import Attribute, Block, Operation, SSAValue

from hetc.backends.cpu.buffers import (
    assignment,
    buffer_type,
    dims_in_order,
    first_store,
    is_final,
    is_value,
    stored_type,
    unchanged_until_used,
)
from hetc.backends.cpu.hints import hint_of
from hetc.backends.cpu.places import (
    STYLE,
    decoded,
    if_several,
    in_order,
    in_rows,
    is_shared,
    row_major,
    shared,
    value_type,
)
from hetc.backends.cpu.values import ValuePrinter
from hetc.backends.cxx import c_types
from hetc.backends.cxx.expressions import Expression, expression
from hetc.backends.cxx.names import Names
from hetc.dialects import nest
from hetc.dialects.locations import source_line
from hetc.dialects.mp import ConstantOp, DimSizeOp, TensorType
from hetc.writer import Writer


class BodyPrinter(ValuePrinter):
    """Prints ops of the nest dialect into its writer."""

    _METHODS: ClassVar[dict[type[Operation], str]] = {
        nest.ForOp: "_for",
        nest.EntriesOp: "_entries",
        nest.ReadOp: "_read",
        nest.FindOp: "_find",
        nest.BufferOp: "_buffer",
        nest.LoadOp: "_load",
        nest.StoreOp: "_store",
        nest.AccOp: "_queue",
        nest.FoldOp: "_push",
        nest.MergeOp: "_merge",
        nest.ArrangeOp: "_arrange",
        nest.EntryOp: "_entry",
        nest.OfferedOp: "_offered",
        DimSizeOp: "_dim_size",
        scf.IfOp: "_if",
    }

    def __init__(self, writer: Writer, names: Names):
        super().__init__(writer, names)
        self._last_line = ""
        # Stores that are printed where their buffer is declared.
        self._initial: set[Operation] = set()

    @classmethod
    def prints(cls, op: Operation) -> bool:
        """Whether the op is one of those that stand in a body, scalar operations aside."""
        return type(op) in cls._METHODS

    # Blocks

    def scope(self, block: Block) -> None:
        """A block with names of its own."""
        with self.names_inside():
            self.block(block)

    def block(self, block: Block) -> None:
        for op in block.ops:
            method = self._METHODS.get(type(op))
            if method is not None:
                getattr(self, method)(op)
            elif not isinstance(op, scf.YieldOp | ConstantOp):
                self._scalar(op)

    def _scalar(self, op: Operation) -> None:
        if op.results[0] in self.texts:
            return
        made = expression(op, [self.texts[operand] for operand in op.operands], STYLE)
        number = op.name == "arith.constant" or (made.atomic and made.text.replace("_", "").isalnum())
        if number:
            self.texts[op.results[0]] = made
        else:
            self.use_or_define(op.results[0], made, hint_of(op))

    def comment(self, op: Operation) -> None:
        """The source line of a loop nest, where it differs from the one before."""
        line = source_line(op)
        if line and line != self._last_line:
            self.writer.line(f"// {line}")
            self._last_line = line

    # Loops

    def _for(self, op: nest.ForOp) -> None:
        self.comment(op)
        if op.is_bound(nest.PARALLEL) and not is_shared(op):
            limits = [(self._limit(loop.lower), self._limit(loop.upper), loop.step_size) for loop in shared(op)]
            together = f" collapse({len(limits)})" if len(limits) > 1 else ""
            self.writer.unindented(f"#pragma omp parallel for{together} schedule(dynamic){if_several(limits)}")
        with self.names_inside():
            index = self.declare(op.index, "i")
            step = f"++{index}" if op.step_size == 1 else f"{index} += {op.step_size}"
            head = f"for (int64_t {index} = {self.text(op.lower)}; {index} < {self.operand(op.upper)}; {step})"
            with self.writer.block(f"{head} {{"):
                self.block(op.block)

    def _limit(self, value: SSAValue) -> str:
        """A limit of a loop, in front of it."""
        number = nest.number_of(value)
        return self.operand(value) if number is None else str(number)

    def _entries(self, op: nest.EntriesOp) -> None:
        self.comment(op)
        type_ = op.tensor.type
        assert isinstance(type_, TensorType)
        tensor, row = self.text(op.tensor), self.text(op.row)
        start, length = self.names.new(f"{tensor}_start"), self.names.new(f"{tensor}_length")
        guard = "" if op.present is None else f"{self.operand(op.present)} ? "
        other = " : 0" if guard else ""
        self.writer.line(f"const int64_t {start} = {guard}{tensor}_row_start[{row}]{other};")
        self.writer.line(f"const int64_t {length} = {guard}{tensor}_row_length[{row}]{other};")
        lower = self.text(op.lower)
        first = "0"
        if lower != "0":
            first = f"hetc::lower_bound({tensor}_column, {start}, int({length}), int({lower}))"
        with self.names_inside():
            entry, column = self.names.new("entry"), self.declare(op.column, "column")
            with self.writer.block(f"for (int64_t {entry} = {first}; {entry} < {length}; ++{entry}) {{"):
                self.writer.line(f"const int64_t {column} = {tensor}_column[{start} + {entry}];")
                self.writer.line(f"if ({column} >= {self.operand(op.upper)}) break;")
                if op.value.first_use is not None:
                    place = f"{tensor}_value[{start} + {entry}]"
                    self.define(op.value, c_types.decode(type_.element, place), "entry_value")
                self.block(op.block)

    def _if(self, op: scf.IfOp) -> None:
        with self.writer.block(f"if ({self.text(op.cond)}) {{"):
            self.scope(op.true_region.block)

    # Operands

    def _dim_size(self, op: DimSizeOp) -> None:
        row = "0" if op.per is None else self.text(op.per)
        self.define(op.result, f"len_{op.dim.data}[{row}]", f"live_{op.dim.data}")

    def _read(self, op: nest.ReadOp) -> None:
        type_ = op.tensor.type
        assert isinstance(type_, TensorType)
        name, indices = self.text(op.tensor), self._indices(op.indices)
        if type_.rows is not None:
            place = in_rows(f"{name}_table", type_.shape, type_.row_axis, type_.rows, indices)
        else:
            place = row_major(type_.shape, indices)
        self._element(op.result, op.present, type_.element, f"{name}[{place}]", f"{name}_value")

    def _element(self, result: SSAValue, present: SSAValue | None, element: Attribute, place: str, hint: str) -> None:
        self.use_or_define(result, self._guarded(present, decoded(element, place), result.type), hint)

    def _guarded(self, present: SSAValue | None, made: Expression, type: Attribute) -> Expression:
        """What is read, 0 where the condition is false."""
        if present is None or self.text(present) == "true":
            return made
        return Expression(f"{self.operand(present)} ? {made.operand} : {c_types.zero(type)}", False)

    def _find(self, op: nest.FindOp) -> None:
        type_ = op.tensor.type
        assert isinstance(type_, TensorType)
        tensor = self.text(op.tensor)
        row, column = (self.text(index) for index in op.indices)
        below, stored = self.names.new(f"{tensor}_below"), self.declare(op.stored, f"{tensor}_stored")
        guard = "" if op.present is None else f"{self.operand(op.present)} && "
        start = f"{tensor}_row_start[{row}]"
        search = f"hetc::lower_bound({tensor}_column, {start}, {tensor}_row_length[{row}], int({column}))"
        searched = search if op.present is None else f"{self.operand(op.present)} ? {search} : 0"
        self.writer.line(f"const int64_t {below} = {searched};")
        self.writer.line(
            f"const bool {stored} = {guard}{below} < {tensor}_row_length[{row}] && "
            f"{tensor}_column[{start} + {below}] == {self.operand(op.indices[1])};"
        )
        value = c_types.decode(type_.element, f"{tensor}_value[{start} + {below}]")
        if op.result.first_use is not None:
            self.define(op.result, f"{stored} ? {value} : {c_types.zero(op.result.type)}", f"{tensor}_found")

    # Buffers

    def _buffer(self, op: nest.BufferOp) -> None:
        type_ = buffer_type(op.result)
        name = self.declare(op.result, op.sym_name.data)
        kind = stored_type(type_)
        size = "".join(f"[{type_.shape[at]}]" for at in dims_in_order(op.result))
        first = None if type_.shape else first_store(op)
        if first is None:
            self.writer.line(f"{kind} {name}{size};")
        else:
            self._scalar_at(first.value)
            self.writer.line(f"{kind} {name} = {self._stored(type_, self.text(first.value))};")
            self._initial.add(first)

    def _scalar_at(self, value: SSAValue) -> None:
        """The text of a number that stands a little further down."""
        if value not in self.texts:
            assert isinstance(value.owner, Operation)
            self._scalar(value.owner)

    def _stored(self, type: nest.BufferType, text: str) -> str:
        """A value as it lies in a variable."""
        return text if is_value(type) else c_types.encode(type.element, text)

    def _load(self, op: nest.LoadOp) -> None:
        type_ = buffer_type(op.buffer)
        if type_.where == nest.REGISTER and not type_.shape:
            text, element = self.text(op.buffer), type_.element
            made = Expression(text) if is_value(type_) else decoded(element, text)
            self._loaded(op, made)
            return
        made = decoded(type_.element, self._slot(op.buffer, op.indices))
        self._loaded(op, self._guarded(op.present, made, op.result.type))

    def _loaded(self, op: nest.LoadOp, made: Expression) -> None:
        """A load stands where its value is used if nothing is written in between."""
        hint = f"{self.text(op.buffer)}_value"
        if is_final(op):
            self.texts[op.result] = made
        elif unchanged_until_used(op):
            self.use_or_define(op.result, made, hint)
        elif op.result.first_use is not None:
            self.define(op.result, made.text, hint)

    def _store(self, op: nest.StoreOp) -> None:
        if op in self._initial:
            return
        type_ = buffer_type(op.buffer)
        text = self.text(op.value)
        if type_.where == nest.REGISTER and not type_.shape:
            self.writer.line(assignment(self.text(op.buffer), self._stored(type_, text)))
            return
        self.writer.line(f"{self._slot(op.buffer, op.indices)} = {c_types.encode(type_.element, text)};")

    def _slot(self, buffer: SSAValue, indices: Sequence[SSAValue]) -> str:
        type_ = buffer_type(buffer)
        made = self._indices(indices)
        if type_.where != nest.GLOBAL:
            return self.text(buffer) + "".join(f"[{made[at].text}]" for at in dims_in_order(buffer))
        return f"{self.text(buffer)}[{in_order(type_, dims_in_order(buffer), made)}]"

    def _indices(self, indices: Sequence[SSAValue]) -> list[Expression]:
        return [self.texts[index] for index in indices]

    # Queues

    def _queue(self, op: nest.AccOp) -> None:
        type_ = op.result.type
        assert isinstance(type_, nest.AccType)
        score, size = value_type(type_.combiner.type), type_.combiner.size.data
        self.writer.line(f"hetc::queue<{score}> {self.declare(op.result, op.sym_name.data)}({size});")

    def _push(self, op: nest.FoldOp) -> None:
        guard = "" if op.present is None else f"if ({self.text(op.present)}) "
        pair = ", ".join(self.text(value) for value in op.values)
        self.writer.line(f"{guard}{self.text(op.states)}.push({pair});")

    def _merge(self, op: nest.MergeOp) -> None:
        self.writer.line(f"{self.text(op.states)}.merge({self.text(op.part)});")

    def _arrange(self, op: nest.ArrangeOp) -> None:
        self.writer.line(f"{self.text(op.states)}.arrange_by_{op.order.data}();")

    def _entry(self, op: nest.EntryOp) -> None:
        for value, word in ((op.score, "score"), (op.index, "index")):
            if value.first_use is not None:
                made = Expression(f"{self.text(op.states)}.{word}_at({self.text(op.place)})")
                self.use_or_define(value, made, f"{self.text(op.states)}_{word}")

    def _offered(self, op: nest.OfferedOp) -> None:
        self.use_or_define(op.result, Expression(f"{self.text(op.states)}.offered()"), "offered")
