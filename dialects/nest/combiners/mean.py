"""mean<f32>: the sum divided by the number of elements. Over nothing 0."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, f32, i32
from xdsl.ir import SSAValue

from hetc.dialects.nest.combiners.base import Build, Built, Field


class Mean(Built):
    """state (sum, count)."""

    NAME = "mean"
    TYPES = (Float32Type,)

    @property
    def state(self) -> tuple[Field, ...]:
        return (Field("sum", f32), Field("count", i32))

    def start(self, build: Build) -> list[SSAValue]:
        return [build.constant(0.0, f32), build.constant(0, i32)]

    def step(self, build: Build, state: Sequence[SSAValue], values: Sequence[SSAValue]) -> list[SSAValue]:
        return [build.plus(state[0], values[0]), build.plus(state[1], build.constant(1, i32))]

    def merge(self, build: Build, state: Sequence[SSAValue], other: Sequence[SSAValue]) -> list[SSAValue]:
        return [build.plus(mine, theirs) for mine, theirs in zip(state, other, strict=True)]

    def finish(self, build: Build, state: Sequence[SSAValue]) -> list[SSAValue]:
        mean = build.add(arith.DivfOp(state[0], build.add(arith.SIToFPOp(state[1], f32))))
        nothing = build.compare("eq", state[1], build.constant(0, i32))
        return [build.select(nothing, build.constant(0.0, f32), mean)]
