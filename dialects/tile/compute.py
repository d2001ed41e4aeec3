"""Arithmetic on tiles that upstream arith does not have on tensors.

tile.range      0, 1, 2, ... along one dimension
tile.broadcast  a tile of a larger shape;  tile.reshape, tile.permute  the same elements in another shape
tile.where      a choice;  tile.compare  a condition;  tile.cast  a conversion;  tile.mod  floor modulo
tile.decode     fp8 bytes as numbers;  tile.encode  the reverse

The rest is upstream `arith`, `math`, `scf.for` and `scf.if`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import ClassVar

from xdsl.dialects.builtin import ArrayAttr, IntAttr, IntegerAttr, IntegerType, Signedness, StringAttr, i1, i32, i64
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    AnyAttr,
    IRDLOperation,
    VarConstraint,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.tile.types import element_of, join_shapes, shape_of, tile_type

BYTE = IntegerType(8, Signedness.UNSIGNED)
PREDICATES = ("eq", "ne", "lt", "le", "gt", "ge")


@irdl_op_definition
class RangeOp(IRDLOperation):
    """`%r = tile.range along 1 : tensor<1x64xi32>`: 0..63 along dimension 1."""

    name = "tile.range"
    dim = prop_def(IntegerAttr)
    result = result_def(Attribute)
    traits = traits_def(Pure())
    assembly_format = "`along` $dim attr-dict `:` type($result)"

    def __init__(self, shape: Sequence[int], dim: int):
        super().__init__(properties={"dim": IntegerAttr(dim, i64)}, result_types=[tile_type(shape, i32)])

    def verify_(self) -> None:
        shape, dim = shape_of(self.result.type), self.dim.value.data
        if not 0 <= dim < len(shape) or prod(shape) != shape[dim] or shape[dim] & (shape[dim] - 1):
            raise VerifyException(f"tile.range: expected a power of two along dimension {dim} alone, got {shape}")


class _UnaryOp(IRDLOperation):
    value = operand_def(Attribute)
    result = result_def(Attribute)
    traits = traits_def(Pure())
    assembly_format = "$value attr-dict `:` type($value) `->` type($result)"

    def __init__(self, value: SSAValue, result: Attribute):
        super().__init__(operands=[value], result_types=[result])


@irdl_op_definition
class BroadcastOp(_UnaryOp):
    """`%b = tile.broadcast %x : tensor<64x1xf32> -> tensor<64x16xf32>`; a scalar fills any shape."""

    name = "tile.broadcast"

    def verify_(self) -> None:
        source, target = shape_of(self.value.type), shape_of(self.result.type)
        if element_of(self.value.type) != element_of(self.result.type) or join_shapes(source, target) != target:
            raise VerifyException(f"tile.broadcast: {self.value.type} does not broadcast to {self.result.type}")


@irdl_op_definition
class ReshapeOp(_UnaryOp):
    """`%r = tile.reshape %x : tensor<64x1x16xf32> -> tensor<64x16xf32>`, in row-major order."""

    name = "tile.reshape"

    def verify_(self) -> None:
        source, target = shape_of(self.value.type), shape_of(self.result.type)
        if element_of(self.value.type) != element_of(self.result.type) or prod(source) != prod(target):
            raise VerifyException(f"tile.reshape: {self.value.type} is not {self.result.type}")


@irdl_op_definition
class PermuteOp(IRDLOperation):
    """`%p = tile.permute %x by [#builtin.int<1>, #builtin.int<0>] : ...`: dimension n of the result is `by[n]` of
    the value."""

    name = "tile.permute"
    value = operand_def(Attribute)
    by = prop_def(ArrayAttr[IntAttr])
    result = result_def(Attribute)
    traits = traits_def(Pure())
    assembly_format = "$value `by` $by attr-dict `:` type($value) `->` type($result)"

    def __init__(self, value: SSAValue, by: Sequence[int]):
        shape = shape_of(value.type)
        result = tile_type(tuple(shape[source] for source in by), element_of(value.type))
        super().__init__(
            operands=[value], properties={"by": ArrayAttr([IntAttr(item) for item in by])}, result_types=[result]
        )

    def verify_(self) -> None:
        shape, by = shape_of(self.value.type), [item.data for item in self.by]
        if sorted(by) != list(range(len(shape))):
            raise VerifyException(f"tile.permute: {by} does not permute {len(shape)} dimensions")
        if tuple(shape[item] for item in by) != shape_of(self.result.type):
            raise VerifyException(f"tile.permute: expected {[shape[item] for item in by]}, got {self.result.type}")


@irdl_op_definition
class WhereOp(IRDLOperation):
    """`%w = tile.where %condition, %a, %b : tensor<64xi1>, tensor<64xf32>`: a where the condition holds, else b."""

    name = "tile.where"
    T: ClassVar = VarConstraint("T", AnyAttr())
    condition = operand_def(Attribute)
    if_true = operand_def(T)
    if_false = operand_def(T)
    result = result_def(T)
    traits = traits_def(Pure())
    assembly_format = "$condition `,` $if_true `,` $if_false attr-dict `:` type($condition) `,` type($result)"

    def __init__(self, condition: SSAValue, if_true: SSAValue, if_false: SSAValue):
        super().__init__(operands=[condition, if_true, if_false], result_types=[if_true.type])

    def verify_(self) -> None:
        if element_of(self.condition.type) != i1:
            raise VerifyException(f"tile.where: expected a condition of i1, got {self.condition.type}")
        if shape_of(self.condition.type) != shape_of(self.result.type):
            raise VerifyException(f"tile.where: {self.condition.type} does not choose among {self.result.type}")


@irdl_op_definition
class CompareOp(IRDLOperation):
    """`%c = tile.compare "lt" %a, %b : tensor<64xf32> -> tensor<64xi1>`: eq, ne, lt, le, gt or ge; integers are
    signed. Of NaN only ne is true."""

    name = "tile.compare"
    predicate = prop_def(StringAttr)
    T: ClassVar = VarConstraint("T", AnyAttr())
    lhs = operand_def(T)
    rhs = operand_def(T)
    result = result_def(Attribute)
    traits = traits_def(Pure())
    assembly_format = "$predicate $lhs `,` $rhs attr-dict `:` type($lhs) `->` type($result)"

    def __init__(self, predicate: str, lhs: SSAValue, rhs: SSAValue):
        super().__init__(
            operands=[lhs, rhs],
            properties={"predicate": StringAttr(predicate)},
            result_types=[tile_type(shape_of(lhs.type), i1)],
        )

    def verify_(self) -> None:
        if self.predicate.data not in PREDICATES:
            raise VerifyException(f"tile.compare: one of {', '.join(PREDICATES)} is expected, got {self.predicate}")
        if self.result.type != tile_type(shape_of(self.lhs.type), i1):
            raise VerifyException(f"tile.compare: {self.lhs.type} does not give {self.result.type}")


@irdl_op_definition
class CastOp(_UnaryOp):
    """`%c = tile.cast %x : tensor<64xf32> -> tensor<64xbf16>`: another type for the same numbers. Integers widen by
    their sign (i1 and ui8 by zeros) and narrow by dropping bits; floats narrow to nearest even; float to integer
    drops the fraction, saturates, and gives 0 for NaN."""

    name = "tile.cast"

    def verify_(self) -> None:
        if shape_of(self.value.type) != shape_of(self.result.type):
            raise VerifyException(f"tile.cast: {self.value.type} and {self.result.type} differ in shape")


@irdl_op_definition
class ModOp(IRDLOperation):
    """`%m = tile.mod %a, %b : type`: a - b * floor(a / b) of integers; 0 where b is 0."""

    name = "tile.mod"
    T: ClassVar = VarConstraint("T", AnyAttr())
    lhs = operand_def(T)
    rhs = operand_def(T)
    result = result_def(T)
    traits = traits_def(Pure())
    assembly_format = "$lhs `,` $rhs attr-dict `:` type($result)"

    def __init__(self, lhs: SSAValue, rhs: SSAValue):
        super().__init__(operands=[lhs, rhs], result_types=[lhs.type])


class _Float8Op(IRDLOperation):
    value = operand_def(Attribute)
    format = prop_def(Attribute)
    result = result_def(Attribute)
    traits = traits_def(Pure())

    def __init__(self, value: SSAValue, format: Attribute, result: Attribute):
        super().__init__(operands=[value], properties={"format": format}, result_types=[result])


@irdl_op_definition
class DecodeOp(_Float8Op):
    """`%v = tile.decode %bytes as f8E4M3FN : tensor<64xui8> -> tensor<64xbf16>`: exact in f32, bf16 and f16 (a NaN
    stays one; f8E5M2's largest exponents need the range of its 5 bits, which all three have)."""

    name = "tile.decode"
    assembly_format = "$value `as` $format attr-dict `:` type($value) `->` type($result)"

    def verify_(self) -> None:
        if element_of(self.value.type) != BYTE:
            raise VerifyException(f"tile.decode: expected bytes (ui8), got {self.value.type}")


@irdl_op_definition
class EncodeOp(_Float8Op):
    """`%bytes = tile.encode %v as f8E4M3FN : tensor<64xf32> -> tensor<64xui8>`: to nearest even, saturating."""

    name = "tile.encode"
    assembly_format = "$value `as` $format attr-dict `:` type($value) `->` type($result)"

    def verify_(self) -> None:
        if element_of(self.result.type) != BYTE:
            raise VerifyException(f"tile.encode: expected bytes (ui8), got {self.result.type}")
