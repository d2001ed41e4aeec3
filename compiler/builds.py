"""What compilers make of generated functions, for targets that need not be here: registers, memory, what is wrong.

A device kind that has such a compiler names a module with what `Builder` says in its manifest, under `builds`.
`hetc inspect` and `hetc compile --check` ask it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hetc.compiler.table import Table
from hetc.compiler.work_directory import WorkDirectory
from hetc.devices import manifests, resolve


@dataclass(frozen=True)
class Build:
    """One function, compiled for a target. figures: cells of its row, by their column; the same columns for each build
    of a kind. data: the same and more as plain data. problems: why it may not be shipped, a sentence each."""

    function: str
    target: str
    figures: Mapping[str, str]
    data: Mapping[str, Any]
    problems: tuple[str, ...] = ()


class BuildUnavailable(Exception):
    """The compiler cannot be started; the message says what is missing."""


class Builder(Protocol):
    """The module that a manifest names under `builds`."""

    TITLE: str
    """What stands above its table: whose figures these are."""

    def functions(self, directory: WorkDirectory, /) -> Mapping[str, Sequence[str]]:
        """Kernel -> the generated functions that the device runs for it, in order."""
        ...

    def texts(self, directory: WorkDirectory, names: Sequence[str], /) -> Mapping[str, tuple[int, str]]:
        """Where a file holds functions of several kernels: the text of each of these under its place, `file:line`, with
        the number of its first line."""
        ...

    def targets(self) -> Sequence[str]:
        """What functions can be compiled for."""
        ...

    def default_target(self, directory: WorkDirectory, /) -> str | None:
        """That of the device which the directory was compiled for; None where its platform has none."""
        ...

    def build(self, directory: WorkDirectory, names: Sequence[str], target: str, /) -> Sequence[Build]:
        """These functions, compiled for a target. Raises BuildUnavailable."""
        ...


def builders() -> dict[str, Builder]:
    """Device kind -> its builder, of those that have one."""
    return {kind.kind: resolve(kind.builds) for kind in manifests() if kind.builds}


def build_table(builds: Iterable[Build]) -> str:
    """One row a function, of builds of one kind; the verdict last."""
    rows = list(builds)
    table = Table("function", "target", *(rows[0].figures if rows else ()), "verdict")
    for row in rows:
        table.add(row.function, row.target, *row.figures.values(), "; ".join(row.problems) or "ok")
    return str(table)
