"""Make what moves between devices explicit."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass

from hetc.dialects.locations import copy_location
from hetc.dialects.mp import (
    WRITES_IN_PLACE,
    ClearOp,
    CommitOp,
    ForOp,
    PipelineOp,
    ScatterOp,
    StepOp,
    end_of,
)
from hetc.dialects.task import KernelOp, TransferOp
from hetc.passes.partition.outline import attribute
from hetc.passes.partition.places import HOST, Places


@dataclass(frozen=True)
class InsertTransfersPass(ModulePass):
    """Insert a `task.transfer` wherever a kernel, an append or a commit needs a value from elsewhere.

    Before: statements stand in `task.kernel` ops, every memory has a `home`.
    After: each operand of a kernel is on its device, rows and new contents of a memory are at its home,
    the places of rows on the host; a value
    moves to a device once a step. Inputs and weights come from the host. What a loop uses as a
    whole has moved before it, layers move in the pass that they are for.
    """

    name = "insert-transfers"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for pipeline in op.body.block.ops:
            if isinstance(pipeline, PipelineOp):
                for step in pipeline.steps.values():
                    _Step(pipeline, step).insert()


class _Step:
    def __init__(self, pipeline: PipelineOp, step: StepOp) -> None:
        self.places = Places(pipeline)
        self.step = step
        self.moved: dict[tuple[SSAValue, str], SSAValue] = {}

    def insert(self) -> None:
        self._block(self.step.body.block)

    def _block(self, block: Block) -> None:
        for op in list(block.ops):
            if isinstance(op, KernelOp):
                for index in range(len(op.arguments)):
                    self._bring(op, index, op.device.data)
            elif isinstance(op, WRITES_IN_PLACE):
                self._bring(op, 1, self.places.home(op, op.memory))
                if isinstance(op, ScatterOp):
                    self._bring(op, 2, HOST)
            elif isinstance(op, ClearOp):
                for index in range(len(op.operands)):
                    self._bring(op, index, HOST)
            elif isinstance(op, CommitOp):
                self._bring(op, 0, self.places.home_of(op, op.declared.data))
            elif isinstance(op, ForOp):
                self._loop(op)

    def _loop(self, loop: ForOp) -> None:
        """What a loop carries lies where a pass makes it. Layers move one by one, and are written where their tensor
        lies."""
        places = [self._made_at(value, loop) for value in loop.next.carried]
        for index, place in enumerate(places):
            self._bring(loop, index, place)
        self._block(loop.body.block)
        for index, place in enumerate(places):
            self._bring(loop.next, index, place)
        for index, position in enumerate(loop.written_positions):
            self._bring(loop.next, len(loop.carried) + index, self.places.of(loop.sliced[position]))

    def _made_at(self, value: SSAValue, loop: ForOp) -> str:
        """Where a pass of a loop makes a value; what it hands on as it was is on the loop's device."""
        owner = value.owner
        if isinstance(owner, ForOp):
            return self._made_at(end_of(value, owner), owner)
        if isinstance(owner, (KernelOp, *WRITES_IN_PLACE)):
            return self.places.of(value)
        return attribute(loop, "device")

    def _bring(self, user: Operation, index: int, target: str) -> None:
        value = user.operands[index]
        source = self.places.of(value)
        if source == target:
            return
        if (value, target) not in self.moved:
            transfer = TransferOp(value, source, target)
            copy_location(user, transfer)
            transfer.result.name_hint = value.name_hint
            # Outside of the loops that the value comes from outside of: it moves once.
            before = user
            while before.parent is not _block_of(value):
                outer = before.parent_op()
                assert outer is not None
                before = outer
            assert before.parent is not None
            before.parent.insert_op_before(transfer, before)
            self.moved[value, target] = transfer.result
        user.operands[index] = self.moved[value, target]


def _block_of(value: SSAValue) -> Block:
    owner = value.owner
    block = owner if isinstance(owner, Block) else owner.parent
    assert block is not None
    return block
