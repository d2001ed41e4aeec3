"""`memory W0: f32[L, D] = start`: the first step that uses the memory takes the values of an input or a weight, the
same for every element along the dims that this does not have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from hetc.compiler.frontend.expand.rewriting import binary, mentioned, scalar, where, with_stage, words
from hetc.compiler.frontend.resolve.dims import constant_of
from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.resolve.names import FreshNames
from hetc.compiler.frontend.syntax import ast
from hetc.diagnostics import Related


def with_initial_values(pipeline: ast.Pipeline, names: FreshNames, environment: Environment) -> ast.Pipeline:
    """The pipeline with statements for what memories begin with, and a flag `W0_set` for each. Mistakes go to the
    environment's diagnostics."""
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
        places = _checked(pipeline, item, source, tensor, environment)
        if places is None:
            continue
        flag = names.fresh(f"{item.name}_set")
        remembered, rows = _flag(item, flag, environment)
        declarations.append(remembered)
        first = _initialisation(item, source, places, flag, rows)
        in_functions = any(item.name in words(function.statements) for function in pipeline.functions)
        steps = [
            with_stage(step, first, first=True) if in_functions or item.name in mentioned(step) else step
            for step in steps
        ]
    return replace(pipeline, declarations=tuple(declarations), steps=tuple(steps))


def _checked(
    pipeline: ast.Pipeline, item: ast.Declaration, source: ast.Name, tensor: ast.Declaration, environment: Environment
) -> tuple[int, ...] | None:
    """The dims of the memory that the tensor has, or None after a diagnostic."""
    grown = {growth.dim.name for step in pipeline.steps for growth in step.grows}
    empty = item.sparse or any(isinstance(size, ast.Name) and size.name in grown for size in item.extents)
    related = (Related(tensor.name_span, "declared here"),)
    if tensor.role == "memory" or empty or tensor.sparse:
        kind = "a sparse memory" if item.sparse else "a memory that grows"
        what = f"{kind} begins empty" if empty else f"`{tensor.name}` is no dense input or weight"
        message = f"{what}: this cannot be the initial value of `{item.name}`"
        environment.diagnostics.error("HET201", message, source.span, related=related)
        return None
    places = _places(tensor.extents, item.extents, environment)
    if places is None:
        message = (
            f"`{tensor.name}` has the extents {_text(tensor.extents)}, which `{item.name}` with "
            f"{_text(item.extents)} does not have in this order"
        )
        help = "an initial value has the memory's dims, or some of them"
        environment.diagnostics.error("HET104", message, source.span, related=related, help=help)
    return places


def _places(given: Sequence[ast.Expr], wanted: Sequence[ast.Expr], environment: Environment) -> tuple[int, ...] | None:
    """Where the extents of a tensor stand among those of a memory, in order: by their names, else by what they are."""
    by_name = _aligned([extent.span.text for extent in given], [extent.span.text for extent in wanted])
    if by_name is not None:
        return by_name
    return _aligned([_key(extent, environment) for extent in given], [_key(extent, environment) for extent in wanted])


def _aligned(given: Sequence[object], wanted: Sequence[object]) -> tuple[int, ...] | None:
    """The places of `given` in `wanted`, in order and as far to the right as they can."""
    places: list[int] = []
    end = len(wanted)
    for item in reversed(given):
        end = next((place for place in range(end - 1, -1, -1) if wanted[place] == item), -1)
        if end < 0:
            return None
        places.insert(0, end)
    return tuple(places)


def _key(extent: ast.Expr, environment: Environment) -> int | float | str:
    """An extent's number, or the name of a run-time dim."""
    constant = constant_of(extent, environment)
    return extent.span.text if constant is None else constant


def _text(extents: Sequence[ast.Expr]) -> str:
    return f"[{', '.join(extent.span.text for extent in extents)}]"


def _flag(item: ast.Declaration, name: str, environment: Environment) -> tuple[ast.Declaration, tuple[int, ...]]:
    """A memory that tells what has its initial value, one element for each of the run-time dims: rows may come later.
    Also the places of these dims."""
    places = tuple(
        place for place, size in enumerate(item.extents) if not isinstance(constant_of(size, environment), int)
    )
    return replace(scalar(name, item.name_span), extents=tuple(item.extents[place] for place in places)), places


def _initialisation(
    item: ast.Declaration, source: ast.Name, places: tuple[int, ...], flag: str, rows: tuple[int, ...]
) -> tuple[ast.Statement, ...]:
    span = source.span
    indices = tuple(ast.Index(f"i{place}", None, span) for place in range(len(item.extents)))

    def read(name: str, at: Iterable[int]) -> ast.Expr:
        spelled: tuple[ast.Expr, ...] = tuple(ast.Name(indices[place].name, span) for place in at)
        return ast.Access(name, spelled, span, span) if spelled else ast.Name(name, span)

    is_set = binary("==", read(flag, rows), ast.Number(1, span), span)
    value = where(span, is_set, read(item.name, range(len(indices))), read(source.name, places))
    whole = ast.Define((ast.Target(item.name, indices, span, span),), "=", value, span)
    target = ast.Target(flag, tuple(indices[place] for place in rows), span, span)
    return whole, ast.Define((target,), "=", ast.Number(1, span), span)
