"""`values[b, i], order[b, i] = sort[t](x[b, t])`, as the statements that it stands for.

The place of an element is the number of those that come before it; that which is at place i is then searched. Each
pair is compared, so the cost is the extent squared. Several indices are sorted as the one that goes through their
combinations, and the places are taken apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from hetc.compiler.frontend import ast
from hetc.compiler.frontend.dims import evaluate_integer
from hetc.compiler.frontend.emit_step import StepEmitter
from hetc.compiler.frontend.environment import Environment
from hetc.compiler.frontend.extents import StatementExtents
from hetc.compiler.frontend.flat import Flat, bound_of, flatten
from hetc.compiler.frontend.functions import several_results
from hetc.source import Span

DIRECTIONS = ("ascending", "descending")


@dataclass
class SortEmitter:
    """Emits a sort; `emit_plain` emits one definition."""

    step: StepEmitter
    emit_plain: Callable[[ast.Define], None]

    @property
    def environment(self) -> Environment:
        return self.step.environment

    def define(self, statement: ast.Define, call: ast.Call) -> None:
        """The statements of one sort. Raises Refused after a diagnostic."""
        self._check(statement, call)
        targets, axes = statement.targets, call.indices
        last = targets[0].indices[-1]
        assert isinstance(last, ast.Index)
        free = tuple(index for index in targets[0].indices[:-1] if isinstance(index, ast.Index))
        if last.name in {axis.name for axis in axes}:  # `y[b, d] = sort[d](x[b, d])`: a place has the name of an axis
            last = replace(last, name=_fresh("place", {index.name for index in free}))
        key, rank = self.step.fresh("sort"), self.step.fresh("rank")
        words = _Words(statement.span, tuple(ast.Name(index.name, index.span) for index in free))
        flat = self._flat(free, call) if len(axes) > 1 else None
        self._emit(key, (*free, *axes), call.arguments[0], statement.span)
        axis = axes[0]
        if flat is not None:
            several, key = key, self.step.fresh("flat")
            axis, one = ast.Index(flat.index.name, bound_of(flat.index.key, call.span), call.span), flat.index.name
            read = ast.Access(several, (*words.free, *flat.places(ast.Name(one, call.span))), call.span, call.span)
            self._emit(key, (*_plain(free), axis), read, statement.span)
        t = ast.Name(axis.name, axis.span)
        bound = self._extent(key, last)
        other = ast.Index(_fresh("u", {index.name for index in free} | {axis.name}), None, axis.span)
        u = ast.Name(other.name, axis.span)
        before = words.before(words.read(key, u), words.read(key, t), u, t, self._descending(call))
        count = ast.Call("count", (other,), (before,), (), statement.span, statement.span)
        counted = words.call("where", words.call("present", words.read(key, t)), count)
        plain = _plain(free)
        inner = ast.Index(axis.name, None, axis.span)
        self._emit(rank, (*plain, inner), counted, statement.span)
        place = ast.Index(last.name, bound, last.span)
        i = ast.Name(last.name, last.span)
        here = words.call("where", words.binary("==", words.read(rank, t), i), ast.Number(1, statement.span))
        order = targets[1].name if len(targets) == 2 else self.step.fresh("order")
        found = ast.Call("argmax", (inner,), (here,), (), statement.span, statement.span)
        self._emit(order, (*plain, place), found, statement.span)
        self._emit(targets[0].name, (*plain, place), words.read(key, words.read(order, i)), statement.span)
        if flat is not None:
            for target, part in zip(targets[1:], flat.places(words.read(order, i)), strict=False):
                self._emit(target.name, (*plain, place), part, statement.span)

    def _flat(self, free: tuple[ast.Index, ...], call: ast.Call) -> Flat:
        """The one index that is sorted. Raises Refused where it would go through places that do not exist."""
        extents = StatementExtents(self.environment)
        for index in (*free, *call.indices):
            extents.open(index)
        extents.visit(call.arguments[0])
        infos = extents.close(len(free) + len(call.indices))
        flat = flatten(infos[len(free) :], infos[: len(free)], self.environment, call.span)
        if flat.inside is not None:
            names = ", ".join(index.name for index in call.indices)
            message = f"how many values [{names}] have together is no dim: more than one extent is known at run time"
            help = "store what is sorted along one index first, `flat[n < N]` with a dim N, and sort over n"
            raise self.environment.refuse("HET301", message, call.span, help=help)
        return flat

    def _emit(self, name: str, indices: tuple[ast.Index, ...], value: ast.Expr, span: Span) -> None:
        self.emit_plain(ast.Define((ast.Target(name, indices, span, span),), "=", value, span))

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

    def _extent(self, key: str, last: ast.Index) -> ast.Expr:
        """The bound of the place: the extent of what is sorted."""
        environment = self.environment
        extent = environment.tensor(key, last.span).type.shape[-1]
        bound = bound_of(extent, last.span)
        if last.bound is not None:
            named = isinstance(last.bound, ast.Name) and last.bound.name == extent
            if not named and (
                isinstance(extent, str) or evaluate_integer(last.bound, environment, "the bound") != extent
            ):
                raise environment.refuse("HET104", f"the index `{last.name}` has the extent {extent}", last.span)
        return bound


@dataclass(frozen=True)
class _Words:
    """Expressions at one place of the source, over the free indices of a sort."""

    span: Span
    free: tuple[ast.Expr, ...]

    def binary(self, operator: str, left: ast.Expr, right: ast.Expr) -> ast.Expr:
        return ast.Binary(operator, left, right, self.span)

    def call(self, function: str, *arguments: ast.Expr) -> ast.Expr:
        return ast.Call(function, (), arguments, (), self.span, self.span)

    def read(self, tensor: str, place: ast.Expr) -> ast.Expr:
        return ast.Access(tensor, (*self.free, place), self.span, self.span)

    def before(self, mine: ast.Expr, other: ast.Expr, u: ast.Expr, t: ast.Expr, descending: bool) -> ast.Expr:
        """Whether the element at u comes before that at t: by value, NaN last, equal ones by their index."""
        numbers = self.binary("and", self.binary("==", mine, mine), self.binary("!=", other, other))
        nan = self.binary("and", self.binary("!=", mine, mine), self.binary("!=", other, other))
        same = self.binary("or", self.binary("==", mine, other), nan)
        earlier = self.binary("and", same, self.binary("<", u, t))
        by_value = self.binary(">" if descending else "<", mine, other)
        return self.binary("or", self.binary("or", by_value, numbers), earlier)


def _plain(indices: tuple[ast.Index, ...]) -> tuple[ast.Index, ...]:
    """The indices as they stand once their extents are known."""
    return tuple(ast.Index(index.name, None, index.span) for index in indices)


def _fresh(wanted: str, taken: set[str]) -> str:
    while wanted in taken:
        wanted += "_"
    return wanted
