"""Values of dims and constants in expressions."""

from __future__ import annotations

from hetc.compiler.frontend.arithmetic.constants import FOLDED, Constant, NotFoldable, fold_binary
from hetc.compiler.frontend.arithmetic.elementwise import fold_function
from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.syntax import ast
from hetc.diagnostics import Related
from hetc.dialects.mp import LARGEST_EXTENT


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


def run_time_names(expr: ast.Expr, environment: Environment) -> list[str]:
    """The run-time dims in an expression, in order of first use."""
    names = [node.name for node, _ in ast.walk(expr) if isinstance(node, ast.Name)]
    known = [name for name in names if name in environment.dims and environment.dims[name].size is None]
    return list(dict.fromkeys(known))
