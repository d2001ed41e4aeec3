"""Statements with an index of a loop replaced by its number."""

from __future__ import annotations

from dataclasses import replace

from hetc.compiler.frontend import ast


def substituted(statement: ast.Statement, name: str, value: int) -> ast.Statement:
    """The statement as one pass of `for name in ...` has it; an inner index of the same name hides it."""
    match statement:
        case ast.Define():
            targets = tuple(_target(target, name, value) for target in statement.targets)
            return replace(statement, targets=targets, value=_expression(statement.value, name, value))
        case ast.Effect(call=call):
            changed = _expression(call, name, value)
            assert isinstance(changed, ast.Call)
            return replace(statement, call=changed)
        case ast.Repeat(count=count):
            return replace(statement, count=_expression(count, name, value), statements=_block(statement, name, value))
        case ast.When(condition=condition):
            held = _expression(condition, name, value)
            return replace(statement, condition=held, statements=_block(statement, name, value))
        case ast.Loop(index=index, extent=extent):
            inside = statement.statements if index.name == name else _block(statement, name, value)
            return replace(statement, extent=_expression(extent, name, value), statements=inside)
    raise AssertionError(statement)


def _block(block: ast.Block, name: str, value: int) -> tuple[ast.Statement, ...]:
    return tuple(substituted(inner, name, value) for inner in block.statements)


def _target(target: ast.Target, name: str, value: int) -> ast.Target:
    indices: list[ast.Index | ast.Expr] = []
    for item in target.indices:
        if not isinstance(item, ast.Index):
            indices.append(_expression(item, name, value))
        elif item.name == name and item.bound is None:
            indices.append(ast.Number(value, item.span))
        else:
            bound = None if item.bound is None else _expression(item.bound, name, value)
            indices.append(replace(item, bound=bound))
    return replace(target, indices=tuple(indices))


def _expression(expr: ast.Expr, name: str, value: int) -> ast.Expr:
    if isinstance(expr, ast.Name):
        return ast.Number(value, expr.span) if expr.name == name else expr
    if isinstance(expr, ast.Call) and any(index.name == name for index in expr.indices):
        return expr
    return ast.replace_children(expr, lambda child: _expression(child, name, value))
