"""Walks over and changes the generator's trees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from random_programs.tree import (
    Append,
    Binary,
    DimValue,
    Expr,
    Program,
    Put,
    Read,
    Reduce,
    Rope,
    Select,
    Statement,
    Topk,
    Unary,
    Where,
    defined,
)


def children(expr: Expr) -> tuple[Expr, ...]:
    """The expressions that `expr` is made of, left to right."""
    match expr:
        case Read():
            return expr.indices
        case Unary():
            return (expr.operand,)
        case Binary():
            return (expr.left, expr.right)
        case Where():
            return (expr.condition, expr.value, *([expr.otherwise] if expr.otherwise else []))
        case Reduce():
            return (expr.body,)
    return ()


def with_children(expr: Expr, parts: tuple[Expr, ...]) -> Expr:
    """`expr` made of other parts."""
    match expr:
        case Read():
            return replace(expr, indices=parts)
        case Unary():
            return replace(expr, operand=parts[0])
        case Binary():
            return replace(expr, left=parts[0], right=parts[1])
        case Where():
            return replace(expr, condition=parts[0], value=parts[1], otherwise=parts[2] if len(parts) > 2 else None)
        case Reduce():
            return replace(expr, body=parts[0])
    return expr


def mapped(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """`change` applied to every part, innermost first."""
    return change(with_children(expr, tuple(mapped(part, change) for part in children(expr))))


def parts_of(expr: Expr) -> Iterator[Expr]:
    """`expr` and everything inside of it, outermost first."""
    yield expr
    for part in children(expr):
        yield from parts_of(part)


def replaced_at(expr: Expr, position: int, other: Expr) -> Expr:
    """`expr` with its part number `position` (in the order of parts_of) replaced."""
    if position == 0:
        return other
    parts, at = [], 1
    for part in children(expr):
        size = sum(1 for _ in parts_of(part))
        inside = at <= position < at + size
        parts.append(replaced_at(part, position - at, other) if inside else part)
        at += size
    return with_children(expr, tuple(parts))


def values_of(statement: Statement) -> tuple[Expr, ...]:
    """The expressions of a statement."""
    match statement:
        case Append():
            return ()
        case Select():
            return (statement.value, statement.threshold)
        case Rope():
            return (statement.value, statement.at)
        case Put():
            return (statement.value, statement.place)
    return (statement.value,)


def with_values(statement: Statement, values: tuple[Expr, ...]) -> Statement:
    """The statement with other expressions, in the order of values_of."""
    match statement:
        case Append():
            return statement
        case Select():
            return replace(statement, value=values[0], threshold=values[1])
        case Rope():
            return replace(statement, value=values[0], at=values[1])
        case Put():
            return replace(statement, value=values[0], place=values[1])
    return replace(statement, value=values[0])


def uses(statement: Statement) -> frozenset[str]:
    """The names that a statement reads."""
    if isinstance(statement, Append):
        return frozenset({statement.rows})
    return frozenset(
        part.tensor for value in values_of(statement) for part in parts_of(value) if isinstance(part, Read)
    )


def dims_used(program: Program) -> frozenset[str]:
    """The dims that a program needs to declare."""
    names = {dim for tensor in program.tensors.values() for dim in tensor.dims}
    for statement in program.statements:
        if isinstance(statement, Topk | Select):
            names |= {statement.k, statement.dim}
        if isinstance(statement, Put):
            names |= set(statement.dims)
        for value in values_of(statement):
            names |= {part.dim for part in parts_of(value) if isinstance(part, Reduce | DimValue)}
    while True:
        more = {dim.per for name, dim in program.dims.items() if name in names and dim.per}
        more |= {growth for name, growth in program.grows.items() if name in names and isinstance(growth, str)}
        more |= {dim.derived[1] for name, dim in program.dims.items() if name in names and dim.derived}
        if more <= names:
            return frozenset(names)
        names |= more


def without_unused(program: Program) -> Program:
    """The program with statements, declarations and dims that decide no output left out.

    An append stays with its memory: every memory along a growing dim is written once.
    """
    needed = set(program.outputs)
    while True:
        kept = [statement for statement in program.statements if needed & set(defined(statement))]
        more = {name for statement in kept for name in (*uses(statement), *defined(statement))}
        if more <= needed:
            break
        needed |= more
    tensors = {name: tensor for name, tensor in program.tensors.items() if name in needed}
    smaller = replace(program, statements=kept, tensors=tensors)
    used = dims_used(smaller)
    smaller.grows = {dim: growth for dim, growth in program.grows.items() if dim in used}
    smaller.dims = {name: dim for name, dim in program.dims.items() if name in used}
    return smaller
