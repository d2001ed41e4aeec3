"""Scalar operations of FPGA kernels as C++ expressions: those of all devices, and codes of stored elements."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import i32
from xdsl.ir import Operation

from hetc.backends.cxx import expressions as shared
from hetc.backends.cxx.expressions import Expression, Style
from hetc.backends.hls import c_types
from hetc.dialects import fpga

STYLE = Style(c_types.value, "hls")
_EXACT = (fpga.JoinOp, fpga.EncodeOp, fpga.DecodeOp, fpga.ProductOp, fpga.IsNanOp, fpga.FromFixedOp)


def is_known(op: Operation) -> bool:
    """Whether `expression` can write the operation."""
    return isinstance(op, _EXACT) or shared.is_known(op)


def expression(op: Operation, operands: Sequence[Expression]) -> Expression:
    """The single result of `op` over its operands' expressions. KeyError for an operation not in the tables."""
    return _exact(op, operands) if isinstance(op, _EXACT) else shared.expression(op, operands, STYLE)


def _exact(op: Operation, operands: Sequence[Expression]) -> Expression:
    """Codes of stored elements, and sums of their products."""
    texts = [item.text for item in operands]
    match op:
        case fpga.EncodeOp():
            return Expression(c_types.encode(op.result.type.element, texts[0]))
        case fpga.DecodeOp():
            return Expression(c_types.decode(fpga.code_element(op.code), texts[0]))
        case fpga.JoinOp():
            return Expression(f"{c_types.value(op.result.type)}(({', '.join(reversed(texts))}))")
        case fpga.IsNanOp():
            return Expression(f"hetc::fp8_is_nan({texts[0]})")
        case fpga.FromFixedOp():
            return Expression(f"hetc::from_fixed({', '.join(texts)})")
        case fpga.ProductOp() if op.result.type == i32:
            return Expression(f"int32_t({texts[0]}) * int32_t({texts[1]})", False)
    return Expression(f"hetc::fp8_product({', '.join(texts)})")
