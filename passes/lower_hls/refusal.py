"""What kernels of an FPGA cannot express."""

from __future__ import annotations

from xdsl.ir import Operation

from hetc.passes.refusal import LoweringRefused


def refuse(reason: str, op: Operation | None) -> LoweringRefused:
    """The exception to raise, at the op that it is about."""
    return LoweringRefused(reason, op, "FPGA")
