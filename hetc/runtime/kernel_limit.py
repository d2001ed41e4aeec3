"""How long one kernel may run under emulation: what does not end by then is taken to have no end."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from hetc.diagnostics import EXIT_USAGE, Diagnostic, DiagnosticError

VARIABLE = "HETC_KERNEL_TIMEOUT_S"
DEFAULT_S = 600.0
HOW_TO_RAISE = f"{VARIABLE} sets this limit in seconds, 0 takes it away"


class KernelTimeout(Exception):
    """A kernel did not end in time; the message goes on from its name."""


def kernel_timeout_s() -> float | None:
    """Seconds that one kernel may run, None for any number. Raises DiagnosticError (exit 2) for what is no number."""
    given = os.environ.get(VARIABLE, "").strip()
    try:
        seconds = float(given) if given else DEFAULT_S
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        message = f"{VARIABLE} is a number of seconds; found `{given}`"
        raise DiagnosticError(Diagnostic("error", "HET404", message, help="0 sets no limit"), EXIT_USAGE)
    return seconds or None


class Deadline:
    """When what is interpreted must have ended; asked at each of its operations."""

    def __init__(self) -> None:
        self._at = math.inf
        self._limit_s = 0.0

    @contextmanager
    def set(self) -> Iterator[None]:
        """Inside, `check` raises KernelTimeout once the time of one kernel is over."""
        limit_s = kernel_timeout_s()
        if limit_s is not None:
            self._limit_s, self._at = limit_s, time.monotonic() + limit_s
        try:
            yield
        finally:
            self._at = math.inf

    def check(self) -> None:
        if time.monotonic() > self._at:
            raise KernelTimeout(f"did not end within {self._limit_s:g} s; {HOW_TO_RAISE}")
