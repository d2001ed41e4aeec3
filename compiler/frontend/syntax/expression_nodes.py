"""The nodes of expressions, and walking over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import inf
from typing import TypeAlias

from hetc.compiler.vocabulary import REDUCTIONS
from hetc.source import Span


@dataclass(frozen=True)
class Number:
    """An int or a float literal, `inf` among them."""

    value: int | float
    span: Span


@dataclass(frozen=True)
class Boolean:
    """`true` or `false`."""

    value: bool
    span: Span


@dataclass(frozen=True)
class Name:
    """A name that stands alone: an index, a dim, a constant or a tensor without indices."""

    name: str
    span: Span


@dataclass(frozen=True)
class Access:
    """`keys[b, t, d]`: a tensor at indices, or a dim of one row (`T[b]`)."""

    name: str
    indices: tuple[Expr, ...]
    name_span: Span
    span: Span


@dataclass(frozen=True)
class Unary:
    """`-x`, `+x`, `~x` or `not x`."""

    operator: str
    operand: Expr
    span: Span


@dataclass(frozen=True)
class Binary:
    """`a + b` and the other operators of two operands, comparisons, `and` and `or` among them."""

    operator: str
    left: Expr
    right: Expr
    span: Span


@dataclass(frozen=True)
class Keyword:
    """`at=T[b]-1` in a call."""

    name: str
    value: Expr
    span: Span


@dataclass(frozen=True)
class Index:
    """An index where it is introduced: on the left or in a reduction, with its bound if it has one (`v < V`)."""

    name: str
    bound: Expr | None
    span: Span


@dataclass(frozen=True)
class Call:
    """`exp(x)`, or with indices `sum[d](x)`, `topk[t](s, K)`. `indices` is empty without brackets. hoisted: a reduction
    that stands in a statement of its own where it has fewer indices than what is around it."""

    function: str
    indices: tuple[Index, ...]
    arguments: tuple[Expr, ...]
    keywords: tuple[Keyword, ...]
    name_span: Span
    span: Span
    hoisted: bool = False


Expr: TypeAlias = Number | Boolean | Name | Access | Unary | Binary | Call


def bare(expr: Expr, bound: tuple[str, ...] = ()) -> object:
    """What two expressions that say the same have in common: no places, and indices that they bind by number."""

    def name(text: str) -> object:
        return len(bound) - 1 - bound[::-1].index(text) if text in bound else text

    match expr:
        case Number() | Boolean():
            return type(expr.value), repr(expr.value)
        case Name():
            return name(expr.name)
        case Call():
            inner = (*bound, *(index.name for index in expr.indices))
            bounds = tuple(index.bound and bare(index.bound, bound) for index in expr.indices)
            named = tuple((item.name, bare(item.value, inner)) for item in expr.keywords)
            return expr.function, len(expr.indices), bounds, tuple(bare(item, inner) for item in expr.arguments), named
    head = expr.operator if isinstance(expr, Unary | Binary) else (expr.name,)
    return head, tuple(bare(item, bound) for item in children(expr))


LITERALS = ("inf", "true", "false")
"""Words that are values, so that nothing else has them as its name."""


def literal(word: str, span: Span) -> Number | Boolean | None:
    """The value that a word is, or None where it is a name."""
    if word not in LITERALS:
        return None
    return Number(inf, span) if word == "inf" else Boolean(word == "true", span)


def children(expr: Expr) -> tuple[Expr, ...]:
    """The expressions directly inside `expr`, keyword values and index bounds among them."""
    match expr:
        case Access(indices=indices):
            return indices
        case Unary(operand=operand):
            return (operand,)
        case Binary(left=left, right=right):
            return (left, right)
        case Call(indices=indices, arguments=arguments, keywords=keywords):
            bounds = tuple(index.bound for index in indices if index.bound is not None)
            return (*bounds, *arguments, *(keyword.value for keyword in keywords))
        case _:
            return ()


def replace_children(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """`expr` with `change` applied to every expression directly inside it; Index nodes keep their identity where
    they have no bound."""
    match expr:
        case Access():
            return replace(expr, indices=tuple(map(change, expr.indices)))
        case Unary():
            return replace(expr, operand=change(expr.operand))
        case Binary():
            return replace(expr, left=change(expr.left), right=change(expr.right))
        case Call():
            indices = tuple(
                index if index.bound is None else replace(index, bound=change(index.bound)) for index in expr.indices
            )
            keywords = tuple(replace(keyword, value=change(keyword.value)) for keyword in expr.keywords)
            return replace(expr, indices=indices, arguments=tuple(map(change, expr.arguments)), keywords=keywords)
    return expr


def walk(expr: Expr) -> Iterator[tuple[Expr, int]]:
    """`expr` and all inside of it, each with its depth. Iterative: depth may be anything."""
    pending = [(expr, 1)]
    while pending:
        node, depth = pending.pop()
        yield node, depth
        pending.extend((child, depth + 1) for child in reversed(children(node)))


def free_names(expr: Expr) -> dict[str, Name]:
    """The names that stand alone in an expression and are no index of a reduction around them, where each stands
    first."""
    found: dict[str, Name] = {}
    pending: list[tuple[Expr, frozenset[str]]] = [(expr, frozenset())]
    while pending:
        node, bound = pending.pop()
        if isinstance(node, Name) and node.name not in bound:
            found.setdefault(node.name, node)
        if isinstance(node, Call) and node.function in REDUCTIONS:
            bound |= {index.name for index in node.indices}
        pending.extend((child, bound) for child in reversed(children(node)))
    return found
