"""`when COND:`: the conditions around a statement, each a tensor of its own taken where the block begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.dialects.builtin import i1
from xdsl.ir import SSAValue

from hetc.compiler.frontend.expand.shadowing import condition_with_own_names
from hetc.compiler.frontend.lower.emitter import StepEmitter
from hetc.compiler.frontend.lower.expressions import ExpressionEmitter
from hetc.compiler.frontend.lower.hoist import define
from hetc.compiler.frontend.resolve import typed
from hetc.compiler.frontend.resolve.environment import Ended, Environment
from hetc.compiler.frontend.resolve.expressions import resolve
from hetc.compiler.frontend.resolve.typed import Axis, Guard
from hetc.compiler.frontend.syntax import ast
from hetc.compiler.frontend.syntax.expression_nodes import free_names
from hetc.diagnostics import Related
from hetc.dialects.mp import TensorType
from hetc.source import Span


def lower_when(block: ast.When, step: StepEmitter, lower: Callable[[ast.Statement], None]) -> None:
    """What stands inside is computed in any case; memories are written where the condition holds. Names that are
    defined inside end with the block. `lower` takes one statement. Raises Refused after a diagnostic."""
    environment = step.environment
    environment.guards.append(_guard(step, block.condition))
    outside = dict(environment.tensors)
    for inner in block.statements:
        lower(inner)
    environment.guards.pop()
    for name in list(environment.tensors):
        if name in environment.declared:
            continue
        if name in outside:
            environment.tensors[name] = outside[name]
        else:
            environment.ended.setdefault(name, Ended(block.span, "what outlives a `when` is a memory"))
            del environment.tensors[name]


def _guard(step: StepEmitter, condition: ast.Expr) -> Guard:
    """Emits a condition as a tensor. Names in it that stand for nothing else are indices. Raises Refused."""
    environment = step.environment
    condition = condition_with_own_names(condition)
    known = environment.dims.keys() | environment.tensors.keys() | environment.broken
    free = free_names(condition)
    found = {name: ast.Index(name, None, node.span) for name, node in free.items() if name not in known}
    axes, (value,) = resolve(environment, list(found.values()), [condition])
    holds = typed.Cast("bool", value, condition.span)
    result = define(step, "when", axes, holds, condition.span, TensorType([axis.key for axis in axes], i1))
    return Guard(step.temporary("when", result, condition.span), tuple(axes), condition.span)


def guards_over(axes: Sequence[Axis], environment: Environment, span: Span) -> tuple[Guard, ...]:
    """The conditions around a statement over `axes`. Raises Refused where one is for each of something else."""
    keys = {axis.name: axis.key for axis in axes}
    for guard in environment.guards:
        for index in guard.axes:
            if keys.get(index.name) != index.key:
                message = f"the condition is one for each `{index.name}`, and what is written here is not"
                related = (Related(guard.span, "the condition"),)
                help = f"write a memory that has `{index.name}` as an index"
                raise environment.refuse("HET103", message, span, related=related, help=help)
    return tuple(environment.guards)


def held(guards: Sequence[Guard], emitter: ExpressionEmitter, span: Span) -> SSAValue | None:
    """Whether all of the conditions hold, in the region of a statement; None without conditions."""
    result: SSAValue | None = None
    for guard in guards:
        places = tuple(typed.IndexValue(index.name, span) for index in guard.axes)
        one = emitter.emit_as(typed.Read(guard.tensor, places, span), "condition")
        result = one if result is None else emitter.arithmetic.both(result, one)
    return result
