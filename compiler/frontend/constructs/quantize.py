"""`x8[b, d], xs[b] = quantize[d](x[b, d], fp8)`: values of a narrow dtype and their scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import f32
from xdsl.ir import SSAValue

from hetc.compiler.frontend.constructs.options import options_of, word_of
from hetc.compiler.frontend.constructs.results import check_new, result_of
from hetc.compiler.frontend.constructs.softmax import check_rows
from hetc.compiler.frontend.lower.emitter import StepEmitter
from hetc.compiler.frontend.lower.hoist import Hoister, define
from hetc.compiler.frontend.resolve import typed
from hetc.compiler.frontend.resolve.dims import evaluate, evaluate_integer
from hetc.compiler.frontend.resolve.environment import Environment, Refused
from hetc.compiler.frontend.resolve.expressions import resolve
from hetc.compiler.frontend.resolve.flat import flatten
from hetc.compiler.frontend.resolve.names import plain_name
from hetc.compiler.frontend.resolve.symbols import Tensor
from hetc.compiler.frontend.resolve.typed import Axis, Flat, IndexValue, Result
from hetc.compiler.frontend.syntax import ast
from hetc.diagnostics import Related
from hetc.dialects.mp import ELEMENT_TYPES, SCALES, QuantizeOp, TensorType
from hetc.source import Span

QUANTIZED = ("fp8", "fp8e5m2", "fp4", "i8", "i4", "i2")
# Names for what stands beside them: values, elements of a block, scales.
FORMATS = {"mxfp4": ("fp4", 32, "e8m0"), "mxfp8": ("fp8", 32, "e8m0"), "nvfp4": ("fp4", 16, "fp8")}
# The smallest absolute maximum that an f32 scale is made for: keeps the scale of a block of zeros a normal number.
QUANTIZE_FLOOR = 1e-4


@dataclass(frozen=True)
class Quantize:
    """Values of `dtype` and their scales, one for each block of `block` elements (None: for all) along the index at
    `axis` among `axes`. `flat`: several indices as that one, which stands last; `around` are the indices of what is
    quantised then."""

    values: Result
    scales: Result
    axes: tuple[Axis, ...]
    axis: int
    argument: typed.Expr
    dtype: str
    block: int | None
    scale: str
    floor: float
    scale_shape: tuple[int | str, ...]
    flat: Flat | None
    around: tuple[Axis, ...]
    argument_span: Span
    span: Span


def resolve_quantize(statement: ast.Define, call: ast.Call, environment: Environment) -> Quantize:
    """Raises Refused after a diagnostic."""
    targets, span = statement.targets, statement.span
    check_new(targets, "`quantize`", environment)
    options = options_of(call, environment)
    dtype = call.arguments[1] if len(call.arguments) == 2 else None
    if len(targets) != 2 or not isinstance(dtype, ast.Name):
        message = "`quantize` takes a tensor and a dtype, and gives values and scales"
        help = "write `x8[b, d], xs[b] = quantize[d](x[b, d], fp8, scale=pow2)`"
        raise environment.refuse("HET108", message, span, help=help)
    if dtype.name not in (*QUANTIZED, *FORMATS):
        message = f"`quantize` gives {', '.join((*QUANTIZED, *FORMATS))}, not `{dtype.name}`"
        raise environment.refuse("HET110", message, dtype.span)
    name, size, kind = FORMATS.get(dtype.name, (dtype.name, None, "pow2"))
    indices = [index for index in targets[0].indices if isinstance(index, ast.Index)]
    around, (value,) = resolve(environment, indices, call.arguments[:1])
    places = _axes(call, around, environment)
    over = [around[place] for place in places]
    check_rows(around, over, "quantize", call.span, environment)
    axes, axis, flat = list(around), places[0], None
    if len(places) > 1:
        if dtype.name in FORMATS:
            message = f"the blocks of `{dtype.name}` lie along one index"
            raise environment.refuse("HET108", message, dtype.span, help="quantize over one index")
        if "block" in options:
            message = "`block` divides the extent of one index"
            place = next(keyword.span for keyword in call.keywords if keyword.name == "block")
            raise environment.refuse("HET108", message, place, help="quantize over one index")
        free = [item for item in around if item not in over]
        flat = flatten(over, free, environment, call.span)
        axes, axis = [*free, flat.index], len(free)
    block = _block(options, axes[axis], call.span, size, environment)
    scale_shape = _scale_shape(targets, axes, axis, block, environment)
    scale = word_of(call, options, "scale", environment, kind)
    floor = QUANTIZE_FLOOR if SCALES[scale] == f32 else 0.0
    if "floor" in options:
        floor = float(evaluate(options["floor"], environment, "`floor`"))
        if floor <= 0:
            raise environment.refuse("HET108", "`floor` must be above 0", options["floor"].span)
    values, scales = map(result_of, targets)
    return Quantize(
        values, scales, tuple(axes), axis, value, name, block, scale, floor, tuple(scale_shape), flat,
        tuple(around), call.arguments[0].span, span,
    )  # fmt: skip


def _axes(call: ast.Call, infos: Sequence[Axis], environment: Environment) -> list[int]:
    """The positions of the quantised indices among those of the values."""
    names, found = [info.name for info in infos], []
    for index in call.indices:
        if index.name in names and names.index(index.name) in found:
            raise environment.refuse("HET108", "`quantize` takes its indices each once", index.span)
        if index.name not in names or index.bound is not None:
            message = f"`quantize` keeps its index, but `{index.name}` is none of the values' indices"
            raise environment.refuse("HET103", message, index.span)
        found.append(names.index(index.name))
    return found


def _block(
    options: dict[str, ast.Expr], axis: Axis, span: Span, block: int | None, environment: Environment
) -> int | None:
    """Elements that share a scale: as `block=` says, else as the format does; None for all."""
    if "block" in options:
        span = options["block"].span
        block = evaluate_integer(options["block"], environment, "`block`", low=1)
    if block is not None and (not isinstance(axis.key, int) or axis.key % block):
        message = f"`block` must divide the extent of `{axis.name}`, {axis.key}; got {block}"
        raise environment.refuse("HET108", message, span)
    return block


def _scale_shape(
    targets: tuple[ast.Target, ...],
    infos: Sequence[Axis],
    axis: int,
    block: int | None,
    environment: Environment,
) -> list[int | str]:
    """The extents of the scales: without the axis, or with the number of blocks in its place."""
    names = [index.name for index in targets[1].indices if isinstance(index, ast.Index)]
    others = [info.name for info in infos if info is not infos[axis]]
    kept = [info.key for info in infos]
    if block is None:
        if names != others:
            raise _scale_indices(targets, ", ".join(others), environment)
        return kept[:axis] + kept[axis + 1 :]
    if len(names) != len(infos) or names[:axis] + names[axis + 1 :] != others or names[axis] in others:
        raise _scale_indices(targets, ", ".join([*others[:axis], "block", *others[axis:]]), environment)
    extent = kept[axis]
    assert isinstance(extent, int)
    return [*kept[:axis], extent // block, *kept[axis + 1 :]]


def _scale_indices(targets: tuple[ast.Target, ...], expected: str, environment: Environment) -> Refused:
    message = f"the scales have the indices [{expected}] here"
    related = (Related(targets[0].span, "the values"),)
    return environment.refuse("HET105", message, targets[1].span, related=related)


def lower_quantize(node: Quantize, step: StepEmitter) -> None:
    if node.flat is not None:
        _lower_several(node, node.flat, step)
        return
    x = step.materialized(Hoister(step).rewrite(node.argument, node.axes), node.axes)
    _lower_one(node, x, step, node.values)


def _lower_one(node: Quantize, x: SSAValue, step: StepEmitter, values: Result) -> Tensor:
    """The values under their name, and the scales."""
    type_ = TensorType([axis.key for axis in node.axes], ELEMENT_TYPES[node.dtype])
    scale_type = TensorType(node.scale_shape, SCALES[node.scale])
    op = QuantizeOp(x, node.axis, node.block, node.scale, node.floor, type_, scale_type)
    step.add(op, node.span, values.name)
    op.scale.name_hint = plain_name(node.scales.name)
    step.define(node.scales.name, node.scales.span, op.scale)
    return step.define(values.name, values.span, op.values)


def _lower_several(node: Quantize, flat: Flat, step: StepEmitter) -> None:
    """All that several indices go through has one scale: the tensor with one index in their place is quantised."""
    span, around = node.span, node.around
    at = tuple(IndexValue(axis.name, span) for axis in node.axes)
    whole = step.temporary("whole", define(step, "%whole", around, node.argument, node.argument_span), span)
    taken = dict(zip((axis.name for axis in flat.axes), flat.places(at[-1]), strict=True))
    places = tuple(taken.get(axis.name, IndexValue(axis.name, span)) for axis in around)
    read = typed.Read(whole, places, span)
    one = step.temporary("one", step.compute(node.axes, read, span, "%one"), span)
    x = step.materialized(typed.Read(one, at, span), node.axes)
    narrow = _lower_one(node, x, step, Result(step.fresh("narrow"), span))
    found = typed.Cast(node.dtype, typed.Read(narrow, (*at[:-1], flat.position(span)), span), span)
    step.define(node.values.name, node.values.span, step.compute(around, found, span, node.values.name))
