"""Products of stored elements that are summed without rounding.

fpga.encode      a number as the code of a narrow element
fpga.decode      the number that a code stands for
fpga.product     of two codes, a whole number
fpga.is_nan      whether a code stands for no number
fpga.from_fixed  a sum of products as a float, rounded once

Two e4m3 numbers are whole multiples of 2^-9, their product one of 2^-18 and below 2^36 of them; a sum of D takes
log2(D) bits more. The order of the additions does not matter.
"""

from __future__ import annotations

from xdsl.dialects.builtin import Float8E4M3FNType, Float32Type, IntegerType, i1, i32
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import IRDLOperation, irdl_op_definition, operand_def, opt_operand_def, result_def
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.fpga.types import CodeType
from hetc.dialects.mp import compute_type

PRODUCT_BITS = 37  # signed, of two e4m3 numbers in units of 2^-18
LARGEST_SUM_BITS = 63


def code_element(value: SSAValue) -> Attribute:
    """The element that a code is of."""
    assert isinstance(value.type, CodeType)
    return value.type.element


def sum_type(element: Attribute, count: int) -> IntegerType | None:
    """The type that `count` products are summed in; None where it would be too wide. Integers wrap at 32 bits."""
    if not isinstance(element, Float8E4M3FNType):
        return i32
    bits = PRODUCT_BITS + max(count - 1, 0).bit_length()
    return IntegerType(bits) if bits <= LARGEST_SUM_BITS else None


@irdl_op_definition
class EncodeOp(IRDLOperation):
    """`%c = fpga.encode %v : f32 -> !fpga.code<f8E4M3FN>`: exact for a value that was loaded from such an element."""

    name = "fpga.encode"
    value = operand_def(Attribute)
    result = result_def(CodeType)
    assembly_format = "$value attr-dict `:` type($value) `->` type($result)"

    def __init__(self, value: SSAValue, element: Attribute):
        super().__init__(operands=[value], result_types=[CodeType(element)])


@irdl_op_definition
class DecodeOp(IRDLOperation):
    """`%v = fpga.decode %c : !fpga.code<f8E4M3FN> -> f32`."""

    name = "fpga.decode"
    code = operand_def(CodeType)
    result = result_def(Attribute)
    assembly_format = "$code attr-dict `:` type($code) `->` type($result)"

    def __init__(self, code: SSAValue):
        super().__init__(operands=[code], result_types=[compute_type(code_element(code))])


@irdl_op_definition
class ProductOp(IRDLOperation):
    """`%p = fpga.product %a, %b : !fpga.code<f8E4M3FN>, !fpga.code<f8E4M3FN> -> i44`: in units of 2^-18 for e4m3 (of
    no meaning where a code is a NaN), the product itself for integers."""

    name = "fpga.product"
    lhs = operand_def(CodeType)
    rhs = operand_def(CodeType)
    result = result_def(IntegerType)
    assembly_format = "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs) `->` type($result)"

    def __init__(self, lhs: SSAValue, rhs: SSAValue, type: IntegerType):
        super().__init__(operands=[lhs, rhs], result_types=[type])

    def verify_(self) -> None:
        floats = [isinstance(code_element(code), Float8E4M3FNType) for code in (self.lhs, self.rhs)]
        if floats[0] != floats[1]:
            raise VerifyException("fpga.product: one code is a float's, the other an integer's")
        if floats[0] and self.result.type.width.data < PRODUCT_BITS:
            raise VerifyException(f"fpga.product: two e4m3 numbers need {PRODUCT_BITS} bits, got {self.result.type}")


@irdl_op_definition
class IsNanOp(IRDLOperation):
    """`%n = fpga.is_nan %c : !fpga.code<f8E4M3FN>`."""

    name = "fpga.is_nan"
    code = operand_def(CodeType)
    result = result_def(i1)
    assembly_format = "$code attr-dict `:` type($code)"

    def __init__(self, code: SSAValue):
        super().__init__(operands=[code], result_types=[i1])


@irdl_op_definition
class FromFixedOp(IRDLOperation):
    """`%v = fpga.from_fixed %total nan %n : i44`: units of 2^-18 as f32, to nearest even; NaN where the flag is set."""

    name = "fpga.from_fixed"
    total = operand_def(IntegerType)
    nan = opt_operand_def(i1)
    result = result_def(Float32Type())
    assembly_format = "$total (`nan` $nan^)? attr-dict `:` type($total)"

    def __init__(self, total: SSAValue, nan: SSAValue | None):
        super().__init__(operands=[total, [nan] if nan is not None else []], result_types=[Float32Type()])
