"""`when COND:`: the conditions around a statement, each a tensor of its own taken where the block begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import i1
from xdsl.ir import SSAValue

from hetc.compiler.frontend import ast
from hetc.compiler.frontend.emit_expression import ExpressionEmitter
from hetc.compiler.frontend.emit_step import StepEmitter
from hetc.compiler.frontend.environment import Environment
from hetc.compiler.frontend.extents import IndexInfo, StatementExtents
from hetc.compiler.frontend.hoist import Hoister
from hetc.compiler.frontend.shadowing import condition_with_own_names, free_names
from hetc.diagnostics import Related
from hetc.dialects.mp import TensorType
from hetc.source import Span


@dataclass(frozen=True)
class Guard:
    """A condition by the name of its tensor, and the indices (rows, usually) that it is one for each of."""

    name: str
    indices: tuple[IndexInfo, ...]
    span: Span


def take_guard(step: StepEmitter, condition: ast.Expr) -> Guard:
    """Emits a condition as a tensor. Names in it that stand for nothing else are indices. Raises Refused."""
    environment = step.environment
    condition = condition_with_own_names(condition)
    known = environment.dims.keys() | environment.tensors.keys() | environment.broken
    free = free_names(condition)
    found = {name: ast.Index(name, None, node.span) for name, node in free.items() if name not in known}
    extents = StatementExtents(environment)
    for index in found.values():
        extents.open(index)
    extents.visit(condition)
    infos = extents.close(len(found))
    rewritten = Hoister(step, extents.infos).rewrite(condition, infos)
    whole = ast.Call("bool", (), (rewritten,), (), condition.span, condition.span)
    type_ = TensorType([info.key for info in infos], i1)
    value = step.compute(infos, extents.infos, whole, condition.span, "when", type_)
    return Guard(step.temporary("when", value, condition.span), tuple(infos), condition.span)


def held(
    guards: Sequence[Guard],
    infos: Sequence[IndexInfo],
    emitter: ExpressionEmitter,
    environment: Environment,
    span: Span,
) -> SSAValue | None:
    """Whether all of the conditions hold, in the region of a statement over `infos`; None without conditions."""
    result: SSAValue | None = None
    keys = {info.name: info.key for info in infos}
    for guard in guards:
        for index in guard.indices:
            if keys.get(index.name) != index.key:
                message = f"the condition is one for each `{index.name}`, and what is written here is not"
                related = (Related(guard.span, "the condition"),)
                help = f"write a memory that has `{index.name}` as an index"
                raise environment.refuse("HET103", message, span, related=related, help=help)
        names = tuple(ast.Name(index.name, span) for index in guard.indices)
        read: ast.Expr = ast.Access(guard.name, names, span, span) if names else ast.Name(guard.name, span)
        one = emitter.emit_as(read, "condition")
        result = one if result is None else emitter.arithmetic.both(result, one)
    return result
