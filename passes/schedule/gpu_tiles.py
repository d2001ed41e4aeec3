"""Tile sizes of one statement: how many elements of each index a program handles at a time, and which dimension of
the tiles each index is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from xdsl.ir import Block, SSAValue

from hetc.dialects.mp import RangeAttr, RangedOp, ReadOp, ReduceOp, extent_key
from hetc.passes.schedule.gpu_dependencies import Dependencies, Indices
from hetc.passes.schedule.gpu_products import Product, fit_product, labels_of, largest_extent, products_of
from hetc.passes.schedule.gpu_registers import TileSizes, counter

THREADS = 128
LIMIT = 64 * THREADS
"""Elements of one tile."""

LIVE_LIMIT = 128 * THREADS
"""Elements of all tiles that are live at a time: a thread has 255 registers, and addresses and masks beside these."""


def power_of_two(value: int) -> int:
    """The smallest power of two that is not below `value`."""
    return 1 << max(value - 1, 0).bit_length()


@dataclass(frozen=True)
class StatementPlan:
    """tiles: elements at a time, a power of two, by the index's block argument. dims: the tiles' dimension, for
    indices of more than one element at a time. rank: of all tiles in the kernel."""

    tiles: Mapping[SSAValue, int]
    dims: Mapping[SSAValue, int]
    rank: int
    num_warps: int = 4
    num_stages: int = 2
    by_loop: Mapping[str, int] = field(default_factory=dict)
    """The tiles by loop (see labels_of), as a schedule's plan keeps them."""
    largest_tile: int = 0
    """Elements of the largest value."""
    products: Mapping[ReduceOp, Product] = field(default_factory=dict)
    """The reductions that run as matrix products."""

    def shape(self, indices: Indices) -> tuple[int, ...]:
        """The shape of a value that varies with these indices."""
        shape = [1] * self.rank
        for index in indices:
            if index in self.dims:
                shape[self.dims[index]] = self.tiles[index]
        return tuple(shape) if any(size > 1 for size in shape) else ()


@dataclass(frozen=True)
class _Index:
    argument: SSAValue
    extent: int | str
    depth: int


def _nested(block: Block, depth: int) -> list[_Index]:
    found = []
    for op in block.ops:
        if isinstance(op, ReduceOp):
            found.append(_Index(op.body.block.args[0], extent_key(op.range.extent), depth))
            found += _nested(op.body.block, depth + 1)
    return found


def _contiguous(statement: RangedOp) -> set[SSAValue]:
    """Indices that stand last in a read: neighbouring elements are neighbours in memory."""
    return {op.indices[-1] for op in statement.walk() if isinstance(op, ReadOp) and op.indices and len(op.indices) > 0}


def plan_statement(
    statement: RangedOp,
    free: Sequence[SSAValue],
    dependencies: Dependencies,
    chosen: Mapping[str, int] | None = None,
) -> StatementPlan:
    """Tiles for a statement whose grid runs over `free`. `chosen` gives tile sizes by loop (see labels_of); what it
    leaves out, or what would exceed the limit of a tile, is chosen here."""
    return Planner(statement, dependencies).plan(free, chosen or {})


class Planner:
    """Plans one statement, for any tiles that are given."""

    def __init__(self, statement: RangedOp, dependencies: Dependencies | None = None):
        self.statement = statement
        self.dependencies = dependencies or Dependencies(statement)
        self.sizes = TileSizes(statement, self.dependencies)
        self.labels = labels_of(statement)
        self.reductions = _nested(statement.body.block, 0)
        self.products = products_of(statement, self.dependencies)
        self.contiguous = _contiguous(statement)

    def plan(self, free: Sequence[SSAValue], chosen: Mapping[str, int]) -> StatementPlan:
        """As plan_statement."""
        statement = self.statement
        ranges: dict[SSAValue, RangeAttr] = dict(zip(statement.body.block.args, statement.index_ranges, strict=True))
        axes = [_Index(argument, extent_key(ranges[argument].extent), 0) for argument in free]
        every = [*axes, *self.reductions]
        tiles: dict[SSAValue, int] = {index.argument: 1 for index in every}
        given = {index: chosen[label] for index, label in self.labels.items() if label in chosen}
        fixed: set[SSAValue] = set()
        products = [product for product in self.products if fit_product(statement, product, tiles, fixed, given)]
        matrices = tuple(product.op for product in products)
        for index, wanted in self._wishes(axes, given):
            if index.argument in fixed:
                continue
            size = min(wanted, power_of_two(largest_extent(statement, index.argument)))
            while size > 1:
                tiles[index.argument] = size
                if self._fits(tiles, matrices):
                    break
                size //= 2
                tiles[index.argument] = size
        return replace(
            _with_dimensions(axes, self.reductions, tiles),
            by_loop={self.labels[index.argument]: tiles[index.argument] for index in every},
            largest_tile=self.sizes.largest(counter(tiles), matrices),
            products={product.op: product for product in products},
        )

    def _fits(self, tiles: Mapping[SSAValue, int], products: tuple[ReduceOp, ...]) -> bool:
        count = counter(tiles)
        if self.sizes.largest(count, products) > LIMIT:
            return False
        # The operands of a product go through shared memory, in tiles that were tried for themselves.
        return bool(products) or self.sizes.registers(count) <= LIVE_LIMIT

    def _wishes(self, axes: list[_Index], given: Mapping[SSAValue, int]) -> list[tuple[_Index, int]]:
        """Indices in the order in which they get elements, and how many they would like."""
        every = [*axes, *self.reductions]
        wishes = [(index, power_of_two(given[index.argument])) for index in every if index.argument in given]
        deepest = sorted(self.reductions, key=lambda index: -index.depth)
        wishes += [(index, 128) for index in deepest if index.argument in self.contiguous]
        if axes:
            wishes.append((axes[-1], 64 if self.reductions else 1024))
        wishes += [(index, 32) for index in deepest]
        for index in reversed(axes[:-1]):
            if isinstance(axes[-1].extent, int) and axes[-1].extent < 16:
                wishes.append((index, 16))
        return _once(wishes)


def _once(wishes: list[tuple[_Index, int]]) -> list[tuple[_Index, int]]:
    seen: set[SSAValue] = set()
    kept = []
    for index, wanted in wishes:
        if index.argument not in seen:
            seen.add(index.argument)
            kept.append((index, wanted))
    return kept


def _with_dimensions(axes: list[_Index], reductions: list[_Index], tiles: dict[SSAValue, int]) -> StatementPlan:
    """Grid indices take the first dimensions; a reduction the one after those around it."""
    dims: dict[SSAValue, int] = {}
    for index in axes:
        if tiles[index.argument] > 1:
            dims[index.argument] = len(dims)
    first, rank = len(dims), len(dims)
    above: list[int] = []
    for index in reductions:  # in pre-order, so `above` holds the dimensions that the enclosing ones have used
        del above[index.depth :]
        used = above[-1] if above else first
        if tiles[index.argument] > 1:
            dims[index.argument] = used
            used += 1
        above.append(used)
        rank = max(rank, used)
    return StatementPlan(tiles, dims, rank)
