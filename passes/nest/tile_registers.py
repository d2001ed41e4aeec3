"""Which loops carry out several passes at once, so that operands stay in registers for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import prod

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass

from hetc.dialects import nest
from hetc.dialects.mp import DimOp, TensorType, storage_bits
from hetc.passes.nest.building import Builder, dims_of
from hetc.passes.nest.cost import CORE_CACHE_BYTES, REGISTER_LANES, operations_of_each
from hetc.passes.nest.moving import kernels_on
from hetc.passes.nest.unroll_and_jam import jam, not_jammed, varying

BLOCKS = (2, 3, 4, 6, 8)
MOST_STATES = 8
"""Registers for states. Half of what 64-byte vectors have 16 of, all of what 32-byte vectors have."""
LEAST_GAIN = 1.25
LEAST_OPERATIONS = 1.0
"""For a byte of a larger operand: with fewer, the core waits for its memory. A core reads some 30 GB/s and does some
ten vector operations a nanosecond; what is not counted here, such as the joining of lanes, is as much again."""
LEAST_BLOCKS = 4
"""Of a loop: it goes through as many blocks of passes or more."""


@dataclass(frozen=True)
class TileRegistersPass(ModulePass):
    """Unroll and jam loops around a sum in lanes: the one or two, and the numbers of passes at once, with which the
    innermost loop takes the fewest operations for each pass, as many as the states of all of them fit in registers.
    A loop whose passes each bring rows of a large operand, with little to do for a byte, is left alone: it waits for
    memory, and several rows at once come more slowly than one behind the other.

    Before: lanes are bound, threads are not. After: a loop around the innermost ones takes several steps at once, where
    that saves a fifth of the operations or more.

        for %g = 0 to 128 { for %j { for %c bind <vector 16> {      ->  for %g = 0 to 128 step 4 { for %j {
          fold read %q[%g, %c] * read %k[%j, %c] } } }                    for %c bind <vector 16> { ... 4 folds } } }
    """

    name = "tile-registers"
    devices: tuple[str, ...] = ("cpu",)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for kernel in kernels_on(op, self.devices):
            tile_registers(kernel, dims_of(op))


def tile_registers(kernel: nest.KernelOp, dims: Mapping[str, DimOp]) -> None:
    """The loops of one kernel."""
    extents = {name: dim.largest for name, dim in dims.items()}
    for innermost in [op for op in nest.ops_in(kernel) if isinstance(op, nest.ForOp) and _is_innermost(op)]:
        if innermost.parent is not None:
            for loop, by in _choice(innermost, extents):
                jam(loop, by, Builder(dims, Block(), loop))


def _is_innermost(loop: nest.ForOp) -> bool:
    held = list(nest.inner_ops(loop))
    folds = any(isinstance(op, nest.FoldOp) and not nest.is_queue(op.states) for op in held)
    return folds and not any(isinstance(op, nest.ForOp | nest.EntriesOp) for op in held)


def _around(loop: nest.ForOp) -> Iterator[nest.ForOp]:
    """The loops around one, the nearest first."""
    parent = loop.parent_op()
    while parent is not None and not isinstance(parent, nest.PhaseOp):
        if isinstance(parent, nest.ForOp):
            yield parent
        parent = parent.parent_op()


def _choice(innermost: nest.ForOp, extents: Mapping[str, int]) -> Sequence[tuple[nest.ForOp, int]]:
    """The loops to unroll, the inner one first, and how many passes each takes at once."""
    around = list(_around(innermost))
    of_lanes = next((loop for loop in (innermost, *around) if loop.lane_count), None)
    lanes = of_lanes.lane_count if of_lanes is not None else 0
    states = {op.states for op in nest.inner_ops(innermost) if isinstance(op, nest.FoldOp)}
    registers = len(states) * max(1, lanes // REGISTER_LANES)
    if of_lanes is None or BLOCKS[0] * registers > MOST_STATES:
        return ()
    long = [loop for loop in around if loop.most_passes >= LEAST_BLOCKS * BLOCKS[0]]
    own = {loop: varying(loop) for loop in long if not_jammed(loop) is None}
    weights = operations_of_each(innermost, extents)
    streamed = _streamed(innermost, of_lanes, extents)
    most_bytes = sum(weights.values()) / LEAST_OPERATIONS
    own = {
        loop: values
        for loop, values in own.items()
        if sum(size for read, size in streamed.items() if values.intersection(read.operands)) <= most_bytes
    }
    best: Sequence[tuple[nest.ForOp, int]] = ()
    least = sum(weights.values()) / LEAST_GAIN
    for count in (1, 2):
        for loops in combinations(own, count):
            for sizes in product(BLOCKS, repeat=count):
                fits = all(loop.most_passes >= LEAST_BLOCKS * by for loop, by in zip(loops, sizes, strict=True))
                if fits and prod(sizes) * registers <= MOST_STATES:
                    taken = _operations(weights, [(own[loop], by) for loop, by in zip(loops, sizes, strict=True)])
                    if taken < least:
                        best, least = list(zip(loops, sizes, strict=True)), taken
    return best


def _streamed(innermost: nest.ForOp, of_lanes: nest.ForOp, extents: Mapping[str, int]) -> dict[nest.ReadOp, float]:
    """The bytes that reads of operands larger than a cache bring in a pass of the innermost loop."""
    found, in_lanes = {}, varying(of_lanes)
    for op in nest.inner_ops(innermost):
        if isinstance(op, nest.ReadOp):
            type_ = op.tensor.type
            assert isinstance(type_, TensorType)
            each = storage_bits(type_.element) / 8
            whole = each * prod(size if isinstance(size, int) else extents[size] for size in type_.shape)
            if whole > CORE_CACHE_BYTES:
                found[op] = each * (of_lanes.lane_count if in_lanes.intersection(op.operands) else 1)
    return found


def _operations(weights: Mapping[Operation, float], blocks: Sequence[tuple[set[SSAValue], int]]) -> float:
    """Operations of the innermost loop for each pass of those around: what does not depend on a loop is done once for
    a block of its passes."""
    return sum(
        weight / prod(by for own, by in blocks if not own.intersection(op.operands)) for op, weight in weights.items()
    )
