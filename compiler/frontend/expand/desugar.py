"""Memories that are more than an array, in terms of plain ones: ring memories, initial values from a tensor, `calls`.

What each needs to be remembered is a memory of its own, beside the program's: `bank_count`, `W0_set`, `search_calls`.
"""

from __future__ import annotations

from hetc.compiler.frontend.expand.calls import CALLS, with_calls
from hetc.compiler.frontend.expand.initial_values import with_initial_values
from hetc.compiler.frontend.expand.rings import Rings
from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.resolve.names import FreshNames
from hetc.compiler.frontend.syntax import ast


def desugar(pipeline: ast.Pipeline, environment: Environment) -> ast.Pipeline:
    """The pipeline with plain memories only. `environment` has the dims, and takes the mistakes."""
    diagnostics = environment.diagnostics
    taken = {dim.name for dim in pipeline.dims} | {item.name for item in pipeline.declarations}
    taken |= {function.name for function in pipeline.functions}
    names = FreshNames(taken | {CALLS})
    pipeline = with_initial_values(pipeline, names, environment)
    pipeline = Rings(pipeline, names, environment).rewritten()
    return pipeline if CALLS in taken else with_calls(pipeline, names, diagnostics)
