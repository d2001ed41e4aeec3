"""Dims: constants, dims bounded at run time, and dims derived from others."""

from __future__ import annotations

from collections.abc import Mapping

from hetc.compiler.frontend.resolve.derived_dims import derive
from hetc.compiler.frontend.resolve.dims import evaluate_integer, run_time_names
from hetc.compiler.frontend.resolve.environment import Environment, Refused
from hetc.compiler.frontend.resolve.symbols import Dim
from hetc.compiler.frontend.syntax import ast
from hetc.diagnostics import EXIT_USAGE, Diagnostics, Related, suggest
from hetc.dialects.mp import LARGEST_EXTENT


def declare_dims(pipeline: ast.Pipeline, overrides: Mapping[str, int], environment: Environment) -> None:
    """Fills `environment.dims`. An override replaces a constant or a bound; an unknown one is a usage error."""
    names = [dim.name for dim in pipeline.dims]
    wrong = Diagnostics()
    for name, value in overrides.items():
        if name not in names:
            close = suggest(name, names)
            help = f"did you mean `{close}`?" if close else f"its dims are {', '.join(names)}"
            wrong.error("HET100", f"the pipeline `{pipeline.name}` has no dim `{name}`", help=help)
        elif isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST_EXTENT:
            wrong.error("HET102", f"dim `{name}` cannot be {value!r}: expected an integer from 1 to {LARGEST_EXTENT}")
    wrong.raise_if_errors(EXIT_USAGE)
    for dim in pipeline.dims:
        try:
            if dim.name == pipeline.name:
                related = (Related(pipeline.name_span, "the pipeline"),)
                raise environment.refuse(
                    "HET101", f"dim `{dim.name}` has the name of the pipeline", dim.name_span, related=related
                )
            _declare(dim, overrides.get(dim.name), environment)
        except Refused:
            environment.broken.add(dim.name)


def _declare(dim: ast.Dim, override: int | None, environment: Environment) -> None:
    before = environment.dims.get(dim.name)
    if before is not None:
        related = (Related(before.span, "first declared here"),)
        raise environment.refuse("HET101", f"dim `{dim.name}` is declared twice", dim.name_span, related=related)
    environment.dims[dim.name] = _resolve(dim, override, environment)


def _resolve(dim: ast.Dim, override: int | None, environment: Environment) -> Dim:
    if dim.bound is not None:
        bound = override or _extent(dim, dim.bound, environment)
        per = dim.per.name if dim.per is not None else None
        if dim.per is not None and per is not None:
            _check_per(dim.name, dim.per, environment)
        return Dim(dim.name, None, bound, per, dim.name_span)
    assert dim.size is not None
    if override is None and run_time_names(dim.size, environment):
        return derive(dim, dim.size, environment)
    size = override or _extent(dim, dim.size, environment)
    return Dim(dim.name, size, None, None, dim.name_span)


def _extent(dim: ast.Dim, expr: ast.Expr, environment: Environment) -> int:
    return evaluate_integer(expr, environment, f"dim `{dim.name}`", low=1)


def _check_per(name: str, per: ast.Name, environment: Environment) -> None:
    environment.used.add(per.name)
    other = environment.dims.get(per.name)
    if other is None:
        raise environment.unknown(per.name, per.span, "dim", environment.dims)
    if other.size is not None or other.per is not None:
        kind = "a constant" if other.size is not None else f"itself per `{other.per}`"
        message = f"`{name}` is per `{per.name}`, which is {kind}; expected a plain run-time dim"
        raise environment.refuse("HET102", message, per.span, related=(Related(other.span, "declared here"),))
