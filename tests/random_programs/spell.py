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
    Put,
    Quantize,
    Read,
    Reduce,
    Rope,
    Select,
    Softmax,
    Statement,
    Topk,
    Unary,
    Var,
    Where,
)


def spell(program: Program) -> str:
    """The program's `.mp` text."""
    grown = ", ".join(f"{dim} by {rows}" for dim, rows in program.grows.items())
    lines = [f"pipeline random_{program.seed}{' grows ' * bool(grown)}{grown}:"]
    for dim in program.dims.values():
        if dim.name.isdigit():
            continue
        if dim.derived is not None:
            function, base, divisor = dim.derived
            written = f"{base} // {divisor}" if function == "//" else f"ceildiv({base}, {divisor})"
            lines.append(f"    dim {dim.name} = {written}")
        elif dim.size is not None:
            lines.append(f"    dim {dim.name} = {dim.size}")
        else:
            lines.append(f"    dim {dim.name} <= {dim.bound}" + (f" per {dim.per}" if dim.per else ""))
    for tensor in program.declared:
        stored = " stored <= 4096" if tensor.dtype.startswith("sparse") else ""
        lines.append(f"    {tensor.role} {tensor.name}: {tensor.dtype}[{', '.join(tensor.dims)}]{stored}")
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
            return f"{statement.tensor.name}{f'[{left}]' if left else ''} = {text(statement.value)}"
        case Softmax():
            left = ", ".join(statement.indices)
            axis = statement.indices[statement.axis]
            return f"{statement.tensor.name}[{left}] = softmax[{axis}]({text(statement.value)})"
        case Topk():
            left = ", ".join([*statement.free, statement.slot])
            order = "" if statement.order == "any" else f", order={statement.order}"
            call = f"topk[{statement.index}]({text(statement.value)}, {statement.k}{order})"
            return f"{statement.scores.name}[{left}], {statement.picked.name}[{left}] = {call}"
        case Select():
            left = ", ".join([*statement.free, statement.slot])
            test = f"{text(statement.value)} {'>' if statement.strict else '>='} {text(statement.threshold)}"
            return f"{statement.tensor.name}[{left}] = select[{statement.index}]({test}, capacity={statement.k})"
        case Rope():
            left = ", ".join(statement.indices)
            options = f"at={text(statement.at)}, dims={statement.channels}, layout={statement.layout}"
            return (
                f"{statement.tensor.name}[{left}] = rope[{statement.indices[-1]}]({text(statement.value)}, {options})"
            )
        case Quantize():
            left, rows = ", ".join(statement.indices), ", ".join(statement.indices[:-1])
            call = f"quantize[{statement.indices[-1]}]({text(statement.value)}, {statement.to}, scale=pow2)"
            return f"{statement.tensor.name}[{left}], {statement.scale.name}[{rows}] = {call}"
        case Put():
            left = ", ".join([*statement.indices[:-1], text(statement.place)])
            return f"{statement.memory}[{left}] {'+=' if statement.adds else '='} {text(statement.value)}"
        case Append():
            return f"append({statement.memory}, {statement.rows})"


def text(expr: Expr) -> str:
    """One expression, with more parentheses than a person would write."""
    match expr:
        case Const():
            value = expr.value
            plain = repr(int(value)) if expr.kind in "ilx" else repr(float(value))
            return f"({plain})" if value < 0 else plain
        case Var():
            return expr.name
        case DimValue():
            return f"{expr.dim}[{expr.row}]" if expr.row else expr.dim
        case Read() if not expr.indices:
            return expr.tensor
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
            names = [f"{expr.index} < {expr.dim}" if expr.spell_bound else expr.index]
            body = expr.body
            while expr.joined and isinstance(body, Reduce):
                names.append(f"{body.index} < {body.dim}" if body.spell_bound else body.index)
                expr, body = body, body.body
            return f"{expr.function}[{', '.join(names)}]({text(body)})"
    raise TypeError(expr)
