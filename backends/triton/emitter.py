"""Prints tile.kernel ops as Triton functions. It decides nothing: what is computed once has a name, what is used
once and is short stands where it is used."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import scf
from xdsl.ir import Block, Operation, SSAValue

from hetc.backends.triton.expressions import SUM, Text, express, filled, is_elementwise, literal
from hetc.backends.triton.names import Names
from hetc.dialects import tile
from hetc.dialects.locations import source_line
from hetc.dialects.tile import element_of, join_shapes, shape_of
from hetc.writer import Writer

_LONGEST_INLINE = 60
_WIDTH = 110
_KIND_NAMES = {
    "tile.compare": "holds",
    "tile.reduce": "reduced",
    "tile.cumsum": "running",
    "tile.range": "lane",
    "tile.where": "chosen",
    "tile.dot": "product",
    "tile.histogram": "counts",
}
"""Names of values that the program gives none."""


class KernelPrinter:
    """Prints one kernel. helpers: the helper functions that it calls, by name, added to as they are met."""

    def __init__(self, kernel: tile.KernelOp, helpers: set[str], reserved: set[str]):
        self.kernel, self.helpers = kernel, helpers
        self.writer = Writer("    ")
        self.names = Names(reserved)
        self.texts: dict[SSAValue, Text] = {}
        self.line = ""

    def print(self) -> str:
        kernel = self.kernel
        arguments = []
        scalars = []
        for item, value in zip(kernel.arguments, kernel.body.block.args, strict=True):
            name = self.names.new(value.name_hint)
            self.texts[value] = Text(name)
            arguments.append(name)
            if item.by_value:
                scalars.append(name)
        decorator = f"@triton.jit(do_not_specialize={scalars})" if scalars else "@triton.jit"
        self.writer.line(decorator.replace("'", '"'))
        parameters = [*arguments, *(f"{item.data}: tl.constexpr" for item in kernel.constexprs)]
        self._signature(kernel.sym_name.data, parameters)
        with self.writer.indent():
            self._comment(kernel)
            self._block(kernel.body.block)
        return self.writer.text()

    @property
    def argument_names(self) -> list[str]:
        """After `print`: the names of the arguments, in order."""
        return [self.texts[value].text for value in self.kernel.body.block.args]

    def _signature(self, name: str, parameters: Sequence[str]) -> None:
        text = f"def {name}({', '.join(parameters)}):"
        if len(text) <= _WIDTH:
            self.writer.line(text)
            return
        self.writer.line(f"def {name}(")
        with self.writer.indent():
            for parameter in parameters:
                self.writer.line(f"{parameter},")
        self.writer.line("):")

    def _comment(self, op: Operation) -> None:
        """The source line, where it is not the one of the comment before."""
        line = source_line(op)
        if line:
            self.writer.line(f"# {line}")

    def use(self, helper: str) -> str:
        self.helpers.add(helper)
        return helper

    def _block(self, block: Block) -> None:
        written = False
        for op in block.ops:
            if isinstance(op, scf.YieldOp):
                continue
            before = len(self.writer._lines)
            self._op(op)
            written = written or len(self.writer._lines) > before
        if not written and not (block.last_op is not None and block.last_op.operands):
            self.writer.line("pass")

    def _op(self, op: Operation) -> None:
        match op:
            case scf.ForOp():
                self._for(op)
            case scf.IfOp():
                self._if(op)
            case tile.StoreOp() | tile.AtomicAddOp():
                self._store(op)
            case tile.BarrierOp():
                self.writer.line("tl.debug_barrier()")
                self._comment(op)
            case tile.LoadOp():
                self._assign(op.result, self._load(op))
            case tile.ArgReduceOp():
                self._arg_reduce(op)
            case tile.ArgCombineOp():
                helper = self.use(f"arg_{op.kind.data}")
                self._assign_pair(op, f"{helper}({', '.join(self.texts[item].text for item in op.operands)})")
            case _:
                self._value(op)

    def _value(self, op: Operation) -> None:
        result = op.results[0]
        if result.first_use is None:
            return
        text = express(op, self._operands(op), self.use)
        use = result.get_user_of_unique_use()
        # A broadcast is left out where Triton broadcasts itself; what a loop carries gets its name there.
        anyway = isinstance(op, tile.BroadcastOp) or (isinstance(use, scf.YieldOp) and len(use.operands) == 1)
        short = anyway or len(text.text) <= _LONGEST_INLINE
        if text.literal or (short and self._is_local(op)):
            self.texts[result] = text
        else:
            self._assign(result, text)

    def _is_local(self, op: Operation) -> bool:
        """Used once, in the same block: inlining neither repeats work nor moves it into a loop."""
        result = op.results[0]
        use = result.get_user_of_unique_use()
        if use is None or use.parent is not op.parent:
            return False
        return not (isinstance(use, scf.YieldOp) and len(use.operands) > 1)

    def _assign(self, value: SSAValue, text: Text) -> None:
        kind = value.owner.name if isinstance(value.owner, Operation) else ""
        name = self.names.new(value.name_hint or _KIND_NAMES.get(kind))
        self.texts[value] = Text(name)
        self.writer.line(f"{name} = {text.text}")

    def _assign_pair(self, op: tile.ArgReduceOp | tile.ArgCombineOp, text: str) -> None:
        names = [self.names.new(hint) for hint in ("best", "best_index")]
        for result, name in zip(op.results, names, strict=True):
            self.texts[result] = Text(name)
        self.writer.line(f"{', '.join(names)} = {text}")

    def _arg_reduce(self, op: tile.ArgReduceOp) -> None:
        value, index = (self.texts[item].text for item in op.operands)
        combine = self.use(f"arg_{op.kind.data}")
        dim = op.dim.value.data
        scalar = shape_of(op.best.type) == ()
        rank = len(shape_of(op.value.type))
        kept = "" if scalar and rank == 1 else ", keep_dims=True"
        self._assign_pair(op, f"tl.reduce(({value}, {index}), {dim}, {combine}{kept})")
        if scalar and rank > 1:  # one element a dimension: any full reduction gives it
            for result, helper in zip(op.results, ("nan_maximum", None), strict=True):
                name = self.texts[result].text
                if helper is None or not element_of(result.type).name.startswith("f"):
                    self.writer.line(f"{name} = tl.max({name})")
                else:
                    self.writer.line(f"{name} = tl.reduce({name}, None, {self.use(helper)})")

    # operands

    def _operands(self, op: Operation) -> list[Text]:
        """The operands' texts; a broadcast is left to Triton where its operator does the same."""
        if not is_elementwise(op):
            return [self.texts[item] for item in op.operands]
        plain = [_unbroadcast(item) for item in op.operands]
        wanted = shape_of(op.results[0].type)
        if join_shapes(*(shape_of(item.type) for item in plain)) == wanted:
            return [self.texts[item] for item in plain]
        return [self.texts[item] for item in op.operands]

    def _place(self, op: tile.LoadOp | tile.StoreOp | tile.AtomicAddOp) -> str:
        offset = self.texts[op.offset]
        pointer = self.texts[op.pointer].text
        return pointer if offset.text == "0" else f"{pointer} + {offset.at(SUM)}"

    def _load(self, op: tile.LoadOp) -> Text:
        place = self._place(op)
        if op.mask is None:
            return Text(f"tl.load({place})")
        zero = literal(0, element_of(op.result.type))
        return Text(f"tl.load({place}, mask={self.texts[_unbroadcast(op.mask)].text}, other={zero.text})")

    def _store(self, op: tile.StoreOp | tile.AtomicAddOp) -> None:
        function = "tl.store" if isinstance(op, tile.StoreOp) else "tl.atomic_add"
        value = _unbroadcast(op.value)
        text = self.texts[value]
        mask = "" if op.mask is None else f", mask={self.texts[_unbroadcast(op.mask)].text}"
        self.writer.line(f"{function}({self._place(op)}, {text.text}{mask})")

    # control

    def _for(self, op: scf.ForOp) -> None:
        carried = op.body.block.args[1:]
        for argument, initial in zip(carried, op.iter_args, strict=True):
            text = self.texts[initial]
            if text.literal:
                text = filled((), text, element_of(initial.type))
            name = self.names.new(argument.name_hint)
            self.texts[argument] = Text(name)
            self.writer.line(f"{name} = {text.text}")
        index = op.body.block.args[0]
        name = self.names.new(index.name_hint)
        self.texts[index] = Text(name)
        self._comment(op)
        self.writer.line(f"for {name} in range({self._bounds(op)}):")
        with self.writer.indent():
            self._block(op.body.block)
            last = op.body.block.last_op
            assert isinstance(last, scf.YieldOp)
            self._carry(carried, last.operands)
        for result, argument in zip(op.results, carried, strict=True):
            self.texts[result] = self.texts[argument]

    def _bounds(self, op: scf.ForOp) -> str:
        lower, upper, step = (self.texts[item].text for item in (op.lb, op.ub, op.step))
        if step == "1":
            return upper if lower == "0" else f"{lower}, {upper}"
        return f"{lower}, {upper}, {step}"

    def _carry(self, carried: Sequence[SSAValue], values: Sequence[SSAValue]) -> None:
        """`total = new`; all of several new values have names already, so the order does not matter."""
        for argument, value in zip(carried, values, strict=True):
            name, text = self.texts[argument].text, self.texts[value]
            if name != text.text:
                self.writer.line(f"{name} = {text.text}")

    def _if(self, op: scf.IfOp) -> None:
        self.writer.line(f"if {self.texts[op.cond].text}:")
        with self.writer.indent():
            self._block(op.true_region.block)


def _unbroadcast(value: SSAValue) -> SSAValue:
    return value.owner.value if isinstance(value.owner, tile.BroadcastOp) else value
