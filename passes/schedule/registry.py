"""The scheduler of each device kind. A new kind adds a module with `schedule` and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from hetc.dialects.task import KernelOp
from hetc.passes.schedule.model import Schedule

Scheduler = Callable[[KernelOp, Any, Mapping[str, int]], Schedule]

_SCHEDULERS = {"gpu": "hetc.passes.schedule.gpu", "fpga": "hetc.passes.schedule.fpga"}


def scheduled_kinds() -> tuple[str, ...]:
    """The device kinds that kernels can be scheduled (and so compiled) for."""
    return tuple(_SCHEDULERS)


def scheduler_of(kind: str) -> Scheduler:
    """`schedule(kernel, device, dims) -> Schedule` of a device kind; raises KeyError for a kind without one.

    `device` is the platform's description of the device; `dims` gives every run-time dim's extent.
    """
    module = import_module(_SCHEDULERS[kind])
    return module.schedule
