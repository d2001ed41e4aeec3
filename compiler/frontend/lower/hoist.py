"""What stands inside an expression and becomes a statement of its own: softmax, rope, and reductions of functions over
an index, each over the indices that it depends on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xdsl.ir import SSAValue

from hetc.compiler.frontend.lower.emitter import StepEmitter
from hetc.compiler.frontend.resolve import typed, walk
from hetc.compiler.frontend.resolve.symbols import Tensor
from hetc.compiler.frontend.resolve.typed import Axis
from hetc.compiler.frontend.resolve.walk import free_axes, with_rows
from hetc.dialects.mp import TensorType
from hetc.source import Span


def define(
    step: StepEmitter,
    name: str,
    axes: Sequence[Axis],
    value: typed.Expr,
    span: Span,
    type_: TensorType | None = None,
    is_memory: bool = False,
) -> SSAValue:
    """The statement `name[axes] = value`, after those that stand inside of the value. `type_` and `is_memory` as of
    `StepEmitter.compute`."""
    hoister = Hoister(step)
    if isinstance(value, typed.Along) and type_ is None:
        return hoister.whole(value, axes, name)
    return step.compute(axes, hoister.rewrite(value, axes), span, name, type_, is_memory)


class Hoister:
    """Rewrites expressions of one statement; what it takes out is appended to the step before the statement. made: the
    reductions that were taken out, each once."""

    def __init__(self, step: StepEmitter):
        self.step = step
        self.made: dict[object, Tensor] = {}

    def rewrite(self, expr: typed.Expr, scope: Sequence[Axis]) -> typed.Expr:
        """`expr` with everything that becomes a statement replaced by a read of its result, inner ones first."""
        if isinstance(expr, typed.Along):
            return self._statement(expr, scope)
        expr = self._inside(expr, scope)
        if not isinstance(expr, typed.Reduction) or not expr.hoisted:
            return expr
        free = free_axes(expr, scope)
        if len(free) == len(scope):
            return expr
        key = walk.bare(expr)
        if key not in self.made:
            value = self.step.compute(free, expr, expr.span, "%reduction")
            self.made[key] = self.step.temporary(expr.kind, value, expr.span)
        return self._read(self.made[key], free, expr.span)

    def _statement(self, expr: typed.Along, scope: Sequence[Axis]) -> typed.Expr:
        """A softmax or rope inside of an expression, over the indices that it depends on."""
        inner = self._inside(expr, scope)
        names = {axis.name for item in inner.arguments for axis in free_axes(item, scope)}
        free = with_rows(names | {axis.name for axis in expr.axes}, scope)
        value = self.step.environment.along[expr.function].lower(inner, free, self.step, None)
        return self._read(self.step.temporary(expr.function, value, expr.span), free, expr.span)

    def whole(self, expr: typed.Along, scope: Sequence[Axis], name: str) -> SSAValue:
        """A softmax or rope that is all of a statement over `scope`."""
        return self.step.environment.along[expr.function].lower(self._inside(expr, scope), scope, self.step, name)

    def _inside(self, expr: Any, scope: Sequence[Axis]) -> Any:
        inner = (*scope, *expr.axes) if isinstance(expr, typed.Reduction) else scope
        return walk.replace_children(expr, lambda child: self.rewrite(child, inner))

    def _read(self, tensor: Tensor, free: Sequence[Axis], span: Span) -> typed.Expr:
        """What stands in the place of an expression that became a statement."""
        return typed.Read(tensor, tuple(typed.IndexValue(axis.name, span) for axis in free), span)
