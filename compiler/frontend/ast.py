"""The syntax tree of a pipeline, the same for a `.mp` file and for a decorated Python function.

Nodes are frozen and carry the span that they came from. Nothing here knows how the text was parsed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from hetc.source import SourceFile, Span


@dataclass(frozen=True)
class Number:
    """An int or a float literal."""

    value: int | float
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
    """`-x`, `+x` or `not x`."""

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
    """`exp(x)`, or with indices `sum[d](x)`, `topk[t](s, K)`. `indices` is empty without brackets."""

    function: str
    indices: tuple[Index, ...]
    arguments: tuple[Expr, ...]
    keywords: tuple[Keyword, ...]
    name_span: Span
    span: Span


Expr: TypeAlias = Number | Name | Access | Unary | Binary | Call


@dataclass(frozen=True)
class Target:
    """One tensor on the left of `=`. An entry that is no Index is an indirect or affine index of an update."""

    name: str
    indices: tuple[Index | Expr, ...]
    name_span: Span
    span: Span


@dataclass(frozen=True)
class Define:
    """`targets = value`, or with another `operator`: `+=` and its like."""

    targets: tuple[Target, ...]
    operator: str
    value: Expr
    span: Span


@dataclass(frozen=True)
class Effect:
    """A call that stands alone: `append(keys, k8)`."""

    call: Call
    span: Span


@dataclass(frozen=True)
class Repeat:
    """`repeat 5:` and the statements below: they run so often, names that are defined again carry over."""

    count: Expr
    statements: tuple[Statement, ...]
    span: Span


Statement: TypeAlias = Define | Effect | Repeat


@dataclass(frozen=True)
class Stage:
    """Statements under `relevancy:`, or pinned to a device kind: `relevancy @fpga:`."""

    name: str
    pin: Name | None
    statements: tuple[Statement, ...]
    span: Span


@dataclass(frozen=True)
class Dim:
    """`dim A = 4` (size), `dim T <= 4096 per B` (bound and per)."""

    name: str
    size: Expr | None
    bound: Expr | None
    per: Name | None
    name_span: Span
    span: Span


@dataclass(frozen=True)
class Declaration:
    """An input, a weight or a memory."""

    role: str
    name: str
    dtype: Name
    extents: tuple[Expr, ...]
    sparse: bool
    stored_bound: Expr | None
    initial: Expr | None
    name_span: Span
    span: Span


@dataclass(frozen=True)
class Output:
    """One name of `output o: bf16, picked`."""

    name: str
    dtype: Name | None
    span: Span


@dataclass(frozen=True)
class Growth:
    """`grows T by 1`."""

    dim: Name
    by: Expr
    span: Span


@dataclass(frozen=True)
class Pipeline:
    """A whole pipeline. Each kind of item keeps its source order; stages are in program order."""

    name: str
    grows: tuple[Growth, ...]
    doc: str
    dims: tuple[Dim, ...]
    declarations: tuple[Declaration, ...]
    stages: tuple[Stage, ...]
    outputs: tuple[Output, ...]
    name_span: Span
    source: SourceFile


def simple_statements(statements: tuple[Statement, ...]) -> Iterator[Define | Effect]:
    """The statements in order of the text, those inside of blocks among them, each once."""
    for statement in statements:
        if isinstance(statement, Repeat):
            yield from simple_statements(statement.statements)
        else:
            yield statement


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


def walk(expr: Expr) -> Iterator[tuple[Expr, int]]:
    """`expr` and all inside of it, each with its depth. Iterative: depth may be anything."""
    pending = [(expr, 1)]
    while pending:
        node, depth = pending.pop()
        yield node, depth
        pending.extend((child, depth + 1) for child in reversed(children(node)))
