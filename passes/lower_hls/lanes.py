"""How many elements of each reduction are combined side by side, within a budget of lanes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from xdsl.ir import Block, SSAValue

from hetc.dialects.mp import ReduceOp, extent_key
from hetc.passes.lower_hls.reductions import TREE


def assign_lanes(blocks: Iterable[Block], budget: int) -> dict[ReduceOp, int]:
    """Lanes for the reductions of a scan's regions: the inner ones first; an outer one only if what it holds is laid
    out completely. A reduction that is not named stays a loop."""
    chosen: dict[ReduceOp, int] = {}
    for block in blocks:
        for op in outermost(block):
            _assign(op, budget, chosen)
    return chosen


def outermost(block: Block) -> Iterator[ReduceOp]:
    """The reductions of a block, without those inside of others."""
    for op in block.ops:
        if isinstance(op, ReduceOp):
            yield op


def _assign(op: ReduceOp, budget: int, chosen: dict[ReduceOp, int]) -> tuple[int, bool]:
    """Lanes that one evaluation takes, and whether it is without loops."""
    inner = [_assign(nested, budget, chosen) for nested in outermost(op.body.block)]
    taken = max((lanes for lanes, _ in inner), default=1)
    extent = extent_key(op.range.extent)
    if not isinstance(extent, int) or op.kind.data not in TREE or not all(flat for _, flat in inner):
        return taken, False
    lanes = largest_divisor(extent, max(budget // taken, 1))
    if lanes < 2 and extent > 1:
        return taken, False
    if extent > 0:
        chosen[op] = lanes
    return taken * lanes, lanes == extent


def largest_divisor(number: int, most: int) -> int:
    return next((size for size in range(min(number, most), 0, -1) if number % size == 0), 1)


def lanes_of_index(index: SSAValue, lanes: dict[ReduceOp, int]) -> int:
    """How many values an index takes at once: its reduction's lanes, or 1."""
    owner = index.owner
    parent = owner.parent_op() if isinstance(owner, Block) else None
    return lanes.get(parent, 1) if isinstance(parent, ReduceOp) else 1
