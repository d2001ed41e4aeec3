"""Draws diagnostics: for a terminal, with the source line and carets, and as JSON for editors."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TextIO

from hetc.diagnostics.model import Diagnostic

if TYPE_CHECKING:
    from hetc.source import Span

TAB_CELLS = 4
# Source lines are cut to this many characters around the span, so that a 1 MB line stays readable.
MAX_LINE_CHARACTERS = 110
CONTEXT_CHARACTERS = 40
MAX_MESSAGE_CHARACTERS = 600
# A span over more lines shows the first two and the last.
MAX_SPAN_LINES = 4

Piece = tuple[str, str]  # text and its rich style ("" = plain)
Line = list[Piece]

_SEVERITY_STYLE = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}
_GUTTER = "bold blue"


def render(diagnostic: Diagnostic) -> str:
    """The diagnostic as plain text without colour; no trailing newline."""
    return "\n".join("".join(text for text, _ in line).rstrip() for line in _lines(diagnostic))


def render_all(diagnostics: Iterable[Diagnostic]) -> str:
    """Several diagnostics, an empty line between them."""
    return "\n\n".join(render(diagnostic) for diagnostic in diagnostics)


def print_diagnostics(diagnostics: Iterable[Diagnostic], stream: TextIO | None = None) -> None:
    """Writes to `stream` (default stderr): coloured on a terminal unless NO_COLOR is set, else plain."""
    stream = sys.stderr if stream is None else stream
    shown = tuple(diagnostics)
    if not shown:
        return
    if not (stream.isatty() and not os.environ.get("NO_COLOR")):
        encoding = getattr(stream, "encoding", None) or "utf-8"
        text = render_all(shown) + "\n"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream, soft_wrap=True, highlight=False)
    for number, diagnostic in enumerate(shown):
        if number:
            console.print()
        for line in _lines(diagnostic):
            console.print(Text.assemble(*(piece for piece in line)))


def to_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """Plain data for `--format json`: 1-based lines and columns, the end just past the last character."""
    place = _place(diagnostic.span)
    return {
        "file": place["file"],
        "range": place["range"],
        "severity": diagnostic.severity,
        "code": diagnostic.code,
        "message": diagnostic.message,
        "label": diagnostic.label,
        "related": [{**_place(item.span), "message": item.message} for item in diagnostic.related],
        "notes": list(diagnostic.notes),
        "help": diagnostic.help,
    }


def _place(span: Span | None) -> dict[str, Any]:
    if span is None:
        return {"file": None, "range": None}
    start = {"line": span.line, "column": span.column}
    end = {"line": span.end_line, "column": span.end_column}
    return {"file": span.file.name, "range": {"start": start, "end": end}}


def _lines(diagnostic: Diagnostic) -> list[Line]:
    style = _SEVERITY_STYLE[diagnostic.severity]
    spans = [diagnostic.span, *(item.span for item in diagnostic.related)]
    gutter = max((len(str(span.end_line)) for span in spans if span), default=0)
    lines = _headline(f"{diagnostic.severity}[{diagnostic.code}]", diagnostic.message, style)
    if diagnostic.span:
        lines += _snippet(diagnostic.span, diagnostic.label, "^", style, gutter)
    for item in diagnostic.related:
        lines += _headline("note", item.message, _SEVERITY_STYLE["note"])
        lines += _snippet(item.span, "", "-", _SEVERITY_STYLE["note"], gutter)
    for note in diagnostic.notes:
        lines += _remark("note", note, gutter)
    if diagnostic.help:
        lines += _remark("help", diagnostic.help, gutter)
    return lines


def _headline(title: str, message: str, style: str) -> list[Line]:
    first, *rest = _message_lines(message)
    return [[(title, style), (f": {first}", "bold")], *([(f"  {line}", "bold")] for line in rest)]


def _remark(title: str, message: str, gutter: int) -> list[Line]:
    first, *rest = _message_lines(message)
    pad = " " * (gutter + 1)
    lines: list[Line] = [[(f"{pad}= ", _GUTTER), (f"{title}: ", "bold"), (first, "")]]
    return lines + [[(f"{pad}  {' ' * len(title)}  {line}", "")] for line in rest]


def _snippet(span: Span, label: str, mark: str, style: str, gutter: int) -> list[Line]:
    """The place, then each shown line of the span with its marks; the label follows the last marks."""
    pad = " " * gutter
    lines: list[Line] = [[(f"{pad}--> ", _GUTTER), (visible(str(span)), "")], [(f"{pad} |", _GUTTER)]]
    numbers = list(range(span.line, span.end_line + 1))
    if len(numbers) > MAX_SPAN_LINES:
        numbers = [*numbers[:2], 0, numbers[-1]]  # 0 stands for the lines left out
    for number in numbers:
        if number == 0:
            lines.append([("...", _GUTTER)])
            continue
        text, before, width = _marked_line(span, number)
        marks: Line = [(f"{pad} | ", _GUTTER), (" " * before + mark * width, style)]
        if number == numbers[-1] and label:
            first, *rest = _message_lines(label)
            marks.append((f" {first}", style))
            under = " " * (before + width + 1)
            extra: list[Line] = [[(f"{pad} | ", _GUTTER), (under + line, style)] for line in rest]
        else:
            extra = []
        lines += [[(f"{number:>{gutter}} | ", _GUTTER), (text, "")], marks, *extra]
    return lines


def _marked_line(span: Span, line: int) -> tuple[str, int, int]:
    """The visible text of `line`, the cells before the marks and the cells that they cover (at least one)."""
    file = span.file
    line_start, text = file.line_start(line), file.line_text(line)
    if line == span.line:
        start = min(span.start - line_start, len(text))
    else:
        start = len(text) - len(text.lstrip())
    end = min(span.end - line_start, len(text)) if line == span.end_line else len(text)
    end = max(end, start)
    first, last = _window(start, end, len(text))
    shown, cells = _expand(text[first:last])
    head = "..." if first > 0 else ""
    tail = "..." if last < len(text) else ""
    before = cells[start - first]
    after = cells[min(end, last) - first]
    return head + shown + tail, len(head) + before, max(after - before, 1)


def _window(start: int, end: int, size: int) -> tuple[int, int]:
    """Which characters of a line of `size` to show so that a span of it (or its head) is visible."""
    if size <= MAX_LINE_CHARACTERS:
        return 0, size
    first = 0 if end <= MAX_LINE_CHARACTERS - CONTEXT_CHARACTERS // 2 else max(0, start - CONTEXT_CHARACTERS)
    return first, min(size, first + MAX_LINE_CHARACTERS)


def _expand(text: str) -> tuple[str, list[int]]:
    """Text as it is drawn, and the cell at which each of its characters (and its end) begins."""
    drawn: list[str] = []
    cells = [0]
    for character in text:
        piece, width = _drawn(character, cells[-1])
        drawn.append(piece)
        cells.append(cells[-1] + width)
    return "".join(drawn), cells


def _drawn(character: str, cell: int) -> tuple[str, int]:
    if character == "\t":
        width = TAB_CELLS - cell % TAB_CELLS
        return " " * width, width
    category = unicodedata.category(character)
    if category in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        # Control and direction characters would move the cursor or reorder the line.
        return "\ufffd", 1
    if category in ("Mn", "Me"):
        return character, 0
    return character, 2 if unicodedata.east_asian_width(character) in "WF" else 1


def visible(text: str) -> str:
    """One line of text as it can be shown: what would move the cursor or turn the direction becomes U+FFFD."""
    return _expand(text)[0]


def _message_lines(message: str) -> list[str]:
    if len(message) > MAX_MESSAGE_CHARACTERS:
        message = message[: MAX_MESSAGE_CHARACTERS - 3] + "..."
    return [visible(line) for line in message.split("\n")]
