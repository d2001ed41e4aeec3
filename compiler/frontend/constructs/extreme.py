"""`ra[b], rc[b] = argmax[a, c](x[b, a, c])`: over several indices argmax and argmin give a place by each."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.builtin import IndexType

from hetc.compiler.frontend.constructs.results import check_new, check_number, lower_places, result_of, same_indices
from hetc.compiler.frontend.lower.emitter import StepEmitter
from hetc.compiler.frontend.lower.hoist import Hoister
from hetc.compiler.frontend.resolve import typed
from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.resolve.expressions import resolve
from hetc.compiler.frontend.resolve.flat import flatten
from hetc.compiler.frontend.resolve.typed import Axis, Flat, Result
from hetc.compiler.frontend.syntax import ast
from hetc.dialects.mp import ComputeOp, TensorType
from hetc.source import Span


@dataclass(frozen=True)
class Extreme:
    """The places of the largest or least (`kind`) of `argument`, for each of `free`."""

    kind: str
    results: tuple[Result, ...]
    free: tuple[Axis, ...]
    flat: Flat
    argument: typed.Expr
    region_span: Span
    span: Span


def resolve_extreme(statement: ast.Define, call: ast.Call, environment: Environment) -> Extreme:
    """Raises Refused after a diagnostic."""
    targets, function = statement.targets, call.function
    if len(call.arguments) != 1 or call.keywords:
        raise environment.refuse("HET108", f"`{function}` takes one argument", call.span)
    check_new(targets, f"`{function}` over several indices", environment)
    check_number(targets, call, environment)
    indices = same_indices(targets, environment)
    axes, (argument,) = resolve(environment, (*indices, *call.indices), call.arguments, loose=len(call.indices))
    free, over = tuple(axes[: len(indices)]), axes[len(indices) :]
    flat = flatten(over, free, environment, call.span)
    return Extreme(function, tuple(map(result_of, targets)), free, flat, argument, call.span, statement.span)


def lower_extreme(node: Extreme, step: StepEmitter) -> None:
    argument = Hoister(step).rewrite(node.argument, (*node.free, *node.flat.axes))
    ranges, emitter = step.region(node.free, node.region_span)
    place = emitter.reduced_flat(node.kind, node.flat, argument)
    type_ = TensorType([axis.key for axis in node.free], IndexType())
    op = step.add(ComputeOp(ranges, emitter.finish(place), type_), node.span)
    lower_places(step, node.flat, op.results[0], node.results, node.free, node.span)
