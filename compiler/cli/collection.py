"""Garbage collection while a pipeline is compiled."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """No garbage collection. Nearly all that a compile makes is in use until its end, so that looking for what is not
    takes a seventh of the time and frees little."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        # A command ends soon, and Python would look for cycles in all that is left: a tenth of its time. Triton's
        # binding complains of what is not freed at the end.
        if "triton" not in sys.modules:
            gc.freeze()
        if was_enabled:
            gc.enable()
