"""Tile sizes of one statement: how many elements of each index a program handles at a time, and which dimension of
the tiles each index is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from xdsl.ir import Block, SSAValue

from hetc.dialects.mp import RangeAttr, RangedOp, ReadOp, ReduceOp, extent_key
from hetc.passes.schedule.gpu_dependencies import Dependencies, Indices
from hetc.passes.schedule.gpu_products import Product, fit_product, largest_extent, products_of
from hetc.passes.schedule.gpu_registers import elements, live_registers

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
    by_name: Mapping[str, int] = field(default_factory=dict)
    """The tiles by index name, as a schedule's plan keeps them."""
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
    name: str
    extent: int | str
    depth: int


def _nested(block: Block, depth: int) -> list[_Index]:
    found = []
    for op in block.ops:
        if isinstance(op, ReduceOp):
            item = op.range
            found.append(_Index(op.body.block.args[0], item.index.data, extent_key(item.extent), depth))
            found += _nested(op.body.block, depth + 1)
    return found


def _largest_tile(
    statement: RangedOp, dependencies: Dependencies, tiles: Mapping[SSAValue, int], products: Sequence[Product] = ()
) -> int:
    """Elements of the largest value in the region; the terms of a matrix product are never held."""
    terms = {product.op.yielded.value for product in products}
    matrices = {product.op for product in products}
    largest = 1
    for nested in statement.walk():
        for result in nested.results:
            if result in dependencies.of and result not in terms:
                largest = max(largest, elements(dependencies.of[result], tiles))
        if isinstance(nested, ReduceOp) and nested not in matrices:
            index = nested.body.block.args[0]
            largest = max(largest, elements(dependencies.of[nested.result] | {index}, tiles))
    return largest


def _fits(
    statement: RangedOp, dependencies: Dependencies, tiles: Mapping[SSAValue, int], products: Sequence[Product]
) -> bool:
    if _largest_tile(statement, dependencies, tiles, products) > LIMIT:
        return False
    # The operands of a product go through shared memory, in tiles that were tried for themselves.
    return bool(products) or live_registers(statement, dependencies, tiles) <= LIVE_LIMIT


def _contiguous(statement: RangedOp) -> set[SSAValue]:
    """Indices that stand last in a read: neighbouring elements are neighbours in memory."""
    return {op.indices[-1] for op in statement.walk() if isinstance(op, ReadOp) and op.indices and len(op.indices) > 0}


def plan_statement(
    statement: RangedOp,
    free: Sequence[SSAValue],
    dependencies: Dependencies,
    chosen: Mapping[str, int] | None = None,
) -> StatementPlan:
    """Tiles for a statement whose grid runs over `free`. `chosen` gives tile sizes by index name; what it leaves out,
    or what would exceed the limit of a tile, is chosen here."""
    names: dict[SSAValue, RangeAttr] = dict(zip(statement.body.block.args, statement.index_ranges, strict=True))
    axes = [_Index(a, names[a].index.data, extent_key(names[a].extent), 0) for a in free]
    reductions = _nested(statement.body.block, 0)
    tiles: dict[SSAValue, int] = {}
    for index in [*axes, *reductions]:
        tiles[index.argument] = 1
    fixed: set[SSAValue] = set()
    products = [
        product
        for product in products_of(statement, dependencies)
        if fit_product(statement, product, tiles, fixed, chosen or {})
    ]
    for index, wanted in _wishes(statement, axes, reductions, chosen or {}):
        if index.argument in fixed:
            continue
        size = min(wanted, power_of_two(largest_extent(statement, index.argument)))
        while size > 1:
            tiles[index.argument] = size
            if _fits(statement, dependencies, tiles, products):
                break
            size //= 2
            tiles[index.argument] = size
    plan = _with_dimensions(axes, reductions, tiles)
    by_name = {index.name: tiles[index.argument] for index in [*axes, *reductions]}
    return replace(
        plan,
        by_name=by_name,
        largest_tile=_largest_tile(statement, dependencies, tiles, products),
        products={product.op: product for product in products},
    )


def _wishes(
    statement: RangedOp, axes: list[_Index], reductions: list[_Index], chosen: Mapping[str, int]
) -> list[tuple[_Index, int]]:
    """Indices in the order in which they get elements, and how many they would like."""
    given = [index for index in [*axes, *reductions] if index.name in chosen]
    wishes = [(index, power_of_two(chosen[index.name])) for index in given]
    contiguous = _contiguous(statement)
    deepest = sorted(reductions, key=lambda index: -index.depth)
    wishes += [(index, 128) for index in deepest if index.argument in contiguous]
    if axes:
        wishes.append((axes[-1], 64 if reductions else 1024))
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
