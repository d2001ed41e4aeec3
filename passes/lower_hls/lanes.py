"""How many elements of each reduction are combined side by side, within a budget of lanes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from xdsl.ir import Attribute, Block, SSAValue

from hetc.dialects import fpga
from hetc.dialects.mp import RangedOp, ReduceOp, enclosing_pipeline, extent_key
from hetc.passes.lower_hls.builder import Body
from hetc.passes.lower_hls.reductions import TREE


def assign_lanes(blocks: Iterable[Block], budget: int) -> dict[ReduceOp, int]:
    """Lanes for the reductions of a scan's regions: the inner ones first; an outer one only if what it holds is laid
    out completely. A reduction that is not named stays a loop."""
    chosen: dict[ReduceOp, int] = {}
    for block in blocks:
        for op in outermost(block):
            _assign(op, budget, chosen)
    return chosen


@dataclass(frozen=True)
class Rounds:
    """A reduction of which so many elements are combined in one cycle and the rest in the cycles after it, while
    everything else of the region is laid out completely: a row takes `count` iterations of one pipeline."""

    op: ReduceOp
    count: int


def rounds_of(scan: RangedOp, blocks: Iterable[Block], lanes: Mapping[ReduceOp, int]) -> Rounds | None:
    """The only reduction of the scan's regions that is not laid out completely, if nothing lies around it, a power of
    two of rounds makes it up, and 32 bits count the rounds of all rows."""
    found = None
    for block in blocks:
        for op in block.walk():
            if isinstance(op, ReduceOp):
                extent = extent_key(op.range.extent)
                if op not in lanes or not isinstance(extent, int):
                    return None
                if lanes[op] == extent:
                    continue
                if found is not None or op.parent_block() is not block:
                    return None
                found = Rounds(op, extent // lanes[op])
    if found is None or found.count & (found.count - 1):
        return None
    rows = extent_key(scan.index_ranges[-1].extent)
    most = rows if isinstance(rows, int) else enclosing_pipeline(scan).dims[rows].largest
    return found if most * found.count < 1 << 31 else None


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


def banks(tensor: SSAValue, window: Sequence[int], lanes: dict[ReduceOp, int]) -> list[int]:
    """Banks along each dim of a window, so that all lanes read at once."""
    factors = [1] * len(window)
    for use in tensor.uses:
        indices = list(getattr(use.operation, "indices", ()))
        for place, position in enumerate(window):
            if position < len(indices):
                factors[place] = max(factors[place], lanes_of_index(indices[position], lanes))
    return factors


def on_chip_array(
    inner: Body, tensor: SSAValue, extents: list[int], element: Attribute, factors: list[int] | None
) -> SSAValue:
    """An array for (part of) a tensor, banked by `factors`; in registers where None or where all elements are read at
    once."""
    name = f"{tensor.name_hint or 'value'}_here"
    type_ = fpga.ArrayType(extents or [1], element)
    if factors is None or not extents or prod(extents) == prod(factors):
        return inner.add(fpga.ArrayOp(name, type_, "register", "complete")).result
    if prod(factors) == 1:
        return inner.add(fpga.ArrayOp(name, type_)).result
    return inner.add(fpga.ArrayOp(name, type_, "bram", "cyclic", factors)).result
