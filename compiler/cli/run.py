"""`hetc run FILE.mp|DIR`: executes every kernel on what this machine has and compares with the oracle."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hetc.compiler.cli.common import (
    Selection,
    json_option,
    selection_options,
    state_of,
    usage,
    verbosity_options,
)
from hetc.compiler.table import Table
from hetc.diagnostics import EXIT_OK, EXIT_PROGRAM
from hetc.source import read_source

if TYPE_CHECKING:
    from hetc.compiler.driver import Compilation
    from hetc.compiler.verify import RunReport


@click.command("run")
@click.argument("file", metavar="FILE.mp|DIR")
@selection_options
@click.option("--check", is_flag=True, help="Compare each stage with the oracle; exit code 1 where one is wrong.")
@click.option("--seed", default=0, show_default=True, metavar="N", help="Seed of the random inputs.")
@json_option
@verbosity_options
@click.pass_context
def command(ctx: click.Context, file: str, selection: Selection, check: bool, seed: int, as_json: bool) -> int:
    """Run a pipeline on random inputs: on real devices where there are any, else under emulation."""
    if seed < 0:
        raise usage("HET404", f"--seed takes a number from 0; found {seed}")
    return run_and_report(_target(file, selection), seed=seed, check=check, as_json=as_json)


def run_and_report(target: Compilation | Path, *, seed: int, check: bool, as_json: bool) -> int:
    """Run a compilation or a work directory and print the verdict; the exit code says whether all was right."""
    from hetc.compiler import verify

    report = verify.run(target, seed=seed, check=check, progress=_progress())
    print(json.dumps(_as_data(report), indent=2) if as_json else render_verdict(report))
    return EXIT_OK if report.ok else EXIT_PROGRAM


def render_verdict(report: RunReport) -> str:
    """The verdict table: what ran where, how far from the oracle, and what is allowed."""
    table = Table("stage", "device", "ran on", "max error", "tolerance", "near ties", "verdict", "note")
    for row in report.rows:
        table.add(
            row.stage,
            row.device,
            row.backend,
            _number(row.max_error),
            _number(row.tolerance),
            "-" if row.near_ties is None else str(row.near_ties),
            "ok" if row.ok else "WRONG",
            row.note,
        )
    wrong = [row.stage for row in report.rows if not row.ok]
    verdict = f"wrong: {', '.join(wrong)}" if wrong else "all stages ok" if report.ok else "failed"
    return f"{table}\n\n{verdict}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2e}"


def _as_data(report: RunReport) -> dict[str, object]:
    import dataclasses

    return {"ok": report.ok, "rows": [dataclasses.asdict(row) for row in report.rows]}


def _progress() -> Callable[[str], None]:
    """Says what is being run, on stderr: a line that is overwritten on a terminal, nothing with -q or in a pipe."""
    ctx = click.get_current_context(silent=True)
    state = state_of(ctx) if ctx is not None else None
    if state is not None and state.verbose and not sys.stderr.isatty():
        return lambda text: print(text, file=sys.stderr)
    if (state is not None and state.quiet) or not sys.stderr.isatty():
        return lambda text: None
    return lambda text: print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _target(file: str, selection: Selection) -> Compilation | Path:
    if Path(file).is_dir():
        selection.refuse_for_directory(file)
        from hetc.compiler.work_directory import WorkDirectory

        return WorkDirectory.open(Path(file)).root
    source = read_source(file)
    options = selection.options()
    from hetc.compiler.driver import compile_source_file

    return compile_source_file(source, options)
