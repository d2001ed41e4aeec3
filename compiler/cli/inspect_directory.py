"""`hetc inspect DIR [KERNEL]`: the generated kernels beside the source, and what they need of a device."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from hetc.compiler.builds import Build, BuildUnavailable, build_table, builders
from hetc.compiler.cli.common import json_option, say, unknown, verbosity_options
from hetc.compiler.inspect import (
    GeneratedKernel,
    annotate,
    kernels_of,
    schedule_lines,
    summary,
)
from hetc.compiler.work_directory import WorkDirectory, reading
from hetc.devices import device_kind


@click.command("inspect")
@click.argument("directory", metavar="DIR")
@click.argument("kernel", metavar="[KERNEL]", required=False)
@click.option("--target", metavar="NAME", help="What to compile functions for (default: the platform's device).")
@click.option("--no-build", is_flag=True, help="Do not compile functions for what they take of a device.")
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
    builds = {} if no_build else builds_of(work, kernels, target)
    if as_json:
        every = [each for own in builds.values() for each in own]
        rows = [
            {**item.as_data(), "builds": [dict(each.data) for each in every if each.function in item.launches]}
            for item in kernels
        ]
        print(json.dumps(rows, indent=2))
    elif kernel is None:
        print(summary(kernels))
        print_builds(builds)
    else:
        _print_kernel(kernels[0], work, builds)
    return 0


def builds_of(work: WorkDirectory, kernels: list[GeneratedKernel], target: str | None) -> dict[str, Sequence[Build]]:
    """What the compilers of device kinds make of the functions of `kernels`, by kind, for a target or else that of the
    platform; with a word why of those whose compiler is not there."""
    known = {kind: builder.targets() for kind, builder in builders().items()}
    if target is not None and not any(target in targets for targets in known.values()):
        raise unknown("target", target, [name for targets in known.values() for name in targets])
    found: dict[str, Sequence[Build]] = {}
    for kind, builder in builders().items():
        names = [name for item in kernels if item.device == kind for name in item.launches]
        chosen = target if target in known[kind] else builder.default_target(work) if names else None
        if not names or chosen is None:
            continue
        say(f"compiling {len(names)} {device_kind(kind).title} functions for {chosen} (kept for the next time)")
        try:
            found[kind] = builder.build(work, names, chosen)
        except BuildUnavailable as error:
            say(str(error))
    return found


def print_builds(builds: Mapping[str, Sequence[Build]]) -> None:
    """A line for each function, the kinds apart."""
    for kind, own in builds.items():
        print(f"\n{builders()[kind].TITLE}")
        print(build_table(own))


def _print_kernel(kernel: GeneratedKernel, work: WorkDirectory, builds: Mapping[str, Sequence[Build]]) -> None:
    print(f"{kernel.name}: {', '.join(kernel.stages)} on the {kernel.device}")
    print(schedule_lines(kernel))
    print_builds(builds)
    sources = work.source_lines()
    for path, text in kernel.texts.items():
        print(f"\n==> {path} <==")
        print(annotate(text, sources, kernel.first_lines[path]))
