"""Every combiner by its name, and the attribute that names one."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import IntAttr, StringAttr
from xdsl.ir import Attribute, ParametrizedAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.nest.combiners.base import Combiner
from hetc.dialects.nest.combiners.count import Count
from hetc.dialects.nest.combiners.extreme import Max, Min
from hetc.dialects.nest.combiners.fixed_sum import FixedSum
from hetc.dialects.nest.combiners.mean import Mean
from hetc.dialects.nest.combiners.normalizer import Normalizer
from hetc.dialects.nest.combiners.place import ArgMax, ArgMin
from hetc.dialects.nest.combiners.prod import Prod
from hetc.dialects.nest.combiners.quantifier import All, Any
from hetc.dialects.nest.combiners.queue import Queue
from hetc.dialects.nest.combiners.softmax import Softmax
from hetc.dialects.nest.combiners.sum import Sum

_KINDS: tuple[type[Combiner], ...] = (
    Sum, FixedSum, Prod, Max, Min, Any, All, Count, Mean, ArgMax, ArgMin, Normalizer, Softmax, Queue,
)  # fmt: skip
COMBINERS = {kind.NAME: kind for kind in _KINDS}


@irdl_attr_definition
class CombinerAttr(ParametrizedAttribute):
    """A combiner over values of a type: `#nest.combiner<sum<f32>>`, `#nest.combiner<queue<f32, 2048>>`."""

    name = "nest.combiner"
    kind: StringAttr
    type: Attribute
    size: IntAttr

    def __init__(self, kind: str | StringAttr, type: Attribute, size: int | IntAttr = 0):
        super().__init__(
            StringAttr(kind) if isinstance(kind, str) else kind,
            type,
            IntAttr(size) if isinstance(size, int) else size,
        )

    def print_short(self, printer: Printer) -> None:
        """`sum<f32>`."""
        printer.print_string(f"{self.kind.data}<")
        printer.print_attribute(self.type)
        printer.print_string(f", {self.size.data}>" if self.size.data else ">")

    @classmethod
    def parse_short(cls, parser: AttrParser) -> CombinerAttr:
        """The inverse of `print_short`."""
        kind = parser.parse_identifier()
        with parser.in_angle_brackets():
            type_ = parser.parse_type()
            size = parser.parse_integer(allow_boolean=False) if parser.parse_optional_punctuation(",") else 0
        return cls(kind, type_, size)

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            self.print_short(printer)

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            found = cls.parse_short(parser)
        return found.parameters

    def verify(self) -> None:
        if self.kind.data not in COMBINERS:
            raise VerifyException(f"nest.combiner: one of {', '.join(COMBINERS)}, got {self.kind.data}")
        try:
            combiner_of(self)
        except ValueError as error:
            raise VerifyException(f"nest.combiner: {error}") from error


def combiner_of(attribute: CombinerAttr) -> Combiner:
    """What a combiner is."""
    return COMBINERS[attribute.kind.data](attribute.type, attribute.size.data)
