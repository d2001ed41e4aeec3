"""The platform and device files that are known by name: hetc's own, and those that device kinds bring."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from hetc.devices import manifests
from hetc.diagnostics import EXIT_USAGE, Diagnostic, DiagnosticError

OWN = "hetc"
DEFAULT_PLATFORM = "mi210+u55c"
_DEVICES = "devices"

Files = Mapping[str, Mapping[str, Path]]
"""Name -> who brings a file of that name, `hetc` or a device kind -> the file."""


def list_platforms() -> tuple[str, ...]:
    """Names of the platforms that are known; the default first, the others by name."""
    return (DEFAULT_PLATFORM, *(name for name in platform_files() if name != DEFAULT_PLATFORM))


def list_devices() -> tuple[str, ...]:
    """Names of the devices that platform files may refer to."""
    return tuple(device_files())


def platform_file(name: str) -> Path:
    """The platform of that name. Raises KeyError, and DiagnosticError (exit 2) where several are called so."""
    return _only("platform", name, platform_files()[name])


def device_file(name: str) -> Path:
    """The device of that name. Raises KeyError, and DiagnosticError (exit 2) where several are called so."""
    return _only("device", name, device_files()[name])


@cache
def platform_files() -> Files:
    """Every platform file, by name."""
    return _found("")


@cache
def device_files() -> Files:
    """Every device file, by name."""
    return _found(_DEVICES)


def _found(below: str) -> Files:
    found: dict[str, dict[str, Path]] = {}
    for owner, folder in _folders().items():
        for path in (folder / below).glob("*.toml"):
            found.setdefault(path.stem, {})[owner] = path
    return {name: found[name] for name in sorted(found)}


@cache
def _folders() -> Mapping[str, Path]:
    """Who brings files -> the folder; one that several kinds of a package name counts once."""
    found = {OWN: Path(__file__).parent}
    for kind in manifests():
        if kind.platforms:
            folder = _folder(kind.kind, kind.platforms)
            if folder not in found.values():
                found[kind.kind] = folder
    return found


def _folder(kind: str, named: str) -> Path:
    """What `package:folder` names. Raises DiagnosticError (exit 2) where that is no folder."""
    package, _, folder = named.partition(":")
    path = Path(str(files(package))) / folder
    if not path.is_dir():
        message = f"the platform files of device kind `{kind}` are not there: `{path}` is no folder"
        help = f"install its package anew; `{package}` has to hold the folder `{folder}` as package data"
        raise DiagnosticError(Diagnostic("error", "HET425", message, help=help), EXIT_USAGE)
    return path


def _only(what: str, name: str, found: Mapping[str, Path]) -> Path:
    if len(found) == 1:
        return next(iter(found.values()))
    brought = [f"{'hetc itself' if owner == OWN else f'device kind {owner}'}: {path}" for owner, path in found.items()]
    message = f"{len(found)} installed files describe a {what} `{name}`"
    help = (
        "give the path of the one that is meant"
        if what == "platform"
        else "uninstall all but one of the packages that bring it"
    )
    raise DiagnosticError(Diagnostic("error", "HET425", message, notes=tuple(brought), help=help), EXIT_USAGE)
