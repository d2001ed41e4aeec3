"""What a task kernel must look like to be lowered for a GPU."""

from __future__ import annotations

from xdsl.utils.exceptions import PassFailedException

from hetc.dialects.locations import source_line
from hetc.dialects.mp import ConstantOp
from hetc.dialects.task import KernelOp
from hetc.passes.schedule.model import Refused


def check_kernel(kernel: KernelOp) -> None:
    """Raises Refused for a kernel that returns what it did not compute, or the same value twice."""
    seen = set()
    for value in kernel.returned.values:
        if value in kernel.block.args:
            raise Refused("a kernel on the GPU cannot return its operand: nothing would be computed", kernel)
        if value in seen:
            raise Refused("a kernel on the GPU cannot return one value twice", kernel)
        if isinstance(value.owner, ConstantOp):
            raise Refused("a kernel on the GPU cannot return a constant table", value.owner)
        seen.add(value)


def failure(refused: Refused) -> PassFailedException:
    """The pass's failure for a refused statement, with its place."""
    place = source_line(refused.op)
    return PassFailedException(f"{place + ': ' if place else ''}refused on the GPU: {refused.reason}")
