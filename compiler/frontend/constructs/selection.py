"""topk and select, and argmax and argmin over several indices: statements that give the places of what they find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xdsl.dialects.builtin import IndexType, f32, i64
from xdsl.ir import SSAValue

from hetc.compiler.frontend.expand.rewriting import is_named, plain_name
from hetc.compiler.frontend.lower.expressions import ExpressionEmitter
from hetc.compiler.frontend.lower.hoist import Hoister
from hetc.compiler.frontend.lower.step import StepEmitter
from hetc.compiler.frontend.resolve import typed
from hetc.compiler.frontend.resolve.dims import evaluate_integer
from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.resolve.expressions import resolve
from hetc.compiler.frontend.resolve.flat import flatten
from hetc.compiler.frontend.resolve.functions import several_results
from hetc.compiler.frontend.resolve.typed import Axis, Flat
from hetc.compiler.frontend.syntax import ast
from hetc.dialects.mp import ComputeOp, SelectOp, TensorType, TopkOp
from hetc.source import Span

ORDERS = ("any", "score", "index")
LARGEST_FLOAT = 3.4028234663852886e38


def check_number(targets: Sequence[ast.Target], call: ast.Call, environment: Environment) -> None:
    """One result for each of the indices and, of topk, perhaps the scores before them. Raises Refused."""
    function, count = call.function, len(call.indices)
    allowed = (count, count + 1) if function == "topk" else (count,)
    if len(targets) in allowed:
        return
    if count == 1:
        expected = "one result, or score and index" if function == "topk" else "one result"
        raise environment.refuse("HET108", f"`{function}` gives {expected}, got {len(targets)}", targets[0].span)
    names = [index.name for index in call.indices]
    scores = ", or the scores and these" if function == "topk" else ""
    message = f"`{function}` over [{', '.join(names)}] gives {count} results, one an index{scores}"
    raise environment.refuse("HET108", f"{message}, got {len(targets)}", targets[0].span, help=several_results(call))


def same_indices(targets: Sequence[ast.Target], environment: Environment) -> list[ast.Index]:
    """The plain indices of results, which all have the same. Raises Refused."""
    lists = [[index for index in target.indices if isinstance(index, ast.Index)] for target in targets]
    for target, names in zip(targets, lists, strict=True):
        if [item.name for item in names] != [item.name for item in lists[0]]:
            word = "both" if len(targets) == 2 else "all"
            raise environment.refuse("HET105", f"{word} results have the same indices", target.span)
    return lists[0]


def result_indices(targets: Sequence[ast.Target], call: ast.Call, environment: Environment) -> list[ast.Index]:
    """The indices of what a selection gives: the free ones and, last, the place among the selected. Raises Refused."""
    check_number(targets, call, environment)
    if not targets[0].indices:
        message = f"the result of `{call.function}` needs an index for the place among the selected"
        raise environment.refuse("HET105", message, targets[0].span, help=f"write `{targets[0].name}[b, j]`")
    return same_indices(targets, environment)


class SelectionEmitter:
    """Emits what selects over one index or several."""

    def __init__(self, step: StepEmitter):
        self.step = step
        self.environment = step.environment

    def select(
        self, targets: tuple[ast.Target, ...], call: ast.Call, options: Mapping[str, ast.Expr], order: str, span: Span
    ) -> None:
        """`targets = topk[..](..)` or `select[..](..)`, which `order` is nothing to."""
        environment, function = self.environment, call.function
        count = self._count(function, call, options)
        indices = self._result_indices(targets, call, count)
        axes, (value,) = resolve(environment, (*indices[:-1], *call.indices), call.arguments[:1])
        free, over = axes[: len(indices) - 1], axes[len(indices) - 1 :]
        argument = Hoister(self.step).rewrite(value, axes)
        flat = flatten(over, free, environment, call.span) if len(over) > 1 else None
        ranges, emitter = self.step.region([*free, over[0] if flat is None else flat.index], call.span)
        if flat is not None:
            emitter.bind_flat(flat)
        op: SelectOp | TopkOp
        if function == "select":
            condition = argument
            if flat is not None and flat.inside is not None:
                condition = typed.Binary("and", flat.inside, argument, argument.span)
            holds = emitter.emit_as(condition, "condition")
            op = SelectOp(ranges, emitter.finish(self._select_score(emitter, argument, axes, over), holds), count)
        else:
            score = self._score(emitter, argument if flat is None else flat.present(argument))
            op = TopkOp(ranges, emitter.finish(score), count, score.type, order)
        self.step.add(op, span, targets[-1].name if flat is None else None)
        scored = len(targets) > len(over)
        if flat is None:
            self.step.define(targets[-1].name, targets[-1].name_span, op.indices)
        else:
            result = [*free, Axis(indices[-1].name, count, None, span)]
            self._take_apart(flat, op.indices, targets[scored:], result, span)
        if scored and isinstance(op, TopkOp):
            if is_named(targets[0].name):
                op.scores.name_hint = plain_name(targets[0].name)
            self.step.define(targets[0].name, targets[0].name_span, op.scores)

    def extreme(self, targets: tuple[ast.Target, ...], call: ast.Call, span: Span) -> None:
        """`ra[b], rc[b] = argmax[a, c](x[b, a, c])`."""
        environment, function = self.environment, call.function
        if len(call.arguments) != 1 or call.keywords:
            raise environment.refuse("HET108", f"`{function}` takes one argument", call.span)
        for target in targets:
            if target.name in environment.declared:
                message = f"`{function}` over several indices defines new names; `{target.name}` is a memory"
                raise environment.refuse("HET201", message, target.span)
        check_number(targets, call, environment)
        indices = same_indices(targets, environment)
        axes, (value,) = resolve(environment, (*indices, *call.indices), call.arguments)
        free, over = axes[: len(indices)], axes[len(indices) :]
        argument = Hoister(self.step).rewrite(value, axes)
        flat = flatten(over, free, environment, call.span)
        ranges, emitter = self.step.region(free, call.span)
        place = emitter.reduced_flat(function, flat, argument)
        type_ = TensorType([axis.key for axis in free], IndexType())
        op = self.step.add(ComputeOp(ranges, emitter.finish(place), type_), span)
        self._take_apart(flat, op.results[0], targets, free, span)

    def _take_apart(
        self, flat: Flat, found: SSAValue, targets: Sequence[ast.Target], axes: Sequence[Axis], span: Span
    ) -> None:
        """One tensor of places for each of the indices, from that of the one index."""
        name = self.step.temporary("picks", found, span)
        places = tuple(typed.IndexValue(axis.name, span) for axis in axes)
        read = typed.Read(self.environment.tensors[name], places, span)
        for target, place in zip(targets, flat.places(read), strict=True):
            value = self.step.compute(axes, place, span, target.name)
            self.step.define(target.name, target.name_span, value)

    def _count(self, function: str, call: ast.Call, options: Mapping[str, ast.Expr]) -> int:
        environment = self.environment
        usage = "`topk[t](score, K)`" if function == "topk" else "`select[t](condition, capacity=C)`"
        size = call.arguments[1] if function == "topk" and len(call.arguments) == 2 else options.get("capacity")
        if size is None or len(call.arguments) != (2 if function == "topk" else 1):
            raise environment.refuse("HET108", f"`{function}` is called as {usage}", call.span)
        return evaluate_integer(size, environment, f"the number that `{function}` selects", low=1)

    def _result_indices(self, targets: tuple[ast.Target, ...], call: ast.Call, count: int) -> list[ast.Index]:
        """The indices of the results: the free ones and, last, the place among the selected."""
        environment = self.environment
        indices = result_indices(targets, call, environment)
        last = indices[-1]
        if last.bound is not None and evaluate_integer(last.bound, environment, "the bound") != count:
            raise environment.refuse("HET104", f"the index `{last.name}` has the extent {count}", last.span)
        return indices

    def _score(self, emitter: ExpressionEmitter, expr: typed.Expr) -> SSAValue:
        """A score in its own type, f32 or i32: integers are compared as such. Raises Refused for one of 64 bits."""
        value = emitter.arithmetic.numeric(emitter.emit_as(expr, "value"))
        assert isinstance(value, SSAValue)
        if value.type == i64 or (value.type == IndexType() and not self.environment.intervals.of(value).fits(32)):
            message = "scores of 64 bits are not supported yet"
            help = "cast them, where 32 bits hold them: `i32(...)`"
            raise self.environment.refuse("HET301", message, expr.span, help=help)
        return emitter.arithmetic.as_number(value)

    def _select_score(
        self,
        emitter: ExpressionEmitter,
        argument: typed.Expr,
        axes: Sequence[Axis],
        over: Sequence[Axis],
    ) -> SSAValue:
        """What decides which stay when too many qualify: how far the first comparison is fulfilled, else the place. One
        that an `or` lets qualify without the comparison comes last."""
        comparison = _first_comparison(argument)
        if comparison is None:
            return emitter.arithmetic.as_float(0.0)
        larger, smaller = comparison.left, comparison.right
        if comparison.operator in ("<", "<="):
            larger, smaller = smaller, larger
        depends = [any(axis in over for axis in typed.free_axes(side, axes)) for side in (larger, smaller)]
        if depends == [True, False]:
            score = self._score(emitter, larger)
        elif depends == [False, True]:
            score = emitter.arithmetic.reversed(self._score(emitter, smaller))
        else:
            score = emitter.arithmetic.difference(self._score(emitter, larger), self._score(emitter, smaller))
        lowest = -LARGEST_FLOAT if score.type == f32 else self.environment.intervals.of(score).low
        return emitter.arithmetic.coalesce(score, lowest) if _holds_or(argument) else score


def _holds_or(expr: typed.Expr) -> bool:
    """Whether a condition may hold where the first comparison in it is absent."""
    return any(isinstance(node, typed.Binary) and node.operator == "or" for node in typed.walk(expr))


def _first_comparison(expr: typed.Expr) -> typed.Binary | None:
    """The first comparison of size that is not part of an index or a reduction."""
    if isinstance(expr, typed.Binary) and expr.operator in ("<", "<=", ">", ">="):
        return expr
    if isinstance(expr, typed.Read | typed.Reduction):
        return None
    return next((found for child in typed.children(expr) if (found := _first_comparison(child)) is not None), None)
