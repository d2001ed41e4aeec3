"""Every pass by its flag. The name, the file and the class are spelt alike: `cut-kernels`, `cut_kernels.py`,
`CutKernelsPass`; a test walks this table."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from xdsl.passes import ModulePass

from hetc.devices import manifests, resolve

_FOLDERS: dict[str, tuple[str, ...]] = {
    "normalize": (
        "explicit-presence",
        "expand-rope",
        "expand-quantize",
        "expand-softmax",
        "scatter-update",
        "expand-update",
        "remove-unused",
        "expand-codes",
        "index-width",
    ),
    "partition": ("fuse-producers", "assign-devices", "cut-kernels", "insert-transfers", "schedule-kernels"),
    "nest": ("split", "reorder", "unroll-and-jam"),
    "lower_host": ("lower-to-host", "plan-workspace"),
    "lower_linalg": ("mp-to-linalg",),
}  # fmt: skip


def lowerings() -> dict[str, str]:
    """The passes that device kinds bring: flag -> `module:Class`."""
    brought = [passes for manifest in manifests() for passes in (manifest.passes, manifest.host_passes)]
    return {flag: name for passes in brought for flag, name in passes.items()}


def module_of(flag: str) -> str:
    """The module that defines the pass `flag`."""
    if flag in lowerings():
        return lowerings()[flag].partition(":")[0]
    folder = next(folder for folder, flags in _FOLDERS.items() if flag in flags)
    return f"hetc.passes.{folder}.{flag.replace('-', '_')}"


def class_of(flag: str) -> str:
    """The class name of the pass `flag`."""
    return "".join(word.capitalize() for word in flag.split("-")) + "Pass"


def load(flag: str) -> type[ModulePass]:
    """Import and return the pass class. Raises StopIteration for an unknown flag."""
    if flag in lowerings():
        return resolve(lowerings()[flag])
    return getattr(import_module(module_of(flag)), class_of(flag))


def all_passes() -> dict[str, Callable[[], type[ModulePass]]]:
    """Flag -> a function that imports the pass (as xDSL's registries want it)."""
    flags = [*(flag for flags in _FOLDERS.values() for flag in flags), *lowerings()]
    return {flag: lambda flag=flag: load(flag) for flag in flags}  # type: ignore[misc]
