"""The textual form of operations, worked out when one is first printed or parsed.

xDSL compiles the `assembly_format` of an operation where its class is defined. That is a tenth of the time of a command
that prints no IR, and three quarters of it are for upstream's arith and math.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from xdsl.irdl import OpDef
from xdsl.irdl.declarative_assembly_format import FormatProgram

from hetc.devices import manifests

_COMMON = ("arith", "math", "scf", "mp", "task", "nest", "host")


def deferred() -> frozenset[str]:
    """The dialects whose formats wait: ours and those of the device kinds. Those that others define in the same process
    are compiled as ever."""
    return frozenset([*_COMMON, *(name for kind in manifests() for name in kind.dialects)])


class DeferredFormat:
    """In the place of a FormatProgram. Raises ParseError where the format is wrong, when it is first used."""

    def __init__(self, text: str, definition: OpDef) -> None:
        self.text, self.definition = text, definition

    @cached_property
    def program(self) -> FormatProgram:
        return _compile(self.text, self.definition)

    def parse(self, *arguments: Any) -> Any:
        return self.program.parse(*arguments)

    def print(self, *arguments: Any) -> None:
        self.program.print(*arguments)


_compile = FormatProgram.from_str


def defer_formats() -> None:
    """From now on, operations of these dialects are defined without compiling their formats."""
    names = deferred()

    def from_str(input: str, op_def: OpDef) -> Any:
        deferred = op_def.name.partition(".")[0] in names
        return DeferredFormat(input, op_def) if deferred else _compile(input, op_def)

    FormatProgram.from_str = staticmethod(from_str)  # type: ignore[assignment,method-assign]
