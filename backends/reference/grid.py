"""A statement's region over its whole index space, evaluated block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray
from xdsl.ir import SSAValue

from hetc.backends.reference.environment import Environment
from hetc.backends.reference.lanes import Lanes
from hetc.backends.reference.reduction import product_below
from hetc.backends.reference.region import Frame, RegionEvaluator
from hetc.backends.reference.tensors import SparseTensor, Tensor
from hetc.dialects.mp import PutOp, RangedOp, YieldOp, extent_key

BoolArray = NDArray[np.bool_]
Span = tuple[int, int]


@dataclass
class Grid:
    """What a region yields for every index combination.

    value: the statement's extents (of a ragged dim the longest row's).
    conditions: positions of indices -> where the value is present, of extent 1 along every other index.
    inside: which elements exist.
    guard: where the region's own `if` holds; None where it has none.
    doubt: where an evaluation in f32 may decide the guard otherwise; None where nowhere.
    """

    value: np.ndarray
    conditions: dict[frozenset[int], BoolArray]
    inside: BoolArray
    guard: BoolArray | None
    magnitude: NDArray[np.float64] | None
    doubt: BoolArray | None = None
    past_the_end: int = 0

    @property
    def present(self) -> BoolArray:
        """Where the value is present and exists, whatever the guard says."""
        mask = self.inside.copy()
        for one in self.conditions.values():
            mask &= one
        return mask

    @property
    def candidates(self) -> BoolArray:
        """Where it is present and the guard holds."""
        return self.present if self.guard is None else self.present & self.guard


def evaluate(op: RangedOp, environment: Environment, tensors: Mapping[SSAValue, Tensor | SparseTensor]) -> Grid:
    """Evaluate the region of `op` over its ranges."""
    keys = tuple(extent_key(item.extent) for item in op.index_ranges)
    shape = tuple(environment.longest(key) for key in keys)
    evaluator = RegionEvaluator(environment, tensors)
    inside = environment.exists(keys, shape)
    grid: Grid | None = None
    for spans in blocks(shape, product_below(op, environment), environment.elements_at_once):
        ended, bindings = evaluate_block(op, evaluator, inside, spans)
        assert isinstance(ended, YieldOp)
        value, guard = bindings[ended.value], bindings[ended.present] if ended.present is not None else None
        if grid is None:
            grid = _empty(shape, inside, value, guard)
        _place(grid, value, guard, spans)
    assert grid is not None
    grid.past_the_end = evaluator.reads.past_the_end
    return grid


def blocks(shape: tuple[int, ...], below: int, at_once: int) -> Iterator[tuple[Span, ...]]:
    """Blocks of the index space, its longest ranges halved until a block fits; one (empty) if there is nothing."""
    sizes = [max(extent, 1) for extent in shape]
    while prod(sizes) * below > at_once and max(sizes, default=1) > 1:
        longest = sizes.index(max(sizes))
        sizes[longest] = -(-sizes[longest] // 2)
    starts = [range(0, max(extent, 1), size) for extent, size in zip(shape, sizes, strict=True)]
    for corner in product(*starts):
        yield tuple((low, min(low + size, extent)) for low, size, extent in zip(corner, sizes, shape, strict=True))


def evaluate_block(
    op: RangedOp, evaluator: RegionEvaluator, inside: BoolArray, spans: tuple[Span, ...]
) -> tuple[YieldOp | PutOp, dict[SSAValue, Lanes]]:
    """The values of a region over a block of its indices, and the op that ends it."""
    rank = len(spans)
    bindings: dict[SSAValue, Lanes] = {
        argument: evaluator.index(position, rank, *span)
        for position, (argument, span) in enumerate(zip(op.body.block.args, spans, strict=True))
    }
    exists = inside[tuple(slice(*span) for span in spans)]
    live = () if exists.size and exists.all() else (exists,)
    frame = Frame(rank, prod(max(stop - start, 1) for start, stop in spans), live)
    return evaluator.body(op.body.block, frame, bindings), bindings


def _empty(shape: tuple[int, ...], inside: BoolArray, value: Lanes, guard: Lanes | None) -> Grid:
    return Grid(
        np.zeros(shape, value.value.dtype),
        {},
        inside,
        None if guard is None else np.zeros(shape, np.bool_),
        None if value.magnitude is None else np.zeros(shape),
    )


def _place(grid: Grid, value: Lanes, guard: Lanes | None, spans: tuple[Span, ...]) -> None:
    """Put a block's results where they belong."""
    rank = len(spans)
    block = tuple(slice(*span) for span in spans)
    grid.value[block] = fitted(value.value, grid.value[block])
    if grid.magnitude is not None and value.magnitude is not None:
        grid.magnitude[block] = fitted(value.magnitude, grid.magnitude[block])
    if grid.guard is not None and guard is not None:
        grid.guard[block] = fitted(guard.holds(), grid.guard[block])
        if guard.doubt is not None:
            grid.doubt = np.zeros(grid.value.shape, np.bool_) if grid.doubt is None else grid.doubt
            grid.doubt[block] = fitted(guard.doubt, grid.doubt[block])
    for axes, mask in value.conditions.items():
        positions = frozenset(rank - axis for axis in axes)
        if positions not in grid.conditions:
            extents = [n if position in positions else 1 for position, n in enumerate(grid.value.shape)]
            grid.conditions[positions] = np.ones(extents, np.bool_)
        part = tuple(block[position] if position in positions else slice(None) for position in range(rank))
        # Axes of reductions that are over stay in front, one lane long.
        grid.conditions[positions][part] &= mask.reshape(mask.shape[max(mask.ndim - rank, 0) :])


def fitted(array: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The array without the axes of reductions that are over, which stand in front, one lane long."""
    array = np.asarray(array)
    return np.broadcast_to(array.reshape(array.shape[max(array.ndim - target.ndim, 0) :]), target.shape)
