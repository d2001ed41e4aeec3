"""Limits on how deep expressions nest."""

from __future__ import annotations

from hetc.compiler.frontend import ast
from hetc.diagnostics import Diagnostics
from hetc.source import Span

MAX_EXPRESSION_DEPTH = 80


def check_depth(pipeline: ast.Pipeline, diagnostics: Diagnostics) -> None:
    """Refuses expressions so deep that later stages, which recurse over them, could not."""
    bodies = [stage.statements for step in pipeline.steps for stage in step.stages]
    for body in (*bodies, *(function.statements for function in pipeline.functions)):
        for statement in ast.simple_statements(body):
            value = statement.value if isinstance(statement, ast.Define) else statement.call
            inside = [index for target in _targets(statement) for index in target.indices]
            bounds = [index.bound if isinstance(index, ast.Index) else index for index in inside]
            for expr in (value, *bounds):
                if expr is not None and any(depth > MAX_EXPRESSION_DEPTH for _, depth in ast.walk(expr)):
                    message = f"this expression is more than {MAX_EXPRESSION_DEPTH} operations deep"
                    diagnostics.error("HET013", message, statement.span, help="split it into statements")
                    break
    sizes: list[tuple[ast.Expr | None, Span]] = [(dim.size or dim.bound, dim.span) for dim in pipeline.dims]
    for declared in pipeline.declarations:
        sizes += [(item, declared.span) for item in (*declared.extents, declared.stored_bound, declared.initial)]
    sizes += [(result, function.span) for function in pipeline.functions for result in function.results]
    for size, span in sizes:
        if size is not None and any(depth > MAX_EXPRESSION_DEPTH for _, depth in ast.walk(size)):
            diagnostics.error("HET013", f"this expression is more than {MAX_EXPRESSION_DEPTH} operations deep", span)


def _targets(statement: ast.Statement) -> tuple[ast.Target, ...]:
    return statement.targets if isinstance(statement, ast.Define) else ()
