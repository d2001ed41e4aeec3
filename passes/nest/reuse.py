"""What the passes of a loop read again: operands that lie in a cache from one pass to the next if nothing else comes in
between."""

from __future__ import annotations

from xdsl.dialects import arith
from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import Block, Operation, SSAValue

from hetc.dialects import nest
from hetc.dialects.mp import TensorType, storage_bits

SMALL_BYTES = 1 << 15
"""What comes in between at less than this, the size of a first-level cache, evicts nothing that counts."""


def evict_each_other(first: nest.ForOp, second: nest.ForOp, cache_bytes: int) -> bool:
    """Whether passes of two loops that are taken in turns evict from a cache of this size what one of them reads in
    each pass. How much is read in loops of unknown length is taken to be what fits."""
    reads = [_bytes_read(loop, cache_bytes) for loop in (first, second)]
    return any(
        again > SMALL_BYTES and touched > SMALL_BYTES and again + touched > cache_bytes
        for (again, _), (_, touched) in (reads, reversed(reads))
    )


def _bytes_read(loop: nest.ForOp, cache_bytes: int) -> tuple[int, int]:
    """Bytes of operands that each pass reads again, as far as a cache can hold them, and that a pass reads at all."""
    again: dict[tuple[SSAValue, bool], int] = {}
    depends: dict[SSAValue, frozenset[SSAValue]] = {}
    for op in nest.ops_in(loop):
        if isinstance(op, nest.ReadOp):
            indices = frozenset().union(*(_loops_of(index, depends) for index in op.indices))
            trips, is_known = _trips(op, loop, indices)
            type_ = op.tensor.type
            assert isinstance(type_, TensorType)
            size = trips * max(8, storage_bits(type_.element)) // 8
            fits = size <= cache_bytes or not is_known
            key = op.tensor, loop.index not in indices and fits
            again[key] = max(again.get(key, 0), min(size, cache_bytes))
    return sum(size for (_, same), size in again.items() if same), sum(again.values())


def _trips(op: Operation, loop: nest.ForOp, indices: frozenset[SSAValue]) -> tuple[int, bool]:
    """How many elements an op reads in a pass of a loop at most, and whether that is how many it reads."""
    trips, is_known = 1, True
    outer = op.parent_op()
    while outer is not None and outer is not loop:
        if isinstance(outer, nest.ForOp) and outer.index in indices:
            trips *= outer.most_passes
            is_known = is_known and _is_constant(outer.upper)
        elif isinstance(outer, nest.EntriesOp):
            trips *= outer.most.value.data
            is_known = False
        outer = outer.parent_op()
    return trips, is_known


def _is_constant(value: SSAValue) -> bool:
    owner = value.owner
    return isinstance(owner, arith.ConstantOp) and isinstance(owner.value, IntegerAttr)


def _loops_of(value: SSAValue, known: dict[SSAValue, frozenset[SSAValue]]) -> frozenset[SSAValue]:
    """The indices of loops that a value is computed from, through what is read and loaded at them, too."""
    if value not in known:
        owner = value.owner
        if isinstance(owner, Block):
            known[value] = frozenset([value])
        else:
            known[value] = frozenset().union(*(_loops_of(operand, known) for operand in owner.operands))
    return known[value]
