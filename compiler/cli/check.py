"""`hetc check FILE.mp`: the front end alone, with every diagnostic."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from hetc.compiler.cli.common import (
    dim_option,
    dims_file_option,
    file_argument,
    read_extents,
    say,
    shown_name,
    unknown,
    verbosity_options,
    verify_with_mlir_option,
)
from hetc.compiler.embedding.source import read_program
from hetc.diagnostics import EXIT_OK, Diagnostic, DiagnosticError, print_diagnostics, to_json

if TYPE_CHECKING:
    from hetc.compiler.cli.second_opinion import SecondOpinion

FORMATS = ("text", "json")


@click.command("check")
@file_argument
@dims_file_option
@dim_option
@click.option("--format", "form", default="text", metavar="FORMAT", help="text, or json for editors.")
@verify_with_mlir_option
@verbosity_options
def command(file: str, dims_file: str | None, dims: tuple[str, ...], form: str, verify_with_mlir: bool) -> int:
    """Check a pipeline: syntax, names, shapes, dtypes, memory."""
    if form not in FORMATS:
        raise unknown("format", form, FORMATS)
    code, found, opinion = _check(file, dims_file, dims, verify_with_mlir)
    if form == "json":
        found = (*found, *opinion.diagnostics()) if opinion is not None else found
        print(json.dumps([to_json(diagnostic) for diagnostic in found], indent=2))
    else:
        print_diagnostics(found)
        if opinion is not None:
            opinion.print()
        if code == EXIT_OK:
            say(f"{shown_name(file)}: ok")
    return code


def _check(
    file: str, dims_file: str | None, dims: tuple[str, ...], verify_with_mlir: bool
) -> tuple[int, tuple[Diagnostic, ...], SecondOpinion | None]:
    """The exit code, everything that is to be said, warnings among it, and where asked for what upstream MLIR says."""
    try:
        overrides, _ = read_extents(dims_file, dims)
        source = read_program(file)
        # Imported now: what cannot be read needs no compiler.
        from hetc.compiler.embedding.read import parse_source
        from hetc.compiler.frontend import compile_pipeline

        module, diagnostics = compile_pipeline(parse_source(source), overrides)
        if verify_with_mlir:
            from hetc.compiler.cli.second_opinion import SecondOpinion

            opinion = SecondOpinion.of(module, source)
            return opinion.exit_code, tuple(diagnostics), opinion
    except DiagnosticError as error:
        return error.exit_code, error.diagnostics, None
    return EXIT_OK, tuple(diagnostics), None
