"""fixed_sum<f32, F>: the sum of floats that are multiples of 2^-F, exact, rounded once at the end. Over nothing 0; with
a NaN among them NaN. The verifier sees to it that all are such multiples and that 64 bits hold the sum (see `grid`)."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, f32, i1, i64
from xdsl.ir import SSAValue

from hetc.dialects.nest.combiners.base import Build, Built, Field

NAN = float("nan")


class FixedSum(Built):
    """state (fixed, nan): the sum times 2^F, and whether a NaN was folded. `size` is F."""

    NAME = "fixed_sum"
    TYPES = (Float32Type,)
    SIZED = True

    @property
    def is_exact(self) -> bool:
        return True

    @property
    def fraction_bits(self) -> int:
        return self.size

    @property
    def state(self) -> tuple[Field, ...]:
        return (Field("fixed", i64), Field("nan", i1))

    def start(self, build: Build) -> list[SSAValue]:
        return [build.constant(0, i64), build.constant(False, i1)]

    def step(self, build: Build, state: Sequence[SSAValue], values: Sequence[SSAValue]) -> list[SSAValue]:
        is_nan = build.compare("une", values[0], values[0])
        number = build.select(is_nan, build.constant(0.0, f32), values[0])
        scaled = build.times(number, build.constant(2.0**self.size, f32))
        return self.merge(build, state, [build.add(arith.FPToSIOp(scaled, i64)), is_nan])

    def merge(self, build: Build, state: Sequence[SSAValue], other: Sequence[SSAValue]) -> list[SSAValue]:
        return [build.plus(state[0], other[0]), build.either(state[1], other[1])]

    def finish(self, build: Build, state: Sequence[SSAValue]) -> list[SSAValue]:
        number = build.add(arith.SIToFPOp(state[0], f32))
        total = build.times(number, build.constant(2.0**-self.size, f32))
        return [build.select(state[1], build.constant(NAN, f32), total)]
