"""Statements with an op of their own: topk, select, quantize, append."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import IndexType, f32, i64
from xdsl.ir import SSAValue

from hetc.compiler.frontend import ast
from hetc.compiler.frontend.dims import evaluate, evaluate_integer
from hetc.compiler.frontend.emit_append import AppendEmitter
from hetc.compiler.frontend.emit_clear import ClearEmitter
from hetc.compiler.frontend.emit_expression import ExpressionEmitter
from hetc.compiler.frontend.emit_step import StepEmitter, free_indices, plain_name
from hetc.compiler.frontend.environment import Refused
from hetc.compiler.frontend.extents import IndexInfo, StatementExtents
from hetc.compiler.frontend.hoist import Hoister
from hetc.diagnostics import Related
from hetc.dialects.mp import ELEMENT_TYPES, QuantizeOp, SelectOp, TensorType, TopkOp
from hetc.source import Span

ORDERS = ("any", "score", "index")
QUANTIZED = ("fp8", "i8", "i4")
SCALES = ("pow2", "f32")
# The smallest absolute maximum that a scale is made for: keeps the scale of a block of zeros a normal number.
QUANTIZE_FLOOR = 1e-4
LARGEST_FLOAT = 3.4028234663852886e38


class IrregularEmitter:
    """Emits the irregular operations of a step."""

    def __init__(self, step: StepEmitter):
        self.step = step
        self.environment = step.environment
        self.append = AppendEmitter(step)
        self.clear = ClearEmitter(step)

    def effect(self, statement: ast.Effect) -> None:
        """A call that stands alone."""
        name = statement.call.function
        if name == "append" and not statement.call.indices:
            self.append.emit(statement.call)
            return
        if name == "clear" and not statement.call.indices:
            self.clear.emit(statement.call)
            return
        message = f"the result of `{name}` is not used"
        help = "a statement is `name[indices] = value`, `append(memory, rows)` or `clear(dim)`"
        raise self.environment.refuse("HET108", message, statement.span, help=help)

    def define(self, function: str, targets: tuple[ast.Target, ...], call: ast.Call, span: Span) -> None:
        """`targets = topk[..](..)` and the other two."""
        for target in targets:
            if target.name in self.environment.declared:
                message = f"`{function}` defines new names; `{target.name}` is a memory"
                raise self.environment.refuse("HET201", message, target.span)
        if function == "quantize":
            self._quantize(targets, call, span)
        else:
            self._selection(function, targets, call, span)

    def _selection(self, function: str, targets: tuple[ast.Target, ...], call: ast.Call, span: Span) -> None:
        environment = self.environment
        options = self._options(call, ("order",) if function == "topk" else ("capacity",))
        count = self._count(function, call, options)
        indices = self._result_indices(function, targets, count)
        if len(call.indices) != 1:
            raise environment.refuse("HET108", f"`{function}` takes one index, got {len(call.indices)}", call.span)
        extents = StatementExtents(environment)
        for index in (*indices[:-1], call.indices[0]):
            extents.open(index)
        extents.visit(call.arguments[0])
        infos = extents.close(len(indices))
        argument = Hoister(self.step, extents.infos).rewrite(call.arguments[0], infos)
        ranges, emitter = self.step.region(infos, extents.infos, call.span)
        if function == "select":
            condition = emitter.emit_as(argument, "condition")
            score = self._select_score(emitter, argument, infos)
            select = SelectOp(ranges, emitter.finish(score, condition), count)
            self.step.add(select, span, targets[0].name)
            self.step.define(targets[0].name, targets[0].name_span, select.indices)
            return
        score = self._score(emitter, argument)
        topk = TopkOp(ranges, emitter.finish(score), count, score.type, self._order(options))
        self.step.add(topk, span, targets[-1].name)
        self.step.define(targets[-1].name, targets[-1].name_span, topk.indices)
        if len(targets) == 2:
            topk.scores.name_hint = plain_name(targets[0].name)
            self.step.define(targets[0].name, targets[0].name_span, topk.scores)

    def _count(self, function: str, call: ast.Call, options: dict[str, ast.Expr]) -> int:
        environment = self.environment
        usage = "`topk[t](score, K)`" if function == "topk" else "`select[t](condition, capacity=C)`"
        size = call.arguments[1] if function == "topk" and len(call.arguments) == 2 else options.get("capacity")
        if size is None or len(call.arguments) != (2 if function == "topk" else 1):
            raise environment.refuse("HET108", f"`{function}` is called as {usage}", call.span)
        return evaluate_integer(size, environment, f"the number that `{function}` selects", low=1)

    def _result_indices(self, function: str, targets: tuple[ast.Target, ...], count: int) -> list[ast.Index]:
        """The indices of the results: the free ones and, last, the place among the selected."""
        environment = self.environment
        most = 2 if function == "topk" else 1
        if len(targets) > most:
            expected = "one result, or score and index" if most == 2 else "one result"
            raise environment.refuse("HET108", f"`{function}` gives {expected}, got {len(targets)}", targets[0].span)
        lists = [[index for index in target.indices if isinstance(index, ast.Index)] for target in targets]
        if not lists[0]:
            message = f"the result of `{function}` needs an index for the place among the selected"
            raise environment.refuse("HET105", message, targets[0].span, help=f"write `{targets[0].name}[b, j]`")
        if len(targets) == 2 and [item.name for item in lists[0]] != [item.name for item in lists[1]]:
            raise environment.refuse("HET105", "both results have the same indices", targets[1].span)
        last = lists[0][-1]
        if last.bound is not None and evaluate_integer(last.bound, environment, "the bound") != count:
            raise environment.refuse("HET104", f"the index `{last.name}` has the extent {count}", last.span)
        return lists[0]

    def _options(self, call: ast.Call, known: Sequence[str]) -> dict[str, ast.Expr]:
        for keyword in call.keywords:
            if keyword.name not in known:
                message = f"`{call.function}` takes no argument `{keyword.name}`"
                help = f"its named arguments are {', '.join(known)}"
                raise self.environment.refuse("HET108", message, keyword.span, help=help)
        return {keyword.name: keyword.value for keyword in call.keywords}

    def _order(self, options: dict[str, ast.Expr]) -> str:
        return self._word(options, "order", ORDERS)

    def _word(self, options: dict[str, ast.Expr], name: str, allowed: tuple[str, ...]) -> str:
        """An option that is one of a few words; the first of them is the default."""
        given = options.get(name)
        if given is None:
            return allowed[0]
        if not isinstance(given, ast.Name) or given.name not in allowed:
            message = f"expected `{name}` to be {' or '.join(allowed)}"
            raise self.environment.refuse("HET108", message, given.span)
        return given.name

    def _score(self, emitter: ExpressionEmitter, expr: ast.Expr) -> SSAValue:
        """A score in its own type, f32 or i32: integers are compared as such. Raises Refused for one of 64 bits."""
        value = emitter.arithmetic.numeric(emitter.emit_as(expr, "value"))
        assert isinstance(value, SSAValue)
        if value.type == i64 or (value.type == IndexType() and not self.environment.intervals.of(value).fits(32)):
            message = "scores of 64 bits are not supported yet"
            help = "cast them, where 32 bits hold them: `i32(...)`"
            raise self.environment.refuse("HET301", message, expr.span, help=help)
        return emitter.arithmetic.as_number(value)

    def _select_score(self, emitter: ExpressionEmitter, argument: ast.Expr, infos: Sequence[IndexInfo]) -> SSAValue:
        """What decides which stay when too many qualify: how far the first comparison is fulfilled, else the place. One
        that an `or` lets qualify without the comparison comes last."""
        comparison = _first_comparison(argument)
        if comparison is None:
            return emitter.arithmetic.as_float(0.0)
        larger, smaller = comparison.left, comparison.right
        if comparison.operator in ("<", "<="):
            larger, smaller = smaller, larger
        chosen = infos[-1]
        depends = [chosen in free_indices(side, infos, self.environment) for side in (larger, smaller)]
        if depends == [True, False]:
            score = self._score(emitter, larger)
        elif depends == [False, True]:
            score = emitter.arithmetic.reversed(self._score(emitter, smaller))
        else:
            score = emitter.arithmetic.difference(self._score(emitter, larger), self._score(emitter, smaller))
        lowest = -LARGEST_FLOAT if score.type == f32 else self.environment.intervals.of(score).low
        return emitter.arithmetic.coalesce(score, lowest) if _holds_or(argument) else score

    def _quantize(self, targets: tuple[ast.Target, ...], call: ast.Call, span: Span) -> None:
        environment = self.environment
        options = self._options(call, ("block", "scale", "floor"))
        dtype = call.arguments[1] if len(call.arguments) == 2 else None
        if len(targets) != 2 or not isinstance(dtype, ast.Name) or len(call.indices) != 1:
            message = "`quantize` takes a tensor and a dtype, and gives values and scales"
            help = "write `x8[b, d], xs[b] = quantize[d](x[b, d], fp8, scale=pow2)`"
            raise environment.refuse("HET108", message, span, help=help)
        if dtype.name not in QUANTIZED:
            message = f"`quantize` gives {', '.join(QUANTIZED)}, not `{dtype.name}`"
            raise environment.refuse("HET110", message, dtype.span)
        extents = StatementExtents(environment)
        indices = [index for index in targets[0].indices if isinstance(index, ast.Index)]
        for index in indices:
            extents.open(index)
        extents.visit(call.arguments[0])
        infos = extents.close(len(indices))
        axis = self._axis(call, infos)
        block = self._block(options, infos[axis])
        scale_shape = self._scale_shape(targets, infos, axis, block)
        hoister = Hoister(self.step, extents.infos)
        x = hoister.materialized(hoister.rewrite(call.arguments[0], infos), infos)
        floor = float(evaluate(options["floor"], environment, "`floor`")) if "floor" in options else QUANTIZE_FLOOR
        if floor <= 0:
            raise environment.refuse("HET108", "`floor` must be above 0", options["floor"].span)
        values = TensorType([info.key for info in infos], ELEMENT_TYPES[dtype.name])
        scale_kind = self._word(options, "scale", SCALES)
        op = QuantizeOp(x, axis, block, scale_kind, floor, values, TensorType(scale_shape, f32))
        self.step.add(op, span, targets[0].name)
        op.scale.name_hint = plain_name(targets[1].name)
        self.step.define(targets[0].name, targets[0].name_span, op.values)
        self.step.define(targets[1].name, targets[1].name_span, op.scale)

    def _axis(self, call: ast.Call, infos: Sequence[IndexInfo]) -> int:
        """The position of the quantised index among those of the values."""
        (index,) = call.indices
        names = [info.name for info in infos]
        if index.name not in names or index.bound is not None:
            message = f"`quantize` keeps its index, but `{index.name}` is none of the values' indices"
            raise self.environment.refuse("HET103", message, index.span)
        return names.index(index.name)

    def _block(self, options: dict[str, ast.Expr], axis: IndexInfo) -> int | None:
        if "block" not in options:
            return None
        block = evaluate_integer(options["block"], self.environment, "`block`", low=1)
        if not isinstance(axis.key, int) or axis.key % block:
            message = f"`block` must divide the extent of `{axis.name}`, {axis.key}; got {block}"
            raise self.environment.refuse("HET108", message, options["block"].span)
        return block

    def _scale_shape(
        self, targets: tuple[ast.Target, ...], infos: Sequence[IndexInfo], axis: int, block: int | None
    ) -> list[int | str]:
        """The extents of the scales: without the axis, or with the number of blocks in its place."""
        names = [index.name for index in targets[1].indices if isinstance(index, ast.Index)]
        others = [info.name for info in infos if info is not infos[axis]]
        kept = [info.key for info in infos]
        if block is None:
            if names != others:
                raise self._scale_indices(targets, ", ".join(others))
            return kept[:axis] + kept[axis + 1 :]
        if len(names) != len(infos) or names[:axis] + names[axis + 1 :] != others or names[axis] in others:
            raise self._scale_indices(targets, ", ".join([*others[:axis], "block", *others[axis:]]))
        extent = kept[axis]
        assert isinstance(extent, int)
        return [*kept[:axis], extent // block, *kept[axis + 1 :]]

    def _scale_indices(self, targets: tuple[ast.Target, ...], expected: str) -> Refused:
        message = f"the scales have the indices [{expected}] here"
        related = (Related(targets[0].span, "the values"),)
        return self.environment.refuse("HET105", message, targets[1].span, related=related)


def _holds_or(expr: ast.Expr) -> bool:
    """Whether a condition may hold where the first comparison in it is absent."""
    return any(isinstance(node, ast.Binary) and node.operator == "or" for node, _ in ast.walk(expr))


def _first_comparison(expr: ast.Expr) -> ast.Binary | None:
    """The first comparison of size that is not part of an index, a reduction or a softmax."""
    if isinstance(expr, ast.Binary) and expr.operator in ("<", "<=", ">", ">="):
        return expr
    if isinstance(expr, ast.Access) or (isinstance(expr, ast.Call) and expr.indices):
        return None
    return next((found for child in ast.children(expr) if (found := _first_comparison(child)) is not None), None)
