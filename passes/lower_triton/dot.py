"""Sums of products as matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xdsl.dialects import arith
from xdsl.dialects.builtin import f32
from xdsl.ir import Attribute, SSAValue

from hetc.dialects import tile
from hetc.dialects.mp import ReadOp, ReduceOp, TensorType, YieldOp, extent_key
from hetc.dialects.tile import shape_of, tile_type
from hetc.passes.lower_triton.builder import Mask, named
from hetc.passes.lower_triton.convert import is_fp8, widened
from hetc.passes.schedule.gpu_products import Product, operand_type

if TYPE_CHECKING:
    from hetc.passes.lower_triton.region import Region


def lower_dot(region: Region, op: ReduceOp) -> SSAValue | None:
    """The reduction through tile.dot, or None where the plan does not make it a product of matrices."""
    product = region.plan.products.get(op)
    return None if product is None else _Dot(region, product).run()


class _Dot:
    """One product: a loop over tiles of depth, with an accumulator of rows by columns."""

    def __init__(self, region: Region, product: Product):
        self.region, self.product, self.builder = region, product, region.builder
        tiles = region.plan.tiles
        (self.row,) = product.tiled(product.left_only, tiles)
        (self.column,) = product.tiled(product.right_only, tiles)
        self.index = product.index
        self.shape = (tiles[self.row], tiles[self.column])
        self.element = operand_type(product.left, product.right)

    def run(self) -> SSAValue:
        builder, region, op = self.builder, self.region, self.product.op
        size, extent = region.plan.tiles[self.index], extent_key(op.range.extent)
        if isinstance(extent, int) and extent <= size:
            lane = region.lane(self.index)
            region.bind(self.index, lane, None if extent == size else builder.compare("lt", lane, extent))
            return self._spread(self._multiply(None))
        limit = builder.constant(extent) if isinstance(extent, int) else region.extent(extent, op.per)
        exact = isinstance(extent, int) and extent % size == 0

        def body(start: SSAValue, kept: list[SSAValue]) -> Sequence[SSAValue]:
            position = builder.binary(arith.AddiOp, start, region.lane(self.index))
            outside = dict(region.values)
            region.bind(self.index, position, None if exact else builder.compare("lt", position, limit))
            result = self._multiply(kept[0])
            region.values = outside
            return [result]

        zeros = named(builder.broadcast(builder.constant(0.0, f32), self.shape), "total")
        (total,) = builder.loop(limit, size, [zeros], body, f"{self.index.name_hint}_start")
        return self._spread(total)

    def _multiply(self, total: SSAValue | None) -> SSAValue:
        """One tile of depth: evaluates the factors and adds their product to `total`."""
        region, op = self.region, self.product.op
        term = op.yielded.value.owner
        narrow = {factor.owner for factor in (self.product.left, self.product.right) if self._is_plain(factor)}
        for inner in op.body.block.ops:
            if not isinstance(inner, YieldOp) and inner is not term and inner not in narrow:
                region.lower(inner)
        counts = self.builder.both(region.masks[self.index], region.present(op.yielded.present))
        left = self._matrix(self.product.left, self.row, self.index, counts)
        right = self._matrix(self.product.right, self.index, self.column, counts)
        return self.builder.add(tile.DotOp(left, right, total, tile_type(self.shape, f32)))

    def _is_plain(self, factor: SSAValue) -> bool:
        """A read for this product alone: it need not pass through f32."""
        owner = factor.owner
        if not isinstance(owner, ReadOp) or owner.parent is not self.product.op.body.block:
            return False
        type_ = owner.tensor.type
        assert isinstance(type_, TensorType)
        alone = factor.get_user_of_unique_use() is not None
        return alone and not type_.is_sparse and factor not in self.region.values

    def _matrix(self, factor: SSAValue, first: SSAValue, second: SSAValue, counts: Mask) -> SSAValue:
        """A factor as a matrix over two indices, 0 where it does not count: nothing that is not a number may stand
        beside the other factor's zeros."""
        builder, region = self.builder, self.region
        value = region.values.get(factor)
        if value is None:
            read = factor.owner
            assert isinstance(read, ReadOp)
            with builder.at(read):
                value = self._exact(region.load(read), read.tensor.type)
            counts = region.present(self.product.op.yielded.present)  # the load left out what lies past the extent
        else:
            value = builder.cast(value, self.element)
        value = builder.selected(counts, value, 0.0)
        value = builder.broadcast(value, region.plan.shape(frozenset({first, second})))
        dims, tiles = region.plan.dims, region.plan.tiles
        return self._as_matrix(value, (tiles[first], tiles[second]), dims[first] > dims[second])

    def _exact(self, stored: SSAValue, type: Attribute) -> SSAValue:
        assert isinstance(type, TensorType)
        if is_fp8(type.element):
            result = tile_type(shape_of(stored.type), self.element)
            return self.builder.add(tile.DecodeOp(stored, type.element, result))
        if stored.type == tile_type(shape_of(stored.type), self.element):
            return stored
        return self.builder.cast(widened(self.builder, stored, type.element), self.element)

    def _as_matrix(self, value: SSAValue, shape: tuple[int, int], turned: bool) -> SSAValue:
        builder = self.builder
        flat = (shape[1], shape[0]) if turned else shape
        if shape_of(value.type) != flat:
            value = builder.add(tile.ReshapeOp(value, tile_type(flat, self.element)))
        return builder.add(tile.PermuteOp(value, (1, 0))) if turned else value

    def _spread(self, total: SSAValue) -> SSAValue:
        """The accumulator in the kernel's dimensions."""
        builder, plan = self.builder, self.region.plan
        if plan.dims[self.row] > plan.dims[self.column]:
            total = builder.add(tile.PermuteOp(total, (1, 0)))
        shape = plan.shape(frozenset({self.row, self.column}))
        if shape_of(total.type) != shape:
            total = builder.add(tile.ReshapeOp(total, tile_type(shape, f32)))
        return total
