"""The typed tree: expressions in which every name is resolved and every index has its extent.

`resolve` builds it from the syntax tree, lowering reads nothing else. A node here is correct by construction: an index
that it mentions is in scope, a tensor is read with as many places as it has dims, and constants are folded. What stays
open is the type of a value: the width of an index follows from the intervals of the operations that compute it, so
`arithmetic` decides types where it makes these operations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod
from typing import TypeAlias

from xdsl.ir import SSAValue

from hetc.compiler.frontend.arithmetic.constants import Constant
from hetc.compiler.frontend.arithmetic.elementwise import Elementwise
from hetc.compiler.frontend.resolve.symbols import Tensor
from hetc.source import Span


@dataclass(frozen=True)
class Axis:
    """An index where it is introduced: `key` is its extent, a number or a run-time dim; `per` is the index of the row
    that gives the length, where the dim has one for each row."""

    name: str
    key: int | str
    per: str | None
    span: Span


@dataclass(frozen=True)
class Literal:
    """A number, or true or false."""

    value: Constant | bool
    span: Span


@dataclass(frozen=True)
class IndexValue:
    """The value of an index in scope."""

    name: str
    span: Span


@dataclass(frozen=True)
class DimSize:
    """The size of a dim known at run time; `row` is the row where it has one for each."""

    name: str
    row: IndexValue | None
    span: Span


@dataclass(frozen=True)
class Read:
    """The element of a tensor at `places`, one a dim: an index of its own, or what is computed."""

    tensor: Tensor
    places: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True)
class Unary:
    """`-x`, `+x`, `~x` or `not x`."""

    operator: str
    operand: Expr
    span: Span


@dataclass(frozen=True)
class Binary:
    """An operator of two operands, comparisons, `and` and `or` among them."""

    operator: str
    left: Expr
    right: Expr
    span: Span


@dataclass(frozen=True)
class Cast:
    """A value rounded to a dtype."""

    dtype: str
    operand: Expr
    span: Span


@dataclass(frozen=True)
class Where:
    """`where(c, a, b)`; without `b` what is not chosen is absent."""

    condition: Expr
    then: Expr
    otherwise: Expr | None
    span: Span


@dataclass(frozen=True)
class Apply:
    """A function of its arguments' elements."""

    function: Elementwise
    arguments: tuple[Expr, ...]
    span: Span


@dataclass(frozen=True)
class Flat:
    """Several indices as one that goes through their combinations, the last of them fastest. `lengths`: how many values
    of each it goes through. `inside`: the condition that all of them exist, None where they always do."""

    index: Axis
    axes: tuple[Axis, ...]
    lengths: tuple[Expr, ...]
    inside: Expr | None

    def places(self, value: Expr) -> list[Expr]:
        """The indices that a value of the one index stands for."""
        found: list[Expr] = []
        for position, length in enumerate(self.lengths):
            stride = _product(self.lengths[position + 1 :], value.span)
            whole = value if stride is None else Binary("//", value, stride, value.span)
            found.append(whole if position == 0 else Binary("%", whole, length, value.span))
        return found

    def position(self, span: Span) -> Expr:
        """The value of the one index, where those that it stands for are in scope."""
        terms: list[Expr] = []
        for place, axis in enumerate(self.axes):
            stride, value = _product(self.lengths[place + 1 :], span), IndexValue(axis.name, axis.span)
            terms.append(value if stride is None else Binary("*", value, stride, span))
        return reduce(lambda left, right: Binary("+", left, right, span), terms)

    def present(self, value: Expr) -> Expr:
        """A value over the indices, absent where they do not exist."""
        return value if self.inside is None else Where(self.inside, value, None, value.span)


@dataclass(frozen=True)
class Reduction:
    """`sum[i, j](x)`. hoisted: it stands in a statement of its own where it has fewer indices than what is around it.
    flat: its indices as one, where it does not go through one after another."""

    kind: str
    axes: tuple[Axis, ...]
    argument: Expr
    hoisted: bool
    span: Span
    flat: Flat | None = None


@dataclass(frozen=True)
class AlongConstruct:
    """A built-in function along indices that are introduced around it. `resolve` takes the call, its arguments, those
    given by name that are expressions (`values`), the indices around and the environment, and gives an `Along`; it
    raises Refused. `lower` takes that, the indices of the statement, the step, and the statement's name or None; it
    gives the tensor."""

    resolve: Callable[..., Along]
    lower: Callable[..., SSAValue]
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Along:
    """`softmax[t](x)`, `rope[d](x, at=p, layout=half)`: a statement of its own, since elements along `axes`, which are
    introduced around it, are computed together. `arguments` in the order in which they are computed; `options` is what
    else the function was given, in a form of its own."""

    function: str
    axes: tuple[Axis, ...]
    arguments: tuple[Expr, ...]
    options: object
    span: Span


Expr: TypeAlias = Literal | IndexValue | DimSize | Read | Unary | Binary | Cast | Where | Apply | Reduction | Along


def _product(lengths: Sequence[Expr], span: Span) -> Expr | None:
    """The product, None where it is 1."""
    number = prod(int(length.value) for length in lengths if isinstance(length, Literal))
    factors: list[Expr] = [length for length in lengths if not isinstance(length, Literal)]
    if number != 1:
        factors.append(Literal(number, span))
    return reduce(lambda left, right: Binary("*", left, right, span), factors) if factors else None


@dataclass(frozen=True)
class Result:
    """A name that a statement defines, and where it stands."""

    name: str
    span: Span


@dataclass(frozen=True)
class Guard:
    """The condition of a `when` around statements: a tensor with one for each of the indices (rows, usually)."""

    tensor: Tensor
    axes: tuple[Axis, ...]
    span: Span
