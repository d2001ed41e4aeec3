"""Walking over the typed tree, and what an expression depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from hetc.compiler.frontend.resolve.typed import (
    Along,
    Apply,
    Axis,
    Binary,
    Cast,
    DimSize,
    Expr,
    IndexValue,
    Literal,
    Read,
    Reduction,
    Unary,
    Where,
)


def children(expr: Expr) -> tuple[Expr, ...]:
    """The expressions directly inside `expr`."""
    match expr:
        case Literal() | IndexValue():
            return ()
        case DimSize(row=row):
            return () if row is None else (row,)
        case Read(places=places):
            return places
        case Unary(operand=operand) | Cast(operand=operand):
            return (operand,)
        case Binary(left=left, right=right):
            return left, right
        case Where(condition=condition, then=then, otherwise=otherwise):
            return (condition, then) if otherwise is None else (condition, then, otherwise)
        case Apply(arguments=arguments):
            return arguments
        case Along(arguments=arguments):
            return arguments
    return (expr.argument,)


def replace_children(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """`expr` with `change` applied to every expression directly inside it. A row stays the index that it is."""
    match expr:
        case Read(places=places):
            return replace(expr, places=tuple(map(change, places)))
        case Unary(operand=operand) | Cast(operand=operand):
            return replace(expr, operand=change(operand))
        case Binary(left=left, right=right):
            return replace(expr, left=change(left), right=change(right))
        case Where(condition=condition, then=then, otherwise=otherwise):
            more = None if otherwise is None else change(otherwise)
            return replace(expr, condition=change(condition), then=change(then), otherwise=more)
        case Apply(arguments=arguments):
            return replace(expr, arguments=tuple(map(change, arguments)))
        case Reduction(argument=argument):
            return replace(expr, argument=change(argument))
        case Along(arguments=arguments):
            return replace(expr, arguments=tuple(map(change, arguments)))
    return expr


def walk(expr: Expr) -> Iterator[Expr]:
    """`expr` and all inside of it."""
    pending = [expr]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(reversed(children(node)))


def bare(expr: Expr, bound: tuple[str, ...] = ()) -> object:
    """What two expressions that say the same have in common: no places, and indices that they bind by number."""

    def name(text: str | None) -> object:
        return len(bound) - 1 - bound[::-1].index(text) if text in bound else text

    inside = bound
    match expr:
        case Literal(value=value):
            return type(value), repr(value)
        case IndexValue():
            return name(expr.name)
        case Reduction(kind=kind, axes=axes):
            inside = (*bound, *(axis.name for axis in axes))
            head: tuple[object, ...] = (kind, *((axis.key, name(axis.per)) for axis in axes))
        case Along(function=function, axes=axes, options=options):
            head = (function, *(name(axis.name) for axis in axes), options)
        case DimSize():
            head = (expr.name,)
        case Read(tensor=tensor):
            head = (tensor.name,)
        case Unary(operator=word) | Binary(operator=word) | Cast(dtype=word):
            head = (word,)
        case Apply(function=row):
            head = (row.name,)
        case Where():
            head = ()
    return type(expr), head, tuple(bare(item, inside) for item in children(expr))


def free_axes(expr: Expr, scope: Sequence[Axis]) -> list[Axis]:
    """The indices in scope that an expression depends on, rows of their extents included, in the order of scope."""
    names: set[str] = set()
    for node in walk(expr):
        if isinstance(node, IndexValue):
            names.add(node.name)
        elif isinstance(node, Reduction):
            names.update(axis.per for axis in node.axes if axis.per is not None)
    return with_rows(names & {axis.name for axis in scope}, scope)


def with_rows(names: set[str], scope: Sequence[Axis]) -> list[Axis]:
    """The indices of these names, and those of the rows that give their lengths."""
    rows = {axis.per for axis in scope if axis.name in names and axis.per is not None}
    return [axis for axis in scope if axis.name in names | rows]
