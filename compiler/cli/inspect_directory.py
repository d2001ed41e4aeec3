"""`hetc inspect DIR [KERNEL]`: the generated kernels beside the source, and what they need of a device."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hetc.compiler.cli.common import json_option, unknown, verbosity_options
from hetc.compiler.inspect import GeneratedKernel, annotate, kernels_of, schedule_lines, summary
from hetc.compiler.work_directory import WorkDirectory


@click.command("inspect")
@click.argument("directory", metavar="DIR")
@click.argument("kernel", metavar="[KERNEL]", required=False)
@json_option
@verbosity_options
def command(directory: str, kernel: str | None, as_json: bool) -> int:
    """Show the generated kernels: all in a table, or one with its text and the source line above each part."""
    work = WorkDirectory.open(Path(directory))
    kernels = kernels_of(work)
    if kernel is not None:
        names = [item.name for item in kernels]
        if kernel not in names:
            raise unknown("kernel", kernel, names)
        kernels = [item for item in kernels if item.name == kernel]
    if as_json:
        print(json.dumps([item.as_data() for item in kernels], indent=2))
    elif kernel is None:
        print(summary(kernels))
    else:
        _print_kernel(kernels[0], work)
    return 0


def _print_kernel(kernel: GeneratedKernel, work: WorkDirectory) -> None:
    print(f"{kernel.name}: {', '.join(kernel.stages)} on the {kernel.device}")
    print(schedule_lines(kernel))
    sources = work.source_lines()
    for path, text in kernel.texts.items():
        print(f"\n==> {path} <==")
        print(annotate(text, sources, kernel.first_lines[path]))
