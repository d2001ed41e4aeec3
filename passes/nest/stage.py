"""Operands that are read again and again, as numbers in a buffer of a processor's cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from xdsl.context import Context
from xdsl.dialects.builtin import Float32Type, ModuleOp
from xdsl.ir import Block, SSAValue
from xdsl.passes import ModulePass

from hetc.dialects import nest
from hetc.dialects.mp import DimOp, TensorType, compute_type, storage_bits
from hetc.passes.nest.building import Builder, dims_of, put_before
from hetc.passes.nest.facts import Facts
from hetc.passes.nest.hoist_invariants import has_a_pass
from hetc.passes.nest.place_buffers import STACK_BYTES

LEAST_REPETITIONS = 16
MOST_ELEMENTS = 16384
"""Of a staged slice: 64 KiB of f32."""


@dataclass(frozen=True)
class StagePass(ModulePass):
    """Copy a slice of an operand that a loop reads in each of its passes into a buffer in front of the loop, where its
    elements are narrower than the numbers that they are read as: then each is widened once.

    Before: no loop of the kernels on one of `devices` is bound. After: no loop there inside of others reads the same
    elements of a narrow operand in 16 passes or more, if a slice has constant extents and at most 16384 elements, is in
    range also where the loop has no pass, and the buffers of a kernel fit a thread's stack.

        for %t ... { for %h in 64 { for %d in 128 {         %rows = buffer [64, 128] x f32, local
          read %q[%b, %h, %d] ... } } }                ->   for %h { for %d { store (read %q[%b, %h, %d]) in %rows } }
                                                            for %t ... { for %h { for %d { load %rows[%h, %d] ... } } }
    """

    name = "stage"
    devices: tuple[str, ...] = ("cpu",)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        dims = dims_of(op)
        for kernel in [item for item in op.body.block.ops if isinstance(item, nest.KernelOp)]:
            if kernel.device.data in self.devices:
                stage(kernel, dims)


def stage(kernel: nest.KernelOp, dims: Mapping[str, DimOp]) -> None:
    """The reads of one kernel."""
    taken = sum(_bytes(op) for op in nest.ops_in(kernel) if isinstance(op, nest.BufferOp))
    for read in [op for op in nest.ops_in(kernel) if isinstance(op, nest.ReadOp)]:
        if read.present is None and _is_narrow(read):
            found = _slice(read)
            size = 0 if found is None else 4 * _elements(found[1])
            if found is not None and taken + size <= STACK_BYTES:
                _stage(read, *found, dims)
                taken += size


def _bytes(op: nest.BufferOp) -> int:
    """What a buffer takes of a thread's stack."""
    type_ = op.result.type
    assert isinstance(type_, nest.BufferType)
    if type_.where == nest.GLOBAL:
        return 0
    return prod(extent for extent in type_.shape if isinstance(extent, int)) * max(8, storage_bits(type_.element)) // 8


def _is_narrow(read: nest.ReadOp) -> bool:
    """Whether an element is a float in fewer bits than it is read as."""
    type_ = read.tensor.type
    assert isinstance(type_, TensorType)
    is_number = isinstance(read.result.type, Float32Type)
    return is_number and type_.element != compute_type(type_.element)


def _slice(read: nest.ReadOp) -> tuple[nest.ForOp, list[nest.ForOp]] | None:
    """The outermost loop that repeats a read, inside of another loop, and the loops in it that the slice goes over, in
    the order of the indices; None where there is none whose slice has constant extents and fits."""
    used = {index.owner.parent_op() for index in read.indices if isinstance(index.owner, Block)}
    inside: list[nest.ForOp] = []
    found = None
    outer = read.parent_op()
    while isinstance(outer, nest.ForOp):
        is_inner = isinstance(outer.parent_op(), nest.ForOp)
        if outer not in used and inside and is_inner and outer.most_passes >= LEAST_REPETITIONS:
            ordered = sorted(inside, key=lambda loop: list(read.indices).index(loop.index))
            if _is_constant(read, outer, ordered) and _is_in_range(read, outer, ordered):
                found = outer, ordered
        if outer in used:
            inside.append(outer)
        outer = outer.parent_op()
    return found


def _is_constant(read: nest.ReadOp, outer: nest.ForOp, loops: list[nest.ForOp]) -> bool:
    """Whether the slice is the same in all passes of a loop around it, and small enough."""
    if any(nest.number_of(loop.upper) is None or nest.number_of(loop.lower) != 0 for loop in loops):
        return False
    own = {loop.index for loop in loops}
    return _elements(loops) <= MOST_ELEMENTS and all(index in own or _is_before(index, outer) for index in read.indices)


def _is_in_range(read: nest.ReadOp, outer: nest.ForOp, loops: list[nest.ForOp]) -> bool:
    """Whether the slice is there in front of a loop: it has a pass, or what is around it says so."""
    around = read.parent_op()
    while isinstance(around, nest.ForOp) and has_a_pass(around) and around is not outer:
        around = around.parent_op()
    if around is outer and has_a_pass(outer):
        return True
    facts = Facts.around(outer)
    for loop in loops:
        facts = facts.inside(loop)
    return facts.in_range(read.tensor.type, read.indices)


def _elements(loops: Sequence[nest.ForOp]) -> int:
    return prod(nest.number_of(loop.upper) or 0 for loop in loops)


def _is_before(value: SSAValue, loop: nest.ForOp) -> bool:
    owner = value.owner.parent_op() if isinstance(value.owner, Block) else value.owner
    return owner is not loop and (owner is None or not nest.is_inside(owner, loop))


def _stage(read: nest.ReadOp, outer: nest.ForOp, loops: list[nest.ForOp], dims: Mapping[str, DimOp]) -> None:
    """A buffer in front of a loop, filled, and the read of it."""
    builder = Builder(dims, Block(), read)
    extents = [nest.number_of(loop.upper) or 0 for loop in loops]
    name = f"{read.tensor.name_hint or 'operand'}_row{'s' if len(loops) > 1 else ''}"
    rows = builder.value(nest.BufferOp(name, nest.BufferType(extents, Float32Type(), nest.LOCAL)))
    _fill(builder, read, rows, loops, {})
    put_before(builder, outer)
    block = read.parent
    assert block is not None
    load = nest.LoadOp(rows, [loop.index for loop in loops])
    load.location = read.location
    block.insert_op_before(load, read)
    load.result.name_hint = read.result.name_hint
    read.result.replace_all_uses_with(load.result)
    read.detach()
    read.erase()


def _fill(
    builder: Builder, read: nest.ReadOp, rows: SSAValue, loops: list[nest.ForOp], places: dict[SSAValue, SSAValue]
) -> None:
    """Loops over the slice."""
    if len(places) == len(loops):
        value = builder.value(nest.ReadOp(read.tensor, [places.get(index, index) for index in read.indices]))
        builder.add(nest.StoreOp(value, rows, list(places.values())))
        return
    loop = loops[len(places)]
    end = nest.number_of(loop.upper) or 0
    with builder.counted(loop.index.name_hint or "i", builder.index(end), end) as index:
        _fill(builder, read, rows, loops, {**places, loop.index: index})
