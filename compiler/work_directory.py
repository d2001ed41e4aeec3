"""A work directory as its readers see it: the manifest, the report, and the files that were generated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from hetc.diagnostics import EXIT_USAGE, Diagnostic, DiagnosticError

MANIFEST, REPORT = "manifest.json", "report.json"


@dataclass(frozen=True)
class WorkDirectory:
    """What `hetc compile` wrote. Paths are relative to `root`, with `/`."""

    root: Path
    manifest: dict[str, Any]
    report: dict[str, Any]

    @classmethod
    def open(cls, root: Path) -> WorkDirectory:
        """Raises DiagnosticError (exit 2) where `root` is no work directory, or its files are damaged."""
        if not root.is_dir():
            _refuse("HET401", f"no such directory: `{root}`")
        if not (root / MANIFEST).is_file():
            _refuse("HET409", f"`{root}` is no work directory: it has no {MANIFEST}", "`hetc compile FILE.mp -o DIR`")
        return cls(root, _read_json(root / MANIFEST), _read_json(root / REPORT))

    @property
    def files(self) -> tuple[str, ...]:
        """Every generated file that the manifest lists, by path."""
        return tuple(self.manifest.get("files", {}))

    def text(self, path: str) -> str:
        """The text of one file. Raises DiagnosticError (exit 2) where it is missing or unreadable."""
        try:
            return (self.root / path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = (error.strerror or str(error)) if isinstance(error, OSError) else "not UTF-8 text"
            _refuse("HET409", f"cannot read `{self.root / path}`: {reason}")

    def edited_files(self) -> list[str]:
        """Files that are gone, or whose content is not what was generated."""
        return [path for path, digest in self.manifest.get("files", {}).items() if self._digest(path) != digest]

    def foreign_files(self) -> list[str]:
        """Files that were put there since: notes, bitstreams, logs. Python's caches are not counted."""
        own = {MANIFEST, REPORT, *self.files, f"source/{self.manifest.get('source', {}).get('name')}"}
        found = (path.relative_to(self.root) for path in self.root.rglob("*") if not path.is_dir())
        return sorted(str(path) for path in found if path.as_posix() not in own and "__pycache__" not in path.parts)

    def source_lines(self) -> dict[str, list[str]]:
        """The pipeline's source by its file name, as lines; empty where the copy is missing."""
        name = self.manifest.get("source", {}).get("name")
        path = self.root / "source" / str(name)
        return {str(name): path.read_text(encoding="utf-8").splitlines()} if name and path.is_file() else {}

    def _digest(self, path: str) -> str:
        try:
            return hashlib.sha256((self.root / path).read_bytes()).hexdigest()
        except OSError:
            return ""


def is_work_directory(root: Path) -> bool:
    """Whether `root` holds a manifest that this compiler wrote; other programs have a `manifest.json` too."""
    try:
        manifest = json.loads((root / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and {"hetc", "pipeline", "files"} <= manifest.keys()


@contextmanager
def reading(root: Path) -> Iterator[None]:
    """Turns a missing or odd entry in what a work directory holds into a diagnostic: someone edited it."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        said = f"the entry {error}" if isinstance(error, KeyError) else str(error)
        message = f"`{root}` is damaged, or was written by another version: {said}"
        diagnostic = Diagnostic("error", "HET409", message, help="compile the pipeline again")
        raise DiagnosticError(diagnostic, EXIT_USAGE) from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        _refuse("HET409", f"cannot read `{path}`: {error.strerror}")
    except ValueError as error:
        _refuse("HET409", f"`{path}` is damaged: {error}", "compile the pipeline again")
    if not isinstance(data, dict):
        _refuse("HET409", f"`{path}` is damaged: expected an object", "compile the pipeline again")
    return data


def _refuse(code: str, message: str, help: str | None = None) -> NoReturn:
    raise DiagnosticError(Diagnostic("error", code, message, help=help), EXIT_USAGE) from None
