"""From Python's positions (lines, columns in UTF-8 bytes) to spans of the source, and refusing at one."""

from __future__ import annotations

import ast as python
import re
from typing import Any

from hetc.diagnostics import DiagnosticError, Diagnostics, Related
from hetc.source import SourceFile, Span

_OPENING = re.compile(r"[rR]?(\"\"\"|'''|\"|')")


class Places:
    """Spans of the nodes of one text."""

    def __init__(self, source: SourceFile) -> None:
        self.source = source

    def offset(self, line: int, column_bytes: int) -> int:
        return self.source.offset_of_utf8(line, column_bytes)

    def span(self, node: Any) -> Span:
        """The characters of a node that has a position."""
        start = self.offset(node.lineno, node.col_offset)
        return Span(self.source, start, self.offset(node.end_lineno, node.end_col_offset))

    def inside(self, literal: python.Constant) -> Places:
        """The places in the text inside of a string literal."""
        span = self.span(literal)
        opening = _OPENING.match(span.text)
        if opening is None or span.text[opening.end() :] != str(literal.value) + opening.group(1):
            return _OnePlace(span)  # pieced together or with escapes: no position of it is one of the file
        return _InnerPlaces(self.source, span.start + opening.end(), str(literal.value))


class _InnerPlaces(Places):
    def __init__(self, source: SourceFile, start: int, text: str) -> None:
        super().__init__(source)
        self.start, self.inner = start, SourceFile("", text)

    def offset(self, line: int, column_bytes: int) -> int:
        return self.start + self.inner.offset_of_utf8(line, column_bytes)


class _OnePlace(Places):
    def __init__(self, whole: Span) -> None:
        super().__init__(whole.file)
        self.whole = whole

    def span(self, node: Any) -> Span:
        return self.whole


def refused(
    code: str, message: str, span: Span, help: str | None = None, related: tuple[Related, ...] = ()
) -> DiagnosticError:
    """One error, to be raised."""
    only = Diagnostics()
    only.error(code, message, span, help=help, related=related)
    return DiagnosticError(only.sorted())
