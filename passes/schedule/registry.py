"""The scheduler of each device kind, as its manifest names it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from hetc.devices import UnknownKind, device_kind, resolve
from hetc.dialects.task import KernelOp
from hetc.passes.schedule.model import Schedule


class Planned(Protocol):
    """A kernel whose plan is decided."""

    def at(self, dims: Mapping[str, int], /) -> Schedule:
        """What it takes at run-time dims of these extents."""
        ...


Scheduler = Callable[[KernelOp, Any, Mapping[str, int]], Planned]


def is_scheduled(kind: str) -> bool:
    """Whether kernels can be scheduled (and so compiled) for a device kind."""
    try:
        device_kind(kind)
    except UnknownKind:
        return False
    return True


def scheduler_of(kind: str) -> Scheduler:
    """`plan(kernel, device, dims) -> Planned` of a device kind; raises UnknownKind for one that is not installed.

    `device` is the platform's description of the device; `dims` gives the extent of every run-time dim that the plan is
    chosen for.
    """
    scheduler: Scheduler = resolve(device_kind(kind).scheduler)
    return scheduler
