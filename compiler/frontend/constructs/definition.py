"""`y[b, d] = x[b, d] * 2`: a tensor defined element by element, or a name for a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hetc.compiler.frontend.arithmetic.constants import Constant
from hetc.compiler.frontend.constructs.results import result_of
from hetc.compiler.frontend.constructs.softmax import check_rows
from hetc.compiler.frontend.lower.emitter import StepEmitter
from hetc.compiler.frontend.lower.hoist import define
from hetc.compiler.frontend.resolve import typed
from hetc.compiler.frontend.resolve.constraints import constraints_of
from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.resolve.expressions import resolve
from hetc.compiler.frontend.resolve.typed import Axis, Result
from hetc.compiler.frontend.syntax import ast
from hetc.dialects.mp import TensorType
from hetc.source import Span


@dataclass(frozen=True)
class Definition:
    """A tensor over `axes`. `memory`: the type of the memory that is defined anew, None of a new name."""

    result: Result
    axes: tuple[Axis, ...]
    value: typed.Expr
    memory: TensorType | None
    span: Span


@dataclass(frozen=True)
class NamedConstant:
    """`k1 = 1.2`: a name for a number, no tensor."""

    result: Result
    value: Constant


def augmented(statement: ast.Define, environment: Environment) -> ast.Expr:
    """`a[i] += x` as `a[i] + x`."""
    target = statement.targets[0]
    if len(statement.targets) > 1:
        message = f"`{statement.operator}` updates one tensor, got {len(statement.targets)}"
        raise environment.refuse("HET108", message, statement.span)
    names = tuple(ast.Name(index.name, index.span) for index in target.indices if isinstance(index, ast.Index))
    before: ast.Expr = ast.Name(target.name, target.name_span)
    if names:
        before = ast.Access(target.name, names, target.name_span, target.span)
    return ast.Binary(statement.operator[:-1], before, statement.value, statement.span)


def resolve_definition(
    target: ast.Target, value: ast.Expr, span: Span, environment: Environment
) -> Definition | NamedConstant:
    """Raises Refused after a diagnostic."""
    declared = environment.declared.get(target.name)
    indices = [index for index in target.indices if isinstance(index, ast.Index)]
    shape: Sequence[int | str] = declared.type.shape if declared is not None else ()
    known = [constraints_of(shape, index.span, f"`{target.name}`")[at : at + 1] for at, index in enumerate(indices)]
    axes, (found,) = resolve(environment, indices, [value], known)
    if declared is not None:
        environment.used.add(target.name)
        return Definition(result_of(target), tuple(axes), found, declared.type.plain, span)
    if not axes and isinstance(found, typed.Literal) and not isinstance(found.value, bool):
        return NamedConstant(result_of(target), found.value)
    if isinstance(found, typed.Along):  # a statement of its own: it runs over all of the indices on the left
        check_rows(axes, found.axes, found.function, found.span, environment)
    return Definition(result_of(target), tuple(axes), found, None, span)


def lower_definition(node: Definition | NamedConstant, step: StepEmitter) -> None:
    """Raises Refused where the value's type is none that a memory holds."""
    result = node.result
    if isinstance(node, NamedConstant):
        step.define(result.name, result.span, None).constant = node.value
        return
    is_memory = node.memory is not None
    value = define(step, result.name, node.axes, node.value, node.span, node.memory, is_memory)
    step.define(result.name, result.span, value)
