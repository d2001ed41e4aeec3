"""Logical lines and blocks: a source text as a tree by indentation.

Brackets join lines, `#` starts a comment, three quotes a docstring. Each line is parsed on its own later, so that a
mistake in one leaves the others readable.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hetc.diagnostics import Diagnostics, Related
from hetc.source import SourceFile, Span, hidden_characters

# A pipeline is some dozen lines of some dozen characters; the limits answer a wrong file at once.
MAX_LINE_CHARACTERS = 1_000
MAX_LOGICAL_CHARACTERS = 20_000
MAX_SOURCE_CHARACTERS = 1_000_000
MAX_BRACKETS = 60
MAX_LINE_ERRORS = 20
MAX_BLOCK_DEPTH = 10

_PIECE = re.compile(r'"""|[()\[\]{}]|#[^\n]*|\n')
_CLOSING = {")": "(", "]": "[", "}": "{"}


@dataclass
class Line:
    """A logical line (from `start` to `end` in the text) and the block below it."""

    span: Span
    indent: int
    is_doc: bool = False
    block: list[Line] = field(default_factory=list)

    @property
    def text(self) -> str:
        return self.span.text

    @property
    def first_word(self) -> str:
        found = re.match(r"[A-Za-z_][A-Za-z0-9_]*", self.text)
        return found.group() if found else ""


def read_lines(source: SourceFile, diagnostics: Diagnostics) -> list[Line]:
    """The outermost lines of a text, each with its block. Mistakes go to `diagnostics`."""
    if len(source.text) > MAX_SOURCE_CHARACTERS:
        message = f"the source has {len(source.text)} characters; the limit is {MAX_SOURCE_CHARACTERS}"
        diagnostics.error("HET003", message, source.span(0))
        return []
    hidden = list(hidden_characters(source))
    if hidden:
        diagnostics.extend(hidden)
        return []
    return _blocks(_logical_lines(source, diagnostics), diagnostics)


def _logical_lines(source: SourceFile, diagnostics: Diagnostics) -> list[Line]:
    text = source.text
    lines: list[Line] = []
    position = 0
    errors = 0
    while position < len(text) and errors < MAX_LINE_ERRORS:
        start = _content_start(text, position)
        if start >= len(text) or text[start] in "#\n":
            newline = text.find("\n", start)
            position = len(text) if newline < 0 else newline + 1
            continue
        end, position, fault = _line_end(source, start)
        if fault is None:
            fault = _line_fault(source, position_of_line(text, start), start, end)
        if fault is not None:
            errors += 1
            span, message, related = fault
            diagnostics.error("HET010", message, span, related=related)
            continue
        indent = start - position_of_line(text, start)
        lines.append(Line(Span(source, start, end), indent, text.startswith('"""', start)))
    return lines


def position_of_line(text: str, offset: int) -> int:
    """Offset of the start of the physical line that holds `offset`."""
    return text.rfind("\n", 0, offset) + 1


def _content_start(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r":
        position += 1
    return position


_Fault = tuple[Span, str, tuple[Related, ...]]


def _line_end(source: SourceFile, start: int) -> tuple[int, int, _Fault | None]:
    """Where the logical line's text ends, where the next begins, and what is wrong with its brackets."""
    text = source.text
    if text.startswith('"""', start):
        return _docstring_end(source, start)
    opened: list[int] = []
    position = start
    while True:
        found = _PIECE.search(text, position)
        place = found.start() if found else len(text)
        piece = found.group() if found else "\n"
        position = found.end() if found else place
        if piece == "\n" and (not opened or not found):
            end = _strip(text, start, place)
            if opened:
                # The rest of the text went into this line; reading resumes after its first physical line.
                following = text.find("\n", start)
                resume = len(text) if following < 0 else following + 1
                bracket = source.span(opened[-1])
                return end, resume, (bracket, f"`{text[opened[-1]]}` is never closed", ())
            return end, min(position, len(text)) if found else len(text), _too_long(source, start, end)
        fault = _bracket(source, piece, place, opened)
        if fault is not None:
            following = text.find("\n", place)
            return place, len(text) if following < 0 else following + 1, fault


def _bracket(source: SourceFile, piece: str, place: int, opened: list[int]) -> _Fault | None:
    text = source.text
    if piece in "([{":
        opened.append(place)
        if len(opened) > MAX_BRACKETS:
            return source.span(place), f"brackets are nested more than {MAX_BRACKETS} deep", ()
    elif piece in _CLOSING:
        if not opened:
            return source.span(place), f"`{piece}` closes nothing", ()
        before = opened.pop()
        if text[before] != _CLOSING[piece]:
            related = (Related(source.span(before), f"`{text[before]}` is opened here"),)
            return source.span(place), f"`{piece}` does not close `{text[before]}`", related
    return None


def _docstring_end(source: SourceFile, start: int) -> tuple[int, int, _Fault | None]:
    text = source.text
    close = text.find('"""', start + 3)
    if close < 0:
        return start + 3, len(text), (source.span(start, start + 3), 'the docstring has no closing `"""`', ())
    newline = text.find("\n", close)
    after = len(text) if newline < 0 else newline + 1
    rest = text[close + 3 : after].strip()
    if rest and not rest.startswith("#"):
        return close, after, (source.span(close + 3, after - 1), "nothing may follow a docstring on its line", ())
    return close + 3, after, None


def _strip(text: str, start: int, end: int) -> int:
    """The end of the line's text without its trailing comment and blanks."""
    comment = text.find("#", position_of_line(text, end), end)
    if comment >= start:
        end = comment
    while end > start and text[end - 1] in " \t\r\n":
        end -= 1
    return end


def _too_long(source: SourceFile, start: int, end: int) -> _Fault | None:
    if end - start <= MAX_LOGICAL_CHARACTERS or "\n" not in source.text[start:end]:
        return None
    message = f"brackets join lines to one of {end - start} characters; the limit is {MAX_LOGICAL_CHARACTERS}"
    return source.span(start), message, ()


def _line_fault(source: SourceFile, line_start: int, start: int, end: int) -> _Fault | None:
    """What is wrong with the characters of a logical line: tabs in front, length."""
    text = source.text
    tab = text.find("\t", line_start, start)
    if tab >= 0:
        return source.span(tab), "a tab in the indentation; indent with spaces", ()
    if end - start > MAX_LINE_CHARACTERS:
        longest = max(text[start:end].split("\n"), key=len)
        if len(longest) > MAX_LINE_CHARACTERS:
            message = f"a line of {len(longest)} characters; the limit is {MAX_LINE_CHARACTERS}"
            return source.span(start, start + 40), message, ()
    return None


def _blocks(lines: list[Line], diagnostics: Diagnostics) -> list[Line]:
    """Nests lines by indentation."""
    outermost: list[Line] = []
    open_blocks: list[tuple[int, list[Line]]] = [(0, outermost)]
    previous: Line | None = None
    for line in lines:
        if line.indent > open_blocks[-1][0]:
            if previous is None or not previous.text.endswith(":"):
                diagnostics.error(
                    "HET011",
                    "unexpected indentation",
                    line.span,
                    help="only a line that ends in `:` opens a block",
                )
                continue
            if len(open_blocks) > MAX_BLOCK_DEPTH:
                message = f"blocks are nested more than {MAX_BLOCK_DEPTH} deep"
                diagnostics.error("HET011", message, line.span)
                return outermost
            open_blocks.append((line.indent, previous.block))
        while line.indent < open_blocks[-1][0]:
            open_blocks.pop()
        if line.indent != open_blocks[-1][0]:
            expected = open_blocks[-1][0]
            message = f"the indentation of {line.indent} fits no block; the nearest is {expected}"
            diagnostics.error("HET011", message, line.span)
            continue
        open_blocks[-1][1].append(line)
        previous = line
    return outermost
