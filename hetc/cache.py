"""What is kept from one run to the next: folders under HETC_CACHE_DIR (default ~/.cache/hetc).

An entry is named by the hash of all that it depends on. It is used if every file of it is as it was written, else made
again: what a full disk, a crash or a hand has damaged does no harm. With HETC_ALWAYS_COMPILE set all are made again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from hetc.diagnostics import EXIT_ENVIRONMENT, Diagnostic, DiagnosticError, reason_of
from hetc.manifest import damage, replacing, seal

_log = logging.getLogger(__name__)


def cache_folder(kind: str) -> Path:
    """Where entries of a kind are kept. Raises DiagnosticError (exit 3) where no folder is named and none is home."""
    named = os.environ.get("HETC_CACHE_DIR")
    try:
        root = Path(named).expanduser().absolute() if named else Path.home() / ".cache" / "hetc"
    except RuntimeError as error:
        raise _unusable(named or "~", "there is no such home directory") from error
    return root / kind


def is_kept(entry: Path) -> bool:
    """Whether an entry is there, as it was written, and may be used."""
    if os.environ.get("HETC_ALWAYS_COMPILE") or not os.path.lexists(entry):
        return False
    found = damage(entry)
    if found is not None:
        _log.info("%s is made again: %s", entry, found)
    return found is None


def kept(kind: str, key: str, fill: Callable[[Path], Mapping[str, Any]]) -> Path:
    """The entry of a kind and key. Where it is not there, `fill` writes its files into an empty folder, and gives what
    else its manifest says. Raises DiagnosticError (exit 3) where the cache cannot be used."""
    entry = cache_folder(kind) / key
    if not is_kept(entry):
        with using(entry), adding(entry) as aside:
            seal(aside, fill(aside))
    return entry


def adding(entry: Path) -> AbstractContextManager[Path]:
    """A folder to fill that becomes an entry, if no other process has made it meanwhile: that one may be in use.

    Raises OSError."""
    anew = bool(os.environ.get("HETC_ALWAYS_COMPILE"))
    return replacing(entry, unless=lambda: not anew and damage(entry) is None)


@contextmanager
def using(path: Path) -> Iterator[None]:
    """Around what reads or writes the cache at `path`. Raises DiagnosticError (exit 3) in the place of OSError."""
    try:
        yield
    except OSError as error:
        raise _unusable(str(path), reason_of(error)) from error


def _unusable(path: str, reason: str) -> DiagnosticError:
    message = f"the cache at `{path}` cannot be used: {reason}"
    help = "name a folder that can be written in HETC_CACHE_DIR"
    return DiagnosticError(Diagnostic("error", "HET503", message, help=help), EXIT_ENVIRONMENT)
