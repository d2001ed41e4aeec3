"""Limits on how deep expressions and blocks nest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hetc.compiler.frontend.syntax import ast
from hetc.diagnostics import Diagnostics
from hetc.source import Span

MAX_EXPRESSION_DEPTH = 80
MAX_BLOCK_DEPTH = 8
"""Blocks in a stage or a function."""
TOO_MANY_BLOCKS = f"blocks are nested more than {MAX_BLOCK_DEPTH} deep"

_Placed = tuple[ast.Expr | None, Span]


def check_depth(pipeline: ast.Pipeline, diagnostics: Diagnostics) -> None:
    """Refuses expressions and blocks so deep that later stages, which recurse over them, could not."""
    bodies = [step.statements for step in pipeline.steps]
    for body in (*bodies, *(function.statements for function in pipeline.functions)):
        block = _too_deep_block(body)
        if block is not None:
            diagnostics.error("HET011", TOO_MANY_BLOCKS, block.span)
            continue
        for expr, span in _expressions_of(body):
            _check(expr, span, diagnostics, "split it into statements")
    for expr, span in _declared(pipeline):
        _check(expr, span, diagnostics)


def is_too_deep(expr: ast.Expr) -> bool:
    """Whether an expression nests deeper than later stages can recurse."""
    return any(depth > MAX_EXPRESSION_DEPTH for _, depth in ast.walk(expr))


def _check(expr: ast.Expr | None, span: Span, diagnostics: Diagnostics, help: str | None = None) -> None:
    if expr is not None and is_too_deep(expr):
        message = f"this expression is more than {MAX_EXPRESSION_DEPTH} operations deep"
        diagnostics.error("HET013", message, span, help=help)


def _expressions_of(body: Iterable[ast.Statement]) -> Iterator[_Placed]:
    """Every expression of statements, those in blocks among them, with the statement's place."""
    for statement in body:
        match statement:
            case ast.Define():
                yield statement.value, statement.span
                for target in statement.targets:
                    for index in target.indices:
                        yield index.bound if isinstance(index, ast.Index) else index, statement.span
            case ast.Effect(call=call):
                yield call, statement.span
            case _:
                yield ast.head_of(statement), statement.span
                yield from _expressions_of(statement.statements)


def _declared(pipeline: ast.Pipeline) -> Iterator[_Placed]:
    """The expressions of a pipeline that stand outside of statements."""
    for dim in pipeline.dims:
        yield dim.size or dim.bound, dim.span
    for declared in pipeline.declarations:
        for expr in (*declared.extents, declared.stored_bound, declared.initial, declared.layout):
            yield expr, declared.span
    for function in pipeline.functions:
        for expr in function.results:
            yield expr, function.span
    for step in pipeline.steps:
        for growth in step.grows:
            yield growth.by, growth.span


def _too_deep_block(body: Iterable[ast.Statement]) -> ast.Statement | None:
    """A block that stands in too many others, stages not counted. Goes in level by level, without recursion."""
    for _ in range(MAX_BLOCK_DEPTH + 1):
        stages = [inner for item in body if isinstance(item, ast.Stage) for inner in item.statements]
        blocks = [item for item in (*body, *stages) if isinstance(item, ast.Block)]
        body = [inner for block in blocks for inner in block.statements]
        if not blocks:
            return None
    return blocks[0]
