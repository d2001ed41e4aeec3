"""The kinds of devices that are installed: one manifest each, which holds names only.

A package of its own adds a kind by an entry point of the group `hetc.devices`. What a name stands for is imported by
whoever needs it: compiler parts by the compiler, runtime parts by the runtime.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal

from hetc.diagnostics import EXIT_ENVIRONMENT, Diagnostic, DiagnosticError

GROUP = "hetc.devices"
OWN = {
    "cpu": "hetc.backends.cpu.device:DEVICE",
    "fpga": "hetc.backends.hls.device:DEVICE",
    "gpu": "hetc.backends.triton.device:DEVICE",
}
"""The kinds that come with hetc: they do not hang on how, and when, it was installed."""
Role = Literal["streaming", "arithmetic"]


@dataclass(frozen=True)
class DeviceKind:
    """A kind of device. Every `module:attribute` is imported when it is used.

    kind         what programs and platform files call it: letters, digits and `_`
    title        in words
    role, rank   which work the rule by sparsity and intensity sends there: scans to a `streaming` kind, the rest to an
                 `arithmetic` one, of several to the lowest rank
    model        the class of its entry in a platform file
    scheduler    `plan(kernel, device, dims) -> Planned`, raising Refused
    stage        the name of its stage of the compiler, after which --emit prints
    passes       its lowering, in order: flag -> `module:Class`
    host_passes  what it does to the host program before the workspace is planned: flag -> `module:Class`
    channels     `channels(module) -> {kernel: (channel | None, ...)}`, where the device's memory has several channels:
                 the one that each argument of its generated kernels goes through; buffers are laid out by that
    dialects     what its lowering adds to the module: dialect -> `module:DIALECT`
    kernel       the op of a generated kernel
    launch_options  those of its properties that a launch is told: numbers, text, a grid
    printer      the module with `check(module)` and `emit(module) -> {path: text}`; all paths begin with KIND/
    prints       name of a text form -> suffixes of its files, for --emit
    runtime      `open_device(mode, **options) -> Device`
    builds       a module of what a compiler makes of its generated functions, as `hetc.compiler.builds.Builder` says
    detect       a function that gives the name of the device file for what is here, "" where nothing is: `auto` takes
                 all that are found, and a kind that is everywhere only where no other is
    measure      of a kind that is everywhere: a function that measures this machine's, and gives the text of a platform
                 file: `hetc platform measure`
    platforms    `package:folder` of platform files, and in its folder `devices` of device files: known by their names
    needs        what running its kernels here takes, by the names of `hetc doctor`
    checks       its rows of `hetc doctor`: name -> `module:function`, which is given the root of the file system; kinds
                 that need the same name the same function
    everywhere   whether every machine is such a device
    mapped       whether its runtime keeps a copy of the device's buffers in the host's memory
    options      options of `runtime` that the command line of a host program takes: name -> help
    notes        what a host program with such a device says of how it runs
    """

    kind: str
    title: str
    role: Role
    rank: int
    model: str
    scheduler: str
    stage: str
    passes: Mapping[str, str]
    dialects: Mapping[str, str]
    kernel: str
    printer: str
    runtime: str
    host_passes: Mapping[str, str] = field(default_factory=dict)
    channels: str = ""
    launch_options: tuple[str, ...] = ()
    builds: str = ""
    detect: str = ""
    measure: str = ""
    platforms: str = ""
    prints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    checks: Mapping[str, str] = field(default_factory=dict)
    everywhere: bool = False
    mapped: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    notes: str = ""


class UnknownKind(KeyError):
    """No kind of that name is installed."""

    def __str__(self) -> str:
        return str(self.args[0])


@cache
def _entries() -> dict[str, EntryPoint]:
    """Kind -> what leads to its manifest. Raises DiagnosticError (exit 3) where two packages bring one."""
    found = {name: EntryPoint(name, value, GROUP) for name, value in OWN.items()}
    for entry in entry_points(group=GROUP):
        if entry.dist is not None and entry.dist.name == "hetc":
            continue  # of a release that named its own kinds so
        if entry.name in found and entry.value != found[entry.name].value:
            raise _unusable(entry.name, f"two packages bring it, as {found[entry.name].value} and {entry.value}")
        found[entry.name] = entry
    return {name: found[name] for name in sorted(found)}


@cache
def device_kind(kind: str) -> DeviceKind:
    """The manifest of a kind. Raises UnknownKind, which lists those that are installed, and DiagnosticError (exit 3)
    where what its package says is no manifest."""
    if kind not in _entries():
        raise UnknownKind(f"no device kind '{kind}' is installed; installed are {', '.join(_entries()) or 'none'}")
    try:
        manifest = _entries()[kind].load()
    except (ImportError, AttributeError) as error:
        raise _unusable(kind, f"its manifest cannot be imported: {error}") from error
    if not isinstance(manifest, DeviceKind) or manifest.kind != kind or not kind.isidentifier() or kind == "host":
        raise _unusable(kind, f"{_entries()[kind].value} is no manifest of a kind of that name")
    return manifest


def _unusable(kind: str, reason: str) -> DiagnosticError:
    help = "correct or uninstall the package that brings it"
    message = f"the device kind `{kind}` cannot be used: {reason}"
    return DiagnosticError(Diagnostic("error", "HET504", message, help=help), EXIT_ENVIRONMENT)


@cache
def device_kinds() -> tuple[str, ...]:
    """The kinds that are installed: those of a role together, best first."""
    return tuple(item.kind for item in manifests())


@cache
def manifests() -> tuple[DeviceKind, ...]:
    """Every installed kind's manifest, in the order of `device_kinds`. Raises DiagnosticError (exit 3) where one cannot
    be used, or where two give one name two meanings."""
    found = tuple(sorted(map(device_kind, _entries()), key=lambda item: (item.role, item.rank, item.kind)))
    meanings: dict[tuple[str, str], tuple[str, str]] = {}
    for item in found:
        for what, name, meaning in _names(item):
            other, known = meanings.setdefault((what, name), (item.kind, meaning))
            if known != meaning:
                raise _unusable(item.kind, f"its {what} `{name}` is another than that of `{other}`")
    return found


def _names(kind: DeviceKind) -> Iterator[tuple[str, str, str]]:
    """What a kind adds to lists of names that all share: which list, the name, what it stands for. Kinds may share a
    dialect, a pass or a check that is the same; a stage and a text form are of one."""
    yield "stage", kind.stage, kind.kind
    yield from (("text form", name, kind.kind) for name in kind.prints)
    for what, named in (("dialect", kind.dialects), ("check", kind.checks)):
        yield from ((what, name, meaning) for name, meaning in named.items())
    for passes in (kind.passes, kind.host_passes):
        yield from (("pass", flag, meaning) for flag, meaning in passes.items())


def outside_packages() -> tuple[Path, ...]:
    """The folders of the packages, and the files of the single modules, that bring kinds other than hetc's own."""
    names = {entry.module.partition(".")[0] for kind, entry in _entries().items() if kind not in OWN}
    modules = [import_module(name) for name in sorted(names)]
    files = [(Path(item.__file__), hasattr(item, "__path__")) for item in modules if item.__file__ is not None]
    return tuple(file.parent if is_package else file for file, is_package in files)


def kinds_of_role(role: Role) -> tuple[str, ...]:
    """The kinds of a role, best first."""
    return tuple(item.kind for item in manifests() if item.role == role)


def resolve(name: str) -> Any:
    """What `module:attribute`, or the name of a module, stands for."""
    module, _, attribute = name.partition(":")
    found = import_module(module)
    return getattr(found, attribute) if attribute else found
