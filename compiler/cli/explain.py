"""`hetc explain FILE.mp|DIR`: where each stage goes, why, and what the alternatives would cost."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from hetc.compiler.cli.common import Selection, json_option, selection_options, verbosity_options
from hetc.compiler.embedding.source import read_program
from hetc.compiler.work_directory import WorkDirectory, reading


@click.command("explain")
@click.argument("file", metavar="FILE.mp|DIR|-")
@selection_options
@json_option
@verbosity_options
def command(file: str, selection: Selection, as_json: bool) -> int:
    """Explain the placement: work, intensity, estimates on each device, transfers, reasons."""
    report = _report(file, selection)
    if as_json:
        print(json.dumps(report, indent=2, sort_keys=True))
        return 0
    from hetc.compiler.explain import render_report

    if os.path.isdir(file):
        with reading(Path(file)):
            print(render_report(report))
    else:
        print(render_report(report))
    return 0


def _report(file: str, selection: Selection) -> dict[str, Any]:
    if os.path.isdir(file):
        selection.refuse_for_directory(file)
        return WorkDirectory.open(Path(file)).report
    source = read_program(file)
    options = selection.options(source)
    from hetc.compiler.driver import compile_source_file

    return compile_source_file(source, options, until="placed").report
