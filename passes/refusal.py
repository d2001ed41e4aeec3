"""What a lowering cannot do: one exception, with the op that it is about."""

from __future__ import annotations

from xdsl.ir import Operation
from xdsl.utils.exceptions import DiagnosticException

from hetc.dialects.locations import source_line


class LoweringRefused(DiagnosticException):
    """A statement that a lowering cannot express on a device. `reason` says why, `op` where, `device` what the
    device is called in the message."""

    def __init__(self, reason: str, op: Operation | None, device: str = "device"):
        self.reason = reason
        self.op = op
        place = source_line(op) if op is not None else ""
        super().__init__(f"{place + ': ' if place else ''}not supported on the {device}: {reason}")


def refuse(reason: str, op: Operation | None, device: str = "device") -> LoweringRefused:
    """The exception to raise."""
    return LoweringRefused(reason, op, device)
