"""A work directory as its readers see it: the manifest, the report, and the files that were generated."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from hetc.devices import device_kinds
from hetc.diagnostics import EXIT_USAGE, Diagnostic, DiagnosticError, cannot_write
from hetc.manifest import MANIFEST, DamagedManifest, changed_files, read_manifest
from hetc.source import plain_file_name

REPORT, SOURCE = "report.json", "source"
COMPILE_AGAIN = "compile the pipeline again"
# What stands at the top of a work directory, beside a folder for each device kind.
_TOP = {MANIFEST, REPORT, SOURCE, "host"}


@dataclass(frozen=True)
class WorkDirectory:
    """What `hetc compile` wrote. Paths are relative to `root`, with `/`."""

    root: Path
    manifest: dict[str, Any]
    report: dict[str, Any]

    @classmethod
    def open(cls, root: Path) -> WorkDirectory:
        """Raises DiagnosticError (exit 2) where `root` is no work directory of this version, or its manifest or report
        is damaged."""
        if not os.path.isdir(root):
            _refuse("HET401", f"no such directory: `{root}`")
        if not os.path.isfile(root / MANIFEST):
            _refuse("HET409", f"`{root}` is no work directory: it has no {MANIFEST}", "`hetc compile FILE.mp -o DIR`")
        manifest = _manifest(root)
        if not _is_of_pipeline(manifest):
            _refuse("HET409", f"`{root}` is no work directory: its {MANIFEST} is of something else")
        if manifest["hetc"] != version("hetc"):
            found = f"was written by hetc {manifest['hetc']}, and this is {version('hetc')}"
            _refuse("HET409", f"`{root}` {found}", COMPILE_AGAIN)
        return cls(root, manifest, _read_json(root / REPORT))

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that was written beside the manifest, by path."""
        return tuple(self.manifest["files"])

    @property
    def source(self) -> str:
        """The path of the copy of the pipeline's source."""
        return f"{SOURCE}/{self.manifest['source']}"

    def changed_files(self) -> dict[str, str]:
        """The files that are not as they were written: each with `missing` or `edited`."""
        return changed_files(self.root, self.manifest)

    def text(self, path: str) -> str:
        """The text of one file. Raises DiagnosticError (exit 2) where it is missing or unreadable."""
        try:
            return (self.root / path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = (error.strerror or str(error)) if isinstance(error, OSError) else "not UTF-8 text"
            _refuse("HET409", f"cannot read `{self.root / path}`: {reason}")

    def source_lines(self) -> dict[str, list[str]]:
        """The pipeline's source by its file's name in generated text, as lines; empty where the copy is missing."""
        path = self.root / self.source
        if not path.is_file():
            return {}
        return {plain_file_name(path.name): path.read_text(encoding="utf-8").split("\n")}


def _is_of_pipeline(manifest: dict[str, Any]) -> bool:
    """Whether a manifest is a work directory's; what caches keep has manifests, too."""
    return {"hetc", "pipeline", "source"} <= manifest.keys()


def refuse_to_replace(out: Path, force: bool = False) -> None:
    """Raises DiagnosticError (exit 2) where something stands at `out` that no work directory may take the place of:
    what this compiler did not write, and without `force` what was edited, removed or added since, or is damaged."""
    place = place_of(out)
    if not os.path.lexists(place):
        return
    with writing(out):
        names = {path.name for path in place.iterdir()} if place.is_dir() else {""}
        if names and not _is_own(out, place, names, force):
            _refuse("HET408", f"`{out}` exists and is not a work directory of hetc", "choose another -o, or remove it")
        if place.samefile(os.curdir):
            message = f"`{out}` is the current directory, and would be replaced as a whole"
            _refuse("HET408", message, "choose another -o")


def _is_own(out: Path, place: Path, names: set[str], force: bool) -> bool:
    """Whether this compiler wrote the folder `place`, with these names in it. Raises DiagnosticError where it did, and
    without `force` it must stay."""
    try:
        manifest = read_manifest(place)
    except (OSError, DamagedManifest):
        if not {MANIFEST, "host"} <= names <= {*_TOP, *device_kinds()}:
            return False
        if not force:
            _refuse("HET408", f"{out} has a damaged {MANIFEST}", "--force overwrites all of it; or choose another -o")
        return True
    if not _is_of_pipeline(manifest):
        return False
    changed, added = changed_files(place, manifest), _added(place, manifest)
    if changed and not force:
        message = f"{out} holds generated files that were edited or removed: {_some(list(changed))}"
        _refuse("HET408", message, "--force overwrites them; or choose another -o")
    if added and not force:
        message = f"{out} holds files that hetc did not generate: {_some(added)}"
        _refuse("HET408", message, "move them away; --force removes them; or choose another -o")
    return True


def _added(root: Path, manifest: dict[str, Any]) -> list[str]:
    """Files that were put there since: notes, bitstreams, logs. Python's caches are not counted."""
    found = (path.relative_to(root) for path in root.rglob("*") if not path.is_dir())
    own = {MANIFEST, *manifest["files"]}
    return sorted(path.as_posix() for path in found if path.as_posix() not in own and "__pycache__" not in path.parts)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """Around what looks at `out` to write a work directory there, and writes it. Raises DiagnosticError in the place of
    OSError: exit 2 where `out` cannot be one, exit 3 where the machine is at its limits."""
    try:
        yield
    except OSError as error:
        raise cannot_write(str(out), error, "HET408", "choose another -o") from error


def place_of(out: Path) -> Path:
    """Where a work directory that is named `out` lies: a link stays, and what it names is written."""
    return Path(os.path.realpath(out)) if os.path.islink(out) else out


@contextmanager
def reading(root: Path) -> Iterator[None]:
    """Turns a missing or odd entry in what a work directory holds into a diagnostic: someone edited it."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        said = f"the entry {error}" if isinstance(error, KeyError) else str(error)
        message = f"`{root}` is damaged, or was written by another version: {said}"
        diagnostic = Diagnostic("error", "HET409", message, help=COMPILE_AGAIN)
        raise DiagnosticError(diagnostic, EXIT_USAGE) from error


def _manifest(root: Path) -> dict[str, Any]:
    try:
        return read_manifest(root)
    except OSError as error:
        _refuse("HET409", f"cannot read `{root / MANIFEST}`: {error.strerror}")
    except DamagedManifest as error:
        _refuse("HET409", f"`{root / MANIFEST}` is damaged: {error}", COMPILE_AGAIN)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        _refuse("HET409", f"cannot read `{path}`: {error.strerror}")
    except ValueError as error:
        _refuse("HET409", f"`{path}` is damaged: {error}", COMPILE_AGAIN)
    if not isinstance(data, dict):
        _refuse("HET409", f"`{path}` is damaged: expected an object", COMPILE_AGAIN)
    return data


def _refuse(code: str, message: str, help: str | None = None) -> NoReturn:
    raise DiagnosticError(Diagnostic("error", code, message, help=help), EXIT_USAGE) from None
