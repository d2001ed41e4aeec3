"""`hetc compile FILE.mp`: everything, into a work directory, or one form of the program to the terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hetc.compiler.cli.collection import without_collection
from hetc.compiler.cli.common import (
    Selection,
    file_argument,
    say,
    selection_options,
    shown_name,
    state_of,
    usage,
    verbosity_options,
    verify_with_mlir_option,
)
from hetc.compiler.embedding.source import file_and_name, read_program
from hetc.compiler.explain import verdict
from hetc.compiler.watching import Watch
from hetc.compiler.work_directory import WorkDirectory, refuse_to_replace

if TYPE_CHECKING:
    from hetc.compiler.driver import Compilation


@click.command("compile")
@file_argument
@click.option("-o", "--output", metavar="DIR", help="The work directory (default: out/NAME).")
@selection_options
@click.option("--emit", metavar="FORM", help="Print one form (ast, mp, placed, host-py, ...) and write nothing.")
@click.option(
    "--check", "also_run", is_flag=True, help="Also run it emulated, against the oracle, and build its kernels."
)
@click.option("--print-ir-after-all", is_flag=True, help="Print the program after each pass to standard error.")
@click.option("--time-passes", is_flag=True, help="Say what each pass took.")
@click.option("--dump-to", metavar="DIR", help="Write the program after each pass to a numbered file in DIR.")
@verify_with_mlir_option
@click.option("--force", is_flag=True, help="Overwrite a work directory whose files were edited or added to.")
@verbosity_options
@click.pass_context
def command(
    ctx: click.Context,
    file: str,
    output: str | None,
    selection: Selection,
    emit: str | None,
    also_run: bool,
    print_ir_after_all: bool,
    time_passes: bool,
    dump_to: str | None,
    verify_with_mlir: bool,
    force: bool,
) -> int:
    """Compile a pipeline into a work directory: kernels, host program, report."""
    source = read_program(file)
    options = selection.options(source)
    if emit is not None:
        if verify_with_mlir:
            raise usage(
                "HET404", "--emit prints one form and verifies nothing: --verify-with-mlir cannot stand with it"
            )
        from hetc.compiler.cli.emit import print_form

        return print_form(source, options, emit)
    watch = Watch(print_ir_after_all, time_passes, None if dump_to is None else Path(dump_to))
    from hetc.compiler.driver import compile_source_file, write_directory

    if verify_with_mlir:
        from hetc.compiler.upstream import load_bindings

        load_bindings()  # what is missing is said before the work, not after
    out = Path(output) if output is not None else Path("out") / _stem(file)
    refuse_to_replace(out, force)  # before the work as well as after it
    with without_collection():
        compilation = compile_source_file(source, options, observe=_stage_clock(ctx), after_pass=watch)
        write_directory(compilation, out, force)
    watch.report()
    selection.say_default(source)
    say(f"{shown_name(file)} -> {out}: {_summary(compilation)}")
    say(verdict(compilation.report))
    code = _verified_upstream(compilation) if verify_with_mlir else 0
    if also_run:
        from hetc.compiler.cli.run import Asked, run_and_report

        ran = run_and_report(compilation, Asked(), check=True, as_json=False)
        code = _check_builds(out) or ran or code
    return code


def _verified_upstream(compilation: Compilation) -> int:
    """Print what upstream MLIR says of the pipeline; 1 where it rejects it."""
    from hetc.compiler.cli.second_opinion import SecondOpinion

    opinion = SecondOpinion.of(compilation.checked, compilation.source)
    opinion.print()
    return opinion.exit_code


def _check_builds(out: Path) -> int:
    """Print what the compilers of its devices make of each function; 1 where one may not be shipped."""
    from hetc.compiler.cli.inspect_directory import builds_of, print_builds
    from hetc.compiler.inspect import kernels_of

    work = WorkDirectory.open(out)
    builds = builds_of(work, kernels_of(work), None)
    print_builds(builds)
    return 1 if any(each.problems for own in builds.values() for each in own) else 0


def _stem(file: str) -> str:
    """`scan` for `scan.mp`, `scan.py` and `pipelines.py:scan`; `stdin` for `-`."""
    if file == "-":
        return "stdin"
    path, name = file_and_name(file)
    return name or Path(path).stem


def _stage_clock(ctx: click.Context) -> Callable[[str, object], None]:
    """An observer that says with -v how long each stage of the compiler took."""
    last = time.perf_counter()

    def observe(name: str, _module: object) -> None:
        nonlocal last
        now = time.perf_counter()
        if state_of(ctx).verbose:
            say(f"  {name:<10} {(now - last) * 1e3:8.1f} ms", ctx)
        last = now

    return observe


def _summary(compilation: Compilation) -> str:
    devices: dict[str, list[str]] = {}
    for row in compilation.report["stages"]:
        devices.setdefault(row["device"], []).append(row["stage"])
    placed = "; ".join(f"{', '.join(dict.fromkeys(stages))} on {device}" for device, stages in devices.items())
    count = len(compilation.report["kernels"])
    return f"{count} kernel{'s' * (count != 1)} ({placed}), {len(compilation.files)} files"
