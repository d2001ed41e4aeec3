"""Narrow operands as numbers, decoded once for all passes of a loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from xdsl.context import Context
from xdsl.dialects.builtin import Float32Type, IndexType, ModuleOp
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass

from hetc.dialects import nest
from hetc.dialects.locations import copy_location
from hetc.dialects.mp import TensorType, compute_type, dtype_name, storage_bits
from hetc.numerics.dtypes import dtype_of
from hetc.passes.nest.facts import Facts, number_of
from hetc.passes.nest.hoist_invariants import has_a_pass
from hetc.passes.nest.moving import is_inside, kernels_on
from hetc.passes.nest.place_buffers import STACK_BYTES

F32_EXPONENT_BITS = 8
FEWEST_PASSES = 4
"""A number that is used less often is as well decoded each time."""


@dataclass(frozen=True)
class StageReadsPass(ModulePass):
    """Where each pass of a loop reads the same elements of a narrow float, over inner loops of constant ranges, decode
    them in front of it into a local buffer of f32. bf16 is left, which is decoded by a shift.

    Before: any verified nest.kernel on one of `devices`. After: such elements are decoded once a row, of at most
    `local_bytes` as f32.

        nest.for %h { nest.for %d { nest.read %keys[%t, %d] } }
            ->   %row = nest.buffer : [128] local ; nest.for %d { nest.read %keys[%t, %d] ; nest.store in %row[%d] }
                 nest.for %h { nest.for %d { nest.load %row[%d] } }
    """

    name = "stage-reads"
    devices: tuple[str, ...] = ("cpu",)
    local_bytes: int = 1 << 15

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for kernel in kernels_on(op, self.devices):
            stage(kernel, self.local_bytes)


def stage(kernel: nest.KernelOp, local_bytes: int = 1 << 15) -> None:
    """The reads of one kernel."""
    taken = sum(_bytes(op) for op in kernel.walk() if isinstance(op, nest.BufferOp))
    for op in list(kernel.walk()):
        if isinstance(op, nest.ReadOp) and op.present is None and _is_recoded(op.tensor):
            found = _place_for(op, min(local_bytes, STACK_BYTES - taken))
            if found is not None:
                outer, loops = found
                taken += _stage(op, outer, loops)


def _bytes(op: nest.BufferOp) -> int:
    """What a buffer takes of a thread's stack."""
    type_ = op.result.type
    assert isinstance(type_, nest.BufferType)
    if type_.where == nest.GLOBAL:
        return 0
    return prod(extent for extent in type_.shape if isinstance(extent, int)) * max(8, storage_bits(type_.element)) // 8


def _is_recoded(tensor: SSAValue) -> bool:
    """Whether an element's exponent is another one than that of its number."""
    type_ = tensor.type
    assert isinstance(type_, TensorType)
    if not isinstance(compute_type(type_.element), Float32Type):
        return False
    dtype = dtype_of(dtype_name(type_.element))
    return dtype.is_float and dtype.bits - 1 - dtype.mantissa_bits != F32_EXPONENT_BITS


def _place_for(op: nest.ReadOp, local_bytes: int) -> tuple[nest.ForOp, list[nest.ForOp]] | None:
    """The outermost loop whose passes all read the same here, not the outermost of its phase, and the loops in it that
    the read goes over."""
    around = _loops_around(op)
    for at, outer in enumerate(around[1:], 1):
        inner = around[at + 1 :]
        loops = [loop for loop in inner if loop.index in op.indices]
        if outer.most_passes < FEWEST_PASSES or not loops or not _goes_over(op, outer, loops):
            continue
        facts = Facts.around(outer)
        for loop in loops:
            facts = facts.inside(loop)
        in_range = has_a_pass(outer) and all(has_a_pass(loop) for loop in inner)
        fits = prod(loop.most_passes for loop in loops) * 4 <= local_bytes
        if fits and (in_range or facts.in_range(op.tensor.type, op.indices)):
            return outer, loops
    return None


def _loops_around(op: Operation) -> list[nest.ForOp]:
    """The loops around an op, from the outermost in, as far out as there is nothing but loops."""
    found: list[nest.ForOp] = []
    outer = op.parent_op()
    while isinstance(outer, nest.ForOp):
        found.insert(0, outer)
        outer = outer.parent_op()
    return found


def _goes_over(op: nest.ReadOp, outer: nest.ForOp, loops: Sequence[nest.ForOp]) -> bool:
    """Whether a read's indices are those of these loops, of constant ranges from 0, and otherwise what is known around
    another loop."""
    for loop in loops:
        if number_of(loop.lower) != 0 or number_of(loop.upper) is None or loop.step_size != 1:
            return False
    indices = {loop.index for loop in loops}
    return all(index in indices or not is_inside(index, outer) for index in op.indices)


def _stage(op: nest.ReadOp, outer: nest.ForOp, loops: Sequence[nest.ForOp]) -> int:
    """Put the decoding of what a read goes over in front of a loop. Returns the bytes of the buffer."""
    extents = [loop.most_passes for loop in loops]
    block = outer.parent
    assert block is not None
    name = op.tensor.name_hint or "operand"
    buffer = nest.BufferOp(f"{name}_row", nest.BufferType(extents, op.result.type, nest.LOCAL))
    block.insert_op_before(copy_location(op, buffer), outer)
    places: dict[SSAValue, SSAValue] = {}
    at: Operation = outer
    for loop in loops:
        body = Block(arg_types=[IndexType()])
        body.args[0].name_hint = loop.index.name_hint
        places[loop.index] = body.args[0]
        made = nest.ForOp(loop.lower, loop.upper, loop.most_passes, Region(body))
        if at is outer:
            block.insert_op_before(copy_location(op, made), outer)
        else:
            at.regions[0].block.add_op(copy_location(op, made))
        at = made
    read = nest.ReadOp(op.tensor, [places.get(index, index) for index in op.indices])
    store = nest.StoreOp(read.result, buffer.result, list(places.values()))
    at.regions[0].block.add_ops([copy_location(op, read), copy_location(op, store)])
    load = nest.LoadOp(buffer.result, [loop.index for loop in loops])
    load.result.name_hint = op.result.name_hint
    home = op.parent
    assert home is not None
    home.insert_op_before(copy_location(op, load), op)
    op.result.replace_all_uses_with(load.result)
    op.detach()
    op.erase()
    return _bytes(buffer)
