"""Memories that are more than an array, in terms of plain ones: ring memories, initial values from a tensor, `calls`.

What each needs to be remembered is a memory of its own, beside the program's: `bank_count`, `W0_set`, `search_calls`.
"""

from __future__ import annotations

from dataclasses import replace

from hetc.compiler.frontend import ast
from hetc.compiler.frontend.calls import CALLS, with_calls
from hetc.compiler.frontend.rewriting import FreshNames, assignment, binary, mentioned, scalar, where, with_stage, words
from hetc.compiler.frontend.rings import Rings
from hetc.diagnostics import Diagnostics, Related


def desugar(pipeline: ast.Pipeline, diagnostics: Diagnostics) -> ast.Pipeline:
    """The pipeline with plain memories only. Mistakes go to `diagnostics`."""
    taken = {dim.name for dim in pipeline.dims} | {item.name for item in pipeline.declarations}
    taken |= {function.name for function in pipeline.functions}
    names = FreshNames(taken | {CALLS})
    pipeline = _with_initial(pipeline, names, diagnostics)
    pipeline = Rings(pipeline, names, diagnostics).rewritten()
    return pipeline if CALLS in taken else with_calls(pipeline, names, diagnostics)


def _with_initial(pipeline: ast.Pipeline, names: FreshNames, diagnostics: Diagnostics) -> ast.Pipeline:
    """`memory W0: f32[...] = W0_init`: the first step that uses the memory takes the tensor's values."""
    declared = {item.name: item for item in pipeline.declarations}
    declarations: list[ast.Declaration] = []
    steps = list(pipeline.steps)
    for item in pipeline.declarations:
        source = item.initial
        tensor = declared.get(source.name) if isinstance(source, ast.Name) else None
        if item.role != "memory" or tensor is None or not isinstance(source, ast.Name):
            declarations.append(item)
            continue
        declarations.append(replace(item, initial=None))
        grown = {growth.dim.name for step in pipeline.steps for growth in step.grows}
        empty = item.sparse or any(isinstance(size, ast.Name) and size.name in grown for size in item.extents)
        if tensor.role == "memory" or empty or tensor.sparse:
            kind = "a sparse memory" if item.sparse else "a memory that grows"
            what = f"{kind} begins empty" if empty else f"`{tensor.name}` is no dense input or weight"
            related = (Related(tensor.name_span, "declared here"),)
            message = f"{what}: this cannot be the initial value of `{item.name}`"
            diagnostics.error("HET201", message, source.span, related=related)
            continue
        flag = names.fresh(f"{item.name}_set")
        declarations.append(scalar(flag, item.name_span))
        first = _initialisation(item, source, flag)
        in_functions = any(item.name in words(function.statements) for function in pipeline.functions)
        steps = [
            with_stage(step, first, first=True) if in_functions or item.name in mentioned(step) else step
            for step in steps
        ]
    return replace(pipeline, declarations=tuple(declarations), steps=tuple(steps))


def _initialisation(item: ast.Declaration, source: ast.Name, flag: str) -> tuple[ast.Statement, ...]:
    span = source.span
    indices = tuple(ast.Index(f"i{place}", None, span) for place in range(len(item.extents)))
    places: tuple[ast.Expr, ...] = tuple(ast.Name(index.name, span) for index in indices)

    def read(name: str) -> ast.Expr:
        return ast.Access(name, places, span, span) if places else ast.Name(name, span)

    is_set = binary("==", ast.Name(flag, span), ast.Number(1, span), span)
    value = where(span, is_set, read(item.name), read(source.name))
    whole = ast.Define((ast.Target(item.name, indices, span, span),), "=", value, span)
    return whole, assignment(flag, ast.Number(1, span), span)
