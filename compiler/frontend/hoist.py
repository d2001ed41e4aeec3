"""softmax, rope and what functions over an index reduce, inside an expression, become statements of their own, over the
indices that they depend on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xdsl.dialects.builtin import f32
from xdsl.ir import SSAValue

from hetc.compiler.frontend import ast
from hetc.compiler.frontend.dims import evaluate, evaluate_integer
from hetc.compiler.frontend.emit_step import Infos, StepEmitter, free_indices, with_rows
from hetc.compiler.frontend.environment import Environment
from hetc.compiler.frontend.extents import IndexInfo
from hetc.compiler.frontend.functions import REDUCTIONS
from hetc.compiler.frontend.rope_scaling import plain, scaled
from hetc.dialects.mp import RopeOp, SoftmaxOp, TensorType

ROPE_BASE = 10000.0
LAYOUTS = ("half", "interleaved")


def check_rows(free: Sequence[IndexInfo], axes: set[str], call: ast.Call, environment: Environment) -> None:
    """Refuses a call over the rows of a dim of which one length a row is kept: an index that runs up to a row's length
    has no place where all rows are taken together. Raises Refused."""
    for info in free:
        if info.per in axes and info.name not in axes:
            message = f"`{info.name}` has one length for each `{info.per}`, over which `{call.function}` goes"
            help = f"take `{info.name}` into its indices too"
            raise environment.refuse("HET107", message, call.span, help=help)


def _read(name: str, free: Sequence[IndexInfo], expr: ast.Call) -> ast.Expr:
    """What stands in the place of an expression that became a statement."""
    if not free:
        return ast.Name(name, expr.span)
    return ast.Access(name, tuple(ast.Name(info.name, expr.span) for info in free), expr.name_span, expr.span)


class Hoister:
    """Rewrites expressions of one statement; what it takes out is appended to the step before the statement. made: the
    reductions that were taken out, each once."""

    def __init__(self, step: StepEmitter, infos: Infos):
        self.step = step
        self.environment = step.environment
        self.infos = infos
        self.made: dict[object, str] = {}

    def rewrite(self, expr: ast.Expr, scope: Sequence[IndexInfo]) -> ast.Expr:
        """`expr` with everything that becomes a statement replaced by a read of its result, inner ones first."""
        match expr:
            case ast.Access(indices=indices):
                return replace(expr, indices=tuple(self.rewrite(item, scope) for item in indices))
            case ast.Unary(operand=operand):
                return replace(expr, operand=self.rewrite(operand, scope))
            case ast.Binary(left=left, right=right):
                return replace(expr, left=self.rewrite(left, scope), right=self.rewrite(right, scope))
            case ast.Call():
                return self._call(expr, scope)
        return expr

    def _call(self, expr: ast.Call, scope: Sequence[IndexInfo]) -> ast.Expr:
        inner = scope
        if expr.function in REDUCTIONS:
            inner = [*scope, *(self.infos[id(index)] for index in expr.indices)]
        if expr.indices and expr.function in ("softmax", "rope"):
            hoisted, free = self.tensor(expr, scope)
            return _read(self.step.temporary(expr.function, hoisted, expr.span), free, expr)
        expr = replace(expr, arguments=tuple(self.rewrite(argument, inner) for argument in expr.arguments))
        free = free_indices(expr, scope, self.environment)
        if not expr.hoisted or len(free) == len(scope):
            return expr
        key = ast.bare(expr), *(self.infos[id(index)].key for index in expr.indices)
        if key not in self.made:
            value = self.step.compute(free, self.infos, expr, expr.span, "%reduction")
            self.made[key] = self.step.temporary(expr.function, value, expr.span)
        return _read(self.made[key], free, expr)

    def tensor(
        self, expr: ast.Call, scope: Sequence[IndexInfo], name: str | None = None
    ) -> tuple[SSAValue, list[IndexInfo]]:
        """A softmax or rope as a statement: its result and the indices of that. With a `name` it runs over all of
        `scope`, in that order."""
        names = [index.name for index in expr.indices]
        several = expr.function == "softmax" and len(set(names)) == len(names)
        if (len(names) > 1 and not several) or any(index.bound is not None for index in expr.indices):
            taken = "its indices each once" if expr.function == "softmax" else "one index"
            raise self.environment.refuse("HET108", f"`{expr.function}` takes {taken}, without a bound", expr.span)
        make = self._softmax if expr.function == "softmax" else self._rope
        return make(expr, scope, name)

    def _softmax(
        self, expr: ast.Call, scope: Sequence[IndexInfo], name: str | None
    ) -> tuple[SSAValue, list[IndexInfo]]:
        if len(expr.arguments) != 1 or expr.keywords:
            raise self.environment.refuse("HET108", "`softmax` takes one argument", expr.span)
        argument = self.rewrite(expr.arguments[0], scope)
        axes = {index.name for index in expr.indices}
        free = list(scope) if name else self._free(axes, (argument,), scope)
        check_rows(free, axes, expr, self.environment)
        ranges, emitter = self.step.region(free, self.infos, expr.span)
        value = emitter.arithmetic.as_float(emitter.emit(argument))
        positions = [position for position, info in enumerate(free) if info.name in axes]
        type_ = TensorType([info.key for info in free], f32)
        op = SoftmaxOp(ranges, emitter.finish(value), positions, type_)
        return self.step.add(op, expr.span, name).results[0], free

    def _free(self, axes: set[str], arguments: Sequence[ast.Expr], scope: Sequence[IndexInfo]) -> list[IndexInfo]:
        names = {info.name for argument in arguments for info in free_indices(argument, scope, self.environment)}
        return with_rows(names | axes, scope)

    def _rope(self, expr: ast.Call, scope: Sequence[IndexInfo], name: str | None) -> tuple[SSAValue, list[IndexInfo]]:
        options = self._rope_options(expr)
        at = self.rewrite(options["at"], scope)
        axis = expr.indices[0].name
        position_free = free_indices(at, scope, self.environment)
        if any(info.name == axis for info in position_free):
            message = f"the position of `rope` cannot depend on its own index `{axis}`"
            raise self.environment.refuse("HET108", message, at.span)
        x = self.rewrite(expr.arguments[0], scope)
        free = list(scope) if name else self._free({axis}, (x, at), scope)
        x_value = self.materialized(x, free)
        position = [info.name for info in free].index(axis)
        dims, layout = self._rope_shape(expr, options, free[position])
        ranges, emitter = self.step.region(free, self.infos, expr.span)
        region = emitter.finish(emitter.emit_as(at, "index"))
        base = ROPE_BASE
        if "base" in options:
            base = float(evaluate(options["base"], self.environment, "the base of `rope`"))
            if base <= 0:
                raise self.environment.refuse("HET108", "the base of `rope` must be above 0", options["base"].span)
        frequencies = plain(dims, base)
        if "scaling" in options:
            frequencies = scaled(dims, base, options["scaling"], self.environment)
        op = RopeOp(x_value, ranges, region, position, dims, layout, frequencies)
        return self.step.add(op, expr.span, name).results[0], free

    def _rope_options(self, expr: ast.Call) -> dict[str, ast.Expr]:
        options = {keyword.name: keyword.value for keyword in expr.keywords}
        unknown = [item for item in expr.keywords if item.name not in ("at", "base", "dims", "layout", "scaling")]
        if unknown:
            message = f"`rope` takes no argument `{unknown[0].name}`"
            help = "its arguments are at, base, dims, layout and scaling"
            raise self.environment.refuse("HET108", message, unknown[0].span, help=help)
        if len(expr.arguments) != 1 or "at" not in options or "layout" not in options:
            message = "`rope` takes one tensor, its position and its layout"
            help = "write `rope[d](x[b, d], at=T[b]-1, layout=half)`"
            raise self.environment.refuse("HET108", message, expr.span, help=help)
        return options

    def _rope_shape(self, expr: ast.Call, options: dict[str, ast.Expr], axis: IndexInfo) -> tuple[int, str]:
        """How many channels are rotated, and the layout."""
        if not isinstance(axis.key, int):
            raise self.environment.refuse("HET108", f"`rope` needs a constant extent; {axis.key} is none", expr.span)
        span = options["dims"].span if "dims" in options else expr.span
        dims = evaluate_integer(options["dims"], self.environment, "`dims`", 2) if "dims" in options else axis.key
        if dims % 2 or dims > axis.key:
            message = f"`rope` rotates {dims} of {axis.key} channels; expected an even number of at most {axis.key}"
            raise self.environment.refuse("HET108", message, span)
        layout = options["layout"]
        if not isinstance(layout, ast.Name) or layout.name not in LAYOUTS:
            raise self.environment.refuse("HET108", "expected the layout `half` or `interleaved`", layout.span)
        return dims, layout.name

    def materialized(self, expr: ast.Expr, free: Sequence[IndexInfo]) -> SSAValue:
        """A tensor of f32 over exactly the indices `free`: the one that `expr` reads as it is, else a new one."""
        if isinstance(expr, ast.Access) and expr.name in self.environment.tensors:
            tensor = self.environment.tensor(expr.name, expr.name_span)
            names = tuple(item.name if isinstance(item, ast.Name) else "" for item in expr.indices)
            if names == tuple(info.name for info in free) and tensor.value is not None:
                whole = tensor.type.shape == tuple(info.key for info in free)
                if whole and tensor.type.element == f32 and not tensor.type.is_sparse:
                    return tensor.value
        shape = TensorType([info.key for info in free], f32)
        return self.step.compute(free, self.infos, expr, expr.span, "%argument", shape)
