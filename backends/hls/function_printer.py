"""The body of one emitted function: the ops of a region as C++ statements."""

from __future__ import annotations

from collections.abc import Callable

from xdsl.dialects import scf
from xdsl.ir import Attribute, Block, Operation, SSAValue

from hetc.backends.cxx.named_values import INLINE_CHARACTERS, NamedValues
from hetc.backends.cxx.names import Names
from hetc.backends.hls import c_types
from hetc.backends.hls.declarations import array_pragmas, extents, loop_pragmas, queue_type
from hetc.backends.hls.expressions import Expression, expression, is_known
from hetc.dialects import fpga
from hetc.dialects.locations import source_line
from hetc.writer import Writer


class FunctionPrinter(NamedValues):
    """Prints ops of the fpga dialect into `writer`."""

    def __init__(self, writer: Writer, names: Names):
        super().__init__(writer, names)
        self._last_line = ""
        self._printers: dict[type[Operation], Callable[[Operation], None]] = {
            fpga.LoopOp: self._loop,
            fpga.LanesOp: self._lanes,
            fpga.LoadOp: self._load,
            fpga.LoadAtOp: self._load_at,
            fpga.StoreOp: self._store,
            fpga.LaneOp: self._lane,
            fpga.ReadOp: self._read,
            fpga.WriteOp: self._write,
            fpga.LowerBoundOp: self._lower_bound,
            fpga.PushOp: self._push,
            fpga.ArrangeOp: self._arrange,
            fpga.TakenOp: self._taken,
            fpga.EntryOp: self._entry,
            fpga.ArrayOp: self._array,
            fpga.QueueOp: self._queue,
            scf.IfOp: self._if,
        }  # type: ignore[dict-item]

    def knows(self, op: Operation) -> bool:
        """Whether the op can be printed inside a function."""
        structural = isinstance(op, fpga.YieldOp | scf.YieldOp)
        return structural or type(op) in self._printers or is_known(op)

    # Values

    def type_of(self, value: Attribute) -> str:
        return c_types.value(value)

    # Blocks

    def block(self, block: Block) -> None:
        for op in block.ops:
            self.block_op(op)

    def block_op(self, op: Operation) -> None:
        """One op of a block; the ends of regions are printed by what they end."""
        if type(op) in self._printers:
            self._printers[type(op)](op)
        elif not isinstance(op, fpga.YieldOp | scf.YieldOp):
            self._scalar(op)

    def _scalar(self, op: Operation) -> None:
        made = expression(op, [self.texts[operand] for operand in op.operands])
        (result,) = op.results
        uses = list(result.uses)
        number = op.name == "arith.constant" or (made.atomic and made.text.replace("_", "").isalnum())
        once = len(uses) == 1 and uses[0].operation.parent_block() is op.parent_block()
        if number or (once and len(made.text) <= INLINE_CHARACTERS):
            self.texts[result] = made
        elif uses:
            self.define(result, made.text, "v")

    def comment(self, op: Operation) -> None:
        """The source line of a loop nest, where it differs from the one before."""
        line = source_line(op)
        if line and line != self._last_line:
            self.writer.line(f"// {line}")
            self._last_line = line

    # Loops

    def _loop(self, op: Operation) -> None:
        assert isinstance(op, fpga.LoopOp)
        self.comment(op)
        block = op.body.block
        carried = []
        for value, argument, result in zip(op.carried, block.args[1:], op.results, strict=True):
            hint = argument.name_hint or result.name_hint or "total"
            name = self.names.new(hint)
            self.writer.line(f"{c_types.value(value.type)} {name} = {self.text(value)};")
            self.texts[argument] = self.texts[result] = Expression(name)
            carried.append(name)
        index = self.declare(block.args[0], op.index.data)
        head = f"for (int {index} = {self.text(op.lower)}; {index} < {self.operand(op.upper)}; ++{index})"
        with self.writer.block(f"{head} {{"):
            for pragma in loop_pragmas(op, self.text):
                self.writer.unindented(pragma)
            self.block(block)
            self._carry(op, carried)

    def _carry(self, op: fpga.LoopOp, carried: list[str]) -> None:
        """The next iteration's values. Several are computed before any is assigned."""
        values = list(op.yielded.values)
        texts = [self.text(value) for value in values]
        changed = [
            (name, text, value) for name, text, value in zip(carried, texts, values, strict=True) if name != text
        ]
        if len(changed) > 1:
            named = []
            for name, text, value in changed:
                fresh = self.names.new(f"next_{name}")
                self.writer.line(f"const {c_types.value(value.type)} {fresh} = {text};")
                named.append((name, fresh, value))
            changed = named
        for name, text, _ in changed:
            self.writer.line(f"{name} = {text};")

    def _lanes(self, op: Operation) -> None:
        assert isinstance(op, fpga.LanesOp)
        block, count = op.body.block, op.count.value.data
        type_ = c_types.value(op.result.type)
        name = self.names.new(f"lanes_{op.index.data}")
        self.writer.line(f"{type_} {name}[{count}];")
        self.writer.unindented(f"#pragma HLS ARRAY_PARTITION variable={name} complete")
        index = self.declare(block.args[0], op.index.data)
        with self.writer.block(f"for (int {index} = 0; {index} < {count}; ++{index}) {{"):
            self.writer.unindented("#pragma HLS UNROLL")
            self.block(block)
            self.writer.line(f"{name}[{index}] = {self.text(op.yielded.values[0])};")
        kind = {"any": "max", "all": "min"}.get(op.kind.data, op.kind.data)
        self.define(op.result, f"hetc::tree_{kind}({name})", f"over_{op.index.data}")

    def _if(self, op: Operation) -> None:
        assert isinstance(op, scf.IfOp) and not op.results
        with self.writer.block(f"if ({self.text(op.cond)}) {{"):
            self.block(op.true_region.block)

    # Memory

    def _element(self, op: fpga.LoadOp | fpga.StoreOp) -> tuple[str, Attribute]:
        """An element's C++ place, and its stored type."""
        type_ = op.source.type
        source = self.text(op.source)
        if isinstance(type_, fpga.ArrayType):
            return source + "".join(f"[{self.text(index)}]" for index in op.indices), type_.element
        assert isinstance(type_, fpga.PointerType)
        first, *rest = [self.texts[index] for index in op.indices]
        if not rest:
            return f"{source}[{first.text}]", type_.element
        place = f"int64_t({first.text})"
        for index, extent in zip(rest, op.extents, strict=True):
            place = f"{place} * {self.operand(extent)}"
            place = place if index.text == "0" else f"({place} + {index.text})"
        return f"{source}[{_outermost(place)}]", type_.element

    def _load(self, op: Operation) -> None:
        assert isinstance(op, fpga.LoadOp)
        place, element = self._element(op)
        self._define_load(op.result, c_types.decode(element, place), op.present, op.source)

    def _load_at(self, op: Operation) -> None:
        assert isinstance(op, fpga.LoadAtOp)
        type_ = op.source.type
        assert isinstance(type_, fpga.PointerType)
        place = c_types.decode(
            type_.element, f"{self.text(op.source)}[{self.operand(op.start)} + {self.operand(op.offset)}]"
        )
        self._define_load(op.result, place, op.present, op.source)

    def _define_load(self, result: SSAValue, text: str, present: SSAValue | None, source: SSAValue) -> None:
        if present is not None and self.text(present) != "true":
            text = f"{self.operand(present)} ? {text} : {c_types.zero(result.type)}"
        self.define(result, text, f"{self.text(source)}_value")

    def _store(self, op: Operation) -> None:
        assert isinstance(op, fpga.StoreOp)
        place, element = self._element(op)
        guard = "" if op.present is None else f"if ({self.text(op.present)}) "
        self.writer.line(f"{guard}{place} = {c_types.encode(element, self.text(op.value))};")

    def _lane(self, op: Operation) -> None:
        assert isinstance(op, fpga.LaneOp)
        type_ = op.word.type
        assert isinstance(type_, fpga.WordType)
        width = type_.bits // type_.lanes.data
        taken = f"hetc::lane<{width}>({self.text(op.word)}, {self.text(op.lane)})"
        kind = c_types.storage(type_.element)
        if kind == "float":
            taken = f"hetc::from_f32({taken})"
        elif kind.startswith("int"):
            taken = f"{kind}({taken}.to_uint64())"
        coded = isinstance(op.result.type, fpga.CodeType)
        self.define(op.result, taken if coded else c_types.decode(type_.element, taken), "lane")

    # Streams, searches, queues

    def _read(self, op: Operation) -> None:
        assert isinstance(op, fpga.ReadOp)
        self.define(op.result, f"{self.text(op.stream)}.read()", f"from_{self.text(op.stream)}")

    def _write(self, op: Operation) -> None:
        assert isinstance(op, fpga.WriteOp)
        self.writer.line(f"{self.text(op.stream)}.write({self.text(op.value)});")

    def _lower_bound(self, op: Operation) -> None:
        assert isinstance(op, fpga.LowerBoundOp)
        arguments = ", ".join(self.text(item) for item in op.operands)
        self.define(op.result, f"hetc::lower_bound({arguments})", "below")

    def _push(self, op: Operation) -> None:
        assert isinstance(op, fpga.PushOp)
        guard = "" if op.present is None else f"if ({self.text(op.present)}) "
        pair = f"{self.text(op.score)}, {self.text(op.index)}"
        self.writer.line(f"{guard}{self.text(op.queue)}.push({pair});")

    def _arrange(self, op: Operation) -> None:
        assert isinstance(op, fpga.ArrangeOp)
        self.writer.line(f"{self.text(op.queue)}.arrange_by_{op.order.data}();")

    def _taken(self, op: Operation) -> None:
        assert isinstance(op, fpga.TakenOp)
        self.define(op.result, f"{self.text(op.queue)}.taken()", "taken")

    def _entry(self, op: Operation) -> None:
        assert isinstance(op, fpga.EntryOp)
        for value, method in ((op.score, "score_at"), (op.index, "index_at")):
            if any(True for _ in value.uses):
                text = f"{self.text(op.queue)}.{method}({self.text(op.position)})"
                self.define(value, text, f"entry_{method.removesuffix('_at')}")

    # On-chip memory

    def _array(self, op: Operation) -> None:
        assert isinstance(op, fpga.ArrayOp)
        name = self.declare(op.result, op.sym_name.data)
        type_ = op.result.type
        self.writer.line(f"{c_types.storage(type_.element)} {name}{extents(type_)};")
        for pragma in array_pragmas(op, name):
            self.writer.unindented(pragma)

    def _queue(self, op: Operation) -> None:
        assert isinstance(op, fpga.QueueOp)
        name = self.declare(op.result, op.sym_name.data)
        self.writer.line(f"{queue_type(op.result.type)} {name};")


def _outermost(text: str) -> str:
    """Without the parentheses around all of it."""
    if not text.startswith("("):
        return text
    depth = 0
    for place, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth == 0:
            return text[1:-1] if place == len(text) - 1 else text
    return text
