"""`best[b, j], picked[b, j] = topk[t](s[b, t], K)` and `picked[b, j] = select[t](c[b, t], capacity=C)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import IndexType, f32, i64
from xdsl.ir import SSAValue

from hetc.compiler.frontend.constructs.options import options_of, word_of
from hetc.compiler.frontend.constructs.results import check_new, check_number, lower_places, result_of, same_indices
from hetc.compiler.frontend.lower.emitter import StepEmitter
from hetc.compiler.frontend.lower.expressions import ExpressionEmitter
from hetc.compiler.frontend.lower.hoist import Hoister
from hetc.compiler.frontend.resolve import typed, walk
from hetc.compiler.frontend.resolve.dims import evaluate_integer
from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.resolve.expressions import resolve
from hetc.compiler.frontend.resolve.flat import flatten
from hetc.compiler.frontend.resolve.names import is_named, plain_name
from hetc.compiler.frontend.resolve.typed import Axis, Flat, Result
from hetc.compiler.frontend.syntax import ast
from hetc.dialects.mp import SelectOp, TopkOp
from hetc.source import Span

LARGEST_FLOAT = 3.4028234663852886e38


@dataclass(frozen=True)
class Selection:
    """A selection over the indices `over`, of `count` for each of `free`. `order` is that of topk, None of select,
    whose argument is a condition. `flat`: the indices as one, where they are several."""

    picks: tuple[Result, ...]
    scores: Result | None
    free: tuple[Axis, ...]
    over: tuple[Axis, ...]
    place: Axis
    argument: typed.Expr
    flat: Flat | None
    count: int
    order: str | None
    region_span: Span
    span: Span


def resolve_selection(statement: ast.Define, call: ast.Call, environment: Environment) -> Selection:
    """Raises Refused after a diagnostic."""
    targets, is_topk = statement.targets, call.function == "topk"
    check_new(targets, f"`{call.function}`", environment)
    options = options_of(call, environment)
    order = word_of(call, options, "order", environment) if is_topk else None
    count = _count(call, options, environment)
    *rows, place = result_indices(targets, call, environment)
    if place.bound is not None and evaluate_integer(place.bound, environment, "the bound") != count:
        raise environment.refuse("HET104", f"the index `{place.name}` has the extent {count}", place.span)
    loose = len(call.indices) if len(call.indices) > 1 else 0
    axes, (argument,) = resolve(environment, (*rows, *call.indices), call.arguments[:1], loose=loose)
    free, over = tuple(axes[: len(rows)]), tuple(axes[len(rows) :])
    flat = flatten(over, free, environment, call.span) if len(over) > 1 else None
    results = tuple(map(result_of, targets))
    scored = len(results) > len(over)
    return Selection(
        results[scored:], results[0] if scored else None, free, over, Axis(place.name, count, None, place.span),
        argument, flat, count, order, call.span, statement.span,
    )  # fmt: skip


def result_indices(targets: Sequence[ast.Target], call: ast.Call, environment: Environment) -> list[ast.Index]:
    """The indices of what a selection gives: the free ones and, last, the place among the selected. Raises Refused."""
    check_number(targets, call, environment)
    if not targets[0].indices:
        message = f"the result of `{call.function}` needs an index for the place among the selected"
        raise environment.refuse("HET105", message, targets[0].span, help=f"write `{targets[0].name}[b, j]`")
    return same_indices(targets, environment)


def _count(call: ast.Call, options: Mapping[str, ast.Expr], environment: Environment) -> int:
    function = call.function
    usage = "`topk[t](score, K)`" if function == "topk" else "`select[t](condition, capacity=C)`"
    size = call.arguments[1] if function == "topk" and len(call.arguments) == 2 else options.get("capacity")
    if size is None or len(call.arguments) != (2 if function == "topk" else 1):
        raise environment.refuse("HET108", f"`{function}` is called as {usage}", call.span)
    return evaluate_integer(size, environment, f"the number that `{function}` selects", low=1)


def lower_selection(node: Selection, step: StepEmitter) -> None:
    """Raises Refused where scores have no type to compare in."""
    scope, flat = (*node.free, *node.over), node.flat
    argument = Hoister(step).rewrite(node.argument, scope)
    ranges, emitter = step.region([*node.free, node.over[0] if flat is None else flat.index], node.region_span)
    if flat is not None:
        emitter.bind_flat(flat)
    op: SelectOp | TopkOp
    if node.order is None:
        condition = argument
        if flat is not None and flat.inside is not None:
            condition = typed.Binary("and", flat.inside, argument, argument.span)
        holds = emitter.emit_as(condition, "condition")
        score = _score_of_condition(emitter, argument, scope, node.over)
        op = SelectOp(ranges, emitter.finish(score, holds), node.count)
    else:
        score = _score(emitter, argument if flat is None else flat.present(argument))
        op = TopkOp(ranges, emitter.finish(score), node.count, score.type, node.order)
    step.add(op, node.span, node.picks[0].name if flat is None else None)
    if flat is None:
        step.define(node.picks[0].name, node.picks[0].span, op.indices)
    else:
        lower_places(step, flat, op.indices, node.picks, (*node.free, node.place), node.span)
    if node.scores is not None and isinstance(op, TopkOp):
        if is_named(node.scores.name):
            op.scores.name_hint = plain_name(node.scores.name)
        step.define(node.scores.name, node.scores.span, op.scores)


def _score(emitter: ExpressionEmitter, expr: typed.Expr) -> SSAValue:
    """A score in its own type, f32 or i32: integers are compared as such. Raises Refused for one of 64 bits."""
    environment = emitter.environment
    value = emitter.arithmetic.numeric(emitter.emit_as(expr, "value"))
    assert isinstance(value, SSAValue)
    if value.type == i64 or (value.type == IndexType() and not environment.intervals.of(value).fits(32)):
        message = "scores of 64 bits are not supported yet"
        help = "cast them, where 32 bits hold them: `i32(...)`"
        raise environment.refuse("HET301", message, expr.span, help=help)
    return emitter.arithmetic.as_number(value)


def _score_of_condition(
    emitter: ExpressionEmitter, argument: typed.Expr, scope: Sequence[Axis], over: Sequence[Axis]
) -> SSAValue:
    """What decides which stay when too many qualify: how far the first comparison is fulfilled, else the place. One
    that an `or` lets qualify without the comparison comes last."""
    comparison = _first_comparison(argument)
    if comparison is None:
        return emitter.arithmetic.as_float(0.0)
    larger, smaller = comparison.left, comparison.right
    if comparison.operator in ("<", "<="):
        larger, smaller = smaller, larger
    depends = [any(axis in over for axis in walk.free_axes(side, scope)) for side in (larger, smaller)]
    if depends == [True, False]:
        score = _score(emitter, larger)
    elif depends == [False, True]:
        score = emitter.arithmetic.reversed(_score(emitter, smaller))
    else:
        score = emitter.arithmetic.difference(_score(emitter, larger), _score(emitter, smaller))
    lowest = -LARGEST_FLOAT if score.type == f32 else emitter.environment.intervals.of(score).low
    return emitter.arithmetic.coalesce(score, lowest) if _holds_or(argument) else score


def _holds_or(expr: typed.Expr) -> bool:
    """Whether a condition may hold where the first comparison in it is absent."""
    return any(isinstance(node, typed.Binary) and node.operator == "or" for node in walk.walk(expr))


def _first_comparison(expr: typed.Expr) -> typed.Binary | None:
    """The first comparison of size that is not part of an index or a reduction."""
    if isinstance(expr, typed.Binary) and expr.operator in ("<", "<=", ">", ">="):
        return expr
    if isinstance(expr, typed.Read | typed.Reduction):
        return None
    return next((found for child in walk.children(expr) if (found := _first_comparison(child)) is not None), None)
