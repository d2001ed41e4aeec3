"""What the host's lowering cannot do, with the place in the source."""

from __future__ import annotations

from xdsl.ir import Operation
from xdsl.utils.exceptions import DiagnosticException

from hetc.dialects.locations import source_line


class HostLoweringRefused(DiagnosticException):
    """A step that the host program cannot express. `reason` says why, `op` where."""

    def __init__(self, reason: str, op: Operation):
        self.reason, self.op = reason, op
        place = source_line(op)
        super().__init__(f"{place + ': ' if place else ''}not supported by the host program: {reason}")
