"""The one layout of a `.mp` file: `hetc fmt`.

Blocks are indented by four spaces and binary operators are spaced, `**` between plain operands excepted; a line that
brackets join keeps its line breaks and is aligned under them; comments behind consecutive lines stand in one column.
Lines are never broken or joined, and nothing but spaces and final `;` changes: the result is parsed and compared.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from hetc.compiler.format_line import format_logical_line
from hetc.compiler.frontend import parse
from hetc.compiler.frontend.syntax.lines import Line, position_of_line, read_lines
from hetc.diagnostics import Diagnostics
from hetc.source import SourceFile, Span

INDENT_COLUMNS = 4


@dataclass
class _Output:
    """Lines of the result. `comment` stands behind `code`; lines of one `run` have their comments in one column."""

    code: str
    comment: str = ""
    run: int = -1


@dataclass
class _Layout:
    """Where blocks stand, old and new, while the text is gone through."""

    source: SourceFile
    lines: list[_Output] = field(default_factory=list)
    run: int = 0

    def blank(self) -> None:
        """One empty line, never two, none at the start."""
        self.run += 1
        if self.lines and (self.lines[-1].code or self.lines[-1].comment):
            self.lines.append(_Output(""))


def format_source(source: SourceFile) -> str:
    """The formatted text. Raises DiagnosticError where `source` does not parse: nothing is known about its layout."""
    source = SourceFile(source.name, source.text.replace("\r\n", "\n"))
    before = parse(source)
    text = _formatted(source)
    if _bare(parse(SourceFile(source.name, text))) != _bare(before):
        raise RuntimeError(f"formatting {source.name} would change what it means")
    return text


def _formatted(source: SourceFile) -> str:
    logical = _flat(read_lines(source, Diagnostics()), 0)
    layout = _Layout(source)
    position = 0
    blocks = [(0, 0)]
    depth_before = 0
    for line, depth in logical:
        _between(layout, position, position_of_line(source.text, line.span.start), blocks, line, depth)
        while blocks and blocks[-1][0] >= line.indent and len(blocks) > 1:
            blocks.pop()
        if line.indent > blocks[-1][0]:
            blocks.append((line.indent, depth * INDENT_COLUMNS))
        if depth != depth_before:
            layout.run += 1
        depth_before = depth
        position = _emit(layout, line, depth * INDENT_COLUMNS)
    _between(layout, position, len(source.text), blocks, None, 0)
    while layout.lines and not (layout.lines[-1].code or layout.lines[-1].comment):
        layout.lines.pop()
    return _joined(layout.lines)


def _flat(lines: list[Line], depth: int) -> list[tuple[Line, int]]:
    """Every logical line with how many blocks it stands in, in the order of the text."""
    found = []
    for line in lines:
        found.append((line, depth))
        found += _flat(line.block, depth + 1)
    return found


def _between(
    layout: _Layout, start: int, end: int, blocks: list[tuple[int, int]], following: Line | None, depth: int
) -> None:
    """Empty lines and comments between two logical lines."""
    pieces = layout.source.text[start:end].split("\n")[:-1] if end > start else []
    if end == len(layout.source.text) and end > start and not layout.source.text.endswith("\n"):
        pieces = layout.source.text[start:end].split("\n")
    for piece in pieces:
        comment = piece.strip()
        if not comment:
            layout.blank()
            continue
        column = len(piece) - len(piece.lstrip())
        layout.lines.append(_Output(" " * _comment_columns(column, blocks, following, depth) + _tidy(comment)))
        layout.run += 1


def _comment_columns(column: int, blocks: list[tuple[int, int]], following: Line | None, depth: int) -> int:
    """A comment belongs to the next line's block, or to a deeper one that is still open where it stands as deep."""
    if following is not None and column <= following.indent:
        return depth * INDENT_COLUMNS
    open_blocks = [new for old, new in blocks if old <= column]
    deepest = max(open_blocks, default=0)
    return max(deepest, depth * INDENT_COLUMNS) if following is not None else deepest


def _emit(layout: _Layout, line: Line, indent: int) -> int:
    """A logical line and the comment behind it; gives where the text goes on."""
    text = layout.source.text
    newline = text.find("\n", line.span.end)
    rest = text[line.span.end : len(text) if newline < 0 else newline].strip()
    if line.is_doc:
        first, *others = line.text.split("\n")  # the inside is the docstring's own
        layout.lines.append(_Output(" " * indent + first))
        layout.lines += [_Output(other) for other in others]
    else:
        layout.lines += [_Output(code) for code in format_logical_line(line.span, indent)]
    last = layout.lines[-1]
    last.comment, last.run = _tidy(rest) if rest else "", layout.run
    if len(line.text.split("\n")) > 1:
        layout.run += 1
        last.run = -1
    return len(text) if newline < 0 else newline + 1


def _tidy(comment: str) -> str:
    """`#note` as `# note`."""
    return f"# {comment[1:]}" if comment[1:2].strip() and comment[1] not in "#!:" else comment


def _joined(lines: list[_Output]) -> str:
    columns: dict[int, int] = {}
    for line in lines:
        if line.comment and line.run >= 0:
            columns[line.run] = max(columns.get(line.run, 0), len(line.code) + 2)
    text = []
    for line in lines:
        column = columns.get(line.run, len(line.code) + 2)
        text.append(f"{line.code.ljust(column)}{line.comment}" if line.comment else line.code)
    return "\n".join(text) + "\n" if text else ""


def _bare(node: Any) -> Any:
    """A syntax tree as plain data, without the places."""
    if isinstance(node, tuple):
        return [_bare(item) for item in node]
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        values = {item.name: getattr(node, item.name) for item in dataclasses.fields(node)}
        kept = {name: _bare(value) for name, value in values.items() if not isinstance(value, Span | SourceFile)}
        return type(node).__name__, kept
    return node
