"""What values are called in the text of a processor's kernel, and which are not called anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from xdsl.ir import Attribute, SSAValue

from hetc.backends.cpu.buffers import only_user
from hetc.backends.cpu.places import value_type
from hetc.backends.cxx.expressions import Expression
from hetc.backends.cxx.named_values import INLINE_CHARACTERS, NamedValues
from hetc.dialects import nest


class ValuePrinter(NamedValues):
    """Names values of a processor's kernels; an expression that is used once stands where it is used."""

    def type_of(self, value: Attribute) -> str:
        return value_type(value)

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
