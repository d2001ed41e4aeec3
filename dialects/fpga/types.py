"""Types of the fpga dialect.

!fpga.pointer<f8E4M3FN>               elements in device memory, behind a port
!fpga.pointer<!fpga.word<bf16, 32>>   the same memory read 32 elements at a time
!fpga.word<bf16, 32>                  elements side by side in one wide word, the first in the lowest bits
!fpga.code<f8E4M3FN>                  a stored element taken as a value, not decoded
!fpga.stream<f32>                     a FIFO of values (or words) between two processes
!fpga.array<[64, 128], bf16>          an on-chip array
!fpga.queue<f32, 64, "register">      the 64 best (score, index) pairs seen so far

Memory, arrays and words hold elements as they are stored (`mp.storage_bits`); loading one gives a value of its
compute type, storing one rounds or saturates.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import ArrayAttr, IntAttr, StringAttr
from xdsl.ir import Attribute, ParametrizedAttribute, TypeAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.mp import compute_type, storage_bits

QUEUE_KINDS = ("register", "heap")


@irdl_attr_definition
class WordType(ParametrizedAttribute, TypeAttribute):
    """`lanes` elements in one word of `lanes * storage_bits(element)` bits."""

    name = "fpga.word"
    element: Attribute
    lanes: IntAttr

    def __init__(self, element: Attribute, lanes: int | IntAttr):
        super().__init__(element, IntAttr(lanes) if isinstance(lanes, int) else lanes)

    @property
    def bits(self) -> int:
        return storage_bits(self.element) * self.lanes.data

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_attribute(self.element)
            printer.print_string(f", {self.lanes.data}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            element = parser.parse_type()
            parser.parse_punctuation(",")
            lanes = IntAttr(parser.parse_integer(allow_boolean=False, allow_negative=False))
        return (element, lanes)

    def verify(self) -> None:
        if self.lanes.data < 2:
            raise VerifyException(f"fpga.word: expected two lanes or more, got {self.lanes.data}")
        compute_type(self.element)


@irdl_attr_definition
class CodeType(ParametrizedAttribute, TypeAttribute):
    """The bits of one stored element as a value: what exact products are made of."""

    name = "fpga.code"
    element: Attribute

    def verify(self) -> None:
        compute_type(self.element)


def value_type(element: Attribute) -> Attribute:
    """The type of a loaded element: a word or a code is itself, anything else is in its compute type."""
    return element if isinstance(element, WordType | CodeType) else compute_type(element)


def element_bits(element: Attribute) -> int:
    """Bits that one element takes where it is stored."""
    if isinstance(element, CodeType):
        return storage_bits(element.element)
    return element.bits if isinstance(element, WordType) else storage_bits(element)


@irdl_attr_definition
class PointerType(ParametrizedAttribute, TypeAttribute):
    """Device memory behind one port, as an array of `element`."""

    name = "fpga.pointer"
    element: Attribute


@irdl_attr_definition
class StreamType(ParametrizedAttribute, TypeAttribute):
    """A FIFO of values: f32, i32, i64, i1, index, or words."""

    name = "fpga.stream"
    element: Attribute

    def verify(self) -> None:
        if value_type(self.element) != self.element:
            raise VerifyException(f"fpga.stream carries values, got the stored element {self.element}")


@irdl_attr_definition
class ArrayType(ParametrizedAttribute, TypeAttribute):
    """An on-chip array of a constant shape."""

    name = "fpga.array"
    shape: ArrayAttr[IntAttr]
    element: Attribute

    def __init__(self, shape: Sequence[int] | ArrayAttr[IntAttr], element: Attribute):
        if not isinstance(shape, ArrayAttr):
            shape = ArrayAttr([IntAttr(extent) for extent in shape])
        super().__init__(shape, element)

    @property
    def extents(self) -> tuple[int, ...]:
        return tuple(extent.data for extent in self.shape)

    @property
    def bits(self) -> int:
        """Bits of the whole array."""
        total = element_bits(self.element)
        for extent in self.extents:
            total *= extent
        return total

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string("[" + ", ".join(str(extent) for extent in self.extents) + "], ")
            printer.print_attribute(self.element)

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            extents = parser.parse_comma_separated_list(
                parser.Delimiter.SQUARE, lambda: IntAttr(parser.parse_integer()), " of extents"
            )
            parser.parse_punctuation(",")
            element = parser.parse_type()
        return (ArrayAttr(extents), element)

    def verify(self) -> None:
        if any(extent < 1 for extent in self.extents):
            raise VerifyException(f"fpga.array: expected positive extents, got {self.extents}")


@irdl_attr_definition
class QueueType(ParametrizedAttribute, TypeAttribute):
    """The `capacity` best pairs of score and index: `register` is a shift register (small capacities, one push a
    cycle), `heap` a binary heap in block RAM (a push that is taken costs about log2 of the capacity)."""

    name = "fpga.queue"
    score: Attribute
    capacity: IntAttr
    kind: StringAttr

    def __init__(self, score: Attribute, capacity: int | IntAttr, kind: str | StringAttr):
        super().__init__(
            score,
            IntAttr(capacity) if isinstance(capacity, int) else capacity,
            StringAttr(kind) if isinstance(kind, str) else kind,
        )

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_attribute(self.score)
            printer.print_string(f", {self.capacity.data}, ")
            printer.print_attribute(self.kind)

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            score = parser.parse_type()
            parser.parse_punctuation(",")
            capacity = IntAttr(parser.parse_integer(allow_boolean=False, allow_negative=False))
            parser.parse_punctuation(",")
            kind = parser.parse_attribute()
        return (score, capacity, kind)

    def verify(self) -> None:
        if self.kind.data not in QUEUE_KINDS:
            raise VerifyException(f"fpga.queue: kind is one of {', '.join(QUEUE_KINDS)}, got {self.kind.data}")
        if self.capacity.data < 1:
            raise VerifyException(f"fpga.queue: expected a positive capacity, got {self.capacity.data}")
