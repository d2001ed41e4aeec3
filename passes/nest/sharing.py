"""What threads can share of loops: whether two phases as one leave them as much as each of them apart."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from xdsl.ir import Operation, SSAValue

from hetc.dialects import nest
from hetc.passes.nest.moving import same_value, touched_in, written_in
from hetc.passes.nest.reuse import evict_each_other

ENOUGH_PASSES = 16
"""Of a loop of constant range: more threads than that are not looked for."""
LONG_PASSES = 2048
"""From here on a loop goes by chunks, which threads share."""
HEAVY_PASSES = 4096
"""Of loops in each other, the innermost passes that are worth being shared."""


def shared_as_before(first: nest.ForOp, second: nest.ForOp, cache_bytes: int) -> bool:
    """Whether threads lose nothing where two phases share their one loop. A run-time dim that is no sequence (a batch)
    may be 1: then threads share the heavy loops inside, each of which has to be alone in its phase. So those of both
    have to become one, too."""
    return _as_before(first, second, {}, cache_bytes)


def _as_before(first: nest.ForOp, second: nest.ForOp, renamed: dict[SSAValue, SSAValue], cache_bytes: int) -> bool:
    is_constant = nest.number_of(first.upper) is not None
    if first.most_passes >= (ENOUGH_PASSES if is_constant else LONG_PASSES + 1):
        return True
    renamed = {**renamed, second.index: first.index}
    heavy, other = _heavy(first), _heavy(second)
    if not heavy and not other:
        return True
    if len(heavy) != 1 or len(other) != 1 or not _become_one(heavy[0], other[0], renamed, cache_bytes):
        return False
    if _has_to_wait(first, heavy[0], second, other[0]):
        return False
    if nest.dependence(heavy[0]) is not None or nest.dependence(other[0]) is not None:
        return _only_used_in(heavy[0], first, second)
    return _as_before(heavy[0], other[0], renamed, cache_bytes)


def _heavy(loop: nest.ForOp) -> list[nest.ForOp]:
    """The loops that a loop holds of which threads could share passes."""
    inside = [op for op in loop.block.ops if isinstance(op, nest.ForOp)]
    return [op for op in inside if _passes(op) >= HEAVY_PASSES]


def _passes(loop: nest.ForOp) -> int:
    """How many passes the innermost loops in a loop have at most."""
    inner = max((_passes(op) for op in loop.block.ops if isinstance(op, nest.ForOp)), default=1)
    return prod((loop.most_passes, inner))


def _become_one(first: nest.ForOp, second: nest.ForOp, renamed: Mapping[SSAValue, SSAValue], cache_bytes: int) -> bool:
    """Whether two loops can be one where the loops around them are."""
    bounds = ((first.lower, second.lower), (first.upper, second.upper))
    return (
        first.properties == second.properties
        and all(same_value(one, other, renamed) for one, other in bounds)
        and nest.fused_dependence(first, second) is None
        and not evict_each_other(first, second, cache_bytes)
    )


def _has_to_wait(first: nest.ForOp, heavy: nest.ForOp, second: nest.ForOp, other: nest.ForOp) -> bool:
    """Whether what stands behind the heavy loop of one, or in front of that of another, has to come between them."""
    beside = [op for op in first.block.ops if op is not heavy]
    before = [op for op in second.block.ops if op is not other and op.is_before_in_block(other)]
    written = {target for op in beside for target in written_in(op)}
    touched = {target for op in before for target in touched_in(op)}
    return bool(written & touched_in(second)) or bool(written_in(heavy) & touched)


def _only_used_in(loop: nest.ForOp, first: Operation, second: Operation) -> bool:
    """Whether what a loop stores is used in two others alone: a loop that folds and stores is not split."""
    stored = {access.target for access in nest.accesses_inside(loop) if access.writes and not access.fold}
    users = [use.operation for target in stored for use in target.uses]
    results = any(not isinstance(target.owner, Operation) for target in stored)
    return not results and all(nest.is_inside(op, first) or nest.is_inside(op, second) for op in users)
