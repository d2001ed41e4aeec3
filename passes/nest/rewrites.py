"""The rewrites of a processor's kernels, in their order, on one kernel: what is priced is what is printed."""

from __future__ import annotations

from collections.abc import Callable

from hetc.dialects import nest
from hetc.passes.nest.fuse_loops import fuse
from hetc.passes.nest.guard_work import guard
from hetc.passes.nest.hoist_invariants import hoist
from hetc.passes.nest.inline_producers import inline
from hetc.passes.nest.limit_loops import limit
from hetc.passes.nest.place_buffers import place
from hetc.passes.nest.share_values import share
from hetc.passes.nest.simplify_presence import simplify
from hetc.passes.nest.stage_reads import stage

ORDER: tuple[Callable[[nest.KernelOp], None], ...] = (
    fuse, place, share, hoist, simplify, limit, inline, guard, stage,
)  # fmt: skip


def rewrite(kernel: nest.KernelOp) -> None:
    """Apply the passes that stand between the naive form and the expansion of combiners."""
    for apply in ORDER:
        apply(kernel)
