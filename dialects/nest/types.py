"""Types of the nest dialect.

!nest.buf<[B, T] x f32, global>               elements that a kernel makes, row-major over capacities
!nest.buf<[64, 128] x bf16, local>            the same in a cache, in shared memory or on the chip
!nest.buf<[] x f32, reg>                      one number in a register
!nest.buf<[128] x f8E4M3FN, stream 16>        a FIFO of 16 rows of 128
!nest.acc<[H] of sum<f32>, reg>               a state of a combiner for each head
#nest.bind<vector 16>                         how the passes of a loop are carried out

Buffers hold elements as they are stored (`mp.storage_bits`): loading one gives a value of its compute type, storing one
rounds or saturates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from xdsl.dialects.builtin import ArrayAttr, IntAttr, IntegerAttr, StringAttr
from xdsl.ir import Attribute, ParametrizedAttribute, TypeAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.mp import DimAttr, compute_type
from hetc.dialects.mp.types import extent, extent_key
from hetc.dialects.nest.combiners import CombinerAttr

REGISTER, LOCAL, STREAM, GLOBAL = "reg", "local", "stream", "global"
SPACES = (REGISTER, LOCAL, STREAM, GLOBAL)
PARALLEL, VECTOR, PIPELINE, UNROLL = "parallel", "vector", "pipeline", "unroll"
BINDS = (PARALLEL, VECTOR, PIPELINE, UNROLL)

Shape: TypeAlias = tuple[int | str, ...]


def _extents(values: Sequence[int | str] | ArrayAttr[Attribute]) -> ArrayAttr[Attribute]:
    return values if isinstance(values, ArrayAttr) else ArrayAttr([extent(value) for value in values])


def _parse_extents(parser: AttrParser) -> ArrayAttr[Attribute]:
    def one() -> Attribute:
        number = parser.parse_optional_integer(allow_boolean=False, allow_negative=False)
        return extent(parser.parse_identifier() if number is None else number)

    return ArrayAttr(parser.parse_comma_separated_list(parser.Delimiter.SQUARE, one, " of extents"))


def _print_extents(printer: Printer, values: ArrayAttr[Attribute]) -> None:
    printer.print_string(f"[{', '.join(str(extent_key(value)) for value in values)}]")


def _verify_place(what: str, extents: ArrayAttr[Attribute], space: str) -> None:
    if space not in SPACES:
        raise VerifyException(f"{what}: the space is one of {', '.join(SPACES)}, got {space}")
    for value in extents:
        if not isinstance(value, IntegerAttr | DimAttr):
            raise VerifyException(f"{what} expects constant or #mp.dim extents, got {value}")
        if space != GLOBAL and isinstance(value, DimAttr):
            raise VerifyException(f"{what} in {space} has constant extents, got {extent_key(value)}")


@irdl_attr_definition
class BufferType(ParametrizedAttribute, TypeAttribute):
    """Elements that a kernel makes. `depth` is how many of them (of all extents) a stream holds, 0 for other spaces."""

    name = "nest.buf"
    extents: ArrayAttr[Attribute]
    element: Attribute
    space: StringAttr
    depth: IntAttr

    def __init__(
        self,
        extents: Sequence[int | str] | ArrayAttr[Attribute],
        element: Attribute,
        space: str | StringAttr,
        depth: int | IntAttr = 0,
    ):
        super().__init__(
            _extents(extents),
            element,
            StringAttr(space) if isinstance(space, str) else space,
            IntAttr(depth) if isinstance(depth, int) else depth,
        )

    @property
    def shape(self) -> Shape:
        """Extents as Python values: an int, or the name of a run-time dim."""
        return tuple(extent_key(value) for value in self.extents)

    @property
    def where(self) -> str:
        return self.space.data

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            _print_extents(printer, self.extents)
            printer.print_string(" x ")
            printer.print_attribute(self.element)
            printer.print_string(f", {self.where}")
            if self.where == STREAM:
                printer.print_string(f" {self.depth.data}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            extents = _parse_extents(parser)
            parser.parse_keyword("x")
            element = parser.parse_type()
            parser.parse_punctuation(",")
            space = parser.parse_identifier()
            depth = parser.parse_integer(allow_boolean=False, allow_negative=False) if space == STREAM else 0
        return (extents, element, StringAttr(space), IntAttr(depth))

    def verify(self) -> None:
        _verify_place("nest.buf", self.extents, self.where)
        if (self.where == STREAM) != (self.depth.data > 0):
            raise VerifyException("nest.buf: a stream has a depth, and nothing else has")
        compute_type(self.element)


@irdl_attr_definition
class AccType(ParametrizedAttribute, TypeAttribute):
    """States of a combiner, one for each index of the extents, each the combiner's identity where it is declared."""

    name = "nest.acc"
    extents: ArrayAttr[Attribute]
    combiner: CombinerAttr
    space: StringAttr

    def __init__(
        self,
        extents: Sequence[int | str] | ArrayAttr[Attribute],
        combiner: CombinerAttr,
        space: str | StringAttr = REGISTER,
    ):
        super().__init__(_extents(extents), combiner, StringAttr(space) if isinstance(space, str) else space)

    @property
    def shape(self) -> Shape:
        """Extents as Python values: an int, or the name of a run-time dim."""
        return tuple(extent_key(value) for value in self.extents)

    @property
    def where(self) -> str:
        return self.space.data

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            _print_extents(printer, self.extents)
            printer.print_string(" of ")
            self.combiner.print_short(printer)
            printer.print_string(f", {self.where}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            extents = _parse_extents(parser)
            parser.parse_keyword("of")
            combiner = CombinerAttr.parse_short(parser)
            parser.parse_punctuation(",")
            space = StringAttr(parser.parse_identifier())
        return (extents, combiner, space)

    def verify(self) -> None:
        _verify_place("nest.acc", self.extents, self.where)
        if self.where == STREAM:
            raise VerifyException("nest.acc: a state does not lie in a stream")


@irdl_attr_definition
class BindAttr(ParametrizedAttribute):
    """How the passes of a loop are carried out. Serial execution is what a loop means; a bind changes at most the order
    in which floats are folded.

    parallel     the passes at the same time, on processors, blocks or copies of a circuit
    vector N     N passes in lockstep, as lanes
    pipeline N   a pass begins N cycles after the one before
    unroll       the passes written out
    """

    name = "nest.bind"
    kind: StringAttr
    width: IntAttr

    def __init__(self, kind: str | StringAttr, width: int | IntAttr = 0):
        super().__init__(
            StringAttr(kind) if isinstance(kind, str) else kind, IntAttr(width) if isinstance(width, int) else width
        )

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(self.kind.data + (f" {self.width.data}" if self.width.data else ""))

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            kind = parser.parse_identifier()
            width = parser.parse_optional_integer(allow_boolean=False, allow_negative=False) or 0
        return (StringAttr(kind), IntAttr(width))

    def verify(self) -> None:
        kind, width = self.kind.data, self.width.data
        if kind not in BINDS:
            raise VerifyException(f"nest.bind: one of {', '.join(BINDS)}, got {kind}")
        if (kind in (VECTOR, PIPELINE)) != (width > 0):
            raise VerifyException(f"nest.bind: {kind} {'needs' if width == 0 else 'has no'} width")
