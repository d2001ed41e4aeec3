"""`values[b, i], order[b, i] = sort[t](x[b, t])`, as the statements that it stands for.

The place of an element is the number of those that come before it; that which is at place i is then searched. Each
pair is compared, so the cost is the extent squared. Several indices are sorted as the one that goes through their
combinations, and the places are taken apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hetc.compiler.frontend.arithmetic.elementwise import TABLE
from hetc.compiler.frontend.constructs.options import options_of, word_of
from hetc.compiler.frontend.constructs.results import check_new, result_of, same_indices
from hetc.compiler.frontend.lower.emitter import StepEmitter
from hetc.compiler.frontend.lower.hoist import define
from hetc.compiler.frontend.resolve.dims import evaluate_integer
from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.resolve.expressions import resolve
from hetc.compiler.frontend.resolve.flat import flatten
from hetc.compiler.frontend.resolve.functions import several_results
from hetc.compiler.frontend.resolve.names import FreshNames
from hetc.compiler.frontend.resolve.symbols import Tensor
from hetc.compiler.frontend.resolve.typed import (
    Apply,
    Axis,
    Binary,
    Expr,
    Flat,
    IndexValue,
    Literal,
    Read,
    Reduction,
    Result,
    Where,
)
from hetc.compiler.frontend.syntax import ast
from hetc.source import Span


@dataclass(frozen=True)
class Sort:
    """What is sorted along `over`, for each of `rows`, or along `flat` where the indices are several. `orders`: where
    the values were, by each index."""

    values: Result
    orders: tuple[Result, ...]
    rows: tuple[Axis, ...]
    over: tuple[Axis, ...]
    place: Axis
    argument: Expr
    flat: Flat | None
    descending: bool
    call_span: Span
    span: Span


def resolve_sort(statement: ast.Define, call: ast.Call, environment: Environment) -> Sort:
    """Raises Refused after a diagnostic."""
    _check(statement, call, environment)
    *free, last = (index for index in statement.targets[0].indices if isinstance(index, ast.Index))
    axes, (argument,) = resolve(environment, (*free, *call.indices), call.arguments)
    rows, over = tuple(axes[: len(free)]), tuple(axes[len(free) :])
    flat = _flat(rows, over, call, environment) if len(over) > 1 else None
    axis = over[0] if flat is None else flat.index
    _check_bound(axis.key, last, environment)
    # In `y[b, d] = sort[d](x[b, d])` the place has the name of an axis.
    is_taken = last.name in {index.name for index in call.indices}
    name = FreshNames({row.name for row in rows}).fresh("place") if is_taken else last.name
    descending = word_of(call, options_of(call, environment), "order", environment) == "descending"
    values, *orders = map(result_of, statement.targets)
    return Sort(
        values, tuple(orders), rows, over, replace(axis, name=name, span=last.span), argument, flat, descending,
        call.span, statement.span,
    )  # fmt: skip


def _check(statement: ast.Define, call: ast.Call, environment: Environment) -> None:
    targets = statement.targets
    if len(call.arguments) != 1 or len(targets) not in (1, 1 + len(call.indices)):
        message = "`sort` takes one value, and gives the values in order, and where they were by each index"
        help = "write `values[b, i], order[b, i] = sort[t](x[b, t])`"
        if len(call.indices) > 1:
            help = several_results(call, "values")
        raise environment.refuse("HET108", message, statement.span, help=help)
    check_new(targets, "`sort`", environment)
    for target in targets:
        if not target.indices or not all(isinstance(index, ast.Index) for index in target.indices):
            message = f"the result of `sort` needs an index for the place: `{target.name}[i]`"
            raise environment.refuse("HET105", message, target.span)
    same_indices(targets, environment)


def _flat(rows: Sequence[Axis], over: Sequence[Axis], call: ast.Call, environment: Environment) -> Flat:
    """The one index that is sorted. Raises Refused where it would go through places that do not exist."""
    flat = flatten(over, rows, environment, call.span)
    if flat.inside is not None:
        names = ", ".join(index.name for index in call.indices)
        message = f"how many values [{names}] have together is no dim: more than one extent is known at run time"
        help = "store what is sorted along one index first, `flat[n < N]` with a dim N, and sort over n"
        raise environment.refuse("HET301", message, call.span, help=help)
    return flat


def _check_bound(extent: int | str, last: ast.Index, environment: Environment) -> None:
    """Refuses a bound of the place that is not the extent of what is sorted."""
    if last.bound is None or (isinstance(last.bound, ast.Name) and last.bound.name == extent):
        return
    if isinstance(extent, str) or evaluate_integer(last.bound, environment, "the bound") != extent:
        raise environment.refuse("HET104", f"the index `{last.name}` has the extent {extent}", last.span)


def lower_sort(node: Sort, step: StepEmitter) -> None:
    rows, span, flat = node.rows, node.span, node.flat

    def made(name: str, axes: Sequence[Axis], value: Expr) -> Tensor:
        return step.define(name, span, define(step, name, axes, value, span))

    words = _Words(span, tuple(IndexValue(axis.name, axis.span) for axis in rows))
    key, axis = made(step.fresh("sort"), (*rows, *node.over), node.argument), node.over[0]
    if flat is not None:
        axis = flat.index
        read = Read(key, (*words.free, *flat.places(IndexValue(axis.name, node.call_span))), node.call_span)
        key = made(step.fresh("flat"), (*rows, axis), read)
    other = replace(axis, name=FreshNames({row.name for row in rows} | {axis.name}).fresh("u"))
    t, u, i = (IndexValue(index.name, index.span) for index in (axis, other, node.place))
    before = words.before(words.read(key, u), words.read(key, t), u, t, node.descending)
    count = Reduction("count", (other,), before, False, span)
    counted = Where(Apply(TABLE["present"], (words.read(key, t),), span), count, None, span)
    rank = made(step.fresh("rank"), (*rows, axis), counted)
    here = Where(words.binary("==", words.read(rank, t), i), Literal(1, span), None, span)
    name = node.orders[0].name if len(node.orders) == 1 else step.fresh("order")
    order = made(name, (*rows, node.place), Reduction("argmax", (axis,), here, False, span))
    made(node.values.name, (*rows, node.place), words.read(key, words.read(order, i)))
    if flat is not None:
        for result, part in zip(node.orders, flat.places(words.read(order, i)), strict=False):
            made(result.name, (*rows, node.place), part)


@dataclass(frozen=True)
class _Words:
    """Expressions at one place of the source, over the free indices of a sort."""

    span: Span
    free: tuple[Expr, ...]

    def binary(self, operator: str, left: Expr, right: Expr) -> Expr:
        return Binary(operator, left, right, self.span)

    def read(self, tensor: Tensor, place: Expr) -> Expr:
        return Read(tensor, (*self.free, place), self.span)

    def before(self, mine: Expr, other: Expr, u: Expr, t: Expr, descending: bool) -> Expr:
        """Whether the element at u comes before that at t: by value, NaN last, equal ones by their index."""
        numbers = self.binary("and", self.binary("==", mine, mine), self.binary("!=", other, other))
        nan = self.binary("and", self.binary("!=", mine, mine), self.binary("!=", other, other))
        same = self.binary("or", self.binary("==", mine, other), nan)
        earlier = self.binary("and", same, self.binary("<", u, t))
        by_value = self.binary(">" if descending else "<", mine, other)
        return self.binary("or", self.binary("or", by_value, numbers), earlier)
