"""How a selection over a long row is split: one program would read the whole row five times, alone."""

from __future__ import annotations

from hetc.dialects.mp import RangedOp, ReadOp, ReduceOp, SelectOp, TopkOp
from hetc.passes.schedule.gpu_products import largest_extent

CHUNK = 1 << 15
"""Entries of a row that one program chooses from. Near the square root of (length x entries taken), where choosing in
the chunks and choosing among their best take equally long: 45,000 for 2,048 of a million."""


def keys_are_cheap(op: RangedOp) -> bool:
    """Whether a selection computes its score anew in each of its passes: one plain read and no reduction."""
    inner = list(op.walk())
    return not any(isinstance(item, ReduceOp) for item in inner) and sum(isinstance(i, ReadOp) for i in inner) <= 1


def chunk_of(op: TopkOp | SelectOp) -> int | None:
    """Entries of a chunk where rows are split, else None: where they may not be long, and where what does not fit
    must be counted."""
    if isinstance(op, SelectOp):
        if op.overflow.first_use is not None:
            return None
        count = op.capacity.value.data
    else:
        count = op.k.value.data
    chunk = max(CHUNK, 8 << max(count - 1, 0).bit_length())
    return chunk if largest_extent(op, op.body.block.args[-1]) > 2 * chunk else None
