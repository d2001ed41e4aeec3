"""How a tensor is stored.

#mp.dense                                          a row-major array
#mp.sparse<N>                                      compressed along the first dim
#mp.rows<132 at 0>                                 rows 132 elements apart, beginning at element 0
#mp.rows<128 at 0 in pages of 64 every 8448>       64 rows a page, pages 8448 elements apart, found through a table

What the elements of a tensor of bytes are, where they are not numbers themselves:

#mp.codes<si4 by 63>                               rows of 63 values of 4 bits, two a byte
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from xdsl.dialects.builtin import IntAttr
from xdsl.ir import Attribute, ParametrizedAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException


@irdl_attr_definition
class DenseAttr(ParametrizedAttribute):
    """Stored as a row-major array."""

    name = "mp.dense"


@irdl_attr_definition
class SparseAttr(ParametrizedAttribute):
    """Compressed along the first dim: for each row its stored columns, ascending, and their values.
    `stored_bound` is the largest number of stored entries."""

    name = "mp.sparse"
    stored_bound: IntAttr

    def __init__(self, stored_bound: int | IntAttr):
        super().__init__(IntAttr(stored_bound) if isinstance(stored_bound, int) else stored_bound)


@irdl_attr_definition
class RowsAttr(ParametrizedAttribute):
    """Rows placed by strides. A row is what lies at one index of the last run-time dim and of those before it; row r
    begins at element `offset + r * row`, r counted row-major over capacities. With `block` > 0 a table gives the page
    that holds each `block` indices of the last run-time dim: the row at place s of page p begins at
    `offset + p * page + s * row`. All distances in elements."""

    name = "mp.rows"
    row: IntAttr
    offset: IntAttr
    block: IntAttr
    page: IntAttr

    def __init__(
        self, row: int | IntAttr, offset: int | IntAttr = 0, block: int | IntAttr = 0, page: int | IntAttr = 0
    ):
        super().__init__(*(IntAttr(item) if isinstance(item, int) else item for item in (row, offset, block, page)))

    @property
    def is_paged(self) -> bool:
        return self.block.data > 0

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(f"{self.row.data} at {self.offset.data}")
            if self.is_paged:
                printer.print_string(f" in pages of {self.block.data} every {self.page.data}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            row = parser.parse_integer()
            parser.parse_keyword("at")
            offset, block, page = parser.parse_integer(), 0, 0
            if parser.parse_optional_keyword("in"):
                parser.parse_keyword("pages")
                parser.parse_keyword("of")
                block = parser.parse_integer()
                parser.parse_keyword("every")
                page = parser.parse_integer()
        return [IntAttr(item) for item in (row, offset, block, page)]

    def verify(self) -> None:
        if self.row.data < 1 or self.offset.data < 0 or self.block.data < 0:
            raise VerifyException(f"mp.rows: {self} has distances that are not positive")
        if self.is_paged and self.page.data < self.row.data:
            raise VerifyException(f"mp.rows: pages {self.page.data} elements apart do not hold rows of {self.row.data}")


@irdl_attr_definition
class CodesAttr(ParametrizedAttribute):
    """The elements are bytes (ui8) that hold bit patterns of `element`: along the last dim as many a byte as it has
    room for, the first in the low bits, `count` in a row; where `count` is 0, one a byte."""

    name = "mp.codes"
    element: Attribute
    count: IntAttr

    def __init__(self, element: Attribute, count: int | IntAttr = 0):
        super().__init__(element, IntAttr(count) if isinstance(count, int) else count)

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_attribute(self.element)
            if self.count.data:
                printer.print_string(f" by {self.count.data}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            element = parser.parse_type()
            count = parser.parse_integer() if parser.parse_optional_keyword("by") else 0
        return [element, IntAttr(count)]


Storage: TypeAlias = DenseAttr | SparseAttr | RowsAttr
