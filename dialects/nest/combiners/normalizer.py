"""normalizer<f32>: the largest x, and the sum of exp(x - largest), in one pass: what softmax subtracts and divides by.

A new maximum rescales the sum (Milakov and Gimelshein, arXiv 1805.02867). An element of -inf adds 0. Over nothing the
pair is (-inf, 0); where it is (-inf, 0) or holds a NaN, each exp(x - m) / l is NaN, as softmax is."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import Float32Type, f32
from xdsl.ir import Attribute, SSAValue

from hetc.dialects.nest.combiners.base import INFINITY, Build, Built, Field


class Normalizer(Built):
    """state (m, l)."""

    NAME = "normalizer"
    TYPES = (Float32Type,)

    @property
    def gives(self) -> tuple[Attribute, ...]:
        return (f32, f32)

    @property
    def state(self) -> tuple[Field, ...]:
        return (Field("m", f32), Field("l", f32))

    def start(self, build: Build) -> list[SSAValue]:
        return [build.constant(-INFINITY, f32), build.constant(0.0, f32)]

    def step(self, build: Build, state: Sequence[SSAValue], values: Sequence[SSAValue]) -> list[SSAValue]:
        return self.merge(build, state, [values[0], build.constant(1.0, f32)])

    def merge(self, build: Build, state: Sequence[SSAValue], other: Sequence[SSAValue]) -> list[SSAValue]:
        m = build.add(arith.MaximumfOp(state[0], other[0]))
        mine, theirs = rescaling(build, state[0], m), rescaling(build, other[0], m)
        return [m, build.plus(build.times(state[1], mine), build.times(other[1], theirs))]


def rescaling(build: Build, before: SSAValue, after: SSAValue) -> SSAValue:
    """exp(before - after), 0 where `before` is -inf whatever `after` is."""
    scale = build.add(math.ExpOp(build.add(arith.SubfOp(before, after))))
    nothing = build.compare("oeq", before, build.constant(-INFINITY, f32))
    return build.select(nothing, build.constant(0.0, f32), scale)
