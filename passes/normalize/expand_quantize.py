"""Expands quantisation into the blocks' largest magnitudes, their scales, and the narrow values."""

from __future__ import annotations

import math as python_math
import struct
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith, math
from xdsl.dialects.builtin import IntegerType, ModuleOp, f32, i32
from xdsl.ir import Attribute, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from hetc.dialects.mp import ComputeOp, QuantizeOp, RangeAttr, RoundOp, TensorType, dtype_name, in_order, storage_bits
from hetc.numerics.dtypes import dtype_of
from hetc.passes.normalize.expansion import Body, insert, ranges_over, steps, without_ranges
from hetc.passes.normalize.rejection import rejected

MANTISSA_BITS = 23
MANTISSA = 2**MANTISSA_BITS - 1
EXPONENT = 0xFF << MANTISSA_BITS
BIAS = 127


@dataclass(frozen=True)
class ExpandQuantizePass(ModulePass):
    """Rewrites each mp.quantize as three mp.compute: the largest magnitude, the scale and the values.

    Before: presence is explicit. After: no mp.quantize is left. A scale is what `hetc.numerics.quantization` says of
    its kind: max(amax, floor) / largest rounded to the type it is stored in, or a power of two (in integer arithmetic
    on the bits, so exactly; `pow2` at least 2^-126). Values are x / scale, by a power of two x times its exact
    reciprocal.

    Example: `%q, %s = mp.quantize %x 1 "pow2" 1.0e-4` of bf16[B, 128] becomes

        %amax = mp.compute [b in B] { mp.reduce "max" <d in 128> { ... math.absf %x[b, d] } } : f32
        %s    = mp.compute [b in B] { ... (bits(max(%amax, floor)) + carry) & exponent, less largest's exponent } : f32
        %q    = mp.compute [b in B, d in 128] { ... arith.mulf %x[b, d], %reciprocal } : f8E4M3FN
    """

    name = "expand-quantize"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for step, presence in steps(op):
            for statement in list(in_order(step.body.block)):
                if isinstance(statement, QuantizeOp):
                    amax, scale, values = Expansion(statement).statements()
                    insert(statement, [amax, scale, values], presence)
                    statement.values.replace_all_uses_with(values.result)
                    statement.scale.replace_all_uses_with(scale.result)
                    Rewriter.erase_op(statement)


class Expansion:
    """The statements that one mp.quantize becomes. Raises PassFailedException where it has no meaning."""

    def __init__(self, op: QuantizeOp):
        self.op = op
        self.axis = op.axis.value.data
        self.block = None if op.block is None else op.block.value.data
        self.ranges = ranges_over(op, op.x)
        values, scale = op.values.type, op.scale.type
        assert isinstance(values, TensorType) and isinstance(scale, TensorType)
        self.element, self.scale_element = values.element, scale.element
        if storage_bits(self.element) > 8 or self.element == IntegerType(1):
            raise rejected(op, "expand-quantize", f"expected values of at most 8 bits, got {dtype_name(self.element)}")
        if any(item.per_position == self.axis for item in self.ranges):
            raise rejected(op, "expand-quantize", "another dim is per the dim that is quantised along")
        self.largest = float(dtype_of(dtype_name(self.element)).max_finite)
        self.scale_ranges = self._scale_ranges(scale)

    def _scale_ranges(self, scale: TensorType) -> tuple[RangeAttr, ...]:
        if self.block is None:
            return without_ranges(self.ranges, (self.axis,))
        ranges = list(self.ranges)
        blocks = ranges_over(self.op, self.op.scale)[self.axis]
        ranges[self.axis] = RangeAttr(f"{ranges[self.axis].index.data}_block", blocks.extent, blocks.per)
        return tuple(ranges)

    def statements(self) -> tuple[ComputeOp, ComputeOp, ComputeOp]:
        """Largest magnitudes, scales, values."""
        amax = self._amax()
        body = Body(self.scale_ranges, self.op)
        magnitude = body.read(amax.result, body.indices)
        floor = max(float(self.op.floor.value.data), 0.0)
        magnitude = body.add(arith.MaximumfOp(magnitude, body.number(floor)))
        kind = self.op.scale_kind.data
        scale = body.compute(self._scale(body, magnitude, kind), self.scale_element)
        return amax, scale, self._values(scale, kind in ("pow2", "e8m0"))

    def _scale(self, body: Body, magnitude: SSAValue, kind: str) -> SSAValue:
        if kind == "pow2":
            return pow2_scale(body, magnitude, self.largest)
        if kind == "e8m0":
            return exponent_scale(body, magnitude, self.largest)
        if kind == "f32":
            return f32_scale(body, magnitude, self.largest)
        return narrow_scale(body, magnitude, self.largest, self.scale_element)

    def _amax(self) -> ComputeOp:
        body = Body(self.scale_ranges, self.op)
        item = self.ranges[self.axis]
        before, after = body.indices[: self.axis], body.indices[self.axis + (self.block is not None) :]
        row = item.per_position
        per = None
        if self.block is None and row is not None:
            per = body.indices[row - (row > self.axis)]

        def magnitude(inner: Body, index: SSAValue) -> SSAValue:
            if self.block is not None:
                first = inner.add(arith.MuliOp(body.indices[self.axis], inner.index(self.block)))
                index = inner.add(arith.AddiOp(first, index))
            return inner.add(math.AbsFOp(inner.read(self.op.x, [*before, index, *after])))

        over = RangeAttr(item.index, item.extent if self.block is None else self.block)
        return body.compute(body.reduce("max", over, per, magnitude), f32)

    def _values(self, scale: ComputeOp, is_pow2: bool) -> ComputeOp:
        body = Body(self.ranges, self.op)
        before, after = body.indices[: self.axis], body.indices[self.axis + 1 :]
        x = body.read(self.op.x, body.indices)
        at = list(before)
        if self.block is not None:
            at.append(body.add(arith.FloorDivSIOp(body.indices[self.axis], body.index(self.block))))
        divisor = body.read(scale.result, [*at, *after])
        quotient = divided_by_pow2(body, x, divisor) if is_pow2 else body.add(arith.DivfOp(x, divisor))
        if isinstance(self.element, IntegerType):
            quotient = body.add(arith.FPToSIOp(body.add(math.RoundEvenOp(quotient)), i32))
        return body.compute(quotient, self.element)


def f32_scale(body: Body, magnitude: SSAValue, largest: float) -> SSAValue:
    """magnitude / largest rounded once; 1 where that is 0."""
    scale = body.add(arith.DivfOp(magnitude, body.number(largest)))
    is_zero = body.add(arith.CmpfOp(scale, body.number(0.0), "oeq"))
    return body.add(arith.SelectOp(is_zero, body.number(1.0), scale))


def narrow_scale(body: Body, magnitude: SSAValue, largest: float, element: Attribute) -> SSAValue:
    """magnitude / largest rounded to a narrower float, its least positive where that is 0."""
    scale = body.add(RoundOp(body.add(arith.DivfOp(magnitude, body.number(largest))), element))
    is_zero = body.add(arith.CmpfOp(scale, body.number(0.0), "oeq"))
    least = dtype_of(dtype_name(element)).smallest_step
    return body.add(arith.SelectOp(is_zero, body.number(least), scale))


def exponent_scale(body: Body, magnitude: SSAValue, largest: float) -> SSAValue:
    """The power of two whose exponent is magnitude's less largest's, at least 2^-127; NaN where it is not finite."""
    (bits,) = struct.unpack("<I", struct.pack("<f", largest))
    own = body.number((bits >> MANTISSA_BITS) - BIAS, i32)
    exponent = body.add(arith.ShRSIOp(body.add(arith.BitcastOp(magnitude, i32)), body.number(MANTISSA_BITS, i32)))
    field = body.add(arith.MaxSIOp(body.add(arith.SubiOp(exponent, own)), body.number(0, i32)))
    power = body.add(arith.BitcastOp(body.add(arith.ShLIOp(field, body.number(MANTISSA_BITS, i32))), f32))
    is_least = body.add(arith.CmpiOp(field, body.number(0, i32), "eq"))
    power = body.add(arith.SelectOp(is_least, body.number(2.0**-127), power))
    is_finite = body.add(arith.CmpfOp(magnitude, body.number(python_math.inf), "olt"))
    return body.add(arith.SelectOp(is_finite, power, body.number(python_math.nan)))


def pow2_scale(body: Body, magnitude: SSAValue, largest: float) -> SSAValue:
    """The least power of two, from 2^-126, that is at least magnitude / largest; 1 for 0; infinity and NaN pass.

    With magnitude = m 2^a and largest = n 2^b, m and n in [1, 2), it is 2^(a - b), twice that where m > n. Adding
    (all ones - n's mantissa bits) to the bits carries into the exponent exactly where m's mantissa exceeds n's."""
    (bits,) = struct.unpack("<I", struct.pack("<f", largest))
    carry = MANTISSA - (bits & MANTISSA)
    exponent = (bits & EXPONENT) - (BIAS << MANTISSA_BITS)
    raised = body.add(arith.AddiOp(body.add(arith.BitcastOp(magnitude, i32)), body.number(carry, i32)))
    whole = body.add(arith.AndIOp(raised, body.number(EXPONENT, i32)))
    lowered = body.add(arith.SubiOp(whole, body.number(exponent, i32)))
    least = body.add(arith.MaxSIOp(lowered, body.number(1 << MANTISSA_BITS, i32)))
    power = body.add(arith.BitcastOp(least, f32))
    is_zero = body.add(arith.CmpfOp(magnitude, body.number(0.0), "oeq"))
    is_finite = body.add(arith.CmpfOp(magnitude, body.number(python_math.inf), "olt"))
    ordinary = body.add(arith.SelectOp(is_zero, body.number(1.0), power))
    return body.add(arith.SelectOp(is_finite, ordinary, magnitude))


def divided_by_pow2(body: Body, x: SSAValue, scale: SSAValue) -> SSAValue:
    """x / scale for a power of two, by its reciprocal, whose exponent is the negative (2^-127, which is no normal
    number, has one that is); a quotient for others."""
    bits = body.add(arith.BitcastOp(scale, i32))
    mirrored = body.add(arith.SubiOp(body.number(2 * BIAS << MANTISSA_BITS, i32), bits))
    is_normal = body.add(arith.CmpfOp(scale, body.number(2.0**-126), "oge"))
    reciprocal = body.add(arith.SelectOp(is_normal, body.add(arith.BitcastOp(mirrored, f32)), body.number(2.0**127)))
    product = body.add(arith.MulfOp(x, reciprocal))
    is_finite = body.add(arith.CmpfOp(scale, body.number(python_math.inf), "olt"))
    return body.add(arith.SelectOp(is_finite, product, body.add(arith.DivfOp(x, scale))))
