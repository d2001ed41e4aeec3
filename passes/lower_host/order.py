"""The order of a step's host ops: launches before waits.

Between ops that touch one buffer the order stays. Otherwise an op that would make the host wait for a device (a copy
from it, a read of what it writes) comes after everything that can still be started, and a host.wait before it says
so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xdsl.ir import Operation, SSAValue

from hetc.dialects import host
from hetc.dialects.host import HOST_KIND, BufferType, buffer_of
from hetc.dialects.locations import copy_location


def ordered(ops: Sequence[Operation], started: Mapping[SSAValue, str] | None = None) -> list[Operation]:
    """`ops` reordered, with waits. `started`: buffers that kernels may still be writing when the ops begin, and the
    device."""
    before = _dependencies(ops)
    placed: list[Operation] = []
    done: set[int] = set()
    pending: dict[SSAValue, str] = dict(started or {})
    while len(done) < len(ops):
        ready = [at for at in range(len(ops)) if at not in done and before[at] <= done]
        at = next((at for at in ready if not _stalls(ops[at], pending)), ready[0])
        for kind in sorted(_stalls(ops[at], pending)):
            placed.append(copy_location(ops[at], host.WaitOp(kind)))
            pending = {buffer: on for buffer, on in pending.items() if on != kind}
        placed.append(ops[at])
        done.add(at)
        pending.update(written_by_kernels([ops[at]]))
    return _allocated_late(placed)


def written_by_kernels(ops: Sequence[Operation]) -> dict[SSAValue, str]:
    """The buffers that kernels of `ops` write, those of loops among them, and the device that does."""
    found: dict[SSAValue, str] = {}
    for op in ops:
        if isinstance(op, host.KernelOp):
            found.update({buffer_of(value): op.device.data for value in op.writes})
        elif isinstance(op, host.ForOp):
            found.update(written_by_kernels(list(op.block.ops)))
    return found


def _allocated_late(ops: Sequence[Operation]) -> list[Operation]:
    """`ops` with each buffer named right before the op that first uses it."""
    result: list[Operation] = []
    placed: set[Operation] = set()
    own: dict[SSAValue, host.AllocateOp] = {op.result: op for op in ops if isinstance(op, host.AllocateOp)}
    for op in ops:
        if isinstance(op, host.AllocateOp):
            continue
        used = [value for item in op.walk() for value in item.operands]
        for value in dict.fromkeys(used):
            if value in own and own[value] not in placed:
                placed.add(own[value])
                result.append(own[value])
        result.append(op)
    unused = [op for op in own.values() if op not in placed]
    return unused + result


def _stalls(op: Operation, pending: dict[SSAValue, str]) -> set[str]:
    """The devices that the host must wait for before it can do `op`."""
    if isinstance(op, host.KernelOp):
        return set()  # launches on one device run in order
    kinds: set[str] = set()
    if isinstance(op, host.ForOp):
        return kinds.union(*(_stalls(inner, pending) for inner in op.block.ops))
    for value in op.operands:
        kind = pending.get(buffer_of(value))
        if kind is not None and not _stays_on_device(op, kind):
            kinds.add(kind)
    return kinds


def _stays_on_device(op: Operation, kind: str) -> bool:
    """Whether `op` happens in the device's own order: an append within the device, or no work at all."""
    if isinstance(op, host.CommitOp | host.LayerOp):
        return True
    if isinstance(op, host.CopyOp):
        return False  # another device's, or another layout: it passes through the host
    types = [value.type for value in (*op.operands, *op.results)]
    same = all(isinstance(item, BufferType) and item.kind == kind for item in types)
    return same and not isinstance(op, host.OutputOp) and kind != HOST_KIND


def _dependencies(ops: Sequence[Operation]) -> list[set[int]]:
    """For each op the earlier ones that must come before it."""
    writer: dict[SSAValue, int] = {}
    readers: dict[SSAValue, list[int]] = {}
    result: list[set[int]] = []
    for at, op in enumerate(ops):
        reads, writes = _effects(op)
        # A copy of a memory is brought up to date in place: who reads the copy reads the memory.
        reads = list(dict.fromkeys(source for value in reads for source in _sources(value)))
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


def _sources(value: SSAValue) -> list[SSAValue]:
    """A buffer, and those that it is a copy of."""
    found = [value]
    while isinstance(found[-1].owner, host.CopyOp):
        found.append(buffer_of(found[-1].owner.value))
    return found


def _effects(op: Operation) -> tuple[list[SSAValue], list[SSAValue]]:
    """Buffers that an op reads, and those that it writes or makes."""
    made = [
        buffer_of(value) for value in op.results if not isinstance(op, host.AppendOp | host.ScatterOp | host.LayerOp)
    ]
    if isinstance(op, host.ForOp):
        return _effects_of_loop(op)
    if isinstance(op, host.StoreOp):
        return [buffer_of(op.value)], [buffer_of(op.target)]
    if isinstance(op, host.KernelOp):
        inner = [buffer_of(value) for launch in op.launches for value in launch.buffers]
        reads = [buffer_of(value) for value in op.reads]
        return reads, [value for value in dict.fromkeys((*map(buffer_of, op.writes), *inner)) if value not in reads]
    if isinstance(op, host.AppendOp | host.ScatterOp):
        return [buffer_of(value) for value in op.operands[1:]], [buffer_of(op.memory)]
    return [buffer_of(value) for value in op.operands], made


def _effects_of_loop(loop: host.ForOp) -> tuple[list[SSAValue], list[SSAValue]]:
    """What the ops of a loop read and write of what lies around it."""
    reads: dict[SSAValue, None] = {}
    writes: dict[SSAValue, None] = {}
    for op in loop.block.ops:
        for found, values in zip((reads, writes), _effects(op), strict=True):
            found.update(dict.fromkeys(value for value in values if not _made_in(value, loop)))
    return list(reads), list(writes)


def _made_in(value: SSAValue, loop: host.ForOp) -> bool:
    """Whether a buffer is named inside of a loop."""
    op = value.owner if isinstance(value.owner, Operation) else value.owner.parent_op()
    while op is not None and op is not loop:
        op = op.parent_op()
    return op is loop
