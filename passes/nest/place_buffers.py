"""Where intermediates lie: in no memory, in a variable, in a cache, or in global memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import ArrayAttr, FloatAttr, IndexType, IntegerAttr, IntegerType, ModuleOp, f32
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.passes import ModulePass

from hetc.dialects import nest
from hetc.dialects.locations import copy_location
from hetc.dialects.mp import RoundOp, WideIndexType, compute_type, storage_bits
from hetc.passes.nest.moving import erase_unused, kernels_on, same_value

STACK_BYTES = 1 << 18
"""What the local buffers of a kernel may take: a quarter of a MiB of a thread's stack, which has 2 MiB or more."""


@dataclass(frozen=True)
class PlaceBuffersPass(ModulePass):
    """Use a value where it is stored instead of loading it again, rounded as it is stored; and declare a buffer that
    lives within one pass of a loop there, without the dims that the loops around it go through.

    Before: any verified nest.kernel on one of `devices`. After: a global buffer holds what another phase or another
    pass uses, what is a result, or what is larger than `local_bytes`, of one buffer.

        nest.for %b { nest.store %v in %s[%b] ; %w = nest.load %s[%b] }   ->   nest.for %b { %w is %v }
        %s = nest.buffer : [B, 64] global ; nest.for %b { ... %s[%b, %d] ... }
            ->   nest.for %b { %s = nest.buffer : [64] local ; ... %s[%d] ... }
    """

    name = "place-buffers"
    devices: tuple[str, ...] = ("cpu",)
    local_bytes: int = 1 << 17

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for kernel in kernels_on(op, self.devices):
            place(kernel, self.local_bytes)


def place(kernel: nest.KernelOp, local_bytes: int = 1 << 17) -> None:
    """The buffers of one kernel."""
    made = [op.result for op in kernel.block.ops if isinstance(op, nest.BufferOp)]
    for buffer in (*kernel.result_arguments, *made):
        _forward(buffer)
    erase_unused(kernel)
    taken = 0
    for op in [op for op in kernel.block.ops if isinstance(op, nest.BufferOp)]:
        taken += _declare_inside(op, min(local_bytes, STACK_BYTES - taken))


# Values that are stored and loaded again


def _forward(buffer: SSAValue) -> None:
    """Replace loads of what the one store of a buffer has just stored."""
    users = [use.operation for use in buffer.uses]
    stores = [user for user in users if isinstance(user, nest.StoreOp)]
    if len(stores) != 1 or not all(isinstance(user, nest.StoreOp | nest.LoadOp) for user in users):
        return
    (store,) = stores
    stored: SSAValue | None = None
    for load in [user for user in users if isinstance(user, nest.LoadOp)]:
        if not _follows(load, store) or not all(
            same_value(one, other) for one, other in zip(load.indices, store.indices, strict=True)
        ):
            continue
        if stored is None:
            stored = as_stored(store)
            stored.name_hint = buffer.name_hint or stored.name_hint
        load.result.replace_all_uses_with(_where_present(load, stored))
        load.detach()
        load.erase()


def _follows(load: nest.LoadOp, store: nest.StoreOp) -> bool:
    """Whether a load is carried out after a store in the same pass of all loops around the store."""
    block = store.parent
    assert block is not None
    at = block.find_ancestor_op_in_block(load)
    return at is not None and block.get_operation_index(at) > block.get_operation_index(store)


def as_stored(store: nest.StoreOp) -> SSAValue:
    """What a load of the stored element would give."""
    type_ = store.buffer.type
    assert isinstance(type_, nest.BufferType)
    if compute_type(type_.element) == type_.element or isinstance(type_.element, WideIndexType | IndexType):
        return store.value
    rounding = RoundOp(store.value, type_.element)
    _put_before(rounding, store)
    return rounding.result


def _where_present(load: nest.LoadOp, stored: SSAValue) -> SSAValue:
    if load.present is None:
        return stored
    zero = _zero(load.result.type)
    chosen = arith.SelectOp(load.present, stored, zero.result)
    for op in (zero, chosen):
        _put_before(op, load)
    chosen.result.name_hint = load.result.name_hint
    return chosen.result


def _zero(type: Attribute) -> arith.ConstantOp:
    if isinstance(type, IndexType | IntegerType):
        return arith.ConstantOp(IntegerAttr(0, type))
    return arith.ConstantOp(FloatAttr(0.0, f32))


def _put_before(op: Operation, place: Operation) -> None:
    block = place.parent
    assert block is not None
    block.insert_op_before(copy_location(place, op), place)


# Buffers that live within one pass


def _declare_inside(op: nest.BufferOp, local_bytes: int) -> int:
    """Declare a global buffer in the innermost loop in which it is used alone, if it fits there. Returns its bytes."""
    accesses = [access for use in op.result.uses for access in nest.accesses(use.operation)]
    loops = _loops_around([access.op for access in accesses])
    inner: list[int] = []
    target: Block | None = None
    for loop in loops:
        pinned = [place for place in range(len(accesses[0].indices)) if _is_index(accesses, place, loop)]
        if not pinned:
            break
        inner, target = [*inner, pinned[0]], loop.block
    type_ = op.result.type
    assert isinstance(type_, nest.BufferType)
    kept = [place for place in range(len(type_.shape)) if place not in inner]
    extents = [type_.extents.data[place] for place in kept]
    size = _bytes(extents, type_.element)
    if target is None or size is None or size > local_bytes:
        return 0
    space = nest.LOCAL if kept else nest.REGISTER
    made = nest.BufferOp(op.sym_name.data, nest.BufferType(ArrayAttr(extents), type_.element, space))
    first = min((at for at in (target.find_ancestor_op_in_block(access.op) for access in accesses) if at is not None),
                key=target.get_operation_index)  # fmt: skip
    _put_before(copy_location(op, made), first)
    for access in accesses:
        _replace(access.op, made.result, [access.indices[place] for place in kept])
    op.detach()
    op.erase()
    return size


def _loops_around(ops: Sequence[Operation]) -> list[nest.ForOp]:
    """The loops around all of these ops, from the outermost in, without a branch in between."""
    chains = [_chain(op) for op in ops]
    common: list[nest.ForOp] = []
    for level in zip(*chains, strict=False):
        if not isinstance(level[0], nest.ForOp) or any(loop is not level[0] for loop in level):
            break
        common.append(level[0])
    return common


def _chain(op: Operation) -> list[Operation]:
    """The ops around an op inside of its phase, from the outermost in."""
    found: list[Operation] = []
    outer = op.parent_op()
    while outer is not None and not isinstance(outer, nest.PhaseOp):
        found.insert(0, outer)
        outer = outer.parent_op()
    return found


def _is_index(accesses: Sequence[nest.Access], place: int, loop: nest.ForOp) -> bool:
    return all(access.indices[place] is loop.index for access in accesses)


def _bytes(extents: Sequence[Attribute], element: Attribute) -> int | None:
    """The bytes of constant extents."""
    if not all(isinstance(extent, IntegerAttr) for extent in extents):
        return None
    bits = max(8, storage_bits(element))
    return prod(extent.value.data for extent in extents if isinstance(extent, IntegerAttr)) * bits // 8


def _replace(op: Operation, buffer: SSAValue, indices: Sequence[SSAValue]) -> None:
    """The same load or store of another buffer."""
    made: Operation
    if isinstance(op, nest.LoadOp):
        made = nest.LoadOp(buffer, indices, op.present)
        made.results[0].name_hint = op.result.name_hint
    else:
        assert isinstance(op, nest.StoreOp)
        made = nest.StoreOp(op.value, buffer, indices)
    _put_before(copy_location(op, made), op)
    for old, new in zip(op.results, made.results, strict=True):
        old.replace_all_uses_with(new)
    op.detach()
    op.erase()
