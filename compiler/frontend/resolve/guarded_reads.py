"""What a condition says of how far an index goes where it holds: `c < C`, `not c >= C`, `0 <= c and c < min(C, 9)`.

In `where(c < C, a[c], b[c - C])` the index may go further than `a`: what is read past its end is never chosen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hetc.compiler.frontend.resolve.dims import constant_of
from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.syntax import ast
from hetc.source import Span

_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_NEGATED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


@dataclass(frozen=True)
class Limit:
    """`index` lies below `key`, a number or a run-time dim; `row` is the index of its row where that is said."""

    index: str
    key: int | str
    row: str | None
    span: Span
    is_all: bool
    """Whether the condition holds all the way to `key`, and not only below something less."""
    decides: bool = False
    """Whether the condition chooses between this and something else that is said of the index."""

    def keeps_within(self, key: int | str, row: str | None) -> bool:
        """Whether what lies below the limit lies in an extent."""
        if isinstance(self.key, int) and isinstance(key, int):
            return self.key <= key
        return self.key == key and self.row in (None, row)


def limits(condition: ast.Expr, holds: bool, environment: Environment) -> Iterator[Limit]:
    """What is known of indices where the condition holds, or where it does not."""
    match condition:
        case ast.Unary(operator="not", operand=operand):
            yield from limits(operand, not holds, environment)
        case ast.Binary(operator="and" | "or" as word, left=left, right=right):
            if (word == "and") == holds:
                yield from limits(left, holds, environment)
                yield from limits(right, holds, environment)
        case ast.Binary(operator=operator, left=left, right=right) if operator in _FLIPPED:
            operator = operator if holds else _NEGATED[operator]
            for index, sign, end in ((left, operator, right), (right, _FLIPPED[operator], left)):
                if isinstance(index, ast.Name) and sign in ("<", "<=", "=="):
                    for key, row, is_all in _below(end, 0 if sign == "<" else 1, environment):
                        yield Limit(index.name, key, row, condition.span, is_all)


def _below(end: ast.Expr, more: int, environment: Environment) -> Iterator[tuple[int | str, str | None, bool]]:
    """Extents that `end + more` is not above, with the index of their row, and whether it is the same."""
    constant = constant_of(end, environment)
    if isinstance(constant, int):
        yield constant + more, None, True
        return
    match end:
        case ast.Call(function="min", indices=(), arguments=arguments):
            for argument in arguments:
                for key, row, _ in _below(argument, more, environment):
                    yield key, row, False
        case ast.Binary(operator="-", left=left, right=right):
            less = constant_of(right, environment)
            if isinstance(less, int):
                yield from _below(left, more - less, environment)
        case ast.Name(name=name) if _is_run_time(name, environment) and more <= 0:
            yield name, None, more == 0
        case ast.Access(name=name, indices=(ast.Name(name=row),)) if _is_run_time(name, environment) and more <= 0:
            yield name, row, more == 0


def _is_run_time(name: str, environment: Environment) -> bool:
    dim = environment.dims.get(name)
    return dim is not None and dim.size is None and name not in environment.tensors
