"""Scores on their way from a scan to its queue: one stream carries the score and whether there is one.

Of f32 scores -inf says that there is none. Every integer is a score, so that those flow in 64 bits, where the lowest
number is none of theirs (a score of i64 is a difference of two i32).
"""

from __future__ import annotations

from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, IndexType, i32, i64
from xdsl.ir import Attribute, SSAValue

from hetc.dialects.mp import RangedOp
from hetc.passes.lower_hls.builder import FLOAT_INFINITY, Body

NO_SCORE = -(2**63)


def stream_type(op: RangedOp) -> Attribute:
    """The type of what flows for the values of a scan's region."""
    end = op.yielded
    is_float = isinstance(end.value.type, Float32Type)
    return end.value.type if is_float or end.present is None else i64


def marked(body: Body, score: SSAValue, present: SSAValue | None) -> SSAValue:
    """What flows for a score of which `present` tells whether there is one."""
    if present is None:
        return score
    if isinstance(score.type, Float32Type):
        return body.select(present, score, body.constant(-FLOAT_INFINITY, score.type))
    return body.select(present, widened(body, score), body.constant(NO_SCORE, i64))


def unmarked(body: Body, flowed: SSAValue, type: Attribute) -> tuple[SSAValue, SSAValue | None]:
    """The score, of the region's type, and whether there is one (None: there always is, or a queue sees to it)."""
    if isinstance(type, Float32Type) or flowed.type == type != i64:
        return flowed, None
    present = body.compare("ne", flowed, body.constant(NO_SCORE, i64))
    if type == i64:
        return flowed, present
    narrow = arith.IndexCastOp(flowed, type) if isinstance(type, IndexType) else arith.TruncIOp(flowed, i32)
    return body.add(narrow).results[0], present


def widened(body: Body, score: SSAValue) -> SSAValue:
    """An integer in 64 bits."""
    if score.type == i64:
        return score
    wide = arith.IndexCastOp if isinstance(score.type, IndexType) else arith.ExtSIOp
    return body.add(wide(score, i64)).results[0]
