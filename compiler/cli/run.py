"""`hetc run FILE.mp|DIR`: executes every kernel on what this machine has and compares with the oracle."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hetc.compiler.cli.common import (
    Selection,
    json_option,
    say,
    selection_options,
    state_of,
    usage,
    verbosity_options,
)
from hetc.compiler.embedding.source import read_program
from hetc.compiler.table import Table
from hetc.compiler.work_directory import COMPILE_AGAIN, WorkDirectory
from hetc.diagnostics import EXIT_OK, EXIT_PROGRAM, Diagnostic, DiagnosticError
from hetc.runtime import environment

if TYPE_CHECKING:
    from hetc.compiler.driver import Compilation
    from hetc.compiler.verify import RunReport

# What running a stage without its device needs of the machine, as `hetc doctor` names it.
NEEDED = {"gpu": ("torch", "triton", "ml_dtypes"), "fpga": ("g++", "ap_int")}


@click.command("run")
@click.argument("file", metavar="FILE.mp|DIR")
@selection_options
@click.option("--check", is_flag=True, help="Compare each stage with the oracle; exit code 1 where one is wrong.")
@click.option("--seed", default=0, show_default=True, metavar="N", help="Seed of the random inputs.")
@click.option("--calls", default=2, show_default=True, metavar="N", help="How often each step is called.")
@json_option
@verbosity_options
def command(file: str, selection: Selection, check: bool, seed: int, calls: int, as_json: bool) -> int:
    """Run a pipeline on random inputs: on real devices where there are any, else under emulation."""
    if seed < 0:
        raise usage("HET404", f"--seed takes a number from 0; found {seed}")
    if calls < 1:
        raise usage("HET404", f"--calls takes a number from 1; found {calls}")
    target, edited = _target(file, selection)
    return run_and_report(target, seed=seed, check=check, as_json=as_json, calls=calls, edited=edited)


def run_and_report(
    target: Compilation | Path, *, seed: int, check: bool, as_json: bool, calls: int = 2, edited: Sequence[str] = ()
) -> int:
    """Run a compilation or a work directory and print the verdict; the exit code says whether all was right. `edited`:
    files that are not as they were generated, whose failures are not the compiler's."""
    from hetc.compiler import verify
    from hetc.runtime.csim_errors import CsimError, UnknownBuildTypeError
    from hetc.runtime.errors import PipelineError

    try:
        report = verify.run(target, seed=seed, check=check, calls=calls, progress=_progress())
    except UnknownBuildTypeError as error:
        raise usage("HET404", str(error)) from error
    except (PipelineError, CsimError, ImportError) as error:
        # Where the machine lacks something, that is the reason to be told; else the program itself failed.
        environment.require(*(name for kind in _devices(target) for name in NEEDED.get(kind, ())))
        message = str(error) if str(error) else type(error).__name__
        raise DiagnosticError(Diagnostic("error", "HET502", f"the compiled program failed: {message}")) from error
    except DiagnosticError:
        raise
    except Exception as error:
        if not edited:
            raise
        message = f"the edited program failed: {type(error).__name__}: {error}"
        notes = (f"edited since it was generated: {', '.join(edited)}",)
        raise DiagnosticError(Diagnostic("error", "HET502", message, notes=notes)) from error
    print(json.dumps(_as_data(report), indent=2) if as_json else render_verdict(report))
    return EXIT_OK if report.ok else EXIT_PROGRAM


def render_verdict(report: RunReport) -> str:
    """The verdict table: what ran where, how far from the oracle, and what is allowed."""
    from hetc.compiler.verify.report import NOT_CHECKED

    table = Table("stage", "device", "ran on", "max error", "tolerance", "near ties", "verdict", "note")
    for row in report.rows:
        table.add(
            row.stage,
            row.device,
            row.backend,
            _number(row.max_error),
            _number(row.tolerance),
            "-" if row.near_ties is None else str(row.near_ties),
            "-" if row.note == NOT_CHECKED else "ok" if row.ok else "WRONG",
            row.note,
        )
    wrong = [row.stage for row in report.rows if not row.ok]
    compared = any(row.note != NOT_CHECKED for row in report.rows)
    right = "all stages ok" if compared else "all stages ran; nothing was compared (--check does)"
    verdict = f"wrong: {', '.join(wrong)}" if wrong else right
    return f"{table}\n\n{verdict}"


def _devices(target: Compilation | Path) -> list[str]:
    """The device kinds that the stages are placed on."""
    report = WorkDirectory.open(target).report if isinstance(target, Path) else target.report
    return list(dict.fromkeys(row["device"] for row in report.get("stages", [])))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2e}"


def _as_data(report: RunReport) -> dict[str, object]:
    import dataclasses

    return {"ok": report.ok, "calls": report.calls, "rows": [dataclasses.asdict(row) for row in report.rows]}


def _progress() -> Callable[[str], None]:
    """Says what is being run, on stderr: a line that is overwritten on a terminal, nothing with -q or in a pipe."""
    ctx = click.get_current_context(silent=True)
    state = state_of(ctx) if ctx is not None else None
    if state is not None and state.verbose and not sys.stderr.isatty():
        return lambda text: print(text, file=sys.stderr)
    if (state is not None and state.quiet) or not sys.stderr.isatty():
        return lambda text: None
    return lambda text: print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _target(file: str, selection: Selection) -> tuple[Compilation | Path, list[str]]:
    """What is to be run, and which files of it were edited since they were generated."""
    if Path(file).is_dir():
        selection.refuse_for_directory(file)
        work = WorkDirectory.open(Path(file))
        return work.root, _edited(work)
    source = read_program(file)
    options = selection.options(source)
    from hetc.compiler.driver import compile_source_file

    return compile_source_file(source, options), []


def _edited(work: WorkDirectory) -> list[str]:
    """The files of a work directory that were edited, each said aloud: they run as they are.

    Raises DiagnosticError (exit 2) where one is missing, or the source is not what the kernels were generated from."""
    changed = work.changed_files()
    missing = [path for path, how in changed.items() if how == "missing"]
    if missing:
        raise usage("HET409", f"`{work.root}` lacks {', '.join(f'`{path}`' for path in missing)}", COMPILE_AGAIN)
    if work.source in changed:
        message = f"`{work.root / work.source}` was edited; the kernels beside it are of what it said before"
        raise usage("HET408", message, COMPILE_AGAIN)
    for path in changed:
        say(f"{work.root / path}: edited since it was generated, and used as it is")
    return list(changed)
