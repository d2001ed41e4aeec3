"""Spells a random program in the language."""

from __future__ import annotations

from random_programs.tree import (
    Append,
    Binary,
    Const,
    Define,
    DimValue,
    Expr,
    Program,
    Read,
    Reduce,
    Softmax,
    Statement,
    Topk,
    Unary,
    Var,
    Where,
)


def spell(program: Program) -> str:
    """The program's `.mp` text."""
    grows = "".join(f" grows {dim} by {rows}" for dim, rows in program.grows.items())
    lines = [f"pipeline random_{program.seed}{grows}:"]
    for dim in program.dims.values():
        if dim.size is not None:
            lines.append(f"    dim {dim.name} = {dim.size}")
        else:
            lines.append(f"    dim {dim.name} <= {dim.bound}" + (f" per {dim.per}" if dim.per else ""))
    for tensor in program.declared:
        lines.append(f"    {tensor.role} {tensor.name}: {tensor.dtype}[{', '.join(tensor.dims)}]")
    stage = None
    for statement in program.statements:
        if statement.stage != stage:
            stage = statement.stage
            lines.append(f"    {stage}:")
        lines.append(f"        {_statement(statement)}")
    lines.append(f"    output {', '.join(program.outputs)}")
    return "\n".join(lines) + "\n"


def _statement(statement: Statement) -> str:
    match statement:
        case Define():
            dims = dict(zip(statement.indices, statement.tensor.dims, strict=True))
            left = ", ".join(f"{name} < {dims[name]}" if name in statement.spelled else name for name in dims)
            return f"{statement.tensor.name}[{left}] = {text(statement.value)}"
        case Softmax():
            left = ", ".join(statement.indices)
            axis = statement.indices[statement.axis]
            return f"{statement.tensor.name}[{left}] = softmax[{axis}]({text(statement.value)})"
        case Topk():
            left = ", ".join([*statement.free, statement.slot])
            order = "" if statement.order == "any" else f", order={statement.order}"
            call = f"topk[{statement.index}]({text(statement.value)}, {statement.k}{order})"
            return f"{statement.scores.name}[{left}], {statement.picked.name}[{left}] = {call}"
        case Append():
            return f"append({statement.memory}, {statement.rows})"


def text(expr: Expr) -> str:
    """One expression, with more parentheses than a person would write."""
    match expr:
        case Const():
            value = expr.value
            plain = repr(int(value)) if expr.kind in "ix" else repr(float(value))
            return f"({plain})" if value < 0 else plain
        case Var():
            return expr.name
        case DimValue():
            return f"{expr.dim}[{expr.row}]" if expr.row else expr.dim
        case Read():
            return f"{expr.tensor}[{', '.join(text(index) for index in expr.indices)}]"
        case Unary():
            if expr.function in ("-", "not "):
                return f"({expr.function}{text(expr.operand)})"
            return f"{expr.function}({text(expr.operand)})"
        case Binary():
            if expr.operator in ("min", "max"):
                return f"{expr.operator}({text(expr.left)}, {text(expr.right)})"
            return f"({text(expr.left)} {expr.operator} {text(expr.right)})"
        case Where():
            parts = [expr.condition, expr.value] + ([expr.otherwise] if expr.otherwise else [])
            return f"where({', '.join(text(part) for part in parts)})"
        case Reduce():
            index = f"{expr.index} < {expr.dim}" if expr.spell_bound else expr.index
            return f"{expr.function}[{index}]({text(expr.body)})"
    raise TypeError(expr)
