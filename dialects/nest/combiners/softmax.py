"""softmax<f32, N>: sum of exp(x) w over the sum of exp(x), for N weights w an element, in one pass.

State (m, l, n, o): the largest x so far, the sum of exp(x - m), the number of elements, the weighted sums of the same.
A new maximum rescales what is there, as in `normalizer`. An element of -inf adds 0, and of nothing but such the result
is NaN, as that of softmax is; over no element it is 0."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, f32, i32
from xdsl.ir import Attribute, SSAValue

from hetc.dialects.nest.combiners.base import INFINITY, Build, Built, Field
from hetc.dialects.nest.combiners.normalizer import rescaling


class Softmax(Built):
    """A fold is given x, and one weight for each of the `size` sums."""

    NAME = "softmax"
    TYPES = (Float32Type,)
    SIZED = True

    @property
    def weighted(self) -> bool:
        return True

    @property
    def takes(self) -> tuple[Attribute, ...]:
        return (f32, f32)

    @property
    def state(self) -> tuple[Field, ...]:
        return (Field("m", f32), Field("l", f32), Field("n", i32), Field("o", f32, self.size))

    def start(self, build: Build) -> list[SSAValue]:
        return [build.constant(-INFINITY, f32), build.constant(0.0, f32), build.constant(0, i32),
                build.constant(0.0, f32)]  # fmt: skip

    def step(self, build: Build, state: Sequence[SSAValue], values: Sequence[SSAValue]) -> list[SSAValue]:
        (x, weight), one = values, build.constant(1, i32)
        return self.merge(build, state, [x, build.constant(1.0, f32), one, weight])

    def merge(self, build: Build, state: Sequence[SSAValue], other: Sequence[SSAValue]) -> list[SSAValue]:
        m = build.add(arith.MaximumfOp(state[0], other[0]))
        mine, theirs = rescaling(build, state[0], m), rescaling(build, other[0], m)

        def joined(a: SSAValue, b: SSAValue) -> SSAValue:
            return build.plus(build.times(a, mine), build.times(b, theirs))

        return [m, joined(state[1], other[1]), build.plus(state[2], other[2]), joined(state[3], other[3])]

    def finish(self, build: Build, state: Sequence[SSAValue]) -> list[SSAValue]:
        nothing = build.compare("eq", state[2], build.constant(0, i32))
        share = build.add(arith.DivfOp(state[3], state[1]))
        return [build.select(nothing, build.constant(0.0, f32), share)]
