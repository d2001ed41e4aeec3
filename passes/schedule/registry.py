"""The scheduler of each device kind. A new kind adds a module with `plan` and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Protocol

from hetc.dialects.task import KernelOp
from hetc.passes.schedule.model import Schedule


class Planned(Protocol):
    """A kernel whose plan is decided."""

    def at(self, dims: Mapping[str, int], /) -> Schedule:
        """What it takes at run-time dims of these extents."""
        ...


Scheduler = Callable[[KernelOp, Any, Mapping[str, int]], Planned]

_SCHEDULERS = {"gpu": "hetc.passes.schedule.gpu", "fpga": "hetc.passes.schedule.fpga"}


def scheduled_kinds() -> tuple[str, ...]:
    """The device kinds that kernels can be scheduled (and so compiled) for."""
    return tuple(_SCHEDULERS)


def scheduler_of(kind: str) -> Scheduler:
    """`plan(kernel, device, dims) -> Planned` of a device kind; raises KeyError for a kind without one.

    `device` is the platform's description of the device; `dims` gives the extent of every run-time dim that the plan is
    chosen for.
    """
    module = import_module(_SCHEDULERS[kind])
    return module.plan
