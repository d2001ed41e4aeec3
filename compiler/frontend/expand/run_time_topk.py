"""`picked[b, j] = topk[t](s[b, t], K)` with K known at run time, as the statements that it stands for: as many as K may
be, by falling score, of which the first K are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from hetc.compiler.frontend.constructs.selection import result_indices
from hetc.compiler.frontend.lower.step import StepEmitter
from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.syntax import ast
from hetc.source import Span


@dataclass(frozen=True)
class RunTimeTopk:
    """Emits such a selection; `emit` emits one definition."""

    step: StepEmitter
    emit: Callable[[ast.Define], None]

    @property
    def environment(self) -> Environment:
        return self.step.environment

    def count_of(self, call: ast.Call) -> ast.Name | None:
        """The run-time dim that says how many are taken, if one does."""
        if call.function != "topk" or len(call.arguments) != 2:
            return None
        count = call.arguments[1]
        dim = self.environment.dims.get(count.name) if isinstance(count, ast.Name) else None
        return count if isinstance(count, ast.Name) and dim is not None and dim.size is None else None

    def define(self, statement: ast.Define, call: ast.Call, count: ast.Name) -> None:
        """The statements of one selection. Raises Refused after a diagnostic."""
        targets, span = self._checked(statement, call, count), statement.span
        free = targets[0].indices[:-1]
        place = targets[0].indices[-1]
        assert isinstance(place, ast.Index)
        bound = self.environment.dims[count.name].bound
        assert bound is not None
        most = ast.Number(bound, count.span)
        self.environment.used.add(count.name)
        order = next((item for item in call.keywords if item.name == "order"), None)
        by_index = order is not None and isinstance(order.value, ast.Name) and order.value.name == "index"
        if by_index and len(call.indices) > 1:
            message = "`order=index` over several indices takes a constant number"
            help = "take `order=score`, or as many as the dim may be"
            raise self.environment.refuse("HET301", message, span, help=help)
        names = (self.step.fresh("best"), *(self.step.fresh("picks") for _ in call.indices))
        self._topk(
            names,
            (*free, replace(place, bound=None)),
            call,
            (call.arguments[0], most),
            by_index or order is None,
        )
        plain = tuple(ast.Index(index.name, None, index.span) for index in free if isinstance(index, ast.Index))
        kept = replace(place, bound=count)
        at: ast.Expr = ast.Name(place.name, place.span)
        if by_index:
            at = self._by_index(names[1], plain, place, kept, most, call)
        for target, source in zip(targets, names[-len(targets) :], strict=True):
            value = ast.Access(source, (*_names(plain), at), span, span)
            self._define(target, (*plain, kept), value, span)

    def _by_index(
        self,
        picks: str,
        free: tuple[ast.Index, ...],
        place: ast.Index,
        kept: ast.Index,
        most: ast.Number,
        call: ast.Call,
    ) -> ast.Expr:
        """Where the picks stand that are kept, in the order of what they pick."""
        span, name = call.span, self.step.fresh("order")
        inner = ast.Index(f"{place.name}_kept", None, place.span)
        i = ast.Name(inner.name, place.span)
        assert kept.bound is not None
        before = ast.Binary("<", i, kept.bound, span)
        score = ast.Unary("-", ast.Access(picks, (*_names(free), i), span, span), span)
        value = ast.Call("where", (), (before, score), (), span, span)
        again = replace(call, indices=(inner,), keywords=())
        self._topk((self.step.fresh("last"), name), (*free, replace(place, bound=None)), again, (value, most), True)
        return ast.Access(name, (*_names(free), ast.Name(place.name, place.span)), span, span)

    def _topk(
        self,
        names: tuple[str, ...],
        indices: tuple[ast.Index | ast.Expr, ...],
        call: ast.Call,
        arguments: tuple[ast.Expr, ast.Expr],
        by_score: bool,
    ) -> None:
        """A selection of a constant number, by falling score where no other order is asked for."""
        order = ast.Keyword("order", ast.Name("score", call.span), call.span)
        known = [item for item in call.keywords if item.name != "order" or not by_score]
        keywords = (*known, order) if by_score else tuple(_scored(item) for item in known)
        targets = tuple(ast.Target(name, indices, call.span, call.span) for name in names)
        self.emit(ast.Define(targets, "=", replace(call, arguments=arguments, keywords=keywords), call.span))

    def _define(self, target: ast.Target, indices: tuple[ast.Index, ...], value: ast.Expr, span: Span) -> None:
        self.emit(ast.Define((replace(target, indices=indices),), "=", value, span))

    def _checked(self, statement: ast.Define, call: ast.Call, count: ast.Name) -> tuple[ast.Target, ...]:
        environment, targets = self.environment, statement.targets
        for target in targets:
            if target.name in environment.declared:
                message = f"`topk` defines new names; `{target.name}` is a memory"
                raise environment.refuse("HET201", message, target.span)
        last = result_indices(targets, call, environment)[-1]
        bound = last.bound
        if bound is not None and not (isinstance(bound, ast.Name) and bound.name == count.name):
            message = f"the index of the selected has the extent {count.name}"
            raise environment.refuse("HET104", message, last.span)
        return targets


def _names(indices: tuple[ast.Index, ...]) -> tuple[ast.Expr, ...]:
    return tuple(ast.Name(index.name, index.span) for index in indices)


def _scored(keyword: ast.Keyword) -> ast.Keyword:
    """`order=any` as `order=score`: the first K are the best K. Anything else as it is: it is told where wrong."""
    value = keyword.value
    if keyword.name != "order" or not isinstance(value, ast.Name) or value.name != "any":
        return keyword
    return replace(keyword, value=replace(value, name="score"))
