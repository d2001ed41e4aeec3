"""`hetc run FILE.mp|DIR`: executes every kernel on what this machine has and compares with the oracle."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hetc.compiler.cli.common import (
    Selection,
    json_option,
    parse_dim,
    remark,
    say,
    selection_options,
    state_of,
    usage,
    verbosity_options,
)
from hetc.compiler.cli.verdict import render_verdict, verdict_as_json
from hetc.compiler.embedding.source import read_program
from hetc.compiler.work_directory import COMPILE_AGAIN, WorkDirectory
from hetc.devices import device_kind
from hetc.diagnostics import EXIT_ENVIRONMENT, EXIT_OK, EXIT_PROGRAM, Diagnostic, DiagnosticError, cannot_import
from hetc.platforms.here import AUTO
from hetc.runtime import environment

if TYPE_CHECKING:
    from hetc.compiler.driver import Compilation


@click.command("run")
@click.argument("file", metavar="FILE.mp|DIR|-")
@selection_options
@click.option("--check", is_flag=True, help="Compare each stage with the oracle; exit code 1 where one is wrong.")
@click.option("--emulate", is_flag=True, help="Run without the devices, also where they are there.")
@click.option("--inputs", metavar="F.npz", help="Tensors by name in place of random ones; x.2 is x of call 2.")
@click.option("--extent", "extents", metavar="NAME=N", multiple=True, help="Set a run-time extent; repeatable.")
@click.option("--seed", type=int, metavar="N", help="Seed of the random inputs.  [default: 0]")
@click.option("--calls", type=int, metavar="N", help="How often each step is called.  [default: 2]")
@json_option
@verbosity_options
def command(
    file: str,
    selection: Selection,
    check: bool,
    emulate: bool,
    inputs: str | None,
    extents: tuple[str, ...],
    seed: int | None,
    calls: int | None,
    as_json: bool,
) -> int:
    """Run a pipeline on random inputs: on the devices that are here, else on the processor. A platform that is named
    and not here is emulated, as is with --emulate the one that compile takes by default.

    With --inputs, arrays of a .npz file are the inputs and weights; a memory that is among them is what it begins with.
    Their shapes say the extents; an array under the name of a dim says its lengths.
    """
    if seed is not None and seed < 0:
        raise usage("HET404", f"--seed takes a number from 0; found {seed}")
    if calls is not None and calls < 1:
        raise usage("HET404", f"--calls takes a number from 1; found {calls}")
    if inputs is not None and (extents or seed is not None):
        other = "--extent" if extents else "--seed"
        raise usage("HET404", f"{other} is about random inputs; with --inputs nothing is drawn")
    asked = Asked(seed or 0, calls, dict(parse_dim(text, "--extent") for text in extents), inputs)
    target, edited = _target(file, selection, emulate)
    asked = replace(asked, emulate=emulate)
    return run_and_report(target, asked, check=check, as_json=as_json, edited=edited)


@dataclass(frozen=True)
class Asked:
    """What a pipeline is run on: a file of tensors, or what is drawn from a seed at these extents."""

    seed: int = 0
    calls: int | None = None
    extents: Mapping[str, int] = field(default_factory=dict)
    inputs: str | None = None
    emulate: bool = False

    @property
    def source(self) -> str:
        """Where the values come from, in words."""
        return f"random values of seed {self.seed}" if self.inputs is None else f"tensors of {self.inputs}"


def run_and_report(
    target: Compilation | Path, asked: Asked, *, check: bool, as_json: bool, edited: Sequence[str] = ()
) -> int:
    """Run a compilation or a work directory and print the verdict; the exit code says whether all was right. `edited`:
    files that are not as they were generated, whose failures are not the compiler's."""
    with _failures_told(target, edited):
        from hetc.compiler import verify
        from hetc.runtime.devices import ANY, EMULATION

        report = verify.run(
            target,
            seed=asked.seed,
            check=check,
            calls=asked.calls,
            extents=asked.extents,
            inputs=None if asked.inputs is None else verify.read_arrays(Path(asked.inputs)),
            mode=EMULATION if asked.emulate else ANY,
            progress=_progress(),
            warn=say,
        )
    print(verdict_as_json(report) if as_json else render_verdict(report, asked.source))
    return EXIT_OK if report.ok else EXIT_PROGRAM


@contextmanager
def _failures_told(target: Compilation | Path, edited: Sequence[str]) -> Iterator[None]:
    """Around a run: what the machine lacks, what the program does wrong, what an edit did, as DiagnosticError."""
    from hetc.runtime.errors import KernelError, PipelineError, SettingError

    try:
        yield
    except SettingError as error:
        raise usage("HET404", str(error)) from error
    except (PipelineError, KernelError, ImportError) as error:
        # Where the machine lacks something, that is the reason to be told; else the program itself failed.
        environment.require(*(name for kind in _devices(target) for name in device_kind(kind).needs))
        raise _failure(error, edited) from error
    except (DiagnosticError, MemoryError):
        raise
    except Exception as error:
        if not edited:
            raise
        message = f"the edited program failed: {type(error).__name__}: {error}"
        notes = (f"edited since it was generated: {', '.join(edited)}",)
        raise DiagnosticError(Diagnostic("error", "HET502", message, notes=notes)) from error


def _failure(error: Exception, edited: Sequence[str]) -> DiagnosticError:
    """Why a program did not run, where nothing is missing from the machine: what it has does not work, or the program
    itself failed."""
    from hetc.runtime.errors import MachineError

    for reason in (error, error.__cause__):
        if isinstance(reason, ImportError) and not edited:
            return cannot_import(reason)
    message = str(error) if str(error) else type(error).__name__
    if isinstance(error, MachineError):
        return DiagnosticError(Diagnostic("error", "HET501", message), EXIT_ENVIRONMENT)
    return DiagnosticError(Diagnostic("error", "HET502", f"the compiled program failed: {message}"))


def _devices(target: Compilation | Path) -> list[str]:
    """The device kinds that the stages are placed on."""
    report = WorkDirectory.open(target).report if isinstance(target, Path) else target.report
    return list(dict.fromkeys(row["device"] for row in report.get("stages", [])))


def _progress() -> Callable[[str], None]:
    """Says what is being run, on stderr: a line that is overwritten on a terminal, nothing with -q or in a pipe."""
    ctx = click.get_current_context(silent=True)
    state = state_of(ctx) if ctx is not None else None
    if state is not None and state.verbose and not sys.stderr.isatty():
        return lambda text: remark(f"{text}\n")
    if (state is not None and state.quiet) or not sys.stderr.isatty():
        return lambda text: None
    return lambda text: remark(f"\r\x1b[K{text}")


def _target(file: str, selection: Selection, emulate: bool) -> tuple[Compilation | Path, list[str]]:
    """What is to be run, and which files of it were edited since they were generated."""
    if os.path.isdir(file):
        selection.refuse_for_directory(file)
        work = WorkDirectory.open(Path(file))
        return work.root, _edited(work)
    source = read_program(file)
    options = selection.options(source, default="" if emulate else AUTO)
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
