"""The syntax tree of a pipeline, the same for a `.mp` file and for a decorated Python function.

Nodes are frozen and carry the span that they came from. Nothing here knows how the text was parsed. The nodes of
expressions are in `expression_nodes`; they are used through this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from hetc.compiler.frontend.syntax.expression_nodes import (
    LITERALS,
    Access,
    Binary,
    Boolean,
    Call,
    Expr,
    Index,
    Keyword,
    Name,
    Number,
    Unary,
    bare,
    children,
    literal,
    replace_children,
    walk,
)
from hetc.source import SourceFile, Span

__all__ = [
    "LITERALS", "Access", "Binary", "Block", "Boolean", "Call", "Declaration", "Define", "Dim", "Effect", "Expr",
    "Function", "Growth", "Index", "Inlined", "Keyword", "Loop", "Name", "Number", "Output", "Pipeline", "Repeat",
    "Stage", "Statement", "Step", "Target", "Unary", "When", "bare", "children", "head_of", "literal",
    "replace_children", "simple_statements", "stages_of", "walk", "with_head",
]  # fmt: skip


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


@dataclass(frozen=True)
class When:
    """`when COND:` and the statements below: what they write to memories is written only where it holds."""

    condition: Expr
    statements: tuple[Statement, ...]
    span: Span


@dataclass(frozen=True)
class Loop:
    """`for l in L:` and the statements below, once for each value of the index, in order."""

    index: Name
    extent: Expr
    statements: tuple[Statement, ...]
    span: Span


@dataclass(frozen=True)
class Inlined:
    """Statements that a call of a function became, and the statement that held the call as the last of them."""

    function: Function
    call_span: Span
    statements: tuple[Statement, ...]

    @property
    def span(self) -> Span:
        return self.call_span


@dataclass(frozen=True)
class Stage:
    """Statements under `relevancy:`, or pinned to a device kind: `relevancy @fpga:`."""

    name: str
    pin: Name | None
    statements: tuple[Statement, ...]
    span: Span


Block: TypeAlias = Repeat | When | Loop
Statement: TypeAlias = Define | Effect | Block | Stage | Inlined
_HEADS = {Repeat: "count", When: "condition", Loop: "extent"}


@dataclass(frozen=True)
class Function:
    """`def rmsnorm[i](x, eps):`, its statements, and what it returns. `indices` are named anew in each call."""

    name: str
    indices: tuple[Name, ...]
    parameters: tuple[Name, ...]
    statements: tuple[Statement, ...]
    results: tuple[Expr, ...]
    name_span: Span
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
    """An input, a weight or a memory. `layout` says how a memory lies: `@paged(64)`."""

    role: str
    name: str
    dtype: Name
    extents: tuple[Expr, ...]
    sparse: bool
    stored_bound: Expr | None
    initial: Expr | None
    name_span: Span
    span: Span
    ring: bool = False
    layout: Expr | None = None
    counter: str = ""
    """The memory that counts the appends to a ring."""


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
class Step:
    """One callable step: stages, and blocks that hold stages. `inputs` names those that it takes, None where it takes
    whatever it reads."""

    name: str
    inputs: tuple[Name, ...] | None
    grows: tuple[Growth, ...]
    statements: tuple[Statement, ...]
    outputs: tuple[Output, ...]
    name_span: Span


@dataclass(frozen=True)
class Pipeline:
    """A whole pipeline. Each kind of item keeps its source order.

    A pipeline whose stages stand in it directly has one step, called as the pipeline is."""

    name: str
    doc: str
    dims: tuple[Dim, ...]
    declarations: tuple[Declaration, ...]
    functions: tuple[Function, ...]
    steps: tuple[Step, ...]
    name_span: Span
    source: SourceFile


def head_of(block: Block | Stage | Inlined) -> Expr | None:
    """The expression in the line of a block: a count, a condition, an extent."""
    name = _HEADS.get(type(block))
    return getattr(block, name) if name is not None else None


def with_head(block: Block | Stage | Inlined, head: Expr | None, statements: tuple[Statement, ...]) -> Statement:
    """The block with another expression in its line, and with other statements."""
    name = _HEADS.get(type(block))
    return replace(block, statements=statements, **({name: head} if name is not None else {}))  # type: ignore[arg-type]


def stages_of(statements: tuple[Statement, ...]) -> Iterator[Stage]:
    """The stages in order of the text, those in blocks among them."""
    for statement in statements:
        if isinstance(statement, Stage):
            yield statement
        if not isinstance(statement, Define | Effect):
            yield from stages_of(statement.statements)


def simple_statements(statements: tuple[Statement, ...]) -> Iterator[Define | Effect]:
    """The statements in order of the text, those inside of blocks among them, each once."""
    for statement in statements:
        if isinstance(statement, Define | Effect):
            yield statement
        else:
            yield from simple_statements(statement.statements)
