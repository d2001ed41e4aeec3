"""`softmax[t](x[b, t])`: over one index or several, which are introduced around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xdsl.dialects.builtin import f32
from xdsl.ir import SSAValue

from hetc.compiler.frontend.lower.emitter import StepEmitter
from hetc.compiler.frontend.resolve import typed, walk
from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.resolve.typed import Axis
from hetc.compiler.frontend.syntax import ast
from hetc.dialects.mp import SoftmaxOp, TensorType
from hetc.source import Span


def resolve_softmax(
    call: ast.Call,
    arguments: Sequence[typed.Expr],
    named: Mapping[str, typed.Expr],
    scope: Sequence[Axis],
    environment: Environment,
) -> typed.Along:
    """Raises Refused after a diagnostic."""
    names = [index.name for index in call.indices]
    if len(set(names)) < len(names) or any(index.bound is not None for index in call.indices):
        message = "`softmax` takes its indices each once, without a bound"
        raise environment.refuse("HET108", message, call.span)
    if len(arguments) != 1 or call.keywords:
        raise environment.refuse("HET108", "`softmax` takes one argument", call.span)
    axes = tuple(axis for name in names for axis in scope if axis.name == name)
    found = typed.Along("softmax", axes, tuple(arguments), None, call.span)
    check_rows(walk.free_axes(found, scope), axes, "softmax", call.span, environment)
    return found


def check_rows(free: Sequence[Axis], axes: Sequence[Axis], function: str, span: Span, environment: Environment) -> None:
    """Refuses a call over the rows of a dim of which one length a row is kept: an index that runs up to a row's length
    has no place where all rows are taken together. Raises Refused."""
    names = {axis.name for axis in axes}
    for axis in free:
        if axis.per in names and axis.name not in names:
            message = f"`{axis.name}` has one length for each `{axis.per}`, over which `{function}` goes"
            help = f"take `{axis.name}` into its indices too"
            raise environment.refuse("HET107", message, span, help=help)


def lower_softmax(expr: typed.Along, free: Sequence[Axis], step: StepEmitter, name: str | None) -> SSAValue:
    """The statement of a softmax over the indices `free`, called `name` if it has one."""
    names = {axis.name for axis in expr.axes}
    ranges, emitter = step.region(free, expr.span)
    value = emitter.arithmetic.as_float(emitter.emit(expr.arguments[0]))
    positions = [position for position, axis in enumerate(free) if axis.name in names]
    type_ = TensorType([axis.key for axis in free], f32)
    return step.add(SoftmaxOp(ranges, emitter.finish(value), positions, type_), expr.span, name).results[0]
