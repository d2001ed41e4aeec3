"""Where builds are kept: a folder of the user's, HETC_CACHE_DIR or ~/.cache/hetc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hetc.diagnostics import EXIT_ENVIRONMENT, Diagnostic, DiagnosticError, reason_of

_HELP = "name a directory that can be written in HETC_CACHE_DIR"


def cache_folder(kind: str) -> Path:
    """The folder for builds of one kind, which may not be there yet. Raises DiagnosticError (exit 3) without a home."""
    given = os.environ.get("HETC_CACHE_DIR")
    if given:
        return Path(given).absolute() / kind
    try:
        return Path.home() / ".cache" / "hetc" / kind
    except RuntimeError:
        raise _refused("this user has no home directory to keep builds in") from None


@contextmanager
def keeping_builds(kind: str) -> Iterator[None]:
    """What is written inside goes to `cache_folder(kind)`: raises DiagnosticError (exit 3) where that cannot be."""
    try:
        yield
    except OSError as error:
        raise _refused(f"cannot keep builds in `{cache_folder(kind)}`: {reason_of(error)}") from error


def _refused(message: str) -> DiagnosticError:
    return DiagnosticError(Diagnostic("error", "HET503", message, help=_HELP), EXIT_ENVIRONMENT)
