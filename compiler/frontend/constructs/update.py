"""`m[idx[j], d] = x[j, d]`, `m[d < 4] = x[d]`, `m[idx[j]] += x[j]`: some elements of a memory are written or added
to."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.builtin import i1
from xdsl.ir import Region

from hetc.compiler.frontend.constructs.results import result_of
from hetc.compiler.frontend.constructs.when import guards_over, held
from hetc.compiler.frontend.lower.emitter import StepEmitter
from hetc.compiler.frontend.lower.hoist import Hoister
from hetc.compiler.frontend.resolve import typed
from hetc.compiler.frontend.resolve.constraints import constraints_of
from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.resolve.expressions import resolve
from hetc.compiler.frontend.resolve.typed import Axis, Guard, Result
from hetc.compiler.frontend.syntax import ast
from hetc.compiler.frontend.syntax.expression_nodes import free_names
from hetc.compiler.vocabulary import Kind, table
from hetc.diagnostics import Related
from hetc.dialects.mp import PutOp, TensorType, UpdateOp, compute_type
from hetc.source import Span

_GIVE_TENSORS = table(Kind.SELECTION, Kind.CONVERSION)


@dataclass(frozen=True)
class Update:
    """`value` goes to `places` of a memory, or is added there (`mode`: assign or add), where the conditions hold."""

    memory: Result
    type_: TensorType
    mode: str
    axes: tuple[Axis, ...]
    places: tuple[typed.Expr, ...]
    value: typed.Expr
    guards: tuple[Guard, ...]
    target_span: Span
    span: Span


def is_update(statement: ast.Define, environment: Environment) -> bool:
    """Whether a statement writes to a memory in part, at computed places, or by adding to it. One that writes all
    elements, each once, defines the memory anew like any other tensor."""
    target = statement.targets[0]
    declared = environment.declared.get(target.name)
    value = statement.value
    irregular = isinstance(value, ast.Call) and bool(value.indices) and value.function in _GIVE_TENSORS
    if declared is None or len(statement.targets) > 1 or irregular:
        return False
    related = (Related(declared.span, "declared here"),)
    if declared.type.is_sparse:
        raise environment.refuse("HET301", "updates of a sparse memory are not supported yet", target.span)
    shape = declared.type.shape
    if len(target.indices) != len(shape):
        message = f"the update of `{target.name}` needs {len(shape)} indices, got {len(target.indices)}"
        raise environment.refuse("HET105", message, target.span, related=related)
    if any(isinstance(key, str) and key in environment.growth for key in shape):
        return True
    bounded = any(not isinstance(item, ast.Index) or _is_part(item, key, environment)
                  for item, key in zip(target.indices, shape, strict=True))  # fmt: skip
    return bounded or statement.operator in ("+=", "-=") or bool(environment.guards)


def _is_part(index: ast.Index, key: int | str, environment: Environment) -> bool:
    """Whether an index is bounded by something else than the memory's own dim."""
    bound = index.bound
    if bound is None:
        return False
    dim = environment.dims.get(bound.name) if isinstance(bound, ast.Name) else None
    if dim is not None:
        return dim.key != key
    return not (isinstance(bound, ast.Number) and bound.value == key)


def resolve_update(statement: ast.Define, environment: Environment) -> Update:
    """A statement with one target: a memory that is not sparse, with as many indices as it has dims. Raises Refused
    after a diagnostic."""
    target = statement.targets[0]
    _check(target, statement.operator in ("+=", "-="), environment)
    mode, value = _mode(target, statement)
    type_ = environment.declared[target.name].type
    indices = _indices(target, environment)
    constraints = constraints_of(type_.shape, target.span, f"`{target.name}`")
    given = [[constraints[at] for at, item in enumerate(target.indices) if item is index] for index in indices]
    computed = [item for item in target.indices if not isinstance(item, ast.Index)]
    axes, values = resolve(environment, indices, [*computed, value], given)
    found = iter(values)
    places = tuple(
        typed.IndexValue(item.name, item.span) if isinstance(item, ast.Index) else next(found)
        for item in target.indices
    )
    environment.used.add(target.name)
    environment.tensor(target.name, target.name_span)
    guards = guards_over(axes, environment, target.span)
    return Update(result_of(target), type_, mode, tuple(axes), places, next(found), guards, target.span, statement.span)


def _check(target: ast.Target, adds: bool, environment: Environment) -> None:
    declared = environment.declared[target.name]
    related = (Related(declared.span, "declared here"),)
    grown = [key for key in declared.type.shape if isinstance(key, str) and key in environment.growth]
    if grown and declared.name not in environment.appended:
        message = f"`{target.name}` grows: its new rows are appended before others are updated"
        help = f"move this below `append({target.name}, ...)`"
        raise environment.refuse("HET201", message, target.span, related=related, help=help)
    if adds and compute_type(declared.type.element) == i1:
        message = f"`{target.name}` holds bool; conditions are not added"
        help = "write `m[i] = m[i] or c`"
        raise environment.refuse("HET106", message, target.span, related=related, help=help)


def _mode(target: ast.Target, statement: ast.Define) -> tuple[str, ast.Expr]:
    """`assign` or `add`, and the value."""
    match statement.operator:
        case "=":
            return "assign", statement.value
        case "+=":
            return "add", statement.value
        case "-=":
            return "add", ast.Unary("-", statement.value, statement.value.span)
    places = tuple(ast.Name(item.name, item.span) if isinstance(item, ast.Index) else item for item in target.indices)
    old = ast.Access(target.name, places, target.name_span, target.span)
    return "assign", ast.Binary(statement.operator[:-1], old, statement.value, statement.span)


def _indices(target: ast.Target, environment: Environment) -> list[ast.Index]:
    """The indices that the statement runs over, in the order in which they stand on the left: those that stand
    alone, and the names inside computed places that stand for nothing else."""
    plain = {item.name for item in target.indices if isinstance(item, ast.Index)}
    found: dict[str, ast.Index] = {}
    for item in target.indices:
        if isinstance(item, ast.Index):
            if item.name in found:
                message = f"the index `{item.name}` stands twice on the left"
                help = "the order of writes follows the first; write the second as `i + 0`"
                raise environment.refuse("HET101", message, item.span, help=help)
            found[item.name] = item
            continue
        known = plain | found.keys() | environment.dims.keys() | environment.tensors.keys()
        free = free_names(item).items()
        found |= {name: ast.Index(name, None, node.span) for name, node in free if name not in known}
    return list(found.values())


def lower_update(node: Update, step: StepEmitter) -> None:
    """Raises Refused where the value's type is none that the memory holds."""
    hoister = Hoister(step)
    places = [hoister.rewrite(place, node.axes) for place in node.places]
    value = hoister.rewrite(node.value, node.axes)
    ranges, emitter = step.region(node.axes, node.span)
    at = [emitter.emit_as(place, "index") for place in places]
    emitted = step.stored(emitter, value, node.type_, node.memory.name, keep_absence=node.mode == "add")
    memory = step.environment.tensors[node.memory.name].value
    assert memory is not None and emitted.type == compute_type(node.type_.element)
    emitter.add(PutOp(emitted, at, held(node.guards, emitter, node.target_span)))
    op = step.add(UpdateOp(node.mode, memory, ranges, Region(emitter.block)), node.span, node.memory.name)
    step.define(node.memory.name, node.memory.span, op.results[0])
