"""`clear(T)`: memories emptied when a step completes."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.builtin import i1
from xdsl.ir import SSAValue

from hetc.compiler.frontend.constructs.when import guards_over, held
from hetc.compiler.frontend.lower.emitter import StepEmitter
from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.resolve.symbols import Dim
from hetc.compiler.frontend.resolve.typed import Axis, Guard
from hetc.compiler.frontend.syntax import ast
from hetc.diagnostics import Related
from hetc.dialects.mp import ClearOp, ComputeOp, TensorType
from hetc.source import Span


@dataclass(frozen=True)
class Clear:
    """A dim that is emptied, where the conditions around hold: one for each of `rows`, none or the dim's."""

    dim: str
    rows: tuple[Axis, ...]
    guards: tuple[Guard, ...]
    span: Span


def resolve_clear(call: ast.Call, environment: Environment) -> Clear:
    """Raises Refused after a diagnostic."""
    dim = _dim(call, environment)
    if environment.loops:
        related = (Related(environment.loops[-1].span, "the loop"),)
        message = "a step empties its memories once, when it completes"
        raise environment.refuse("HET201", message, call.span, related=related, help="move it out of the loop")
    if dim.name in environment.growth and not environment.guards:
        message = f"the step grows `{dim.name}` and empties it: what it appends would be lost"
        help = f"empty `{dim.name}` in a step of its own, or under a condition"
        raise environment.refuse("HET201", message, call.span, help=help)
    environment.used.add(dim.name)
    given = [axis for guard in environment.guards for axis in guard.axes if axis.key == dim.per]
    rows = (Axis(given[0].name, given[0].key, None, call.span),) if given else ()
    return Clear(dim.name, rows, guards_over(rows, environment, call.span), call.span)


def _dim(call: ast.Call, environment: Environment) -> Dim:
    """The dim that is emptied: one that some step grows."""
    name = call.arguments[0] if len(call.arguments) == 1 and not call.keywords else None
    if not isinstance(name, ast.Name):
        message = "`clear` takes a dim, whose memories it empties"
        raise environment.refuse("HET108", message, call.span, help="write `clear(T)`")
    dim = environment.dims.get(name.name)
    declared = environment.declared.get(name.name)
    if dim is None and declared is not None:
        grown = [key for key in declared.type.shape if isinstance(key, str) and key in environment.growing]
        message = f"`{name.name}` is a {declared.role}; `clear` takes a dim, and empties every memory along it"
        help = f"write `clear({grown[0]})`" if grown else None
        raise environment.refuse("HET201", message, name.span, help=help)
    if dim is None:
        raise environment.unknown(name.name, name.span, "dim", environment.dims)
    if name.name not in environment.growing:
        message = f"no step grows `{name.name}`; only what has grown is emptied"
        related = (Related(dim.span, "declared here"),)
        raise environment.refuse("HET201", message, name.span, related=related)
    return dim


def lower_clear(node: Clear, step: StepEmitter) -> None:
    condition: SSAValue | None = None
    if node.guards:
        ranges, emitter = step.region(node.rows, node.span)
        value = held(node.guards, emitter, node.span)
        assert value is not None
        type_ = TensorType([axis.key for axis in node.rows], i1)
        condition = step.add(ComputeOp(ranges, emitter.finish(value), type_), node.span, "cleared").results[0]
    step.add(ClearOp(node.dim, condition), node.span)
