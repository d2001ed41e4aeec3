"""`values[b, i], order[b, i] = sort[t](x[b, t])`, as the statements that it stands for.

The place of an element is the number of those that come before it; that which is at place i is then searched. Each
pair is compared, so the cost is the extent squared. Several indices are sorted as the one that goes through their
combinations, and the places are taken apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hetc.compiler.frontend.constructs.elementwise import TABLE
from hetc.compiler.frontend.lower.hoist import define
from hetc.compiler.frontend.lower.step import StepEmitter
from hetc.compiler.frontend.resolve.dims import evaluate_integer
from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.resolve.expressions import resolve
from hetc.compiler.frontend.resolve.flat import flatten
from hetc.compiler.frontend.resolve.functions import several_results
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
    Where,
)
from hetc.compiler.frontend.syntax import ast
from hetc.source import Span

DIRECTIONS = ("ascending", "descending")


@dataclass
class SortEmitter:
    """Emits sorts."""

    step: StepEmitter

    @property
    def environment(self) -> Environment:
        return self.step.environment

    def define(self, statement: ast.Define, call: ast.Call) -> None:
        """The statements of one sort. Raises Refused after a diagnostic."""
        self._check(statement, call)
        targets, span = statement.targets, statement.span
        indices = [index for index in targets[0].indices if isinstance(index, ast.Index)]
        *free, last = indices
        axes, (value,) = resolve(self.environment, (*free, *call.indices), call.arguments)
        rows, over = axes[: len(free)], axes[len(free) :]
        flat = self._flat(rows, over, call) if len(over) > 1 else None
        words = _Words(span, tuple(IndexValue(axis.name, axis.span) for axis in rows))
        key = self._emit(self.step.fresh("sort"), axes, value, span)
        axis = over[0]
        if flat is not None:
            axis = flat.index
            read = Read(key, (*words.free, *flat.places(IndexValue(axis.name, call.span))), call.span)
            key = self._emit(self.step.fresh("flat"), [*rows, axis], read, span)
        self._check_bound(axis.key, last)
        taken = {row.name for row in rows}
        # In `y[b, d] = sort[d](x[b, d])` the place has the name of an axis.
        at = _fresh("place", taken) if last.name in {index.name for index in call.indices} else last.name
        place = replace(axis, name=at, span=last.span)
        other = replace(axis, name=_fresh("u", taken | {axis.name}))
        t, u, i = (IndexValue(index.name, index.span) for index in (axis, other, place))
        before = words.before(words.read(key, u), words.read(key, t), u, t, self._descending(call))
        count = Reduction("count", (other,), before, False, span)
        counted = Where(Apply(TABLE["present"], (words.read(key, t),), span), count, None, span)
        rank = self._emit(self.step.fresh("rank"), [*rows, axis], counted, span)
        here = Where(words.binary("==", words.read(rank, t), i), Literal(1, span), None, span)
        found = Reduction("argmax", (axis,), here, False, span)
        order = self._emit(
            targets[1].name if len(targets) == 2 else self.step.fresh("order"), [*rows, place], found, span
        )
        self._emit(targets[0].name, [*rows, place], words.read(key, words.read(order, i)), span)
        if flat is not None:
            for target, part in zip(targets[1:], flat.places(words.read(order, i)), strict=False):
                self._emit(target.name, [*rows, place], part, span)

    def _flat(self, rows: list[Axis], over: list[Axis], call: ast.Call) -> Flat:
        """The one index that is sorted. Raises Refused where it would go through places that do not exist."""
        flat = flatten(over, rows, self.environment, call.span)
        if flat.inside is not None:
            names = ", ".join(index.name for index in call.indices)
            message = f"how many values [{names}] have together is no dim: more than one extent is known at run time"
            help = "store what is sorted along one index first, `flat[n < N]` with a dim N, and sort over n"
            raise self.environment.refuse("HET301", message, call.span, help=help)
        return flat

    def _emit(self, name: str, axes: list[Axis], value: Expr, span: Span) -> Tensor:
        self.step.define(name, span, define(self.step, name, axes, value, span))
        return self.environment.tensors[name]

    def _check(self, statement: ast.Define, call: ast.Call) -> None:
        environment, targets = self.environment, statement.targets
        if len(call.arguments) != 1 or len(targets) not in (1, 1 + len(call.indices)):
            message = "`sort` takes one value, and gives the values in order, and where they were by each index"
            help = "write `values[b, i], order[b, i] = sort[t](x[b, t])`"
            if len(call.indices) > 1:
                help = several_results(call, "values")
            raise environment.refuse("HET108", message, statement.span, help=help)
        for target in targets:
            if target.name in environment.declared:
                message = f"`sort` defines new names; `{target.name}` is a memory"
                raise environment.refuse("HET201", message, target.span)
            if not target.indices or not all(isinstance(index, ast.Index) for index in target.indices):
                message = f"the result of `sort` needs an index for the place: `{target.name}[i]`"
                raise environment.refuse("HET105", message, target.span)
        names = [[index.name for index in target.indices if isinstance(index, ast.Index)] for target in targets]
        for target, given in zip(targets, names, strict=True):
            if given != names[0]:
                word = "both" if len(targets) == 2 else "all"
                raise environment.refuse("HET105", f"{word} results have the same indices", target.span)

    def _descending(self, call: ast.Call) -> bool:
        for keyword in call.keywords:
            if keyword.name != "order":
                message = f"`sort` takes no argument `{keyword.name}`"
                raise self.environment.refuse("HET108", message, keyword.span, help="its named argument is order")
            if not isinstance(keyword.value, ast.Name) or keyword.value.name not in DIRECTIONS:
                message = f"expected `order` to be {' or '.join(DIRECTIONS)}"
                raise self.environment.refuse("HET108", message, keyword.value.span)
            return keyword.value.name == "descending"
        return False

    def _check_bound(self, extent: int | str, last: ast.Index) -> None:
        """Refuses a bound of the place that is not the extent of what is sorted."""
        environment = self.environment
        if last.bound is None or (isinstance(last.bound, ast.Name) and last.bound.name == extent):
            return
        if isinstance(extent, str) or evaluate_integer(last.bound, environment, "the bound") != extent:
            raise environment.refuse("HET104", f"the index `{last.name}` has the extent {extent}", last.span)


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


def _fresh(wanted: str, taken: set[str]) -> str:
    while wanted in taken:
        wanted += "_"
    return wanted
