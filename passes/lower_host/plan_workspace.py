"""Let values of a step that are not in use at one time lie in the same memory."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import cast

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.ir import SSAValue
from xdsl.passes import ModulePass

from hetc.dialects import host
from hetc.dialects.host import BufferType
from hetc.passes.analysis.banks import Banks, banks_of, channels_of
from hetc.passes.analysis.lifetimes import Lifetime, lifetimes, ops_in_order
from hetc.passes.analysis.sizes import Sizes


@dataclass
class _Slot:
    """A part of the workspace, as large as the first of its values: the largest."""

    kind: Hashable
    lives: list[Lifetime] = field(default_factory=list)

    def takes(self, life: Lifetime) -> bool:
        return not any(life.overlaps(other) for other in self.lives)


@dataclass(frozen=True)
class PlanWorkspacePass(ModulePass):
    """Give every buffer of the workspace its slot.

    The largest first, each to the first slot whose values are never in use when it is (the greedy assignment of shared
    objects by size, arXiv 2001.03288, which keeps the sum of the slots small). One step runs at a time: values of two
    steps may share a slot. What a memory takes over at the end of a step shares one with its like only, and what lies
    in several arrays too; where a device has several memory channels a slot is in one.

    Before: host.allocate and host.copy stand where they happen; kernels are joined to memory channels.
    After: each has a `slot`, apart from copies that stay from call to call.

        %a = host.allocate "a" ... last use        %a = host.allocate "a" slot 0 ... last use
        %b = host.allocate "b"                ->   %b = host.allocate "b" slot 0
    """

    name = "plan-workspace"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        channels = channels_of(op)
        for program in [item for item in op.body.block.ops if isinstance(item, host.ProgramOp)]:
            _plan(program, banks_of(program, channels))


def _plan(program: host.ProgramOp, banks: Banks) -> None:
    sizes = Sizes(program.dims)
    taken_over = {
        host.buffer_of(op.value) for step in program.steps for op in step.walk() if isinstance(op, host.CommitOp)
    }
    slots: dict[str, list[_Slot]] = {}
    for life in sorted(_lives(program), key=lambda life: (-sizes.bytes(_type(life.buffer)), life.first)):
        type_ = _type(life.buffer)
        kind = _kind(life.buffer, type_, banks, life.buffer in taken_over)
        own = slots.setdefault(type_.kind, [])
        number = next((at for at, slot in enumerate(own) if slot.kind == kind and slot.takes(life)), len(own))
        if number == len(own):
            own.append(_Slot(kind))
        own[number].lives.append(life)
        life.buffer.owner.properties["slot"] = IntegerAttr(number, i64)  # type: ignore[union-attr]


def _lives(program: host.ProgramOp) -> list[Lifetime]:
    """Of all values that lie in the workspace. Each step's ops are numbered on from those of the one before."""
    found: list[Lifetime] = []
    start = 0
    for step in program.steps:
        found += [life for life in lifetimes(step, start) if in_workspace(life.buffer, program)]
        start += len(ops_in_order(step))
    return found


def in_workspace(buffer: SSAValue, program: host.ProgramOp) -> bool:
    """Whether a buffer is one of a call's own, in memory that the next call uses again."""
    if isinstance(buffer.owner, host.CopyOp):
        return not host.stays(buffer.owner, program.declarations)
    return isinstance(buffer.owner, host.AllocateOp)


def _kind(buffer: SSAValue, type: BufferType, banks: Banks, taken_over: bool) -> Hashable:
    """What values of one slot have in common."""
    channels = tuple(sorted(banks.of(buffer).items()))
    one_array = type.channels.data == 1 and not type.depth and not taken_over
    return channels if one_array else (channels, type, taken_over)


def _type(buffer: SSAValue) -> BufferType:
    return cast(BufferType, buffer.type)
