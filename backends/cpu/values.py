"""What values are called in the text of a kernel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from xdsl.ir import SSAValue

from hetc.backends.cpu.buffers import only_user
from hetc.backends.cpu.places import value_type
from hetc.backends.cxx.expressions import Expression
from hetc.backends.cxx.names import Names
from hetc.dialects import nest
from hetc.writer import Writer

# An expression used once is written where it is used, up to this length.
INLINE_CHARACTERS = 72


class ValuePrinter:
    """Names values, and prints their definitions into `writer`. `texts` holds what each value is called."""

    def __init__(self, writer: Writer, names: Names):
        self.writer = writer
        self.names = names
        self.texts: dict[SSAValue, Expression] = {}

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
        type_ = value_type(value.type)
        self.writer.line(f"const {type_} {self.declare(value, hint)} = {text};")

    def use_or_define(self, result: SSAValue, made: Expression, hint: str) -> None:
        """An expression that is used once, in its block, stands where it is used; others get a name."""
        user = only_user(result)
        stored = isinstance(user, nest.StoreOp) and user.prev_op is result.owner
        if user is not None and (stored or len(made.text) <= INLINE_CHARACTERS):
            self.texts[result] = made
        elif result.first_use is not None:
            self.define(result, made.text, hint)

    @contextmanager
    def names_inside(self) -> Iterator[None]:
        """Names that are given in it are free again after it."""
        outer, self.names = self.names, self.names.child()
        yield
        self.names = outer
