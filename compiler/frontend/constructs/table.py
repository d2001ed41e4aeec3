"""Built-in functions that are statements of their own: what checks one, and what it becomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hetc.compiler.frontend.constructs.append import lower_append, resolve_append
from hetc.compiler.frontend.constructs.clear import lower_clear, resolve_clear
from hetc.compiler.frontend.constructs.extreme import lower_extreme, resolve_extreme
from hetc.compiler.frontend.constructs.quantize import lower_quantize, resolve_quantize
from hetc.compiler.frontend.constructs.selection import lower_selection, resolve_selection
from hetc.compiler.frontend.constructs.sort import lower_sort, resolve_sort
from hetc.compiler.frontend.lower.emitter import StepEmitter
from hetc.compiler.frontend.syntax import ast


@dataclass(frozen=True)
class Construct:
    """`resolve` makes a node that is right, or raises Refused after a diagnostic; `lower` makes its operations."""

    resolve: Callable[..., Any]
    lower: Callable[[Any, StepEmitter], None]

    def define(self, statement: ast.Define, call: ast.Call, step: StepEmitter) -> None:
        self.lower(self.resolve(statement, call, step.environment), step)

    def effect(self, call: ast.Call, step: StepEmitter) -> None:
        self.lower(self.resolve(call, step.environment), step)


TENSORS = {
    "topk": Construct(resolve_selection, lower_selection),
    "select": Construct(resolve_selection, lower_selection),
    "sort": Construct(resolve_sort, lower_sort),
    "quantize": Construct(resolve_quantize, lower_quantize),
}
"""What gives tensors, on the right of `=`."""
SEVERAL = {
    "argmax": Construct(resolve_extreme, lower_extreme),
    "argmin": Construct(resolve_extreme, lower_extreme),
}
"""What gives tensors over several indices, and a value over one."""
EFFECTS = {
    "append": Construct(resolve_append, lower_append),
    "clear": Construct(resolve_clear, lower_clear),
}
"""What stands alone."""


def construct_of(value: ast.Expr) -> Construct | None:
    """That of the right side of a statement, if it is one."""
    if not isinstance(value, ast.Call) or not value.indices:
        return None
    return TENSORS.get(value.function) or (SEVERAL.get(value.function) if len(value.indices) > 1 else None)
