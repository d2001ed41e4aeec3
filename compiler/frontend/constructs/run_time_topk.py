"""`picked[b, j] = topk[t](s[b, t], K)` with K known at run time, as the statements that it stands for: as many as K may
be, by falling score, of which the first K are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hetc.compiler.frontend.constructs.results import check_new
from hetc.compiler.frontend.constructs.selection import result_indices
from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.syntax import ast
from hetc.source import Span


def expand_topk(
    statement: ast.Define, environment: Environment, fresh: Callable[[str], str]
) -> tuple[ast.Define, ...] | None:
    """The statements of a selection of so many as a run-time dim says, None where this is none. `fresh` gives a name of
    a kind. Raises Refused after a diagnostic."""
    call = statement.value
    if not isinstance(call, ast.Call) or not call.indices or call.function != "topk" or len(call.arguments) != 2:
        return None
    count = call.arguments[1]
    dim = environment.dims.get(count.name) if isinstance(count, ast.Name) else None
    if not isinstance(count, ast.Name) or dim is None or dim.size is not None:
        return None
    assert dim.bound is not None
    targets = _checked(statement, call, count, environment)
    environment.used.add(count.name)
    return _Expansion(call, count, dim.bound, environment, fresh).statements(targets, statement.span)


def _checked(
    statement: ast.Define, call: ast.Call, count: ast.Name, environment: Environment
) -> tuple[ast.Target, ...]:
    targets = statement.targets
    check_new(targets, "`topk`", environment)
    last = result_indices(targets, call, environment)[-1]
    bound = last.bound
    if bound is not None and not (isinstance(bound, ast.Name) and bound.name == count.name):
        message = f"the index of the selected has the extent {count.name}"
        raise environment.refuse("HET104", message, last.span)
    return targets


class _Expansion:
    """One selection becoming statements."""

    def __init__(
        self, call: ast.Call, count: ast.Name, bound: int, environment: Environment, fresh: Callable[[str], str]
    ):
        self.call, self.count, self.environment, self.fresh = call, count, environment, fresh
        self.most = ast.Number(bound, count.span)
        self.made: list[ast.Define] = []

    def statements(self, targets: tuple[ast.Target, ...], span: Span) -> tuple[ast.Define, ...]:
        call, count = self.call, self.count
        free = targets[0].indices[:-1]
        place = targets[0].indices[-1]
        assert isinstance(place, ast.Index)
        order = next((item for item in call.keywords if item.name == "order"), None)
        by_index = order is not None and isinstance(order.value, ast.Name) and order.value.name == "index"
        names = (self.fresh("best"), *(self.fresh("picks") for _ in call.indices))
        plain_place = replace(place, bound=None)
        self._topk(names, (*free, plain_place), call, (call.arguments[0], self.most), by_index or order is None)
        plain = tuple(ast.Index(index.name, None, index.span) for index in free if isinstance(index, ast.Index))
        kept = replace(place, bound=count)
        at: ast.Expr = ast.Name(place.name, place.span)
        if by_index:
            at = self._by_index(names[1:], plain, place)
        for target, source in zip(targets, names[-len(targets) :], strict=True):
            value = ast.Access(source, (*_names(plain), at), span, span)
            self.made.append(ast.Define((replace(target, indices=(*plain, kept)),), "=", value, span))
        return tuple(self.made)

    def _by_index(self, picks: tuple[str, ...], free: tuple[ast.Index, ...], place: ast.Index) -> ast.Expr:
        """Where the picks stand that are kept, in the order of what they pick."""
        span, name = self.call.span, self.fresh("order")
        inner = ast.Index(f"{place.name}_kept", None, place.span)
        i = ast.Name(inner.name, place.span)
        before = ast.Binary("<", i, self.count, span)
        pick = picks[0] if len(picks) == 1 else self._ranked(picks, free, inner)
        score = ast.Unary("-", ast.Access(pick, (*_names(free), i), span, span), span)
        value = ast.Call("where", (), (before, score), (), span, span)
        again = replace(self.call, indices=(inner,), keywords=())
        plain_place = replace(place, bound=None)
        self._topk((self.fresh("last"), name), (*free, plain_place), again, (value, self.most), True)
        return ast.Access(name, (*_names(free), ast.Name(place.name, place.span)), span, span)

    def _ranked(self, picks: tuple[str, ...], free: tuple[ast.Index, ...], own: ast.Index) -> str:
        """The name of a tensor that says of each of the picks how many of those that are kept come before it, in
        lexicographic order; absent where the pick is."""
        span = self.call.span
        other, name = ast.Index(f"{own.name}_other", self.most, span), self.fresh("rank")
        i, j = ast.Name(own.name, span), ast.Name(other.name, span)
        before: ast.Expr | None = None
        for pick in reversed(picks):
            left, right = (ast.Access(pick, (*_names(free), at), span, span) for at in (j, i))
            less: ast.Expr = ast.Binary("<", left, right, span)
            if before is not None:
                same = ast.Binary("and", ast.Binary("==", left, right, span), before, span)
                less = ast.Binary("or", less, same, span)
            before = less
        assert before is not None
        counted = ast.Binary("and", ast.Binary("<", j, self.count, span), before, span)
        number = ast.Call("count", (other,), (counted,), (), span, span)
        # The conditions on both picks are one clause, which the count takes for its own.
        known = ast.Call("present", (), (ast.Access(picks[0], (*_names(free), i), span, span),), (), span, span)
        value = ast.Call("where", (), (known, number), (), span, span)
        self.made.append(ast.Define((ast.Target(name, (*free, own), span, span),), "=", value, span))
        return name

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
        self.made.append(ast.Define(targets, "=", replace(call, arguments=arguments, keywords=keywords), call.span))


def _names(indices: tuple[ast.Index, ...]) -> tuple[ast.Expr, ...]:
    return tuple(ast.Name(index.name, index.span) for index in indices)


def _scored(keyword: ast.Keyword) -> ast.Keyword:
    """`order=any` as `order=score`: the first K are the best K. Anything else as it is: it is told where wrong."""
    value = keyword.value
    if keyword.name != "order" or not isinstance(value, ast.Name) or value.name != "any":
        return keyword
    return replace(keyword, value=replace(value, name="score"))
