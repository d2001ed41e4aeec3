"""`and`, `or` and `not` of tensors, which compiled kernels take entry by entry.

As released, the interpreter leaves them to Python: a block counts as true, so `a and b` is b and `not a` is False.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import triton.language as tl
from triton.runtime import interpreter

_COMBINE = "_hetc_combine"
_NEGATE = "_hetc_negate"


def combine(is_and: bool, *operands: Callable[[], Any]) -> Any:
    """The conjunction or disjunction of operands, each evaluated when needed.

    A tensor combines with what follows it; another value decides as in Python.
    """
    value = operands[0]()
    for operand in operands[1:]:
        if isinstance(value, tl.core.tensor):
            other = interpreter.interpreter_semantic.to_tensor(operand())
            value = value.logical_and(other) if is_and else value.logical_or(other)
        elif bool(value) != is_and:
            return value
        else:
            value = operand()
    return value


def negate(value: Any) -> Any:
    """`not` of a tensor entry by entry, of another value as in Python."""
    return value.__not__() if isinstance(value, tl.core.tensor) else not value


def _call(function: str, arguments: list[ast.expr]) -> ast.Call:
    return ast.Call(func=ast.Name(id=function, ctx=ast.Load()), args=arguments, keywords=[])


def _visit_bool_op(self: ast.NodeTransformer, node: ast.BoolOp) -> ast.expr:
    self.generic_visit(node)
    nothing = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    operands: list[ast.expr] = [ast.Lambda(args=nothing, body=value) for value in node.values]
    is_and = ast.Constant(value=isinstance(node.op, ast.And))
    return ast.copy_location(_call(_COMBINE, [is_and, *operands]), node)


def _visit_unary_op(self: ast.NodeTransformer, node: ast.UnaryOp) -> ast.expr:
    self.generic_visit(node)
    if isinstance(node.op, ast.Not):
        return ast.copy_location(_call(_NEGATE, [node.operand]), node)
    return node


def _visit_assigned_values() -> None:
    """Before 3.9 the interpreter's rewriting passes over what is assigned."""
    released = interpreter.ASTTransformer.visit_Assign

    def visit(self: ast.NodeTransformer, node: ast.Assign) -> ast.AST:
        node.value = self.visit(node.value)
        return released(self, node)

    interpreter.ASTTransformer.visit_Assign = visit


def correct() -> None:
    """Have the interpreter rewrite these operators in every kernel; it hands its module's names to kernels."""
    setattr(interpreter, _COMBINE, combine)
    setattr(interpreter, _NEGATE, negate)
    interpreter.ASTTransformer.visit_BoolOp = _visit_bool_op
    interpreter.ASTTransformer.visit_UnaryOp = _visit_unary_op
    if not hasattr(interpreter.ASTTransformer, "visit_Compare"):  # came together with the change in 3.9
        _visit_assigned_values()
