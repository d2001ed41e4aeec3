"""Dims: constants, dims bounded at run time, and dims derived from others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xdsl.dialects.builtin import AffineMapAttr
from xdsl.ir.affine import AffineExpr, AffineMap

from hetc.compiler.frontend import ast
from hetc.compiler.frontend.constants import FOLDED, Constant, NotFoldable, fold_binary, fold_function
from hetc.compiler.frontend.environment import Dim, Environment, Refused
from hetc.diagnostics import EXIT_USAGE, Diagnostics, Related, suggest
from hetc.dialects.mp import LARGEST_EXTENT


@dataclass(frozen=True)
class _Affine:
    """A derived extent: an affine function of run-time dims, and the interval of its values."""

    expr: AffineExpr
    low: int
    high: int


def evaluate(expr: ast.Expr, environment: Environment, purpose: str) -> Constant:
    """The value of an expression of literals and constant dims. Raises Refused where it is none."""
    match expr:
        case ast.Number(value=value):
            return value
        case ast.Name(name=name, span=span):
            dim = environment.dims.get(name)
            environment.used.add(name)
            if dim is None:
                raise environment.unknown(name, span, "dim", environment.dims)
            if dim.size is None:
                message = f"{purpose} must be a constant, but `{name}` is known only at run time"
                raise environment.refuse("HET102", message, span, related=(Related(dim.span, "declared here"),))
            return dim.size
        case ast.Unary(operator="-" | "+" as operator, operand=operand):
            value = evaluate(operand, environment, purpose)
            return -value if operator == "-" else value
        case ast.Unary(operator="~", operand=operand):
            return _folded("^", evaluate(operand, environment, purpose), -1, expr, environment, purpose)
        case ast.Binary(operator=operator, left=left, right=right) if operator in FOLDED:
            sides = evaluate(left, environment, purpose), evaluate(right, environment, purpose)
            return _folded(operator, *sides, expr, environment, purpose)
        case ast.Call(function=function, indices=(), arguments=arguments, keywords=()):
            values = [evaluate(argument, environment, purpose) for argument in arguments]
            try:
                folded = fold_function(function, values)
            except NotFoldable as error:
                raise environment.refuse("HET102", f"{purpose} cannot be computed: {error}", expr.span) from None
            if folded is not None:
                return folded
    raise environment.refuse("HET102", f"{purpose} must be a constant: numbers and constant dims", expr.span)


def _folded(
    sign: str, left: Constant, right: Constant, expr: ast.Expr, environment: Environment, purpose: str
) -> Constant:
    try:
        return fold_binary(sign, left, right)
    except NotFoldable as error:
        raise environment.refuse("HET102", f"{purpose} cannot be computed: {error}", expr.span) from None


def constant_of(expr: ast.Expr, environment: Environment) -> Constant | None:
    """The value of an expression of literals and constants, or None where it is none."""
    match expr:
        case ast.Number(value=value):
            return value
        case ast.Name(name=name):
            tensor, dim = environment.tensors.get(name), environment.dims.get(name)
            return tensor.constant if tensor is not None else dim.size if dim is not None else None
        case ast.Unary(operator="-", operand=operand):
            operand_value = constant_of(operand, environment)
            return None if operand_value is None else -operand_value
        case ast.Binary(operator=operator, left=left, right=right) if operator in FOLDED:
            sides = constant_of(left, environment), constant_of(right, environment)
            try:
                return None if sides[0] is None or sides[1] is None else fold_binary(operator, sides[0], sides[1])
            except NotFoldable:
                return None  # told where it is emitted
    return None


def evaluate_integer(
    expr: ast.Expr, environment: Environment, purpose: str, low: int = 0, high: int = LARGEST_EXTENT
) -> int:
    """Like `evaluate`, for an integer from `low` to `high` (2e9 counts as one): an extent, a bound, a capacity."""
    value = evaluate(expr, environment, purpose)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int):
        raise environment.refuse("HET102", f"{purpose} must be an integer, got {value}", expr.span)
    if value < low:
        raise environment.refuse("HET102", f"{purpose} must be at least {low}, got {value}", expr.span)
    if value > high:
        raise environment.refuse("HET102", f"{purpose} is {value}; the limit is {high}", expr.span)
    return value


def declare_dims(pipeline: ast.Pipeline, overrides: Mapping[str, int], environment: Environment) -> None:
    """Fills `environment.dims`. An override replaces a constant or a bound; an unknown one is a usage error."""
    names = [dim.name for dim in pipeline.dims]
    wrong = Diagnostics()
    for name, value in overrides.items():
        if name not in names:
            close = suggest(name, names)
            help = f"did you mean `{close}`?" if close else f"its dims are {', '.join(names)}"
            wrong.error("HET100", f"the pipeline `{pipeline.name}` has no dim `{name}`", help=help)
        elif isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST_EXTENT:
            wrong.error("HET102", f"dim `{name}` cannot be {value!r}: expected an integer from 1 to {LARGEST_EXTENT}")
    wrong.raise_if_errors(EXIT_USAGE)
    for dim in pipeline.dims:
        try:
            if dim.name == pipeline.name:
                related = (Related(pipeline.name_span, "the pipeline"),)
                raise environment.refuse(
                    "HET101", f"dim `{dim.name}` has the name of the pipeline", dim.name_span, related=related
                )
            _declare(dim, overrides.get(dim.name), environment)
        except Refused:
            environment.broken.add(dim.name)


def _declare(dim: ast.Dim, override: int | None, environment: Environment) -> None:
    before = environment.dims.get(dim.name)
    if before is not None:
        related = (Related(before.span, "first declared here"),)
        raise environment.refuse("HET101", f"dim `{dim.name}` is declared twice", dim.name_span, related=related)
    environment.dims[dim.name] = _resolve(dim, override, environment)


def _resolve(dim: ast.Dim, override: int | None, environment: Environment) -> Dim:
    if dim.bound is not None:
        bound = override or _extent(dim, dim.bound, environment)
        per = dim.per.name if dim.per is not None else None
        if dim.per is not None and per is not None:
            _check_per(dim.name, dim.per, environment)
        return Dim(dim.name, None, bound, per, dim.name_span)
    assert dim.size is not None
    if override is None:
        run_time = _run_time_names(dim.size, environment)
        if run_time:
            return _derive(dim, dim.size, run_time, environment)
    size = override or _extent(dim, dim.size, environment)
    return Dim(dim.name, size, None, None, dim.name_span)


def _extent(dim: ast.Dim, expr: ast.Expr, environment: Environment) -> int:
    return evaluate_integer(expr, environment, f"dim `{dim.name}`", low=1)


def _check_per(name: str, per: ast.Name, environment: Environment) -> None:
    environment.used.add(per.name)
    other = environment.dims.get(per.name)
    if other is None:
        raise environment.unknown(per.name, per.span, "dim", environment.dims)
    if other.size is not None or other.per is not None:
        kind = "a constant" if other.size is not None else f"itself per `{other.per}`"
        message = f"`{name}` is per `{per.name}`, which is {kind}; expected a plain run-time dim"
        raise environment.refuse("HET102", message, per.span, related=(Related(other.span, "declared here"),))


def _run_time_names(expr: ast.Expr, environment: Environment) -> list[str]:
    """The run-time dims in an expression, in order of first use."""
    names = [node.name for node, _ in ast.walk(expr) if isinstance(node, ast.Name)]
    known = [name for name in names if name in environment.dims and environment.dims[name].size is None]
    return list(dict.fromkeys(known))


def _derive(dim: ast.Dim, expr: ast.Expr, of: list[str], environment: Environment) -> Dim:
    """`dim NB = T // 64`: the function, its largest value, and the rows that it has one value for."""
    rows = {environment.dims[name].per for name in of} - {None}
    if len(rows) > 1:
        raise environment.refuse("HET102", f"dim `{dim.name}` mixes dims per {' and '.join(map(str, rows))}", expr.span)
    affine = _affine(expr, of, environment)
    if affine.low < 0 or not 1 <= affine.high <= LARGEST_EXTENT:
        message = f"dim `{dim.name}` would range from {affine.low} to {affine.high}"
        raise environment.refuse("HET102", message, expr.span, help=f"a dim is 0 to {LARGEST_EXTENT}")
    map_ = AffineMapAttr(AffineMap(len(of), 0, (affine.expr,)))
    return Dim(dim.name, None, affine.high, rows.pop() if rows else None, dim.name_span, map_, tuple(of))


def _affine(expr: ast.Expr, of: list[str], environment: Environment) -> _Affine:
    match expr:
        case ast.Name(name=name) if name in of:
            bound = environment.dims[name].bound
            assert bound is not None
            environment.used.add(name)
            return _Affine(AffineExpr.dimension(of.index(name)), 0, bound)
        case ast.Binary(operator="+" | "-" as operator, left=left, right=right):
            a, b = _affine(left, of, environment), _affine(right, of, environment)
            if operator == "+":
                return _Affine(a.expr + b.expr, a.low + b.low, a.high + b.high)
            return _Affine(a.expr - b.expr, a.low - b.high, a.high - b.low)
        case ast.Binary(operator="*", left=left, right=right):
            if _run_time_names(left, environment):
                left, right = right, left
            factor = evaluate_integer(left, environment, "a factor of a derived dim", low=1)
            a = _affine(right, of, environment)
            return _Affine(a.expr * factor, a.low * factor, a.high * factor)
        case ast.Binary(operator="//", left=left, right=right):
            divisor = evaluate_integer(right, environment, "the divisor of a derived dim", low=1)
            a = _affine(left, of, environment)
            return _Affine(a.expr // divisor, a.low // divisor, a.high // divisor)
        case ast.Call(function="ceildiv", indices=(), arguments=(left, right), keywords=()):
            divisor = evaluate_integer(right, environment, "the divisor of a derived dim", low=1)
            a = _affine(left, of, environment)
            return _Affine(a.expr.ceil_div(divisor), -(-a.low // divisor), -(-a.high // divisor))
    if _run_time_names(expr, environment):
        message = "a derived dim is made of +, -, * and // by constants, and ceildiv"
        raise environment.refuse("HET102", message, expr.span)
    value = evaluate_integer(expr, environment, "a derived dim", low=-LARGEST_EXTENT)
    return _Affine(AffineExpr.constant(value), value, value)
