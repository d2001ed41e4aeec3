"""Scores as integers of the same order, so that selection works on bits.

A key orders as its score does; equal scores have equal keys (-0 and 0 too); `absent` is below every key of a
candidate. f32 scores have 32-bit keys, integer ones 64-bit keys, of which 40 bits are used.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects import arith
from xdsl.dialects.builtin import f32, i32, i64
from xdsl.ir import Attribute, SSAValue

from hetc.passes.lower_triton.builder import Mask, TileBuilder
from hetc.passes.schedule.gpu_checks import SCORE_BITS

_LOW_BITS = 0x7FFFFFFF
_SIGN = -(2**31)
_ABOVE_ZERO = 2 ** (SCORE_BITS - 1) + 1
"""Added to an integer score: one of SCORE_BITS bits becomes at least 1."""


@dataclass(frozen=True)
class KeyFormat:
    """element: i32 or i64. absent: the key of what is no candidate. bits: those that differ between keys, once
    `bias` has been added by xor."""

    element: Attribute
    absent: int
    bits: int
    bias: int

    def key(self, builder: TileBuilder, score: SSAValue, candidate: Mask) -> SSAValue:
        """The keys of a tile of scores. NaN and -inf are no candidates."""
        if self.element == i64:
            above = builder.add_(builder.cast(score, i64), _ABOVE_ZERO)
            return builder.selected(candidate, above, self.absent)
        real = builder.compare("gt", score, float("-inf"))
        positive_zero = builder.where(builder.compare("eq", score, 0.0), builder.constant(0.0, f32), score)
        bits = builder.bitcast(positive_zero, i32)
        flipped = builder.binary(arith.XOrIOp, bits, _LOW_BITS)
        key = builder.where(builder.compare("ge", bits, 0), bits, flipped)
        taken = builder.both(candidate, real)
        return builder.selected(taken, key, self.absent)

    def score(self, builder: TileBuilder, key: SSAValue) -> SSAValue:
        """The score of a candidate's key."""
        if self.element == i64:
            return builder.cast(builder.add_(key, -_ABOVE_ZERO), i32)
        flipped = builder.binary(arith.XOrIOp, key, _LOW_BITS)
        return builder.bitcast(builder.where(builder.compare("ge", key, 0), key, flipped), f32)

    def digit(self, builder: TileBuilder, key: SSAValue, shift: int) -> SSAValue:
        """Eight bits of a key from bit `shift` up, and all bits above them, as an unsigned number."""
        if self.bias:
            key = builder.binary(arith.XOrIOp, key, self.bias)
        return builder.binary(arith.ShRUIOp, key, shift) if shift else key


FLOAT_KEYS = KeyFormat(i32, _SIGN, 32, _SIGN)
INTEGER_KEYS = KeyFormat(i64, 0, SCORE_BITS + 1, 0)


def key_format(score: Attribute) -> KeyFormat:
    """The keys of scores of a region's type: f32, or an integer of at most SCORE_BITS bits (see check_kernel)."""
    return FLOAT_KEYS if score == f32 else INTEGER_KEYS
