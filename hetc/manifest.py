"""Folders that appear whole and are known by their content: work directories, and what caches keep.

`manifest.json` in a folder has the SHA-256 of each of its other files under `files`, and under `sha256` that of what it
says itself. What else stands in it is its writer's.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"


class DamagedManifest(ValueError):
    """A manifest that cannot be read, or that does not say what was written; the message says why."""


def seal(folder: Path, entries: Mapping[str, Any]) -> None:
    """Write the manifest of all that is in a folder now, with these entries beside its own."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {path.relative_to(folder).as_posix(): _digest(path.read_bytes()) for path in found}
    manifest = {**entries, "files": files}
    manifest["sha256"] = _digest_of(manifest)
    text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def read_manifest(folder: Path) -> dict[str, Any]:
    """What the manifest of a folder says. Raises DamagedManifest, and OSError where there is none to be read."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except ValueError as error:
        raise DamagedManifest(str(error)) from error
    if not isinstance(manifest, dict) or "sha256" not in manifest:
        raise DamagedManifest("it has no hash of its own")
    if manifest["sha256"] != _digest_of(manifest):
        raise DamagedManifest("it does not say what was written")
    return manifest


def changed_files(folder: Path, manifest: Mapping[str, Any]) -> dict[str, str]:
    """The files of a folder that are not as its manifest says: each with `missing` or `edited`."""
    found = {}
    for path, digest in manifest["files"].items():
        try:
            same = _digest((folder / path).read_bytes()) == digest
        except FileNotFoundError:
            found[path] = "missing"
        except OSError:
            found[path] = "edited"
        else:
            if not same:
                found[path] = "edited"
    return found


def damage(folder: Path) -> str | None:
    """What of a folder is not as it was written; None where all is."""
    try:
        changed = changed_files(folder, read_manifest(folder))
    except (OSError, DamagedManifest) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        return f"{MANIFEST}: {reason}"
    return next((f"{path} is {how}" for path, how in changed.items()), None)


@contextmanager
def replacing(folder: Path, unless: Callable[[], bool] = lambda: False) -> Iterator[Path]:
    """A folder beside `folder` to fill. At the end it takes that one's place, as a whole, `unless` what stands there by
    then may stay; after an exception it is gone, and what stood there still does. Raises OSError."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        aside.chmod(0o755)
        yield aside
        while not _moved(aside, folder) and not unless():
            # A folder cannot be renamed over one that has something in it.
            with _away(folder):
                if _moved(aside, folder):
                    break
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _away(folder: Path) -> Iterator[None]:
    """Something else may be put at `folder` inside. What stands there before is removed last; it comes back where
    nothing was put there, whatever came in between."""
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    old = aside / "old"
    try:
        with suppress(FileNotFoundError):
            os.replace(folder, old)
        yield
    finally:
        if os.path.lexists(old) and not os.path.lexists(folder):
            _moved(old, folder)
        shutil.rmtree(aside, ignore_errors=True)


def _moved(source: Path, target: Path) -> bool:
    """Rename, unless something stands at the target."""
    try:
        os.replace(source, target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            return False
        raise
    return True


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest_of(manifest: Mapping[str, Any]) -> str:
    said = {name: value for name, value in manifest.items() if name != "sha256"}
    return _digest(json.dumps(said, sort_keys=True).encode())
