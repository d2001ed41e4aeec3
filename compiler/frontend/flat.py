"""Several indices as one that goes through their combinations, the last of them fastest.

`topk[a, c](x[a, c], K)` selects over an index n below A * C, where a is `n // C` and c is `n % C`; what it finds is
taken apart likewise. One extent known at run time stays what it is: n then runs up to a dim derived from it. Further
ones stand at their bounds, and what lies past their lengths is absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod
from typing import TYPE_CHECKING

from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineExpr

from hetc.compiler.frontend import ast
from hetc.compiler.frontend.environment import Dim, Environment
from hetc.compiler.frontend.extents import IndexInfo
from hetc.compiler.frontend.rewriting import FreshNames, binary, plain_name
from hetc.dialects.mp import LARGEST_EXTENT
from hetc.source import Span

if TYPE_CHECKING:
    from hetc.compiler.frontend.emit_expression import ExpressionEmitter


@dataclass(frozen=True)
class Flat:
    """The one index, and the indices that it stands for. `lengths`: how many values of each it goes through. `inside`:
    the condition that all of them exist, None where they always do."""

    index: IndexInfo
    axes: tuple[IndexInfo, ...]
    lengths: tuple[ast.Expr, ...]
    inside: ast.Expr | None

    def places(self, value: ast.Expr) -> list[ast.Expr]:
        """The indices that a value of the one index stands for."""
        found: list[ast.Expr] = []
        for position, length in enumerate(self.lengths):
            stride = _product(self.lengths[position + 1 :], value.span)
            whole = value if stride is None else binary("//", value, stride, value.span)
            found.append(whole if position == 0 else binary("%", whole, length, value.span))
        return found

    def position(self, span: Span) -> ast.Expr:
        """The value of the one index, where those that it stands for are in scope."""
        terms: list[ast.Expr] = []
        for place, info in enumerate(self.axes):
            stride, axis = _product(self.lengths[place + 1 :], span), ast.Name(info.name, info.span)
            terms.append(axis if stride is None else binary("*", axis, stride, span))
        return reduce(lambda left, right: binary("+", left, right, span), terms)

    def bind(self, emitter: ExpressionEmitter) -> None:
        """Make the indices known in a region that has the one index."""
        for info, place in zip(self.axes, self.places(ast.Name(self.index.name, self.index.span)), strict=True):
            value = emitter.emit_as(place, "index")
            emitter.environment.know_index(value, info.key)
            emitter.indices[info.name] = (info, value)

    def reduced(self, kind: str, argument: ast.Expr, emitter: ExpressionEmitter) -> SSAValue:
        """A reduction of a value over all the indices."""

        def element() -> SSAValue:
            self.bind(emitter)
            return emitter.element(kind, self.present(argument))

        return emitter.reduced(kind, self.index, element)

    def present(self, value: ast.Expr) -> ast.Expr:
        """A value over the indices, absent where they do not exist."""
        if self.inside is None:
            return value
        return ast.Call("where", (), (self.inside, value), (), value.span, value.span)


def bound_of(extent: int | str, span: Span) -> ast.Expr:
    """An extent as the bound of an index."""
    return ast.Number(extent, span) if isinstance(extent, int) else ast.Name(extent, span)


def flatten(axes: Sequence[IndexInfo], free: Sequence[IndexInfo], environment: Environment, span: Span) -> Flat:
    """The one index for `axes`, beside the indices `free`. Raises Refused where it would be too large."""
    exact = _exact(axes, environment)
    lengths: list[ast.Expr] = []
    inside: ast.Expr | None = None
    for info in axes:
        dim = environment.dim_of_extent(info.key)
        if dim is None or info is exact:
            lengths.append(_live(info))
            continue
        assert dim.bound is not None
        lengths.append(ast.Number(dim.bound, info.span))
        exists = binary("<", ast.Name(info.name, info.span), _live(info), span)
        inside = exists if inside is None else binary("and", inside, exists, span)
    factor = prod(int(length.value) for length in lengths if isinstance(length, ast.Number))
    key = factor if exact is None else _times(exact, factor, environment)
    most = key if isinstance(key, int) else environment.dims[key].bound or 0
    if most > LARGEST_EXTENT:
        names = ", ".join(plain_name(info.name) for info in axes)
        message = f"the indices [{names}] together have up to {most} values; the limit is {LARGEST_EXTENT}"
        raise environment.refuse("HET102", message, span, help="lower the bounds of their dims")
    taken = {plain_name(info.name) for info in (*axes, *free)} | environment.words | environment.dims.keys()
    name = FreshNames(taken).fresh("_".join(plain_name(info.name) for info in axes))
    index = IndexInfo(name, key, None if exact is None else exact.per, span)
    return Flat(index, tuple(axes), tuple(lengths), inside)


def _exact(axes: Sequence[IndexInfo], environment: Environment) -> IndexInfo | None:
    """The index of the largest bound among those that run up to an extent of the time the step runs, if one length
    holds for all that the others go through."""
    names = {info.name for info in axes}
    fitting = [info for info in axes if isinstance(info.key, str) and info.per not in names]
    return max(fitting, key=lambda info: environment.dims[str(info.key)].bound or 0, default=None)


def _live(info: IndexInfo) -> ast.Expr:
    """How many values an index has."""
    if isinstance(info.key, int):
        return ast.Number(info.key, info.span)
    if info.per is None:
        return ast.Name(info.key, info.span)
    return ast.Access(info.key, (ast.Name(info.per, info.span),), info.span, info.span)


def _product(lengths: Sequence[ast.Expr], span: Span) -> ast.Expr | None:
    """The product, None where it is 1."""
    number = prod(int(length.value) for length in lengths if isinstance(length, ast.Number))
    factors: list[ast.Expr] = [length for length in lengths if not isinstance(length, ast.Number)]
    if number != 1:
        factors.append(ast.Number(number, span))
    return reduce(lambda left, right: binary("*", left, right, span), factors) if factors else None


def _times(info: IndexInfo, factor: int, environment: Environment) -> str:
    """The dim that is `factor` times the extent of an index: one of the program, or one that is made for it."""
    dim = environment.dims[str(info.key)]
    if factor == 1:
        return dim.name
    derived = ((AffineExpr.dimension(0) * factor,),)
    for other in environment.dims.values():
        if other.of == (dim.name,) and other.derived == derived:
            environment.used.add(other.name)
            return other.name
    assert dim.bound is not None
    name = FreshNames(set(environment.words | environment.dims.keys())).fresh(f"{dim.name}_x_{factor}")
    environment.dims[name] = Dim(name, None, dim.bound * factor, dim.per, dim.span, derived, (dim.name,))
    return name
