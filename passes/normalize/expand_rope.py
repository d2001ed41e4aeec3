"""Expands rotary embeddings into a statement with exact phase arithmetic."""

from __future__ import annotations

import math as python_math
from dataclasses import dataclass
from fractions import Fraction

from xdsl.context import Context
from xdsl.dialects import arith, builtin, math
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, IndexType, ModuleOp, f32, i64
from xdsl.ir import SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from hetc.dialects.mp import ComputeOp, ConstantOp, ModOp, ReadOp, RopeOp, TensorType, compute_type, in_order
from hetc.passes.normalize.expansion import Body, insert, steps, table
from hetc.passes.normalize.rejection import rejected
from hetc.passes.rebuild import mentions

TURN_BITS = 48
"""A turn is 2^48 units: a position of 2^20 then errs by at most 2^-29 of a turn, less than f32 resolves."""
ANGLE_BITS = 24
"""The bits of a turn that reach the angle: as many as the mantissa of f32 holds."""
TAU = Fraction("6.2831853071795864769252867665590057683943387987502116419498891846")
"""Radians in a turn."""


@dataclass(frozen=True)
class ExpandRopePass(ModulePass):
    """Rewrites each mp.rope as an mp.compute that reduces the angle exactly before it rounds.

    Before: presence is explicit. After: no mp.rope is left; the frequencies are a table (mp.constant) of turns a
    position, in units of 2^-48 turns; both channels of a pair are read at indices that are in range by construction.

    Example: `mp.rope %x 1 128 "half" [...]` at position t becomes an mp.compute over the same ranges with

        %turns = mp.read %table[%pair] : !mp.tensor<[64], i64> -> i64
        %product = arith.muli %t64, %turns : i64
        %phase = arith.andi %rounded, %mask : i64               (modulo a turn; %rounded = %product + 2^23)
        %angle = arith.mulf %signed, %radians : f32             (the phase's upper 24 bits, from -half to half a turn)
        %v = arith.select %first, x1 cos - x2 sin, x2 cos + x1 sin : f32
    """

    name = "expand-rope"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for step, presence in steps(op):
            for statement in list(in_order(step.body.block)):
                if isinstance(statement, RopeOp):
                    _check(statement)
                    rotated = _rotated(statement, table(statement, turns_table(statement)))
                    insert(statement, [rotated], presence)
                    statement.result.replace_all_uses_with(rotated.result)
                    Rewriter.erase_op(statement)


def _check(op: RopeOp) -> None:
    axis, dims = op.axis.value.data, op.dims.value.data
    type_ = op.x.type
    assert isinstance(type_, TensorType)
    if mentions(op.yielded.value, op.body.block.args[axis]):
        raise rejected(op, "expand-rope", f"the position depends on {op.index_names[axis]}, the axis that is rotated")
    if compute_type(type_.element) != f32:
        raise rejected(op, "expand-rope", f"expected floating-point elements, got {type_.element}")
    size = type_.shape[axis]
    if isinstance(size, int) and dims > size:
        raise rejected(op, "expand-rope", f"dims is {dims}, but the axis has {size} channels")


def turns_table(op: RopeOp) -> ConstantOp:
    """The frequencies (radians a position) as turns a position modulo 1, in units of 2^-48 turns: i64[dims / 2]."""
    unit = 2**TURN_BITS
    turns = [round(Fraction(item.value.data) * unit / TAU) % unit for item in op.frequencies]
    value = DenseIntOrFPElementsAttr.from_list(builtin.TensorType(i64, [len(turns)]), turns)
    return ConstantOp(value, TensorType([len(turns)], i64))


def _rotated(op: RopeOp, turns: SSAValue) -> ComputeOp:
    body = Body(op.index_ranges, op)
    axis, dims = op.axis.value.data, op.dims.value.data
    channel = body.indices[axis]
    position = body.inline(op)
    pair, low, high, is_first = _pair(body, channel, dims, op.layout.data)

    def x_at(index: SSAValue) -> SSAValue:
        return body.read(op.x, [*body.indices[:axis], index, *body.indices[axis + 1 :]])

    first, second = x_at(low), x_at(high)
    angle = _angle(body, position, body.add(ReadOp(turns, [pair])))
    cos, sin = body.add(math.CosOp(angle)), body.add(math.SinOp(angle))
    kept = body.add(arith.SelectOp(is_first, first, second))
    other = body.add(arith.SelectOp(is_first, body.add(arith.NegfOp(second)), first))
    along = body.add(arith.MulfOp(kept, cos))
    value = body.add(arith.AddfOp(along, body.add(arith.MulfOp(other, sin))))
    type_ = op.result.type
    assert isinstance(type_, TensorType)
    if type_.shape[axis] != dims:
        rotates = body.add(arith.CmpiOp(channel, body.index(dims), "slt"))
        value = body.add(arith.SelectOp(rotates, value, x_at(channel)))
    return body.compute(value, type_.element)


def _pair(body: Body, channel: SSAValue, dims: int, layout: str) -> tuple[SSAValue, SSAValue, SSAValue, SSAValue]:
    """The number of a channel's pair, the pair's two channels, and whether the channel is the first of them. A
    channel that is not rotated gets some pair that exists."""
    half = body.index(dims // 2)
    if layout == "half":
        pair = body.add(ModOp(channel, half))
        is_first = body.add(arith.CmpiOp(channel, half, "slt"))
        return pair, pair, body.add(arith.AddiOp(pair, half)), is_first
    two = body.index(2)
    pair = body.add(arith.MinSIOp(body.add(arith.FloorDivSIOp(channel, two)), body.index(dims // 2 - 1)))
    low = body.add(arith.MuliOp(pair, two))
    is_first = body.add(arith.CmpiOp(body.add(ModOp(channel, two)), body.index(0), "eq"))
    return pair, low, body.add(arith.AddiOp(low, body.index(1))), is_first


def _angle(body: Body, position: SSAValue, turns: SSAValue) -> SSAValue:
    """position * turns modulo a turn, in radians from -pi to pi, f32. 64-bit products wrap at a multiple of a turn."""
    assert position.type == IndexType()
    dropped = TURN_BITS - ANGLE_BITS
    half_turn = body.number(2 ** (ANGLE_BITS - 1), i64)
    product = body.add(arith.MuliOp(body.add(arith.IndexCastOp(position, i64)), turns))
    rounded = body.add(arith.AddiOp(product, body.number(2 ** (dropped - 1), i64)))
    phase = body.add(arith.AndIOp(rounded, body.number(2**TURN_BITS - 1, i64)))
    upper = body.add(arith.ShRUIOp(phase, body.number(dropped, i64)))
    signed = body.add(arith.SubiOp(body.add(arith.XOrIOp(upper, half_turn)), half_turn))
    radians = body.number(python_math.tau / 2**ANGLE_BITS)
    return body.add(arith.MulfOp(body.add(arith.SIToFPOp(signed, f32)), radians))
