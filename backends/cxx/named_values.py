"""What values are called in C++ text."""

from __future__ import annotations

from abc import ABC, abstractmethod

from xdsl.ir import Attribute, SSAValue

from hetc.backends.cxx.expressions import Expression
from hetc.backends.cxx.names import Names
from hetc.writer import Writer

# An expression used once is written where it is used, up to this length.
INLINE_CHARACTERS = 72


class NamedValues(ABC):
    """Names values, and prints their definitions into `writer`. `texts` holds what each value is called."""

    def __init__(self, writer: Writer, names: Names):
        self.writer = writer
        self.names = names
        self.texts: dict[SSAValue, Expression] = {}

    @abstractmethod
    def type_of(self, value: Attribute) -> str:
        """The C++ type of values of a type."""

    def text(self, value: SSAValue) -> str:
        return self.texts[value].text

    def operand(self, value: SSAValue) -> str:
        return self.texts[value].operand

    def declare(self, value: SSAValue, hint: str) -> str:
        """A new name for a value."""
        name = self.names.new(value.name_hint or hint)
        self.texts[value] = Expression(name)
        return name

    def define(self, value: SSAValue, text: str, hint: str) -> None:
        """`const T name = text;`"""
        self.writer.line(f"const {self.type_of(value.type)} {self.declare(value, hint)} = {text};")
