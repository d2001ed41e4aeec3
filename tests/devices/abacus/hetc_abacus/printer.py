"""Loops as Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import FloatAttr, IndexType, IntegerAttr, ModuleOp, i1
from xdsl.ir import Block, Operation, SSAValue

from hetc.diagnostics import Diagnostic
from hetc.dialects import nest
from hetc.dialects.locations import source_line
from hetc.dialects.mp import ConstantOp, DimSizeOp, RoundOp, TensorType, dtype_name
from hetc.writer import Writer

KIND = "abacus"
_FLOATS = {"arith.addf": "{} + {}", "arith.subf": "{} - {}", "arith.mulf": "{} * {}", "arith.divf": "{} / {}",
           "arith.maximumf": "beads.maximum({}, {})", "arith.minimumf": "beads.minimum({}, {})",
           "math.exp": "beads.exp({})", "math.sqrt": "beads.sqrt({})", "arith.negf": "-{}"}  # fmt: skip
_INTEGERS = {"arith.addi": "{} + {}", "arith.subi": "{} - {}", "arith.muli": "{} * {}", "arith.maxsi": "max({}, {})",
             "arith.minsi": "min({}, {})", "arith.andi": "{} & {}", "arith.ori": "{} | {}",
             "arith.xori": "{} ^ {}"}  # fmt: skip
_FLOAT_ORDERS = {1: "{} == {}", 2: "{} > {}", 3: "{} >= {}", 4: "{} < {}", 5: "{} <= {}", 13: "{} != {}"}
_INTEGER_ORDERS = {0: "{} == {}", 1: "{} != {}", 2: "{} < {}", 3: "{} <= {}", 4: "{} > {}", 5: "{} >= {}"}
_CASTS = ("arith.index_cast", "arith.extsi", "arith.extui", "arith.sitofp")
_WHOLE = (nest.PhaseOp, nest.ForOp, nest.ReadOp, nest.BufferOp, nest.LoadOp, nest.StoreOp, nest.ArrangeOp,
          nest.EntryOp, nest.OfferedOp, DimSizeOp, RoundOp, scf.IfOp, scf.YieldOp, arith.SelectOp,
          arith.ConstantOp)  # fmt: skip


def knows(op: Operation) -> bool:
    """Whether the op has a form."""
    if isinstance(op, nest.KernelOp):
        return True
    if isinstance(op, nest.AccOp):
        return nest.is_queue(op.result)
    if isinstance(op, nest.FoldOp):
        return nest.is_queue(op.states)
    if isinstance(op, arith.CmpfOp):
        return op.predicate.value.data in _FLOAT_ORDERS
    if isinstance(op, arith.CmpiOp):
        return op.predicate.value.data in _INTEGER_ORDERS
    return isinstance(op, _WHOLE) or op.name in {*_FLOATS, *_INTEGERS, *_CASTS}


def kernels(module: ModuleOp) -> list[nest.KernelOp]:
    """The kernels of a module that are on an abacus."""
    found = [op for op in module.body.block.ops if isinstance(op, nest.KernelOp)]
    return [op for op in found if op.device.data == KIND]


def check(module: ModuleOp) -> list[Diagnostic]:
    """What has no form."""
    unknown = [op for kernel in kernels(module) for op in kernel.walk() if not knows(op)]
    return [Diagnostic("error", "HET330", f"an abacus has no form for {op.name}") for op in unknown]


def emit(module: ModuleOp) -> dict[str, str]:
    """abacus/KERNEL.py for each kernel."""
    return {f"{KIND}/{op.sym_name.data}.py": _Kernel(op).text() for op in kernels(module)}


class _Kernel:
    """One kernel as a function of its arguments."""

    def __init__(self, kernel: nest.KernelOp):
        self.kernel, self.writer = kernel, Writer()
        self.names: dict[SSAValue, str] = {}
        self.methods: dict[type[Operation], Callable] = {
            nest.ForOp: self._for, nest.BufferOp: self._buffer, nest.StoreOp: self._store, nest.AccOp: self._queue,
            nest.FoldOp: self._push, nest.ArrangeOp: self._arrange, nest.EntryOp: self._entry, scf.IfOp: self._if,
            nest.PhaseOp: lambda op: self._block(op.block), scf.YieldOp: lambda op: None,
        }  # fmt: skip

    def text(self) -> str:
        place = source_line(self.kernel)
        self.writer.line(f"# Kernel {self.kernel.sym_name.data}, from {place}")
        self.writer.line("from hetc_abacus import beads")
        self.writer.line()
        names = [self._argument(item.role.data, item.index.data, item.part.data) for item in self.kernel.arguments]
        with self.writer.block(f"def {self.kernel.sym_name.data}({', '.join(names)}):", ""):
            for op in self.kernel.block.ops:
                if isinstance(op, nest.PhaseOp):
                    self._block(op.block)
            self.writer.line("return")
        return self.writer.text()

    def _argument(self, role: str, number: int, part: str) -> str:
        if role in ("length", "capacity"):
            return f"{role}_{part}"
        scratch = [op.result for op in self.kernel.block.ops if isinstance(op, nest.BufferOp)]
        constants = [op.result for op in self.kernel.block.ops if isinstance(op, ConstantOp)]
        values: dict[str, Sequence[SSAValue]] = {
            "operand": self.kernel.operand_arguments, "result": self.kernel.result_arguments,
            "constant": constants, "scratch": scratch,
        }  # fmt: skip
        return self._named(values[role][number])

    def _named(self, value: SSAValue) -> str:
        self.names[value] = f"{value.name_hint or 'v'}_{len(self.names)}"
        return self.names[value]

    def _block(self, block: Block) -> None:
        for op in block.ops:
            method = self.methods.get(type(op))
            if method is None:
                self.writer.line(f"{self._named(op.results[0])} = {self._value(op)}")
            else:
                method(op)

    def _of(self, values: Sequence[SSAValue]) -> Iterator[str]:
        return (self.names[value] for value in values)

    def _value(self, op: Operation) -> str:
        given = list(self._of(op.operands))
        match op:
            case arith.ConstantOp(value=FloatAttr() as number):
                return f"beads.F('{number.value.data!r}')"
            case arith.ConstantOp(value=IntegerAttr() as number):
                return str(bool(number.value.data) if op.result.type == i1 else number.value.data)
            case arith.SelectOp():
                return f"{given[1]} if {given[0]} else {given[2]}"
            case arith.CmpfOp():
                return f"bool({_FLOAT_ORDERS[op.predicate.value.data].format(*given)})"
            case arith.CmpiOp():
                return _INTEGER_ORDERS[op.predicate.value.data].format(*given)
            case DimSizeOp():
                return f"int(length_{op.dim.data}[{given[0] if given else 0}])"
            case RoundOp():
                return f"beads.rounded({given[0]}, '{dtype_name(op.element)}')"
            case nest.ReadOp():
                return self._element(op.tensor, op.indices, op.present)
            case nest.LoadOp():
                return self._element(op.buffer, op.indices, op.present)
            case nest.OfferedOp():
                return f"{given[0]}.offered"
        if op.name == "arith.sitofp":
            return f"beads.F({given[0]})"
        if op.name in _CASTS:
            return f"int({given[0]})"
        if op.name in _FLOATS:
            return _FLOATS[op.name].format(*given)
        made = _INTEGERS[op.name].format(*given)
        type_ = op.results[0].type
        return made if isinstance(type_, IndexType) or type_ == i1 else f"beads.wrapped({made}, {type_.width.data})"  # type: ignore[attr-defined]

    def _element(self, array: SSAValue, indices: Sequence[SSAValue], present: SSAValue | None) -> str:
        type_ = array.type
        assert isinstance(type_, TensorType | nest.BufferType)
        if isinstance(type_, nest.BufferType) and type_.where != nest.GLOBAL:
            made = f"{self.names[array]}[{self._key(indices)}]"
        else:
            made = f"beads.load({self.names[array]}, {self._place(type_, indices)}, '{dtype_name(type_.element)}')"
        return made if present is None else f"{made} if {self.names[present]} else 0"

    def _key(self, indices: Sequence[SSAValue]) -> str:
        return f"({''.join(f'{name}, ' for name in self._of(indices))})"

    def _place(self, type: TensorType | nest.BufferType, indices: Sequence[SSAValue]) -> str:
        place = "0"
        for extent, name in zip(type.shape, self._of(indices), strict=True):
            size = extent if isinstance(extent, int) else f"capacity_{extent}"
            place = name if place == "0" else f"({place}) * {size} + {name}"
        return place

    def _for(self, op: nest.ForOp) -> None:
        lower, upper = self._of(op.operands)
        with self.writer.block(f"for {self._named(op.index)} in range({lower}, {upper}, {op.step_size}):", ""):
            self._block(op.block)
            self.writer.line("pass")

    def _if(self, op: scf.IfOp) -> None:
        with self.writer.block(f"if {self.names[op.cond]}:", ""):
            self._block(op.true_region.block)
            self.writer.line("pass")

    def _buffer(self, op: nest.BufferOp) -> None:
        self.writer.line(f"{self._named(op.result)} = {{}}")

    def _store(self, op: nest.StoreOp) -> None:
        type_, value = op.buffer.type, self.names[op.value]
        assert isinstance(type_, nest.BufferType)
        element = dtype_name(type_.element)
        if type_.where != nest.GLOBAL:
            self.writer.line(f"{self.names[op.buffer]}[{self._key(op.indices)}] = beads.rounded({value}, '{element}')")
        else:
            place = self._place(type_, op.indices)
            self.writer.line(f"beads.store({self.names[op.buffer]}, {place}, {value}, '{element}')")

    def _queue(self, op: nest.AccOp) -> None:
        type_ = op.result.type
        assert isinstance(type_, nest.AccType)
        self.writer.line(f"{self._named(op.result)} = beads.Queue({type_.combiner.size.data})")

    def _push(self, op: nest.FoldOp) -> None:
        guard = "" if op.present is None else f"if {self.names[op.present]}: "
        self.writer.line(f"{guard}{self.names[op.states]}.push({', '.join(self._of(op.values))})")

    def _arrange(self, op: nest.ArrangeOp) -> None:
        self.writer.line(f"{self.names[op.states]}.arrange('{op.order.data}')")

    def _entry(self, op: nest.EntryOp) -> None:
        ends = f"{self._named(op.score)}, {self._named(op.index)}"
        self.writer.line(f"{ends} = {self.names[op.states]}.entry({self.names[op.place]})")
