"""What each kind of reduction keeps while it runs over tiles, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xdsl.dialects import arith
from xdsl.dialects.builtin import AnyFloat, IntegerType, f32, i32
from xdsl.ir import Attribute, Operation, SSAValue

from hetc.dialects import tile
from hetc.dialects.tile import Shape, element_of
from hetc.passes.lower_triton.builder import Mask, TileBuilder, zero_of

NO_INDEX = 2**31 - 1
"""The index that stands with nothing: it loses every tie, and becomes -1 at the end."""


def lowest(element: Attribute) -> int | float:
    """What no present value of a maximum is below."""
    if isinstance(element, AnyFloat):
        return float("-inf")
    assert isinstance(element, IntegerType)
    return -(2 ** (element.width.data - 1))


def highest(element: Attribute) -> int | float:
    if isinstance(element, AnyFloat):
        return float("inf")
    assert isinstance(element, IntegerType)
    return 2 ** (element.width.data - 1) - 1


def _combiner(kind: str, element: Attribute) -> Callable[..., Operation]:
    floating = isinstance(element, AnyFloat)
    return {
        "sum": arith.AddfOp if floating else arith.AddiOp,
        "prod": arith.MulfOp if floating else arith.MuliOp,
        "max": arith.MaximumfOp if floating else arith.MaxSIOp,
        "min": arith.MinimumfOp if floating else arith.MinSIOp,
    }[kind]


def identity(kind: str, element: Attribute) -> int | float:
    return {"sum": zero_of(element), "prod": 1, "max": lowest(element), "min": highest(element)}[kind]


@dataclass
class Lanes:
    """One tile of a reduction: values, the condition under which each counts, and the reduction's index."""

    value: SSAValue
    counts: Mask
    index: SSAValue


class Reduction:
    """A reduction in the making. shape: of what it keeps; full: with the reduced dimension; dim: that dimension, or
    None where the index runs one element at a time."""

    def __init__(self, builder: TileBuilder, kind: str, element: Attribute, shape: Shape, full: Shape, dim: int | None):
        self.builder, self.kind, self.element = builder, kind, element
        self.shape, self.full, self.dim = shape, full, dim

    def _folded(self, kind: str, lanes: Lanes, value: SSAValue) -> SSAValue:
        """One tile's lanes, those that do not count left out, as one value a line."""
        builder = self.builder
        value = builder.selected(lanes.counts, value, identity(kind, element_of(value.type)))
        if self.dim is not None:
            value = builder.add(tile.ReduceOp(kind, builder.broadcast(value, self.full), self.dim))
        return builder.broadcast(value, self.shape)

    def _number(self, lanes: Lanes) -> SSAValue:
        """How many lanes count."""
        if lanes.counts is None:
            return self._filled(self.full[self.dim] if self.dim is not None else 1, i32)
        return self._counted(lanes, self.builder.constant(1.0, f32))

    def _counted(self, lanes: Lanes, ones: SSAValue) -> SSAValue:
        """The sum of zeros and ones. Exact in f32, for a tile; in integers LLVM packs the bits through the stack."""
        return self.builder.cast(self._folded("sum", lanes, ones), i32)

    def initial(self) -> list[SSAValue]:
        kept = [self._filled(identity(kind, element), element) for kind, element in self._kept()]
        return kept

    def _kept(self) -> list[tuple[str, Attribute]]:
        """The plain reductions that this one is made of."""
        match self.kind:
            case "mean":
                return [("sum", self.element), ("sum", i32)]
            case "any":
                return [("max", i32)]
            case "all":
                return [("min", i32)]
            case "count":
                return [("sum", i32)]
        return [(self.kind, self.element)]

    def _filled(self, value: int | float, element: Attribute) -> SSAValue:
        return self.builder.broadcast(self.builder.constant(value, element), self.shape)

    def partial(self, lanes: Lanes) -> list[SSAValue]:
        """What one tile gives."""
        builder = self.builder
        match self.kind:
            case "mean":
                return [self._folded("sum", lanes, lanes.value), self._number(lanes)]
            case "count":
                return [self._counted(lanes, builder.cast(builder.cast(lanes.value, i32), f32))]
            case "any" | "all":
                ((kind, _),) = self._kept()
                return [self._folded(kind, lanes, builder.cast(lanes.value, i32))]
        return [self._folded(self.kind, lanes, lanes.value)]

    def combine(self, kept: list[SSAValue], partial: list[SSAValue]) -> list[SSAValue]:
        return [
            self.builder.binary(_combiner(kind, element), old, new)
            for (kind, element), old, new in zip(self._kept(), kept, partial, strict=True)
        ]

    def finish(self, kept: list[SSAValue]) -> SSAValue:
        """The reduction's value."""
        builder = self.builder
        if self.kind == "mean":
            total, count = kept
            some = builder.compare("gt", count, 0)
            divisor = builder.cast(builder.binary(arith.MaxSIOp, count, 1), f32)
            return builder.where(some, builder.binary(arith.DivfOp, total, divisor), 0.0)
        if self.kind == "any":  # over nothing the largest is the identity, which is below 1
            return builder.compare("eq", kept[0], 1)
        if self.kind == "all":
            return builder.compare("ne", kept[0], 0)
        return kept[0]


class ArgReduction(Reduction):
    """argmax and argmin: the best value and its index."""

    @property
    def extreme(self) -> str:
        return self.kind.removeprefix("arg")

    def initial(self) -> list[SSAValue]:
        return [self._filled(identity(self.extreme, self.element), self.element), self._filled(NO_INDEX, i32)]

    def partial(self, lanes: Lanes) -> list[SSAValue]:
        builder = self.builder
        value = builder.selected(lanes.counts, lanes.value, identity(self.extreme, self.element))
        index = builder.selected(lanes.counts, lanes.index, NO_INDEX)
        if self.dim is not None:
            value, index = (builder.broadcast(part, self.full) for part in (value, index))
            op = tile.ArgReduceOp(self.extreme, value, index, self.dim)
            builder.add(op)
            value, index = op.best, op.best_index
        return [builder.broadcast(value, self.shape), builder.broadcast(index, self.shape)]

    def combine(self, kept: list[SSAValue], partial: list[SSAValue]) -> list[SSAValue]:
        op = tile.ArgCombineOp(self.extreme, *kept, *partial)
        self.builder.add(op)
        return [op.best, op.best_index]

    def finish(self, kept: list[SSAValue]) -> SSAValue:
        builder = self.builder
        return builder.where(builder.compare("lt", kept[1], NO_INDEX), kept[1], -1)


def reduction_of(
    builder: TileBuilder, kind: str, element: Attribute, shape: Shape, full: Shape, dim: int | None
) -> Reduction:
    """The accumulator of an mp.reduce of `kind` over values of type `element`."""
    chosen = ArgReduction if kind.startswith("arg") else Reduction
    return chosen(builder, kind, element, shape, full, dim)
