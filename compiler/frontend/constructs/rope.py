"""`rope[d](x[b, d], at=T[b]-1, layout=half)`: a rotary embedding (arXiv 2104.09864) along one index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xdsl.ir import SSAValue

from hetc.compiler.frontend.constructs.options import options_of, word_of
from hetc.compiler.frontend.constructs.rope_scaling import plain, scaled
from hetc.compiler.frontend.lower.emitter import StepEmitter
from hetc.compiler.frontend.resolve import typed, walk
from hetc.compiler.frontend.resolve.dims import evaluate, evaluate_integer
from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.resolve.typed import Axis
from hetc.compiler.frontend.syntax import ast
from hetc.dialects.mp import RopeOp

BASE = 10000.0


@dataclass(frozen=True)
class Rotation:
    """How many channels are rotated, in which layout, and the radians a position of each pair."""

    dims: int
    layout: str
    frequencies: tuple[float, ...]


def resolve_rope(
    call: ast.Call,
    arguments: Sequence[typed.Expr],
    named: Mapping[str, typed.Expr],
    scope: Sequence[Axis],
    environment: Environment,
) -> typed.Along:
    """`named` holds the position. Raises Refused after a diagnostic."""
    if len(call.indices) > 1 or any(index.bound is not None for index in call.indices):
        raise environment.refuse("HET108", "`rope` takes one index, without a bound", call.span)
    options = _options(call, environment)
    axis = next(axis for axis in scope if axis.name == call.indices[0].name)
    if axis in walk.free_axes(named["at"], scope):
        message = f"the position of `rope` cannot depend on its own index `{axis.name}`"
        raise environment.refuse("HET108", message, options["at"].span)
    dims, layout = _shape(call, options, axis, environment)
    base = BASE
    if "base" in options:
        base = float(evaluate(options["base"], environment, "the base of `rope`"))
        if base <= 0:
            raise environment.refuse("HET108", "the base of `rope` must be above 0", options["base"].span)
    frequencies = plain(dims, base)
    if "scaling" in options:
        frequencies = scaled(dims, base, options["scaling"], environment)
    rotation = Rotation(dims, layout, tuple(frequencies))
    return typed.Along("rope", (axis,), (named["at"], arguments[0]), rotation, call.span)


def _options(call: ast.Call, environment: Environment) -> dict[str, ast.Expr]:
    options = options_of(call, environment)
    if len(call.arguments) != 1 or "at" not in options or "layout" not in options:
        message = "`rope` takes one tensor, its position and its layout"
        help = "write `rope[d](x[b, d], at=T[b]-1, layout=half)`"
        raise environment.refuse("HET108", message, call.span, help=help)
    return options


def _shape(call: ast.Call, options: Mapping[str, ast.Expr], axis: Axis, environment: Environment) -> tuple[int, str]:
    """How many channels are rotated, and the layout."""
    if not isinstance(axis.key, int):
        raise environment.refuse("HET108", f"`rope` needs a constant extent; {axis.key} is none", call.span)
    span = options["dims"].span if "dims" in options else call.span
    dims = evaluate_integer(options["dims"], environment, "`dims`", 2) if "dims" in options else axis.key
    if dims % 2 or dims > axis.key:
        message = f"`rope` rotates {dims} of {axis.key} channels; expected an even number of at most {axis.key}"
        raise environment.refuse("HET108", message, span)
    return dims, word_of(call, options, "layout", environment)


def lower_rope(expr: typed.Along, free: Sequence[Axis], step: StepEmitter, name: str | None) -> SSAValue:
    """The statement of a rotation over the indices `free`, called `name` if it has one."""
    (at, argument), rotation = expr.arguments, expr.options
    assert isinstance(rotation, Rotation)
    x = step.materialized(argument, free)
    position = [axis.name for axis in free].index(expr.axes[0].name)
    ranges, emitter = step.region(free, expr.span)
    region = emitter.finish(emitter.emit_as(at, "index"))
    op = RopeOp(x, ranges, region, position, rotation.dims, rotation.layout, list(rotation.frequencies))
    return step.add(op, expr.span, name).results[0]
