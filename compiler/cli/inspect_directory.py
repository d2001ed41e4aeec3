"""`hetc inspect DIR [KERNEL]`: the generated kernels beside the source, and what they need of a device."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hetc.compiler.cli.common import json_option, say, unknown, verbosity_options
from hetc.compiler.gpu_builds import build, default_target, known_targets
from hetc.compiler.inspect import (
    GeneratedKernel,
    annotate,
    build_data,
    build_table,
    kernels_of,
    schedule_lines,
    summary,
)
from hetc.compiler.work_directory import WorkDirectory, reading
from hetc.runtime.triton_compile import CompilerUnavailable, KernelBuild


@click.command("inspect")
@click.argument("directory", metavar="DIR")
@click.argument("kernel", metavar="[KERNEL]", required=False)
@click.option("--target", metavar="NAME", help="The GPU to compile for (sm_90, gfx90a, ...; default: the platform's).")
@click.option("--no-build", is_flag=True, help="Do not compile GPU kernels for their registers and shared memory.")
@json_option
@verbosity_options
def command(directory: str, kernel: str | None, target: str | None, no_build: bool, as_json: bool) -> int:
    """Show the generated kernels: all in a table, or one with its text and the source line above each part."""
    work = WorkDirectory.open(Path(directory))
    with reading(work.root):
        return _inspect(work, kernel, target, no_build, as_json)


def _inspect(work: WorkDirectory, kernel: str | None, target: str | None, no_build: bool, as_json: bool) -> int:
    kernels = kernels_of(work)
    if kernel is not None:
        names = [item.name for item in kernels]
        if kernel not in names:
            raise unknown("kernel", kernel, names)
        kernels = [item for item in kernels if item.name == kernel]
    builds = [] if no_build else builds_of(work, kernels, target)
    if as_json:
        rows = [
            {**item.as_data(), "builds": [build_data(each) for each in builds if each.kernel in item.launches]}
            for item in kernels
        ]
        print(json.dumps(rows, indent=2))
    elif kernel is None:
        print(summary(kernels))
        print_builds(builds)
    else:
        _print_kernel(kernels[0], work, builds)
    return 0


def builds_of(work: WorkDirectory, kernels: list[GeneratedKernel], target: str | None) -> list[KernelBuild]:
    """The GPU functions of `kernels` compiled for a target; none, with a word why, where Triton is not there."""
    limits = known_targets()
    if target is not None and target not in limits:
        raise unknown("target", target, limits)
    names = [name for item in kernels for name in item.launches]
    chosen = target or (default_target(work) if names else None)
    if not names or chosen is None:
        return []
    say(f"compiling {len(names)} GPU functions for {chosen} (kept for the next time)")
    try:
        return build(work, names, chosen, limits[chosen])
    except CompilerUnavailable as error:
        say(f"registers and shared memory are not known: {error}")
        return []


def print_builds(builds: list[KernelBuild]) -> None:
    """A line for each GPU function."""
    if builds:
        print("\nGPU functions as Triton compiles them (its own figures, without a device):")
        print(build_table(builds))


def _print_kernel(kernel: GeneratedKernel, work: WorkDirectory, builds: list[KernelBuild]) -> None:
    print(f"{kernel.name}: {', '.join(kernel.stages)} on the {kernel.device}")
    print(schedule_lines(kernel))
    print_builds(builds)
    sources = work.source_lines()
    for path, text in kernel.texts.items():
        print(f"\n==> {path} <==")
        print(annotate(text, sources, kernel.first_lines[path]))
