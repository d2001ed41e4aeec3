"""What Python's compiler makes of printed kernels, which is all that an abacus needs."""

from __future__ import annotations

from collections.abc import Sequence

from hetc.compiler.builds import Build, BuildUnavailable
from hetc.compiler.work_directory import WorkDirectory

TITLE = "Kernels as Python compiles them:"
WOOD, IVORY = "wood", "ivory"


def functions(directory: WorkDirectory) -> dict[str, list[str]]:
    """Each kernel is one function."""
    rows = directory.report["kernels"]
    return {row["name"]: [row["name"]] for row in rows if row["device"] == "abacus"}


def texts(directory: WorkDirectory, names: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Each has a file of its own."""
    return {}


def targets() -> tuple[str, ...]:
    return (WOOD, IVORY)


def default_target(directory: WorkDirectory) -> str | None:
    return WOOD


def build(directory: WorkDirectory, names: Sequence[str], target: str) -> list[Build]:
    """Names that a kernel uses, of which wood takes any number."""
    if target == IVORY:
        raise BuildUnavailable("there is no ivory")
    found = []
    for name in names:
        size = len(compile(directory.text(f"abacus/{name}.py"), name, "exec").co_names)
        found.append(Build(name, target, {"names": str(size)}, {"kernel": name, "names": size}))
    return found
