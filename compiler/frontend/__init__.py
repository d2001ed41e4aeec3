"""The front end: source text to a verified mp module, with every error of a program in one go.

`parse` gives the syntax tree, `compile_source` the module, `check_source` the module and all diagnostics.
"""

from __future__ import annotations

from collections.abc import Mapping

from xdsl.dialects.builtin import ModuleOp

from hetc.compiler.frontend.pipeline import emit_pipeline
from hetc.compiler.frontend.syntax import ast
from hetc.compiler.frontend.syntax.parse import parse, parse_layout
from hetc.diagnostics import DiagnosticError, Diagnostics
from hetc.source import SourceFile

__all__ = ["check_source", "compile_pipeline", "compile_source", "parse"]


def compile_pipeline(
    pipeline: ast.Pipeline,
    overrides: Mapping[str, int] | None = None,
    layouts: Mapping[str, str] | None = None,
) -> tuple[ModuleOp, Diagnostics]:
    """The verified module of a syntax tree, and warnings. `layouts` go before those of the program, by memory:
    `{"keys": "paged(64)"}`. Raises DiagnosticError with all errors."""
    diagnostics = Diagnostics()
    parsed = {name: parse_layout(text, f"layout of {name}") for name, text in (layouts or {}).items()}
    module = emit_pipeline(pipeline, overrides or {}, diagnostics, parsed)
    diagnostics.raise_if_errors()
    assert module is not None
    module.verify()
    return module, diagnostics


def compile_source(source: SourceFile, overrides: Mapping[str, int] | None = None) -> ModuleOp:
    """A builtin.module with one mp.pipeline. `overrides` replaces constants and bounds of dims, by name.

    Raises DiagnosticError with every diagnostic found (exit code 2 where an override names no dim).
    """
    return compile_pipeline(parse(source), overrides)[0]


def check_source(source: SourceFile, overrides: Mapping[str, int] | None = None) -> tuple[ModuleOp | None, Diagnostics]:
    """Like `compile_source`, but gives the diagnostics, warnings among them, instead of raising."""
    try:
        return compile_pipeline(parse(source), overrides)
    except DiagnosticError as error:
        found = Diagnostics()
        found.extend(error.diagnostics)
        return None, found
