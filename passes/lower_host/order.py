"""The order of a step's host ops: launches before waits.

Between ops that touch one buffer the order stays. Otherwise an op that would make the host wait for a device (a copy
from it, a read of what it writes) comes after everything that can still be started, and a host.wait before it says
so.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import Operation, SSAValue

from hetc.dialects import host
from hetc.dialects.host import HOST_KIND, BufferType
from hetc.dialects.locations import copy_location


def ordered(ops: Sequence[Operation]) -> list[Operation]:
    """`ops` reordered, with waits."""
    before = _dependencies(ops)
    placed: list[Operation] = []
    done: set[int] = set()
    pending: dict[SSAValue, str] = {}
    while len(done) < len(ops):
        ready = [at for at in range(len(ops)) if at not in done and before[at] <= done]
        at = next((at for at in ready if not _stalls(ops[at], pending)), ready[0])
        for kind in sorted(_stalls(ops[at], pending)):
            placed.append(copy_location(ops[at], host.WaitOp(kind)))
            pending = {buffer: on for buffer, on in pending.items() if on != kind}
        placed.append(ops[at])
        done.add(at)
        op = ops[at]
        if isinstance(op, host.KernelOp):
            pending.update({_root(value): op.device.data for value in op.writes})
    return _allocated_late(placed)


def _allocated_late(ops: Sequence[Operation]) -> list[Operation]:
    """`ops` with each buffer named right before the op that first uses it."""
    result: list[Operation] = []
    placed: set[Operation] = set()
    for op in ops:
        if isinstance(op, host.AllocateOp):
            continue
        inner = op.launches if isinstance(op, host.KernelOp) else []
        used = [value.owner for item in (op, *inner) for value in item.operands]
        for owner in dict.fromkeys(used):
            if isinstance(owner, host.AllocateOp) and owner not in placed:
                placed.add(owner)
                result.append(owner)
        result.append(op)
    unused = [op for op in ops if isinstance(op, host.AllocateOp) and op not in placed]
    return unused + result


def _stalls(op: Operation, pending: dict[SSAValue, str]) -> set[str]:
    """The devices that the host must wait for before it can do `op`."""
    if isinstance(op, host.KernelOp):
        return set()  # launches on one device run in order
    kinds = set()
    for value in op.operands:
        kind = pending.get(_root(value))
        if kind is not None and not _stays_on_device(op, kind):
            kinds.add(kind)
    return kinds


def _stays_on_device(op: Operation, kind: str) -> bool:
    """Whether `op` happens in the device's own order: an append within the device, or no work at all."""
    if isinstance(op, host.CommitOp):
        return True
    if isinstance(op, host.CopyOp):
        return False  # another device's, or another layout: it passes through the host
    types = [value.type for value in (*op.operands, *op.results)]
    same = all(isinstance(item, BufferType) and item.kind == kind for item in types)
    return same and not isinstance(op, host.OutputOp) and kind != HOST_KIND


def _root(value: SSAValue) -> SSAValue:
    """The value that first named the buffer: an append writes in place."""
    while isinstance(value.owner, host.AppendOp):
        value = value.owner.memory
    return value


def _dependencies(ops: Sequence[Operation]) -> list[set[int]]:
    """For each op the earlier ones that must come before it."""
    writer: dict[SSAValue, int] = {}
    readers: dict[SSAValue, list[int]] = {}
    result: list[set[int]] = []
    for at, op in enumerate(ops):
        reads, writes = _effects(op)
        needed = {writer[value] for value in (*reads, *writes) if value in writer}
        for value in writes:
            needed |= set(readers.get(value, ()))
        # What the caller sees stays in source order.
        if isinstance(op, host.OutputOp | host.CommitOp):
            needed |= {other for other in range(at) if isinstance(ops[other], host.OutputOp | host.CommitOp)}
        result.append(needed - {at})
        for value in reads:
            readers.setdefault(value, []).append(at)
        for value in writes:
            writer[value], readers[value] = at, []
    return result


def _effects(op: Operation) -> tuple[list[SSAValue], list[SSAValue]]:
    """Buffers that an op reads, and those that it writes or makes."""
    made = [_root(value) for value in op.results if not isinstance(op, host.AppendOp)]
    if isinstance(op, host.KernelOp):
        inner = [_root(value) for launch in op.launches for value in launch.buffers]
        reads = [_root(value) for value in op.reads]
        return reads, [value for value in dict.fromkeys((*map(_root, op.writes), *inner)) if value not in reads]
    if isinstance(op, host.AppendOp):
        return [_root(op.rows)], [_root(op.memory)]
    return [_root(value) for value in op.operands], made
