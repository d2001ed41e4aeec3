"""Which reductions are matrix products, and the tiles that a matrix unit wants for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from xdsl.dialects import arith
from xdsl.dialects.builtin import (
    BFloat16Type,
    Float8E4M3FNType,
    Float8E5M2Type,
    Float16Type,
    IntegerType,
    bf16,
    f16,
    f32,
)
from xdsl.ir import Attribute, BlockArgument, Operation, SSAValue

from hetc.dialects.mp import RangeAttr, RangedOp, ReadOp, ReduceOp, RoundOp, TensorType, dim_of, is_coded
from hetc.dialects.mp.types import DimAttr, extent_key
from hetc.passes.emission import HOLDS
from hetc.passes.schedule.gpu_dependencies import Dependencies, Indices, stored_row

SMALLEST = 16
"""Rows, columns and depth that a matrix instruction takes at least; smaller extents are padded with zeros."""

_WANTED = (64, 64, 64)
_WANTED_F32 = (32, 32, 32)
"""Rows, columns and depth. f32 operands stay in registers, where 64 each spilled on sm_80 (ptxas, Triton 3.9)."""

_MASKED_DEPTH = 32
"""Where rows and columns both run over run-time dims: operands and product all carry masks, and a depth of 64 spilled
on sm_80."""


@dataclass(frozen=True)
class Product:
    """A sum over `index` of the product of two values. left and right: the factors; each of them varies with indices
    that the other does not. shared: indices that both vary with, which run one element at a time."""

    op: ReduceOp
    left: SSAValue
    right: SSAValue
    left_only: Indices
    right_only: Indices
    shared: Indices

    @property
    def index(self) -> SSAValue:
        return self.op.body.block.args[0]

    def tiled(self, only: Indices, tiles: Mapping[SSAValue, int]) -> list[SSAValue]:
        return [index for index in only if tiles.get(index, 1) > 1]

    def fits(self, tiles: Mapping[SSAValue, int]) -> bool:
        """Whether tiles of these sizes make it a product of matrices: one index of rows, one of columns."""
        sides = [self.tiled(self.left_only, tiles), self.tiled(self.right_only, tiles)]
        if any(len(side) != 1 for side in sides) or any(tiles.get(index, 1) > 1 for index in self.shared):
            return False
        return min(tiles[self.index], *(tiles[side[0]] for side in sides)) >= SMALLEST


def exact_type(value: SSAValue) -> Attribute:
    """The narrowest type of matrix operands that holds every value of a factor: bf16, f16 or f32."""
    owner = value.owner
    element: Attribute = f32
    if isinstance(owner, arith.SIToFPOp):
        owner = owner.input.owner
    if isinstance(owner, Operation) and HOLDS in owner.attributes:
        element = owner.attributes[HOLDS]
    elif isinstance(owner, ReadOp):
        type_ = owner.tensor.type
        assert isinstance(type_, TensorType)
        element = type_.element
    elif isinstance(owner, RoundOp):
        element = owner.element
    if isinstance(element, BFloat16Type | Float8E4M3FNType | Float8E5M2Type) or is_coded(element):
        return bf16
    if isinstance(element, IntegerType) and element.width.data == 8:
        return bf16  # 8 bits of significand hold 255 and -128
    return f16 if isinstance(element, Float16Type) else f32


def operand_type(left: SSAValue, right: SSAValue) -> Attribute:
    """The type in which both factors are exact."""
    types = {exact_type(left), exact_type(right)}
    return types.pop() if len(types) == 1 else f32


def product_of(op: ReduceOp, dependencies: Dependencies) -> Product | None:
    """The reduction as a product, or None where it is no sum of two factors with indices of their own."""
    factor = op.yielded.value.owner
    if op.kind.data != "sum" or not isinstance(factor, arith.MulfOp) or factor.parent is not op.body.block:
        return None
    if factor.result.get_user_of_unique_use() is None or stored_row(op) is not None:
        return None
    index = op.body.block.args[0]
    left, right = dependencies.of[factor.lhs], dependencies.of[factor.rhs]
    shared = (left & right) - {index}
    if index not in left or index not in right or not left - right or not right - left:
        return None
    condition = op.yielded.present
    if condition is not None and not dependencies.of[condition] <= shared | {index}:
        return None
    if not dependencies.of[index] <= shared | {index}:
        return None
    return Product(op, factor.lhs, factor.rhs, left - right, right - left, shared)


def products_of(statement: RangedOp, dependencies: Dependencies) -> list[Product]:
    """Every product of a statement, outermost first."""
    found = [product_of(op, dependencies) for op in statement.walk() if isinstance(op, ReduceOp)]
    return [product for product in found if product is not None]


def largest_extent(statement: RangedOp, index: SSAValue) -> int:
    """The largest extent of an index of a statement, by the bound of its dim."""
    extent = _range_of(index).extent
    if isinstance(extent, DimAttr):
        return dim_of(statement, extent).largest
    size = extent_key(extent)
    assert isinstance(size, int)
    return size


def labels_of(statement: RangedOp) -> dict[SSAValue, str]:
    """The name of each loop of a statement, its own indices first: that of its index, with a number behind it where a
    loop before it has the same (`sum[d](...) * sum[d < 4](...)`: d, d#2)."""
    indices: list[SSAValue] = list(statement.body.block.args)
    indices += [op.body.block.args[0] for op in statement.body.walk() if isinstance(op, ReduceOp)]
    seen: Counter[str] = Counter()
    labels = {}
    for index in indices:
        name = _range_of(index).index.data
        seen[name] += 1
        labels[index] = name if seen[name] == 1 else f"{name}#{seen[name]}"
    return labels


def _range_of(index: SSAValue) -> RangeAttr:
    assert isinstance(index, BlockArgument)
    owner = index.block.parent_op()
    if isinstance(owner, ReduceOp):
        return owner.range
    assert isinstance(owner, RangedOp)
    return owner.index_ranges[index.index]


def fit_product(
    statement: RangedOp,
    product: Product,
    tiles: dict[SSAValue, int],
    fixed: set[SSAValue],
    chosen: Mapping[SSAValue, int],
) -> bool:
    """Give the product's indices tiles of matrix size where nothing decided before is in the way; `fixed` collects
    the indices that must stay as they are. Returns whether it is now a product of matrices."""
    if any(tiles[index] > 1 for index in product.shared):
        return False
    trial = dict(tiles)
    in_f32 = operand_type(product.left, product.right) == f32
    rows, columns, depth = _WANTED_F32 if in_f32 else _WANTED
    for only, wanted in ((product.left_only, rows), (product.right_only, columns)):
        if product.tiled(only, trial):
            continue
        free = [index for index in only if index not in fixed and chosen.get(index, SMALLEST) >= SMALLEST]
        if not free:
            return False
        best = max(free, key=lambda index: (index in chosen, largest_extent(statement, index)))
        trial[best] = _size(statement, best, wanted, chosen)
    sides = [index for only in (product.left_only, product.right_only) for index in product.tiled(only, trial)]
    if all(isinstance(_range_of(index).extent, DimAttr) for index in sides):
        depth = min(depth, _MASKED_DEPTH)
    trial[product.index] = _size(statement, product.index, depth, chosen)
    if not product.fits(trial):
        return False
    fixed |= {*product.shared, *product.left_only, *product.right_only, product.index}
    tiles.update(trial)
    return True


def _size(statement: RangedOp, index: SSAValue, wanted: int, chosen: Mapping[SSAValue, int]) -> int:
    wanted = chosen.get(index, wanted)
    extent = largest_extent(statement, index)
    return min(1 << max(wanted - 1, 0).bit_length(), max(SMALLEST, 1 << max(extent - 1, 0).bit_length()))
