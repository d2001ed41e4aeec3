"""The spaces inside of one logical line of a `.mp` file."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hetc.source import Span

# In the order of trial: longer operators first.
_TOKEN = re.compile(
    r"(?P<comment>#[^\n]*)|(?P<newline>\n)|(?P<number>(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<operator>\*\*|//|<<|>>|[=!<>+\-*/]=|[-+*/%<>=&|^~@:;,()\[\]])"
    r"|(?P<blank>[ \t\r]+)"
)
# Words that stand apart from a bracket behind them; any other word before a bracket is called or indexed.
_WORDS = {"and", "or", "not", "by", "per", "in", "return"}
_HEADS = {"repeat", "when", "for"}
_BINARY = {"+", "-", "*", "/", "//", "%", "==", "!=", "<", "<=", ">", ">=", "=", "+=", "-=", "*=", "/="}
_OPENING, _CLOSING = {"(", "["}, {")", "]"}


@dataclass
class _Token:
    text: str
    kind: str

    @property
    def is_operand(self) -> bool:
        return self.kind in ("name", "number") and self.text not in _WORDS

    @property
    def ends_operand(self) -> bool:
        return self.is_operand or self.text in _CLOSING


def format_logical_line(span: Span, indent: int) -> list[str]:
    """The physical lines of a logical line that parses, indented by `indent` columns."""
    rows = _without_last_semicolon(_rows(span.text))
    previous: list[_Token] = []
    opened: list[tuple[int, bool]] = []  # the column behind each open bracket, and whether something follows there
    result: list[str] = []
    following = [token for row in rows for token in row if token.kind != "comment"]
    done = 0
    for number, row in enumerate(rows):
        text = " " * (indent if number == 0 else _continued(row, opened, indent))
        for position, token in enumerate(row):
            if token.kind == "comment":
                text = f"{text}  {token.text}" if position else f"{text}{token.text}"
                continue
            after = following[done + 1 : done + 4]
            if position and _spaced(previous, token, after, len(opened)):
                text += " "
            text += token.text
            if token.text in _OPENING:
                ends_row = position + 1 == len(row) or row[position + 1].kind == "comment"
                opened.append((len(text), not ends_row))
            elif token.text in _CLOSING:
                opened.pop()
            previous.append(token)
            done += 1
        result.append(text.rstrip())
    return result


def _rows(text: str) -> list[list[_Token]]:
    """The tokens of each physical line; lines without any are left out."""
    rows: list[list[_Token]] = [[]]
    for found in _TOKEN.finditer(text):
        kind = str(found.lastgroup)
        if kind == "newline":
            rows.append([])
        elif kind != "blank":
            rows[-1].append(_Token(found.group().rstrip(), kind))
    return [row for row in rows if row]


def _without_last_semicolon(rows: list[list[_Token]]) -> list[list[_Token]]:
    while rows and rows[-1] and rows[-1][-1].text == ";":
        rows[-1].pop()
    return [row for row in rows if row]


def _continued(row: list[_Token], opened: list[tuple[int, bool]], indent: int) -> int:
    """Where a line inside of brackets begins: under what follows the bracket, else four columns further in."""
    if not opened:
        return indent
    depth = len(opened)
    if row[0].text in _CLOSING and not opened[-1][1]:
        depth -= 1
        return indent + 4 * sum(not aligned for _, aligned in opened[:depth]) if depth else indent
    column, aligned = opened[-1]
    return column if aligned else indent + 4 * sum(not aligned for _, aligned in opened)


def _spaced(previous: list[_Token], token: _Token, after: list[_Token], depth: int) -> bool:
    """Whether a space stands before `token`."""
    before = previous[-1]
    text = token.text
    if text in (",", ";", ":") or text in _CLOSING or before.text in _OPENING or before.text == "@":
        return False
    if text in _OPENING:
        if before.text in _HEADS and len(previous) == 1:
            return text == "("
        return not before.ends_operand and not _is_sign(previous) and not _tight_power(previous, after)
    if _is_sign(previous):
        return False
    if "=" in (text, before.text) and depth:
        return False
    if text == "**":
        return not _plain_power(previous, after)
    if before.text == "**" or (len(previous) > 1 and previous[-2].text == "**" and before.text in "+-"):
        return not _tight_power(previous, [token, *after])
    return True


def _is_sign(previous: list[_Token]) -> bool:
    """Whether the last token is a sign or `~`, not a sum's operator."""
    if previous[-1].text == "~":
        return True
    if previous[-1].text not in ("+", "-"):
        return False
    return len(previous) == 1 or not previous[-2].ends_operand


def _plain_power(before: list[_Token], after: list[_Token]) -> bool:
    """`2**l`, `H**-0.5`: a name or number on both sides. `before` ends where `**` stands, `after` follows it."""
    if not before[-1].is_operand:
        return False
    right = after[1:] if after and after[0].text in ("+", "-") else after
    return bool(right) and right[0].is_operand and not (len(right) > 1 and right[1].text in _OPENING)


def _tight_power(previous: list[_Token], after: list[_Token]) -> bool:
    """Whether the `**` before the token in `after` is one without spaces."""
    place = len(previous) - 1
    while place > 0 and previous[place].text in ("+", "-"):
        place -= 1
    if place < 1 or previous[place].text != "**":
        return False
    return _plain_power(previous[:place], [*previous[place + 1 :], *after])
