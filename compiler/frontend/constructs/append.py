"""`append(keys, k8)`: the rows that a step adds to its memories."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.builtin import IndexType, IntegerType, i32, i64
from xdsl.ir import Attribute

from hetc.compiler.frontend.lower.emitter import StepEmitter
from hetc.compiler.frontend.resolve.environment import Environment, Refused
from hetc.compiler.frontend.resolve.symbols import Declared, Tensor
from hetc.compiler.frontend.syntax import ast
from hetc.diagnostics import Related, suggest
from hetc.dialects.mp import AppendOp, ComputeOp, TensorType, compute_type
from hetc.source import Span


@dataclass(frozen=True)
class Append:
    """Rows that a memory gets along a dim. `element`: what they are converted to, and `absent` what then stands for
    absent elements, where that is not what their type has."""

    memory: Declared
    along: str
    rows: Tensor
    element: Attribute | None
    absent: int | None
    rows_span: Span
    span: Span


def resolve_append(call: ast.Call, environment: Environment) -> Append:
    """Raises Refused after a diagnostic."""
    memory = call.arguments[0] if len(call.arguments) == 2 and not call.keywords else None
    if isinstance(memory, ast.Access) and memory.name in environment.declared:
        raise _refuse_part(memory, environment)
    if not isinstance(memory, ast.Name):
        message = "`append` takes a memory and the tensor with its new rows: `append(keys, k8)`"
        raise environment.refuse("HET108", message, call.span)
    rows = call.arguments[1]
    declared = _memory(memory, environment)
    if environment.guards:
        message = f"`{declared.name}` grows with every call of the step, so its rows are appended in any case"
        related = (Related(environment.guards[-1].span, "the condition"),)
        raise environment.refuse("HET201", message, call.span, related=related, help="move it out of the `when`")
    if environment.loops and declared.name not in environment.loops[-1].layers:
        loop = environment.loops[-1]
        message = f"`{declared.name}` is appended to in every pass of a loop"
        help = f"give it a layer for each pass (`[{loop.passes}, ...]`) and append to that: `{declared.name}[l]`"
        if declared.name.endswith("]"):
            help = "give it a layer for each pass of this loop, too, and append to that"
        related = (Related(loop.span, "the loop"),)
        raise environment.refuse("HET200", message, call.span, related=related, help=help)
    before = environment.appended.get(declared.name)
    if before is not None:
        message = f"`{declared.name}` is appended to twice in one step"
        raise environment.refuse("HET200", message, call.span, related=(Related(before, "the first time"),))
    # An append that is refused for its rows is none that was forgotten.
    environment.appended[declared.name] = call.span
    along = _along(declared, call, environment)
    if not isinstance(rows, ast.Name):
        message = "the rows of an append are a whole tensor"
        help = "define them in a statement, then append the name"
        raise environment.refuse("HET108", message, rows.span, help=help)
    environment.used.add(declared.name)
    tensor = environment.tensor(rows.name, rows.span)
    if tensor.constant is not None or tensor.value is None:
        raise environment.refuse("HET108", f"`{rows.name}` is a number, not a tensor of rows", rows.span)
    type_, memory_type = tensor.type, declared.type
    if type_.is_sparse:
        message = f"rows of a sparse tensor (`{rows.name}`) are not supported yet"
        raise environment.refuse("HET301", message, rows.span)
    growth, place = environment.growth[along], memory_type.shape.index(along)
    if memory_type.is_sparse:
        _check_sparse(declared, rows, type_, place, growth, environment)
        # A row number that is absent counts nowhere, as a negative one does.
        computed = type_.element if isinstance(tensor.value.owner, ComputeOp) else None
        return Append(declared, along, tensor, computed, -1, rows.span, call.span)
    whole = (*memory_type.shape[:place], growth, *memory_type.shape[place + 1 :])
    single = (*memory_type.shape[:place], *memory_type.shape[place + 1 :])
    expected = single if growth == 1 else whole
    if type_.shape != expected:
        found = f"`{rows.name}` has the extents {_text(type_.shape)}"
        message = f"{found}, but `{declared.name}` takes {_text(expected)}"
        related = (Related(declared.span, "declared here"),)
        raise environment.refuse("HET104", message, rows.span, related=related)
    if type_.element == memory_type.element:
        return Append(declared, along, tensor, None, None, rows.span, call.span)
    _check_element(declared, rows, type_, environment)
    return Append(declared, along, tensor, memory_type.element, None, rows.span, call.span)


def _refuse_part(memory: ast.Access, environment: Environment) -> Refused:
    """`append(keys[l], k)` where `keys[l]` is no layer of a loop's."""
    environment.appended.setdefault(memory.name, memory.span)  # it is none that was forgotten
    related = [Related(environment.declared[memory.name].span, "declared here")]
    message = f"rows are appended to a whole memory or to a layer of a loop's, and this is a part of `{memory.name}`"
    help = f"write `for l in L:` around it, with `{memory.name}` of extents `[L, ...]` and used by `[l, ...]` alone"
    if environment.loops:
        related.append(Related(environment.loops[-1].span, f"a loop of {environment.loops[-1].passes} passes"))
    return environment.refuse("HET201", message, memory.span, related=related, help=help)


def _memory(name: ast.Name, environment: Environment) -> Declared:
    declared = environment.declared.get(name.name)
    if declared is not None and declared.role == "memory":
        return declared
    memories = [item.name for item in environment.declared.values() if item.role == "memory"]
    if declared is not None or name.name in environment.tensors:
        message = f"`{name.name}` is not a memory; only memories are appended to"
        raise environment.refuse("HET201", message, name.span)
    close = suggest(name.name, memories)
    if name.name in environment.broken:
        raise environment.unknown(name.name, name.span, "memory", memories)
    help = f"did you mean `{close}`?" if close else None
    raise environment.refuse("HET100", f"unknown memory `{name.name}`", name.span, help=help)


def _along(declared: Declared, call: ast.Call, environment: Environment) -> str:
    growing = [key for key in declared.type.shape if isinstance(key, str) and key in environment.growth]
    if len(growing) == 1:
        return growing[0]
    message = f"no dim of `{declared.name}` grows" if not growing else f"several dims of `{declared.name}` grow"
    related = (Related(declared.span, "declared here"),)
    help = "the header says what grows: `pipeline p grows T by 1:`"
    raise environment.refuse("HET201", message, call.span, related=related, help=help)


def _check_element(declared: Declared, rows: ast.Name, type_: TensorType, environment: Environment) -> None:
    source, target = compute_type(type_.element), compute_type(declared.type.element)
    stored_alike = isinstance(type_.element, IndexType) and target in (i32, i64)
    if source != target and not stored_alike:
        message = f"rows of type {source} cannot be appended to `{declared.name}`, which holds {target}"
        related = (Related(declared.span, "declared here"),)
        help = "cast them in a statement"
        raise environment.refuse("HET106", message, rows.span, related=related, help=help)


def _check_sparse(
    declared: Declared,
    rows: ast.Name,
    type_: TensorType,
    place: int,
    growth: int | str,
    environment: Environment,
) -> None:
    related = (Related(declared.span, "declared here"),)
    if place != 1:
        message = f"the sparse memory `{declared.name}` grows along its second dim"
        raise environment.refuse("HET201", message, rows.span, related=related)
    fits = (type_.rank == 2 and type_.shape[0] == growth) or (type_.rank == 1 and growth == 1)
    if not fits:
        expected = f"[{growth}, length]" + (" or [length]" if growth == 1 else "")
        message = f"`{rows.name}` has the extents {_text(type_.shape)}, but a column list has {expected}"
        raise environment.refuse("HET104", message, rows.span, related=related)
    if not isinstance(type_.element, IntegerType) or type_.element.width.data == 1:
        message = f"columns of `{declared.name}` are lists of row numbers, integers"
        raise environment.refuse("HET106", message, rows.span, related=related)


def _text(shape: tuple[int | str, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def lower_append(node: Append, step: StepEmitter) -> None:
    value = node.rows.value
    assert value is not None
    if node.element is not None:
        # Later statements read the rows as they were defined, so the producer keeps its element type.
        value = step.copy(value, node.element, node.rows_span, node.absent)
    memory = step.environment.tensors[node.memory.name].value
    assert memory is not None
    op = step.add(AppendOp(memory, value, node.along), node.span, node.memory.name)
    step.define(node.memory.name, node.memory.span, op.results[0])
