"""Turns what the parser found and expected into a message for the writer of the program.

Known slips are recognised by the text at the place (`&&`, `x.y`, a string); all else is said as found and expected.
"""

from __future__ import annotations

import re

from lark import Token, UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken

from hetc.compiler.frontend.syntax.elsewhere import instead_of
from hetc.compiler.vocabulary import DECLARATIONS, PIPELINE_WORDS
from hetc.diagnostics import Diagnostics
from hetc.source import SourceFile, Span

# What each terminal is called in a message. An expression may begin with the terminals of _EXPRESSION.
_SPELLING = {
    "NAME": "a name", "NUMBER": "a number", "LE": "`<=`", "EQUAL": "`=`", "COLON": "`:`", "SEMICOLON": "`;`",
    "COMMA": "`,`", "LPAR": "`(`", "RPAR": "`)`", "LSQB": "`[`", "RSQB": "`]`", "AT": "`@`", "PER": "`per`",
    "STORED": "`stored`", "BY": "`by`", "GROWS": "`grows`", "DIM": "`dim`", "OUTPUT": "`output`",
    "PIPELINE": "`pipeline`", "STAGE": "a stage", "ROLE": "`input`, `weight` or `memory`",
    "$END": "the end of the line",
}  # fmt: skip
_EXPRESSION = {"NAME", "NUMBER", "LPAR", "SIGN", "TILDE"}
_OPERATORS = {
    "SIGN", "MULTIPLY", "POWER", "COMPARE", "AND", "OR", "AUGMENT", "AMPERSAND", "BAR", "CARET", "SHIFT",
}  # fmt: skip
_DECLARATION = re.compile(rf"(?:{'|'.join((*DECLARATIONS, *PIPELINE_WORDS))})\b")
_OPTIONAL = {"SEMICOLON", "STORAGE", "NOT"}

# (text at the place, message, help)
_SLIPS = (
    (r"!(?!=)", "`!` is not an operator", "write `not`"),
    (r"\.\.\.", "there is no `...`", "write an index for each dim"),
    (r"\.\s*[A-Za-z_]", "names have no parts", "functions are called as `exp(x)`, not `x.exp()`"),
    (r"[\"'`]", "strings are not values", "options are plain words: `layout=half`"),
    (r"[{}]", "braces have no meaning here", None),
    (r"\\", "a line is not continued by a backslash", "lines are joined inside brackets"),
    (r"\?", "there is no `c ? a : b`", "write `where(c, a, b)`"),
    (r"if\b", "there is no `a if c else b`", "write `where(c, a, b)`"),
    (r"for\b", "there are no comprehensions", "write a reduction: `sum[i](x[i])`"),
    (r"lambda\b", "there are no functions as values", None),
    (r":=", "`:=` is not an operator", "define the value in a statement of its own"),
)


def report_syntax_error(error: UnexpectedInput, source: SourceFile, line: Span, diagnostics: Diagnostics) -> None:
    """Adds one diagnostic for `error`, which the parser raised on the logical line `line`."""
    place = _place(error, source, line)
    for doubled, word in (("&&", "and"), ("||", "or")):
        whole = Span(source, max(place.start - 1, line.start), place.end)
        if whole.text == doubled:
            diagnostics.error("HET012", f"`{doubled}` is not an operator", whole, help=f"write `{word}`")
            return
    rest = source.text[place.start : min(line.end, place.start + 40)]
    slip = _slip_of_operators(source.text[line.start : place.start], rest, _accepts(error))
    if slip is not None:
        diagnostics.error("HET012", slip[0], place, help=slip[1])
        return
    for pattern, message, help in _SLIPS:
        if re.match(pattern, rest):
            part = re.match(r"\.\s*(\w+)", rest)
            help = (instead_of(part.group(1)) if part else None) or help
            diagnostics.error("HET012", message, place, help=help)
            return
    found = _found(error, place, line)
    expected = _expected(error)
    help = None
    if rest.startswith("=") and not rest.startswith("=="):
        help = "`=` defines, `==` compares"
    diagnostics.error("HET012", f"expected {expected}, found {found}", place, help=help)


def _slip_of_operators(before: str, rest: str, accepts: set[str]) -> tuple[str, str] | None:
    """What is meant by signs that have another meaning elsewhere: message and help."""
    begins, statement = accepts >= _EXPRESSION, "=" in before and not _DECLARATION.match(before)
    if rest.startswith(":") and (begins or "RSQB" in accepts) and before.count("[") > before.count("]"):
        return "there are no slices", "an index runs over its whole dim; a part is `y[i < 2] = x[i + 1]`"
    if rest.startswith("@") and statement and not begins:
        return "`@` is not an operator", "write `sum[k](a[i, k] * b[k, j])`"
    if rest.startswith("[") and begins and statement:
        return "lists are not values", "values come in an input or a weight"
    for sign in ("++", "--"):
        if not rest.strip() and before.rstrip().endswith(sign):
            return f"`{sign}` is not an operator", f"write `m[d] {sign[0]}= 1`, where `m` is a memory"
    return None


def _place(error: UnexpectedInput, source: SourceFile, line: Span) -> Span:
    if isinstance(error, UnexpectedToken) and isinstance(error.token, Token) and error.token.type != "$END":
        token = error.token
        if token.start_pos is not None and token.end_pos is not None:
            return Span(source, token.start_pos, token.end_pos)
    if isinstance(error, UnexpectedCharacters) and error.pos_in_stream is not None:
        return source.span(error.pos_in_stream)
    return Span(source, line.end, line.end)


def _found(error: UnexpectedInput, place: Span, line: Span) -> str:
    if place.start >= line.end or isinstance(error, UnexpectedEOF):
        return "the end of the line"
    text = place.text
    if not text.isprintable() or not text.isascii():
        return f"the character {text[:1]!a}"
    return f"`{text}`" if len(text) <= 40 else f"`{text[:40]}...`"


def _accepts(error: UnexpectedInput) -> set[str]:
    if isinstance(error, UnexpectedToken):
        # What the automaton can go on with; `expected` also holds what only a reduction would refuse.
        accepts = getattr(error, "accepts", None)
        return set(accepts) if accepts else set(error.expected)
    if isinstance(error, UnexpectedCharacters):
        return set(error.allowed or ())
    return set()


def _expected(error: UnexpectedInput) -> str:
    accepts = _accepts(error)
    names: list[str] = []
    if accepts >= _EXPRESSION:
        names.append("an expression")
        accepts -= _EXPRESSION
    elif accepts >= _OPERATORS - {"AUGMENT", "AND", "OR"}:
        names.append("an operator")
    accepts -= _OPERATORS | _OPTIONAL
    names += sorted(_SPELLING.get(name, f"`{name.lower()}`") for name in accepts)
    if not names:
        return "something else"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
