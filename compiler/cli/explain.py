"""`hetc explain FILE.mp|DIR`: where each stage goes, why, and what the alternatives would cost."""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from hetc.compiler.cli.collection import without_collection
from hetc.compiler.cli.common import Selection, json_option, selection_options, state_of, verbosity_options
from hetc.compiler.embedding.source import read_program
from hetc.compiler.work_directory import WorkDirectory, reading
from hetc.diagnostics import DiagnosticError


@click.command("explain")
@click.argument("file", metavar="FILE.mp|DIR|-")
@selection_options
@json_option
@verbosity_options
@click.pass_context
def command(ctx: click.Context, file: str, selection: Selection, as_json: bool) -> int:
    """Explain the placement: what goes where, what a call takes, what else was compared, why (-v: all figures)."""
    report, wrong = _report(file, selection)
    if as_json:
        print(json.dumps(report, indent=2, sort_keys=True))
    else:
        from hetc.compiler.explain import render_report

        with reading(Path(file)) if Path(file).is_dir() else nullcontext():
            print(render_report(report, _width(), verbose=state_of(ctx).verbose > 0))
    if wrong is not None:
        sys.stdout.flush()  # what is wrong comes after it, in a file of both too
        raise wrong
    return 0


def _width() -> int:
    """Of the terminal, up to what is easily read; WIDTH where the output is no terminal."""
    from hetc.compiler.explain import WIDTH

    return max(60, min(shutil.get_terminal_size().columns, 120)) if sys.stdout.isatty() else WIDTH


def _report(file: str, selection: Selection) -> tuple[dict[str, Any], DiagnosticError | None]:
    """The report, and why the program cannot be compiled although it was placed, if so."""
    if os.path.isdir(file):
        selection.refuse_for_directory(file)
        return WorkDirectory.open(Path(file)).report, None
    source = read_program(file)
    options = selection.options(source)
    selection.say_default(source)
    from hetc.compiler.driver import explain_source_file

    with without_collection():
        return explain_source_file(source, options)
