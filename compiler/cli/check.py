"""`hetc check FILE.mp`: the front end alone, with every diagnostic."""

from __future__ import annotations

import json

import click

from hetc.compiler.cli.common import (
    dim_option,
    dims_file_option,
    file_argument,
    read_extents,
    say,
    unknown,
    verbosity_options,
)
from hetc.compiler.embedding.source import read_program
from hetc.diagnostics import EXIT_OK, Diagnostic, DiagnosticError, print_diagnostics, to_json

FORMATS = ("text", "json")


@click.command("check")
@file_argument
@dims_file_option
@dim_option
@click.option("--format", "form", default="text", metavar="FORMAT", help="text, or json for editors.")
@verbosity_options
def command(file: str, dims_file: str | None, dims: tuple[str, ...], form: str) -> int:
    """Check a pipeline: syntax, names, shapes, dtypes, memory."""
    if form not in FORMATS:
        raise unknown("format", form, FORMATS)
    code, found = _check(file, dims_file, dims)
    if form == "json":
        print(json.dumps([to_json(diagnostic) for diagnostic in found], indent=2))
    else:
        print_diagnostics(found)
        if code == EXIT_OK:
            say(f"{file}: ok")
    return code


def _check(file: str, dims_file: str | None, dims: tuple[str, ...]) -> tuple[int, tuple[Diagnostic, ...]]:
    """The exit code, and everything that is to be said, warnings among it."""
    try:
        overrides, _ = read_extents(dims_file, dims)
        source = read_program(file)
        # Imported now: what cannot be read needs no compiler.
        from hetc.compiler.embedding.read import parse_source
        from hetc.compiler.frontend import compile_pipeline

        _, diagnostics = compile_pipeline(parse_source(source), overrides)
    except DiagnosticError as error:
        return error.exit_code, error.diagnostics
    return EXIT_OK, tuple(diagnostics)
