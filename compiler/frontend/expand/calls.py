"""`calls`: how often a step has completed, as a memory that the step itself counts up in its last statement."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hetc.compiler.frontend.expand.rewriting import assignment, binary, defines, mapped, mentioned, scalar, with_stage
from hetc.compiler.frontend.resolve.names import FreshNames
from hetc.compiler.frontend.syntax import ast
from hetc.diagnostics import Diagnostics
from hetc.source import Span

CALLS = "calls"


def with_calls(pipeline: ast.Pipeline, names: FreshNames, diagnostics: Diagnostics) -> ast.Pipeline:
    """The pipeline with a counter `STEP_calls` for each step that uses `calls`, and in its place."""
    memories = frozenset(item.name for item in pipeline.declarations if item.role == "memory")
    steps: list[ast.Step] = []
    declarations = list(pipeline.declarations)
    for step in pipeline.steps:
        assigned = {target.name for define in defines(step) for target in define.targets}
        if CALLS not in mentioned(step) or CALLS in assigned or not step.statements:
            steps.append(step)
            continue
        counter = names.fresh(f"{step.name}_calls")
        span = step.name_span
        declarations.append(scalar(counter, span))
        uses = _Uses(counter, memories, diagnostics)
        more = assignment(counter, binary("+", ast.Name(counter, span), ast.Number(1, span), span), span)
        counted = replace(step, statements=uses.statements(step.statements))
        steps.append(with_stage(counted, (more,), first=False))
    return replace(pipeline, declarations=tuple(declarations), steps=tuple(steps))


@dataclass(frozen=True)
class _Uses:
    """Puts the counter in the place of `calls`: in expressions, and among the indices of a memory that is written."""

    counter: str
    memories: frozenset[str]
    diagnostics: Diagnostics

    def statements(self, statements: tuple[ast.Statement, ...]) -> tuple[ast.Statement, ...]:
        return tuple(self._placed(statement) for statement in mapped(statements, self.expression))

    def _placed(self, statement: ast.Statement) -> ast.Statement:
        if isinstance(statement, ast.Define):
            return replace(statement, targets=tuple(map(self._target, statement.targets)))
        if isinstance(statement, ast.Loop) and statement.index.name == CALLS:
            self._refuse_index(statement.index.span)
        if isinstance(statement, ast.Effect):
            return statement
        return replace(statement, statements=tuple(map(self._placed, statement.statements)))

    def _target(self, target: ast.Target) -> ast.Target:
        indices: list[ast.Index | ast.Expr] = []
        for item in target.indices:
            if not isinstance(item, ast.Index) or item.name != CALLS:
                indices.append(item)
            elif target.name in self.memories and item.bound is None:
                indices.append(ast.Name(self.counter, item.span))
            else:
                self._refuse_index(item.span)
                indices.append(item)
        return replace(target, indices=tuple(indices))

    def expression(self, expr: ast.Expr) -> ast.Expr:
        if isinstance(expr, ast.Name) and expr.name == CALLS:
            return replace(expr, name=self.counter)
        for index in expr.indices if isinstance(expr, ast.Call) else ():
            if index.name == CALLS:
                self._refuse_index(index.span)
        return ast.replace_children(expr, self.expression)

    def _refuse_index(self, span: Span) -> None:
        message = "`calls` is a value, not a new index: how often the step has completed"
        self.diagnostics.error("HET101", message, span, help="give the index another name")
