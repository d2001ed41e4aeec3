"""Statements with an op of their own: topk, select, quantize, append, clear."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import f32

from hetc.compiler.frontend.constructs.append import AppendEmitter
from hetc.compiler.frontend.constructs.clear import ClearEmitter
from hetc.compiler.frontend.constructs.selection import ORDERS, SelectionEmitter
from hetc.compiler.frontend.constructs.softmax import check_rows
from hetc.compiler.frontend.expand.rewriting import plain_name
from hetc.compiler.frontend.lower.hoist import Hoister, define
from hetc.compiler.frontend.lower.step import StepEmitter
from hetc.compiler.frontend.resolve import typed
from hetc.compiler.frontend.resolve.dims import evaluate, evaluate_integer
from hetc.compiler.frontend.resolve.environment import Refused
from hetc.compiler.frontend.resolve.expressions import resolve
from hetc.compiler.frontend.resolve.flat import flatten
from hetc.compiler.frontend.resolve.typed import Axis, IndexValue
from hetc.compiler.frontend.syntax import ast
from hetc.compiler.frontend.syntax.elsewhere import instead_of
from hetc.diagnostics import Related
from hetc.dialects.mp import ELEMENT_TYPES, QuantizeOp, TensorType
from hetc.source import Span

QUANTIZED = ("fp8", "i8", "i4")
SCALES = ("pow2", "f32")
# The smallest absolute maximum that a scale is made for: keeps the scale of a block of zeros a normal number.
QUANTIZE_FLOOR = 1e-4


class IrregularEmitter:
    """Emits the irregular operations of a step."""

    def __init__(self, step: StepEmitter):
        self.step = step
        self.environment = step.environment
        self.selection = SelectionEmitter(step)
        self.append = AppendEmitter(step)
        self.clear = ClearEmitter(step)

    def effect(self, statement: ast.Effect) -> None:
        """A call that stands alone."""
        name = statement.call.function
        if name == "append" and not statement.call.indices:
            self.append.emit(statement.call)
            return
        if name == "clear" and not statement.call.indices:
            self.clear.emit(statement.call)
            return
        message = f"the result of `{name}` is not used"
        help = "a statement is `name[indices] = value`, `append(memory, rows)` or `clear(dim)`"
        if name not in self.environment.functions:
            help = instead_of(name) or help
        raise self.environment.refuse("HET108", message, statement.span, help=help)

    def define(self, function: str, targets: tuple[ast.Target, ...], call: ast.Call, span: Span) -> None:
        """`targets = topk[..](..)` and the other two."""
        for target in targets:
            if target.name in self.environment.declared:
                message = f"`{function}` defines new names; `{target.name}` is a memory"
                raise self.environment.refuse("HET201", message, target.span)
        if function == "quantize":
            self._quantize(targets, call, span)
            return
        options = self._options(call, ("order",) if function == "topk" else ("capacity",))
        self.selection.select(targets, call, options, self._word(options, "order", ORDERS), span)

    def _options(self, call: ast.Call, known: Sequence[str]) -> dict[str, ast.Expr]:
        for keyword in call.keywords:
            if keyword.name not in known:
                message = f"`{call.function}` takes no argument `{keyword.name}`"
                help = f"its named arguments are {', '.join(known)}"
                raise self.environment.refuse("HET108", message, keyword.span, help=help)
        return {keyword.name: keyword.value for keyword in call.keywords}

    def _word(self, options: dict[str, ast.Expr], name: str, allowed: tuple[str, ...]) -> str:
        """An option that is one of a few words; the first of them is the default."""
        given = options.get(name)
        if given is None:
            return allowed[0]
        if not isinstance(given, ast.Name) or given.name not in allowed:
            message = f"expected `{name}` to be {' or '.join(allowed)}"
            raise self.environment.refuse("HET108", message, given.span)
        return given.name

    def _quantize(self, targets: tuple[ast.Target, ...], call: ast.Call, span: Span) -> None:
        environment = self.environment
        self._options(call, ("block", "scale", "floor"))
        dtype = call.arguments[1] if len(call.arguments) == 2 else None
        if len(targets) != 2 or not isinstance(dtype, ast.Name):
            message = "`quantize` takes a tensor and a dtype, and gives values and scales"
            help = "write `x8[b, d], xs[b] = quantize[d](x[b, d], fp8, scale=pow2)`"
            raise environment.refuse("HET108", message, span, help=help)
        if dtype.name not in QUANTIZED:
            message = f"`quantize` gives {', '.join(QUANTIZED)}, not `{dtype.name}`"
            raise environment.refuse("HET110", message, dtype.span)
        indices = [index for index in targets[0].indices if isinstance(index, ast.Index)]
        infos, (value,) = resolve(environment, indices, call.arguments[:1])
        axes = self._axes(call, infos)
        check_rows(infos, [infos[axis] for axis in axes], "quantize", call.span, environment)
        if len(axes) > 1:
            self._quantize_several(targets, call, value, infos, axes, span)
            return
        self._quantize_one(targets, call, value, infos, axes[0], span)

    def _quantize_one(
        self,
        targets: tuple[ast.Target, ...],
        call: ast.Call,
        value: typed.Expr,
        infos: Sequence[Axis],
        axis: int,
        span: Span,
    ) -> None:
        environment = self.environment
        options = self._options(call, ("block", "scale", "floor"))
        dtype = call.arguments[1]
        assert isinstance(dtype, ast.Name)
        block = self._block(options, infos[axis])
        scale_shape = self._scale_shape(targets, infos, axis, block)
        x = self.step.materialized(Hoister(self.step).rewrite(value, infos), infos)
        floor = float(evaluate(options["floor"], environment, "`floor`")) if "floor" in options else QUANTIZE_FLOOR
        if floor <= 0:
            raise environment.refuse("HET108", "`floor` must be above 0", options["floor"].span)
        values = TensorType([info.key for info in infos], ELEMENT_TYPES[dtype.name])
        scale_kind = self._word(options, "scale", SCALES)
        op = QuantizeOp(x, axis, block, scale_kind, floor, values, TensorType(scale_shape, f32))
        self.step.add(op, span, targets[0].name)
        op.scale.name_hint = plain_name(targets[1].name)
        self.step.define(targets[0].name, targets[0].name_span, op.values)
        self.step.define(targets[1].name, targets[1].name_span, op.scale)

    def _quantize_several(
        self,
        targets: tuple[ast.Target, ...],
        call: ast.Call,
        value: typed.Expr,
        infos: Sequence[Axis],
        axes: Sequence[int],
        span: Span,
    ) -> None:
        """All that several indices go through has one scale: the tensor with one index in their place is quantised."""
        for keyword in call.keywords:
            if keyword.name == "block":
                message = "`block` divides the extent of one index"
                raise self.environment.refuse("HET108", message, keyword.span, help="quantize over one index")
        step, free = self.step, [info for position, info in enumerate(infos) if position not in axes]
        flat = flatten([infos[axis] for axis in axes], free, self.environment, call.span)
        source, dtype = call.arguments[0].span, call.arguments[1]
        assert isinstance(dtype, ast.Name)
        at = tuple(IndexValue(info.name, span) for info in free)
        place = IndexValue(flat.index.name, span)
        whole = step.temporary("whole", define(step, step.fresh("whole"), infos, value, source), span)
        taken = dict(zip((info.name for info in flat.axes), flat.places(place), strict=True))
        places = tuple(taken.get(info.name, IndexValue(info.name, span)) for info in infos)
        one = self._read(whole, places, span)
        flattened = step.temporary("one", step.compute([*free, flat.index], one, span, step.fresh("one")), span)
        rows = tuple(ast.Index(info.name, None, span) for info in (*free, flat.index))
        narrow = ast.Target(step.fresh("narrow"), rows, span, targets[0].span)
        quantized = self._read(flattened, (*at, place), span)
        self._quantize_one((narrow, targets[1]), call, quantized, [*free, flat.index], len(free), span)
        found = typed.Cast(dtype.name, self._read(narrow.name, (*at, flat.position(span)), span), span)
        name = targets[0].name
        step.define(name, targets[0].name_span, step.compute(infos, found, span, name))

    def _read(self, name: str, places: tuple[typed.Expr, ...], span: Span) -> typed.Expr:
        return typed.Read(self.environment.tensors[name], places, span)

    def _axes(self, call: ast.Call, infos: Sequence[Axis]) -> list[int]:
        """The positions of the quantised indices among those of the values."""
        names, found = [info.name for info in infos], []
        for index in call.indices:
            if index.name in names and names.index(index.name) in found:
                raise self.environment.refuse("HET108", "`quantize` takes its indices each once", index.span)
            if index.name not in names or index.bound is not None:
                message = f"`quantize` keeps its index, but `{index.name}` is none of the values' indices"
                raise self.environment.refuse("HET103", message, index.span)
            found.append(names.index(index.name))
        return found

    def _block(self, options: dict[str, ast.Expr], axis: Axis) -> int | None:
        if "block" not in options:
            return None
        block = evaluate_integer(options["block"], self.environment, "`block`", low=1)
        if not isinstance(axis.key, int) or axis.key % block:
            message = f"`block` must divide the extent of `{axis.name}`, {axis.key}; got {block}"
            raise self.environment.refuse("HET108", message, options["block"].span)
        return block

    def _scale_shape(
        self, targets: tuple[ast.Target, ...], infos: Sequence[Axis], axis: int, block: int | None
    ) -> list[int | str]:
        """The extents of the scales: without the axis, or with the number of blocks in its place."""
        names = [index.name for index in targets[1].indices if isinstance(index, ast.Index)]
        others = [info.name for info in infos if info is not infos[axis]]
        kept = [info.key for info in infos]
        if block is None:
            if names != others:
                raise self._scale_indices(targets, ", ".join(others))
            return kept[:axis] + kept[axis + 1 :]
        if len(names) != len(infos) or names[:axis] + names[axis + 1 :] != others or names[axis] in others:
            raise self._scale_indices(targets, ", ".join([*others[:axis], "block", *others[axis:]]))
        extent = kept[axis]
        assert isinstance(extent, int)
        return [*kept[:axis], extent // block, *kept[axis + 1 :]]

    def _scale_indices(self, targets: tuple[ast.Target, ...], expected: str) -> Refused:
        message = f"the scales have the indices [{expected}] here"
        related = (Related(targets[0].span, "the values"),)
        return self.environment.refuse("HET105", message, targets[1].span, related=related)
