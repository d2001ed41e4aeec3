"""Generated kernels of a work directory: their text beside the source lines they came from, and what they need."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hetc.compiler.builds import Builder, builders
from hetc.compiler.table import Table, energy_text, time_text
from hetc.compiler.work_directory import WorkDirectory
from hetc.devices import UnknownKind, device_kind

# `// scan.mp:31` and `# scan.mp:31`: how generated text names the line that it came from.
_PLACE = re.compile(r"(?://|#).*?(?P<file>[\w.+-]+):(?P<line>\d+)")


@dataclass(frozen=True)
class GeneratedKernel:
    """One kernel: its row of the report, and its text by path.

    Where a file holds several kernels, `texts` has only this one's functions, each under `file:line`, and
    `first_lines` says where each text begins in its file. `schedule` is what was estimated (time, energy, resources,
    plan); `launches` are the functions that its device runs for it, in order, where functions are told apart.
    """

    name: str
    device: str
    stages: tuple[str, ...]
    schedule: Mapping[str, Any]
    texts: Mapping[str, str]
    first_lines: Mapping[str, int]
    launches: tuple[str, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """As plain data, without the text: each file with its number of lines."""
        return {
            "name": self.name,
            "device": self.device,
            "stages": list(self.stages),
            "schedule": dict(self.schedule),
            "files": {path: len(text.splitlines()) for path, text in self.texts.items()},
            "launches": list(self.launches),
        }


def kernels_of(directory: WorkDirectory) -> list[GeneratedKernel]:
    """Every kernel that the report lists, with the text that was generated for it."""
    known = builders()
    functions = {kind: builder.functions(directory) for kind, builder in known.items()}
    found = []
    for row in directory.report.get("kernels", []):
        names = functions.get(row["device"], {}).get(row["name"], ())
        texts, first_lines = _texts(directory, row["device"], row["name"], known.get(row["device"]), names)
        schedule = row.get("schedule") or {}
        found.append(
            GeneratedKernel(
                row["name"], row["device"], tuple(row["stages"]), schedule, texts, first_lines, tuple(names)
            )
        )
    return found


def _sources(device: str) -> tuple[str, ...]:
    """The suffix of a kernel's own file: the first of each text form that the kind prints."""
    try:
        return tuple(suffixes[0] for suffixes in device_kind(device).prints.values())
    except UnknownKind:
        return ()


def _texts(
    directory: WorkDirectory, device: str, kernel: str, builder: Builder | None, launches: Sequence[str]
) -> tuple[dict[str, str], dict[str, int]]:
    texts: dict[str, str] = {}
    first_lines: dict[str, int] = {}
    sources = _sources(device)
    for path in [path for path in directory.files if path.startswith(f"{device}/")]:
        if Path(path).stem == kernel and path.endswith(sources):
            texts[path], first_lines[path] = directory.text(path), 1
    if builder is not None:
        for place, (first, text) in builder.texts(directory, launches).items():
            texts[place], first_lines[place] = text, first
    return texts, first_lines


def annotate(text: str, sources: Mapping[str, list[str]], first_line: int = 1) -> str:
    """`text` with line numbers; above each line that comes from another source line, that line (as `objdump -S`)."""
    numbered = text.splitlines()
    width = len(str(first_line + len(numbered)))
    shown: list[str] = []
    last = ""
    for number, line in enumerate(numbered, first_line):
        found = _PLACE.search(line)
        place = f"{found['file']}:{found['line']}" if found else last
        source = _source_line(sources, found["file"], int(found["line"])) if found else None
        if source is not None and place != last:
            shown += ["", f"{' ' * width} > {place}  {source.strip()}"]
            last = place
        shown.append(f"{number:>{width}} | {line}".rstrip())
    return "\n".join(shown).lstrip("\n")


def _source_line(sources: Mapping[str, list[str]], file: str, line: int) -> str | None:
    lines = sources.get(file, [])
    return lines[line - 1] if 0 < line <= len(lines) else None


def summary(kernels: list[GeneratedKernel]) -> str:
    """One row a kernel: where it runs, how much text, and the estimates of its schedule."""
    table = Table("kernel", "device", "stages", "text", "time (est.)", "bound", "resources (est.)")
    for kernel in kernels:
        lines = sum(len(text.splitlines()) for text in kernel.texts.values())
        resources = kernel.schedule.get("resources", {})
        table.add(
            kernel.name,
            kernel.device,
            ", ".join(kernel.stages),
            f"{lines} lines",
            time_text(kernel.schedule["time_us"]) if kernel.schedule else "-",
            kernel.schedule.get("bound", "-"),
            ", ".join(f"{name} {amount:,.4g}" for name, amount in resources.items()) or "-",
        )
    return str(table)


def schedule_lines(kernel: GeneratedKernel) -> str:
    """The schedule that the lowering applied, one entry a line; every figure is an estimate."""
    schedule = kernel.schedule
    if not schedule:
        return "no schedule is recorded"
    lines = [f"schedule on the {kernel.device} (estimates, not measurements):"]
    lines.append(
        f"  time {time_text(schedule['time_us'])}, energy {energy_text(schedule['energy_mj'])}, {schedule['bound']}"
    )
    for title, key in (("resources", "resources"), ("plan", "plan")):
        entries = schedule.get(key, {})
        if entries:
            lines.append(f"  {title}: " + ", ".join(f"{name} {_plain(value)}" for name, value in entries.items()))
    lines += [f"  note: {note}" for note in schedule.get("notes", ())]
    return "\n".join(lines)


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return "x".join(str(item) for item in value)
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
