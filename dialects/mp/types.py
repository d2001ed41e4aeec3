"""Types and attributes of the mp dialect.

#mp.dim<"T">                          a dim whose extent is known at run time
#mp.range<t in T per 0>               an index, its extent, and the position of the index that its dim is `per`
!mp.tensor<[B, T, 128], bf16>         a name is a run-time dim
!mp.index64                           the element of a tensor of indices that 32 bits may not hold
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from xdsl.dialects.builtin import (
    I64,
    ArrayAttr,
    IntAttr,
    IntegerAttr,
    NoneAttr,
    StringAttr,
    i64,
)
from xdsl.ir import Attribute, ParametrizedAttribute, TypeAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.mp.elements import ELEMENT_TYPES, compute_type, dtype_name, is_index
from hetc.dialects.mp.storage import CodesAttr, DenseAttr, RowsAttr, SparseAttr
from hetc.numerics import dtype_of

LARGEST_EXTENT = 2**31 - 1
"""Of a dim, of a constant extent and of a capacity: what an index of 32 bits reaches."""


@irdl_attr_definition
class DimAttr(ParametrizedAttribute):
    """A dim of the pipeline whose extent is known only at run time: `#mp.dim<"T">`."""

    name = "mp.dim"
    symbol: StringAttr

    def __init__(self, symbol: str | StringAttr):
        super().__init__(StringAttr(symbol) if isinstance(symbol, str) else symbol)


Extent: TypeAlias = IntegerAttr[I64] | DimAttr


def extent(value: int | str | Extent) -> Extent:
    """An int is a constant extent, a str names a run-time dim."""
    if isinstance(value, int):
        return IntegerAttr(value, i64)
    return DimAttr(value) if isinstance(value, str) else value


def extent_key(value: Attribute) -> int | str:
    """The inverse of `extent`: an int for a constant, the dim's name for a run-time dim."""
    if isinstance(value, IntegerAttr):
        return value.value.data
    assert isinstance(value, DimAttr)
    return value.symbol.data


def _print_extent(printer: Printer, value: Attribute) -> None:
    printer.print_string(str(extent_key(value)))


def _parse_extent(parser: AttrParser) -> Extent:
    number = parser.parse_optional_integer(allow_boolean=False, allow_negative=False)
    return extent(parser.parse_identifier() if number is None else number)


@irdl_attr_definition
class RangeAttr(ParametrizedAttribute):
    """An index and its extent. `per` is the position, among the indices of the same op, of the index that the
    dim is per (`dim T per B`); in `mp.reduce` the per-index is an operand instead and `per` stays none."""

    name = "mp.range"
    index: StringAttr
    extent: Attribute
    per: Attribute

    def __init__(self, index: str | StringAttr, size: int | str | Attribute, per: int | Attribute | None = None):
        super().__init__(
            StringAttr(index) if isinstance(index, str) else index,
            extent(size) if isinstance(size, int | str) else size,
            IntAttr(per) if isinstance(per, int) else (per or NoneAttr()),
        )

    @property
    def per_position(self) -> int | None:
        return self.per.data if isinstance(self.per, IntAttr) else None

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(f"{self.index.data} in ")
            _print_extent(printer, self.extent)
            if self.per_position is not None:
                printer.print_string(f" per {self.per_position}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            index = StringAttr(parser.parse_identifier())
            parser.parse_characters("in")
            size = _parse_extent(parser)
            per = IntAttr(parser.parse_integer()) if parser.parse_optional_keyword("per") else NoneAttr()
        return (index, size, per)

    def verify(self) -> None:
        if not isinstance(self.extent, IntegerAttr | DimAttr):
            raise VerifyException(f"mp.range expects a constant or #mp.dim extent, got {self.extent}")
        if isinstance(self.per, IntAttr) and not isinstance(self.extent, DimAttr):
            raise VerifyException("mp.range: only a run-time dim can be per another index")


@irdl_attr_definition
class TensorType(ParametrizedAttribute, TypeAttribute):
    """A tensor value: extents (constants or run-time dims), element type, storage, and what bytes are codes of."""

    name = "mp.tensor"
    extents: ArrayAttr[Attribute]
    element: Attribute
    storage: Attribute
    codes: Attribute

    def __init__(
        self,
        extents: Sequence[int | str | Extent] | ArrayAttr[Attribute],
        element: Attribute,
        storage: Attribute | None = None,
        codes: CodesAttr | None = None,
    ):
        if not isinstance(extents, ArrayAttr):
            extents = ArrayAttr([extent(value) for value in extents])
        super().__init__(extents, element, storage or DenseAttr(), codes or NoneAttr())

    @property
    def rank(self) -> int:
        return len(self.extents)

    @property
    def shape(self) -> tuple[int | str, ...]:
        """Extents as Python values: an int, or the name of a run-time dim."""
        return tuple([extent_key(value) for value in self.extents.data])

    @property
    def layer(self) -> TensorType:
        """The type of what lies at one index of the first extent."""
        return TensorType(ArrayAttr(self.extents.data[1:]), self.element, self.storage, self.coded)

    @property
    def coded(self) -> CodesAttr | None:
        """What the elements are codes of; None for elements that are numbers themselves."""
        return self.codes if isinstance(self.codes, CodesAttr) else None

    @property
    def decoded(self) -> TensorType:
        """The tensor of values that the bytes are codes of; itself where they are none."""
        if self.coded is None:
            return self
        extents = list(self.extents)
        if self.coded.count.data:
            extents[-1] = extent(self.coded.count.data)
        return TensorType(ArrayAttr(extents), self.coded.element, self.storage)

    @property
    def rows(self) -> RowsAttr | None:
        """Where rows lie, for a tensor that is not row-major."""
        return self.storage if isinstance(self.storage, RowsAttr) else None

    @property
    def row_axis(self) -> int:
        """The last run-time dim's position, -1 where all extents are constant: what follows it is a row."""
        return max((at for at, size in enumerate(self.extents) if isinstance(size, DimAttr)), default=-1)

    @property
    def plain(self) -> TensorType:
        """The same tensor, row-major."""
        return TensorType(self.extents, self.element, codes=self.coded)

    @property
    def is_sparse(self) -> bool:
        return isinstance(self.storage, SparseAttr)

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string("[")
            printer.print_list(self.extents, lambda value: _print_extent(printer, value))
            printer.print_string("], ")
            printer.print_attribute(self.element)
            for item in (self.storage, self.codes):
                if not isinstance(item, DenseAttr | NoneAttr):
                    printer.print_string(", ")
                    printer.print_attribute(item)

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            extents = parser.parse_comma_separated_list(
                parser.Delimiter.SQUARE, lambda: _parse_extent(parser), " of extents"
            )
            parser.parse_punctuation(",")
            element = parser.parse_type()
            further: list[Attribute] = []
            while parser.parse_optional_punctuation(","):
                further.append(parser.parse_attribute())
        codes = further.pop() if further and isinstance(further[-1], CodesAttr) else NoneAttr()
        return (ArrayAttr(extents), element, further[0] if further else DenseAttr(), codes)

    def verify(self) -> None:
        for value in self.extents:
            if not isinstance(value, IntegerAttr | DimAttr):
                raise VerifyException(f"mp.tensor expects constant or #mp.dim extents, got {value}")
        if self.is_sparse and self.rank != 2:
            raise VerifyException(f"a sparse mp.tensor has two dims, got {self.rank}")
        if self.rows is not None and not any(isinstance(value, DimAttr) for value in self.extents):
            raise VerifyException("an mp.tensor stored by rows has a run-time dim")
        if self.coded is not None and self.element != ELEMENT_TYPES["u8"]:
            raise VerifyException(f"mp.tensor: codes lie in bytes (ui8), not in {self.element}")
        compute_type(self.element)


def values_a_byte(type: TensorType) -> int:
    """How many values of its type share a byte of the last extent (1: none)."""
    return 1 if is_index(type.element) or not type.rank else dtype_of(dtype_name(type.element)).per_byte
