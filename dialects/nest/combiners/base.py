"""What every combiner says of itself, and how its builder makes ops."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from xdsl.dialects import arith
from xdsl.dialects.builtin import Float32Type, FloatAttr, IndexType, IntegerAttr, IntegerType, f32, i1
from xdsl.ir import Attribute, Operation, SSAValue

INFINITY = float("inf")


@dataclass
class Build:
    """Collects the ops that a builder makes, in order."""

    ops: list[Operation] = field(default_factory=list)

    def add(self, op: Operation) -> SSAValue:
        """Append an op of one result; gives the result."""
        self.ops.append(op)
        return op.results[0]

    def constant(self, value: bool | int | float, type: Attribute) -> SSAValue:
        """A number of a compute type."""
        if isinstance(type, IndexType | IntegerType):
            return self.add(arith.ConstantOp(IntegerAttr(int(value), type)))
        return self.add(arith.ConstantOp(FloatAttr(float(value), f32)))

    def select(self, condition: SSAValue, then: SSAValue, otherwise: SSAValue) -> SSAValue:
        return self.add(arith.SelectOp(condition, then, otherwise))

    def compare(self, predicate: str, lhs: SSAValue, rhs: SSAValue) -> SSAValue:
        """`predicate` by its name for integers (`slt`) or floats (`olt`), as the operands are."""
        kind = arith.CmpfOp if isinstance(lhs.type, Float32Type) else arith.CmpiOp
        return self.add(kind(lhs, rhs, predicate))

    def either(self, lhs: SSAValue, rhs: SSAValue) -> SSAValue:
        return self.add(arith.OrIOp(lhs, rhs))

    def both(self, lhs: SSAValue, rhs: SSAValue) -> SSAValue:
        return self.add(arith.AndIOp(lhs, rhs))

    def plus(self, lhs: SSAValue, rhs: SSAValue) -> SSAValue:
        return self.add((arith.AddfOp if isinstance(lhs.type, Float32Type) else arith.AddiOp)(lhs, rhs))

    def times(self, lhs: SSAValue, rhs: SSAValue) -> SSAValue:
        return self.add((arith.MulfOp if isinstance(lhs.type, Float32Type) else arith.MuliOp)(lhs, rhs))


@dataclass(frozen=True)
class Field:
    """One number of a state, or `size` of them."""

    name: str
    type: Attribute
    size: int | None = None


class Combiner(ABC):
    """A combiner over values of one type. `size` is its parameter where it has one.

    A fold that is not taken (its condition is false) leaves the state as it is: an absent value counts for nothing.
    Raises ValueError for a type that it does not combine.
    """

    NAME: ClassVar[str]
    TYPES: ClassVar[tuple[type[Attribute], ...]] = (Float32Type, IntegerType, IndexType)
    SIZED: ClassVar[bool] = False

    def __init__(self, type: Attribute, size: int = 0) -> None:
        if not isinstance(type, self.TYPES):
            raise ValueError(f"{self.NAME} does not combine values of type {type}")
        if (size > 0) != self.SIZED:
            raise ValueError(f"{self.NAME} has {'a' if self.SIZED else 'no'} size")
        self.type, self.size = type, size

    @property
    def is_exact(self) -> bool:
        """Whether folds in any order give the same bits."""
        return not isinstance(self.type, Float32Type)

    @property
    def fraction_bits(self) -> int | None:
        """Of a sum in 64-bit fixed point the bits behind the point: what is folded has to be multiples of the last."""
        return None

    @property
    def weighted(self) -> bool:
        """Whether the last value of a fold is one for each number of a sized field."""
        return False

    @property
    def takes(self) -> tuple[Attribute, ...]:
        """The types of what one fold is given."""
        return (self.type,)

    @property
    def gives(self) -> tuple[Attribute, ...]:
        """The types of what a state ends as."""
        return (self.type,)

    @property
    @abstractmethod
    def state(self) -> tuple[Field, ...]:
        """What a state is made of."""


class Built(Combiner):
    """A combiner that makes the ops of its folds, so that no device has to know it."""

    @abstractmethod
    def start(self, build: Build) -> list[SSAValue]:
        """The identity: the state of which nothing was folded."""

    @abstractmethod
    def step(self, build: Build, state: Sequence[SSAValue], values: Sequence[SSAValue]) -> list[SSAValue]:
        """The state with one more element."""

    @abstractmethod
    def merge(self, build: Build, state: Sequence[SSAValue], other: Sequence[SSAValue]) -> list[SSAValue]:
        """The state of the elements of both, those of `state` before those of `other`."""

    def finish(self, build: Build, state: Sequence[SSAValue]) -> list[SSAValue]:
        """What the state ends as."""
        return list(state)


class Simple(Built):
    """A combiner whose state is one value, joined by one associative operation."""

    @property
    def state(self) -> tuple[Field, ...]:
        return (Field(self.NAME, self.type),)

    @abstractmethod
    def identity(self) -> bool | int | float:
        """What joined with a value gives the value."""

    @abstractmethod
    def join(self, build: Build, first: SSAValue, second: SSAValue) -> SSAValue:
        """The operation."""

    def start(self, build: Build) -> list[SSAValue]:
        return [build.constant(self.identity(), self.type)]

    def step(self, build: Build, state: Sequence[SSAValue], values: Sequence[SSAValue]) -> list[SSAValue]:
        return [self.join(build, state[0], values[0])]

    def merge(self, build: Build, state: Sequence[SSAValue], other: Sequence[SSAValue]) -> list[SSAValue]:
        return [self.join(build, state[0], other[0])]


def least(type: Attribute) -> int | float:
    """The least value of a compute type: -inf, false, or the least integer (of an index one of 32 bits)."""
    if isinstance(type, Float32Type):
        return -INFINITY
    return 0 if type == i1 else -greatest(type) - 1


def greatest(type: Attribute) -> int | float:
    """The greatest value of a compute type."""
    if isinstance(type, Float32Type):
        return INFINITY
    width = type.width.data if isinstance(type, IntegerType) else 32
    return 1 if width == 1 else (1 << (width - 1)) - 1
