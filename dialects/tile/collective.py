"""Operations along a tile's dimensions.

tile.reduce      one value for each line along a dimension
tile.arg_reduce  where the largest or smallest value is
tile.cumsum      running sums
tile.histogram   how often each number occurs in a tile
tile.dot         a matrix product
"""

from __future__ import annotations

from xdsl.dialects.builtin import IntegerAttr, StringAttr, i32, i64
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.tile.types import SCALAR, Shape, element_of, shape_of, tile_type

REDUCTIONS = ("sum", "prod", "max", "min")


def reduced_shape(shape: Shape, dim: int) -> Shape:
    """`shape` with 1 at `dim`; a scalar where nothing else is left."""
    kept = tuple(1 if position == dim else size for position, size in enumerate(shape))
    return kept if any(size != 1 for size in kept) else SCALAR


@irdl_op_definition
class ReduceOp(IRDLOperation):
    """`%s = tile.reduce "sum" along 1 %x : tensor<64x16xf32> -> tensor<64x1xf32>`: sum, prod, max or min. The
    dimension stays, with size 1; where every dimension would be 1 the result is a scalar. max and min of floats
    propagate NaN."""

    name = "tile.reduce"
    kind = prop_def(StringAttr)
    dim = prop_def(IntegerAttr)
    value = operand_def(Attribute)
    result = result_def(Attribute)
    traits = traits_def(Pure())
    assembly_format = "$kind `along` $dim $value attr-dict `:` type($value) `->` type($result)"

    def __init__(self, kind: str, value: SSAValue, dim: int):
        result = tile_type(reduced_shape(shape_of(value.type), dim), element_of(value.type))
        super().__init__(
            operands=[value],
            properties={"kind": StringAttr(kind), "dim": IntegerAttr(dim, i64)},
            result_types=[result],
        )

    def verify_(self) -> None:
        if self.kind.data not in REDUCTIONS:
            raise VerifyException(f"tile.reduce: kind is one of {', '.join(REDUCTIONS)}, got {self.kind.data}")
        shape, dim = shape_of(self.value.type), self.dim.value.data
        if not 0 <= dim < len(shape) or shape_of(self.result.type) != reduced_shape(shape, dim):
            raise VerifyException(f"tile.reduce: {self.value.type} along {dim} does not give {self.result.type}")


@irdl_op_definition
class ArgReduceOp(IRDLOperation):
    """`%best, %where = tile.arg_reduce "max" along 1 %x, %index : tensor<64x16xf32> -> tensor<64x1xf32>`: the
    extreme value and the index that stands with it; NaN is more extreme than any number, equal values go to the
    lower index."""

    name = "tile.arg_reduce"
    kind = prop_def(StringAttr)
    dim = prop_def(IntegerAttr)
    value = operand_def(Attribute)
    index = operand_def(Attribute)
    best = result_def(Attribute)
    best_index = result_def(Attribute)
    traits = traits_def(Pure())
    assembly_format = (
        "$kind `along` $dim $value `,` $index attr-dict `:` type($value) `,` type($index) `->` "
        "type($best) `,` type($best_index)"
    )

    def __init__(self, kind: str, value: SSAValue, index: SSAValue, dim: int):
        shape = reduced_shape(shape_of(value.type), dim)
        super().__init__(
            operands=[value, index],
            properties={"kind": StringAttr(kind), "dim": IntegerAttr(dim, i64)},
            result_types=[tile_type(shape, element_of(value.type)), tile_type(shape, i32)],
        )

    def verify_(self) -> None:
        if self.kind.data not in ("max", "min"):
            raise VerifyException(f"tile.arg_reduce: kind is max or min, got {self.kind.data}")
        if shape_of(self.value.type) != shape_of(self.index.type) or element_of(self.index.type) != i32:
            raise VerifyException(f"tile.arg_reduce: {self.index.type} does not index {self.value.type}")


@irdl_op_definition
class ArgCombineOp(IRDLOperation):
    """`%best, %where = tile.arg_combine "max" %a, %i, %b, %j : types`: the more extreme of two values and its index,
    by tile.arg_reduce's rules."""

    name = "tile.arg_combine"
    kind = prop_def(StringAttr)
    left = operand_def(Attribute)
    left_index = operand_def(Attribute)
    right = operand_def(Attribute)
    right_index = operand_def(Attribute)
    best = result_def(Attribute)
    best_index = result_def(Attribute)
    traits = traits_def(Pure())
    assembly_format = (
        "$kind $left `,` $left_index `,` $right `,` $right_index attr-dict `:` type($left) `,` type($left_index) `,` "
        "type($right) `,` type($right_index) `->` type($best) `,` type($best_index)"
    )

    def __init__(self, kind: str, left: SSAValue, left_index: SSAValue, right: SSAValue, right_index: SSAValue):
        super().__init__(
            operands=[left, left_index, right, right_index],
            properties={"kind": StringAttr(kind)},
            result_types=[left.type, left_index.type],
        )

    def verify_(self) -> None:
        if self.left.type != self.right.type or self.left_index.type != self.right_index.type:
            raise VerifyException("tile.arg_combine: both sides are of one type")


@irdl_op_definition
class CumsumOp(IRDLOperation):
    """`%c = tile.cumsum along 0 %x : tensor<64xi32>`: each element is the sum of those up to it."""

    name = "tile.cumsum"
    dim = prop_def(IntegerAttr)
    value = operand_def(Attribute)
    result = result_def(Attribute)
    traits = traits_def(Pure())
    assembly_format = "`along` $dim $value attr-dict `:` type($value) `->` type($result)"

    def __init__(self, value: SSAValue, dim: int):
        super().__init__(operands=[value], properties={"dim": IntegerAttr(dim, i64)}, result_types=[value.type])

    def verify_(self) -> None:
        if not 0 <= self.dim.value.data < len(shape_of(self.value.type)):
            raise VerifyException(f"tile.cumsum: {self.value.type} has no dimension {self.dim.value.data}")


@irdl_op_definition
class HistogramOp(IRDLOperation):
    """`%h = tile.histogram %x : tensor<1024xi32> -> tensor<512xi32>`: how often 0..511 occurs in a flat tile."""

    name = "tile.histogram"
    value = operand_def(Attribute)
    result = result_def(Attribute)
    traits = traits_def(Pure())
    assembly_format = "$value attr-dict `:` type($value) `->` type($result)"

    def __init__(self, value: SSAValue, bins: int):
        super().__init__(operands=[value], result_types=[tile_type((bins,), i32)])

    def verify_(self) -> None:
        if len(shape_of(self.value.type)) != 1 or element_of(self.value.type) != i32:
            raise VerifyException(f"tile.histogram: expected a flat tile of i32, got {self.value.type}")


@irdl_op_definition
class DotOp(IRDLOperation):
    """`%c = tile.dot %a, %b, %acc precision "ieee" : tensor<64x32xbf16>, tensor<32x16xbf16> -> tensor<64x16xf32>`:
    a @ b + acc, accumulated in f32. `precision` matters to f32 operands: ieee or tf32."""

    name = "tile.dot"
    a = operand_def(Attribute)
    b = operand_def(Attribute)
    accumulator = opt_operand_def(Attribute)
    precision = prop_def(StringAttr)
    result = result_def(Attribute)
    traits = traits_def(Pure())
    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    assembly_format = (
        "$a `,` $b (`plus` $accumulator^ `:` type($accumulator))? `precision` $precision attr-dict "
        "`:` type($a) `,` type($b) `->` type($result)"
    )

    def __init__(
        self, a: SSAValue, b: SSAValue, accumulator: SSAValue | None, result: Attribute, precision: str = "ieee"
    ):
        super().__init__(
            operands=[[a], [b], [accumulator] if accumulator is not None else []],
            properties={"precision": StringAttr(precision)},
            result_types=[result],
        )

    def verify_(self) -> None:
        a, b, c = (shape_of(value.type) for value in (self.a, self.b, self.result))
        if not (len(a) == len(b) == len(c) == 2) or a[1] != b[0] or c != (a[0], b[1]):
            raise VerifyException(f"tile.dot: {a} times {b} does not give {c}")
        if element_of(self.a.type) != element_of(self.b.type):
            raise VerifyException(f"tile.dot: operands of types {self.a.type} and {self.b.type}")
        if self.precision.data not in ("ieee", "tf32"):
            raise VerifyException(f"tile.dot: precision is ieee or tf32, got {self.precision.data}")
