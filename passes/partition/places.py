"""On which device the values of a placed pipeline lie."""

from __future__ import annotations

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Operation, SSAValue
from xdsl.utils.exceptions import PassFailedException

from hetc.dialects.locations import source_line
from hetc.dialects.mp import WRITES_IN_PLACE, DeclareOp, ForOp, GetOp, PipelineOp, end_of, loop_of, origin
from hetc.dialects.task import KernelOp, TransferOp
from hetc.passes.partition.outline import attribute

HOST = "host"


class Places:
    """What a kernel makes is on its device, a memory at its home, inputs and weights are on the host."""

    def __init__(self, pipeline: PipelineOp) -> None:
        self._declarations = pipeline.declarations

    def of(self, value: SSAValue) -> str:
        """The device kind that has a value."""
        owner = value.owner
        if isinstance(owner, KernelOp):
            return owner.device.data
        if isinstance(owner, TransferOp):
            return owner.target.data
        if isinstance(owner, WRITES_IN_PLACE):
            return self.home(owner, owner.memory)
        if isinstance(owner, GetOp):
            declaration = self._declarations[owner.declared.data]
            return self.home_of(owner, owner.declared.data) if declaration.role.data == "memory" else HOST
        if isinstance(owner, ForOp):
            return self.of(end_of(value, owner))
        loop = loop_of(value)
        if loop is None:
            raise PassFailedException(f"{value.owner} has no place")
        return attribute(loop, "device") if value is loop.number else self.of(loop.arguments[value])

    def home(self, user: Operation, memory: SSAValue) -> str:
        """Where what is written in place lies."""
        owner = origin(memory).owner
        if isinstance(owner, GetOp):
            return self.home_of(user, owner.declared.data)
        return self.of(memory)

    def home_of(self, user: Operation, name: str) -> str:
        """The device kind that keeps a memory. Raises PassFailedException."""
        declaration: DeclareOp = self._declarations[name]
        home = declaration.attributes.get("home")
        if not isinstance(home, StringAttr):
            raise PassFailedException(f"memory {name} has no home (used at {source_line(user)})")
        return home.data
