"""Garbage collection while a pipeline is compiled."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hetc.devices import manifests


@contextmanager
def without_collection() -> Iterator[None]:
    """No garbage collection. Nearly all that a compile makes is in use until its end, so that looking for what is not
    takes a seventh of the time and frees little."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        # A command ends soon, and Python would look for cycles in all that is left: a tenth of its time. In a process
        # that also runs programs it has to: bindings of devices complain of what is not freed at the end.
        if not any(kind.runtime.partition(":")[0] in sys.modules for kind in manifests()):
            gc.freeze()
        if was_enabled:
            gc.enable()
