"""`hetc check FILE.mp`: the front end alone, with every diagnostic."""

from __future__ import annotations

import json

import click

from hetc.compiler.cli.common import file_argument, say, unknown, verbosity_options
from hetc.diagnostics import EXIT_OK, DiagnosticError, to_json
from hetc.source import read_source

FORMATS = ("text", "json")


@click.command("check")
@file_argument
@click.option("--format", "form", default="text", metavar="FORMAT", help="text, or json for editors.")
@verbosity_options
def command(file: str, form: str) -> int:
    """Check a pipeline: syntax, names, shapes, dtypes, memory."""
    if form not in FORMATS:
        raise unknown("format", form, FORMATS)
    try:
        source = read_source(file)
        # After the file is read: what cannot be read needs no compiler.
        from hetc.compiler.frontend import compile_source

        compile_source(source, {})
    except DiagnosticError as error:
        if form != "json":
            raise
        print(json.dumps([to_json(diagnostic) for diagnostic in error.diagnostics], indent=2))
        return error.exit_code
    if form == "json":
        print("[]")
    else:
        say(f"{file}: ok")
    return EXIT_OK
