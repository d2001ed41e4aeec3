"""Make what moves between devices explicit."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import PassFailedException

from hetc.dialects.locations import copy_location, source_line
from hetc.dialects.mp import AppendOp, CommitOp, DeclareOp, GetOp, PipelineOp, StepOp
from hetc.dialects.task import KernelOp, TransferOp

HOST = "host"


@dataclass(frozen=True)
class InsertTransfersPass(ModulePass):
    """Insert a `task.transfer` wherever a kernel, an append or a commit needs a value from elsewhere.

    Before: statements stand in `task.kernel` ops, every memory has a `home`.
    After: each operand of a kernel is on its device, rows and new contents of a memory are at its home; a value
    moves to a device once a step. Inputs and weights come from the host.
    """

    name = "insert-transfers"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for pipeline in op.body.block.ops:
            if isinstance(pipeline, PipelineOp):
                for step in pipeline.steps.values():
                    _Step(pipeline, step).insert()


class _Step:
    def __init__(self, pipeline: PipelineOp, step: StepOp) -> None:
        self.declarations = pipeline.declarations
        self.step = step
        self.moved: dict[tuple[SSAValue, str], SSAValue] = {}

    def insert(self) -> None:
        for op in list(self.step.body.block.ops):
            if isinstance(op, KernelOp):
                for index in range(len(op.arguments)):
                    self._bring(op, index, op.device.data)
            elif isinstance(op, AppendOp):
                self._bring(op, 1, self._home(op, op.memory))
            elif isinstance(op, CommitOp):
                self._bring(op, 0, self._home_of(op, op.declared.data))

    def _bring(self, user: Operation, index: int, target: str) -> None:
        value = user.operands[index]
        source = self._place(value)
        if source == target:
            return
        if (value, target) not in self.moved:
            transfer = TransferOp(value, source, target)
            copy_location(user, transfer)
            transfer.result.name_hint = value.name_hint
            parent = user.parent
            assert parent is not None
            parent.insert_op_before(transfer, user)
            self.moved[value, target] = transfer.result
        user.operands[index] = self.moved[value, target]

    def _place(self, value: SSAValue) -> str:
        owner = value.owner
        if isinstance(owner, KernelOp):
            return owner.device.data
        if isinstance(owner, TransferOp):
            return owner.target.data
        if isinstance(owner, AppendOp):
            return self._home(owner, owner.memory)
        if isinstance(owner, GetOp):
            declaration = self.declarations[owner.declared.data]
            return self._home_of(owner, owner.declared.data) if declaration.role.data == "memory" else HOST
        raise PassFailedException(f"insert-transfers: {value.owner} has no place")

    def _home(self, user: Operation, memory: SSAValue) -> str:
        owner = memory.owner
        while isinstance(owner, AppendOp):
            owner = owner.memory.owner
        if isinstance(owner, GetOp):
            return self._home_of(user, owner.declared.data)
        return self._place(memory)

    def _home_of(self, user: Operation, name: str) -> str:
        declaration: DeclareOp = self.declarations[name]
        home = declaration.attributes.get("home")
        if not isinstance(home, StringAttr):
            raise PassFailedException(f"insert-transfers: memory {name} has no home (used at {source_line(user)})")
        return home.data
