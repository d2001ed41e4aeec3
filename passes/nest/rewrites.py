"""The passes between the naive form of a processor's kernels and the expansion of lanes and combiners, in their order.

The scheduler applies them to a kernel that it prices, the pipeline by their flags to one that is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hetc.dialects import nest
from hetc.dialects.mp import DimOp
from hetc.passes.nest.bind_parallel import bind
from hetc.passes.nest.bind_vector import bind_lanes
from hetc.passes.nest.fuse_loops import fuse
from hetc.passes.nest.guard_work import guard
from hetc.passes.nest.hoist_invariants import hoist
from hetc.passes.nest.inline_producers import inline
from hetc.passes.nest.limit_loops import limit
from hetc.passes.nest.place_buffers import place
from hetc.passes.nest.postings import postings
from hetc.passes.nest.share_values import share
from hetc.passes.nest.simplify_presence import simplify
from hetc.passes.nest.split_fold import split_folds
from hetc.passes.nest.split_loops import split_loops
from hetc.passes.nest.stage import stage
from hetc.passes.nest.tile_registers import tile_registers

Rewrite = Callable[[nest.KernelOp, Mapping[str, DimOp]], None]
"""Changes a kernel of a program with these dims."""


def _of_loops_alone(apply: Callable[[nest.KernelOp], None]) -> Rewrite:
    """A rewrite that asks nothing of the dims."""
    return lambda kernel, dims: apply(kernel)


REWRITES: Mapping[str, Rewrite] = {
    # Passes one by one: what is computed, and where it lies.
    "fuse-loops": _of_loops_alone(fuse),
    "place-buffers": _of_loops_alone(place),
    "share-values": _of_loops_alone(share),
    "hoist-invariants": _of_loops_alone(hoist),
    "simplify-presence": _of_loops_alone(simplify),
    "limit-loops": _of_loops_alone(limit),
    "inline-producers": _of_loops_alone(inline),
    # Who carries passes out: chunks of what is left, lanes, threads.
    "split-fold": split_folds,
    "split-loops": split_loops,
    "postings": postings,
    "stage": stage,
    "bind-vector": bind_lanes,
    # A branch has no form in lanes: so only what no lanes are taken of has branches.
    "guard-work": _of_loops_alone(guard),
    "tile-registers": tile_registers,
    "bind-parallel": bind,
}


def rewrite(kernel: nest.KernelOp, dims: Mapping[str, DimOp]) -> None:
    """All of them, on one kernel."""
    for apply in REWRITES.values():
        apply(kernel, dims)
