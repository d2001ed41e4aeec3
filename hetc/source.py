"""Source text and places in it.

A `SourceFile` is a `.mp` file or the body of a Python function; a `Span` is a half-open range of
character offsets in one. Lines and columns are 1-based and counted in characters.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from hetc.diagnostics import EXIT_USAGE, Diagnostic, DiagnosticError, reason_of

# A pipeline is some dozen lines. The limit keeps a wrong argument (a weight file) from being parsed.
MAX_SOURCE_BYTES = 4 * 1024 * 1024

# How standard input is called; on a command line it is `-`.
STDIN = "<stdin>"

# Control characters besides tab, LF and CRLF, line breaks of other kinds, and what turns the direction of the text:
# with them a reader sees other lines, or another order, than the compiler does.
_HIDDEN = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|\r(?!\n)")
_HIDDEN_NAMES = {
    "\0": "a NUL character",
    "\r": "a carriage return without a line feed",
    "\x0b": "a vertical tab",
    "\x0c": "a form feed",
    "\x85": "a next-line character",
    "\u2028": "a line separator",
    "\u2029": "a paragraph separator",
}
MAX_HIDDEN_SHOWN = 5


@dataclass(frozen=True)
class SourceFile:
    """Text with a name.

    `first_line` is the number of the first line of `text` in the file called `name`, and `indent_columns`
    the columns that were cut from the left of every line: both are for the source of a Python function,
    whose errors point into its file.
    """

    name: str
    text: str
    first_line: int = 1
    indent_columns: int = 0
    _line_starts: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        starts = [0]
        position = self.text.find("\n")
        while position >= 0:
            starts.append(position + 1)
            position = self.text.find("\n", position + 1)
        object.__setattr__(self, "_line_starts", tuple(starts))

    @property
    def last_line(self) -> int:
        return self.first_line + len(self._line_starts) - 1

    def line_of(self, offset: int) -> int:
        """The line that holds `offset`; the end of the text belongs to the last line."""
        return self.first_line + self._line_index(offset)

    def column_of(self, offset: int) -> int:
        """The column of `offset` in its line."""
        return self._clamp(offset) - self._line_starts[self._line_index(offset)] + 1 + self.indent_columns

    def line_start(self, line: int) -> int:
        """Offset of the first character of `line`. IndexError for a line that the text does not have."""
        index = line - self.first_line
        if not 0 <= index < len(self._line_starts):
            raise IndexError(f"{self.name} has lines {self.first_line} to {self.last_line}, not {line}")
        return self._line_starts[index]

    def line_end(self, line: int) -> int:
        """Offset just past the last character of `line`, its line break (LF or CRLF) left out."""
        start = self.line_start(line)
        index = line - self.first_line + 1
        end = self._line_starts[index] - 1 if index < len(self._line_starts) else len(self.text)
        return end - 1 if end > start and self.text[end - 1] == "\r" else end

    def line_text(self, line: int) -> str:
        return self.text[self.line_start(line) : self.line_end(line)]

    def offset_of(self, line: int, column: int) -> int:
        """Offset of a 1-based line and column; a column past the line's end gives its end."""
        start = self.line_start(line)
        return min(start + max(column - 1 - self.indent_columns, 0), self.line_end(line))

    def offset_of_utf8(self, line: int, column_bytes: int) -> int:
        """Offset of a 0-based column counted in UTF-8 bytes of this text's line, as Python's `ast` counts."""
        prefix = self.line_text(line).encode("utf-8", "surrogatepass")[: max(column_bytes, 0)]
        return self.line_start(line) + len(prefix.decode("utf-8", "ignore"))

    def span(self, start: int, end: int | None = None) -> Span:
        """The span from `start` up to `end` (default: one character)."""
        return Span(self, start, start + 1 if end is None else end)

    def _clamp(self, offset: int) -> int:
        return min(max(offset, 0), len(self.text))

    def _line_index(self, offset: int) -> int:
        return bisect_right(self._line_starts, self._clamp(offset)) - 1


@dataclass(frozen=True)
class Span:
    """Characters `start` up to, not including, `end` of a file. An empty span is a place between two."""

    file: SourceFile
    start: int
    end: int

    def __post_init__(self) -> None:
        size = len(self.file.text)
        start = min(max(self.start, 0), size)
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "end", min(max(self.end, start), size))

    @property
    def line(self) -> int:
        return self.file.line_of(self.start)

    @property
    def column(self) -> int:
        return self.file.column_of(self.start)

    @property
    def end_line(self) -> int:
        """The line of the last character."""
        return self.file.line_of(self._last)

    @property
    def end_column(self) -> int:
        """The column just past the last character, in `end_line`."""
        return self.file.column_of(self._last) + (1 if self.end > self.start else 0)

    @property
    def text(self) -> str:
        return self.file.text[self.start : self.end]

    def merge(self, other: Span | None) -> Span:
        """The smallest span that covers both. A span of another file (or None) changes nothing."""
        if other is None or (other.file is not self.file and other.file != self.file):
            return self
        return Span(self.file, min(self.start, other.start), max(self.end, other.end))

    def __str__(self) -> str:
        return f"{self.file.name}:{self.line}:{self.column}"

    def __repr__(self) -> str:
        return f"Span({self.file.name!r}, {self.start}, {self.end})"

    @property
    def _last(self) -> int:
        return max(self.start, self.end - 1)


def plain_file_name(path: str) -> str:
    """The last part of a path as generated text names it: its letters, digits and `_.+-`, every other character as `_`.

    No comment and no string of any language ends inside of it.
    """
    return re.sub(r"[^\w.+-]", "_", path.rsplit("/", 1)[-1])


def hidden_characters(source: SourceFile) -> Iterator[Diagnostic]:
    """An error for each character that hides what the text says, at most MAX_HIDDEN_SHOWN of them."""
    for number, found in enumerate(_HIDDEN.finditer(source.text)):
        if number == MAX_HIDDEN_SHOWN:
            return
        character = found.group()
        turns = "a character that turns the direction of the text" if character >= "\u061c" else "a control character"
        name = _HIDDEN_NAMES.get(character, turns)
        help = "end lines with LF or CRLF" if character == "\r" else "remove it"
        span = source.span(found.start())
        yield Diagnostic("error", "HET004", f"the text holds {name} (U+{ord(character):04X})", span, help=help)


def read_source(path: str | Path) -> SourceFile:
    """Reads a UTF-8 source file, named as the caller spelled it.

    Raises DiagnosticError: usage (exit 2) where there is no such readable file, program (exit 1) where its
    content is no source text.
    """
    name = str(path)
    return _source_of(name, _read_bytes(Path(path), name))


def read_standard_input() -> SourceFile:
    """Reads a source from standard input, named `<stdin>`. Raises as `read_source`."""
    if sys.stdin is None:
        _refuse("HET403", f"cannot read `{STDIN}`: it is closed", EXIT_USAGE)
    try:
        return _source_of(STDIN, sys.stdin.buffer.read(MAX_SOURCE_BYTES + 1))
    except OSError as error:
        _refuse("HET403", f"cannot read `{STDIN}`: {reason_of(error)}", EXIT_USAGE)


def _source_of(name: str, data: bytes) -> SourceFile:
    if len(data) > MAX_SOURCE_BYTES:
        _refuse("HET003", f"`{name}` is larger than {MAX_SOURCE_BYTES >> 20} MiB, the limit for a source file")
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        _refuse("HET002", f"`{name}` holds a NUL byte (line {line}): this is not a text file")
    try:
        return SourceFile(name, data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{data[error.start]:02x} at offset {error.start}, line {line}"
        _refuse("HET001", f"`{name}` is not UTF-8 text: {found}", help="save the file as UTF-8")


def _read_bytes(path: Path, name: str) -> bytes:
    try:
        if path.is_dir():
            _refuse("HET402", f"`{name}` is a directory; expected a source file", EXIT_USAGE)
        with path.open("rb") as stream:
            return stream.read(MAX_SOURCE_BYTES + 1)
    except FileNotFoundError:
        _refuse("HET401", f"no such file: `{name}`", EXIT_USAGE)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path itself
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        _refuse("HET403", f"cannot read `{name}`: {reason}", EXIT_USAGE)


def _refuse(code: str, message: str, exit_code: int = 1, help: str | None = None) -> NoReturn:
    raise DiagnosticError((Diagnostic("error", code, message, help=help),), exit_code) from None
