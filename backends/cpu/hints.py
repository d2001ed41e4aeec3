"""What a value is called that the program has no word for."""

from __future__ import annotations

from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import IndexType, IntegerAttr, i1
from xdsl.ir import Block, Operation, SSAValue, Use

from hetc.dialects import nest
from hetc.dialects.mp import DimSizeOp, ModOp, RoundOp

_WORDS = {
    "arith.addf": "total", "arith.subf": "difference", "arith.mulf": "product", "arith.divf": "quotient",
    "arith.negf": "negative", "arith.maximumf": "larger", "arith.minimumf": "smaller", "arith.addi": "total",
    "arith.subi": "difference", "arith.muli": "product", "arith.maxsi": "larger", "arith.minsi": "smaller",
    "arith.floordivsi": "quotient", "mp.mod": "remainder", "arith.select": "chosen", "arith.andi": "masked",
    "arith.ori": "bits", "arith.xori": "bits", "arith.shli": "shifted", "arith.shrui": "shifted",
    "arith.shrsi": "shifted",
    "arith.sitofp": "number", "arith.fptosi": "whole", "arith.bitcast": "bits", "mp.round": "rounded",
    "math.exp": "power", "math.sqrt": "root", "math.rsqrt": "inverse_root", "math.absf": "size",
}  # fmt: skip
_INDEX_WORDS: dict[type[Operation], str] = {
    arith.AddiOp: "plus", arith.SubiOp: "minus", arith.MuliOp: "times", arith.FloorDivSIOp: "over", ModOp: "mod",
}  # fmt: skip
_CONDITIONED = (nest.ReadOp, nest.FindOp, nest.LoadOp, nest.EntriesOp, nest.FoldOp, scf.IfOp)


def hint_of(op: Operation) -> str:
    """A word for the result of a scalar operation: what it stands for, else the operation's own."""
    result = op.results[0]
    if result.type == i1:
        return "present" if any(_is_presence(use) for use in result.uses) else "holds"
    if isinstance(op, arith.IndexCastOp | arith.ExtSIOp | arith.SIToFPOp | RoundOp):
        source = op.operands[0]
        named = _name_of(source)
        if named or not isinstance(source.owner, Block):
            return named or hint_of(source.owner)  # type: ignore[arg-type]
    if isinstance(result.type, IndexType) and type(op) in _INDEX_WORDS:
        first, second = (_name_of(operand) for operand in op.operands)
        if first.isdigit() and isinstance(op, arith.AddiOp | arith.MuliOp):
            first, second = second, first
        if first and second.isdigit() and not first.isdigit():
            return f"{first}_{_INDEX_WORDS[type(op)]}_{second}"
    return _WORDS.get(op.name, op.name.split(".")[1])


def _is_presence(use: Use) -> bool:
    """Whether a condition says that something is there: something is read or done where it holds, or is 0 elsewhere."""
    user = use.operation
    if isinstance(user, arith.SelectOp) and use.index == 0:
        otherwise = user.rhs.owner
        return isinstance(otherwise, arith.ConstantOp) and float(otherwise.value.value.data) == 0.0  # type: ignore[union-attr]
    if isinstance(user, arith.AndIOp):
        return any(_is_presence(later) for later in user.results[0].uses)
    return isinstance(user, _CONDITIONED)


def _name_of(value: SSAValue) -> str:
    """The word of a value, the digits of a constant that is not negative, or nothing."""
    owner = value.owner
    if not isinstance(owner, Block) and isinstance(owner, arith.ConstantOp) and isinstance(owner.value, IntegerAttr):
        return str(owner.value.value.data) if owner.value.value.data >= 0 else ""
    if isinstance(owner, DimSizeOp):
        return value.name_hint or f"live_{owner.dim.data}"
    if isinstance(owner, nest.ReadOp | nest.LoadOp):
        return owner.operands[0].name_hint or ""
    return value.name_hint or ""
