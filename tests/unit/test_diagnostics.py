"""Diagnostics as data, collected and drawn."""

import io
import json
import re
import time

import pytest

from hetc.diagnostics import (
    CODES,
    EXIT_USAGE,
    Diagnostic,
    DiagnosticError,
    Diagnostics,
    Related,
    print_diagnostics,
    render,
    render_all,
    suggest,
    to_json,
)
from hetc.source import SourceFile, Span

FILE = SourceFile("dsa.mp", "memory keys: fp8[B, T, D]\n\nrelevancy:\n    s[b, t] = kyes[b, t]\n")


def span_of(text: str, file: SourceFile = FILE) -> Span:
    start = file.text.index(text)
    return file.span(start, start + len(text))


def error(message: str, span: Span | None = None, label: str = "") -> Diagnostic:
    return Diagnostic("error", "HET001", message, span, label)


def marked(text: str) -> str:
    """What the carets of a rendering with one marked line stand under."""
    lines = text.split("\n")
    index = next(number for number, line in enumerate(lines) if re.match(r" *\| +\^", line))
    first, last = lines[index].index("^"), lines[index].rindex("^")
    return lines[index - 1][first : last + 1]


def test_codes_are_well_formed_and_say_something() -> None:
    assert all(re.fullmatch(r"HET[0-5]\d\d", code) for code in CODES)
    assert all(len(meaning) > 10 for meaning in CODES.values())
    assert list(CODES) == sorted(CODES)


def test_a_code_without_a_meaning_is_refused() -> None:
    with pytest.raises(AssertionError, match="HET099"):
        Diagnostic("error", "HET099", "x")


def test_rendering_with_everything() -> None:
    diagnostic = Diagnostic(
        "error",
        "HET001",
        "unknown name `kyes`",
        span_of("kyes"),
        "not declared",
        (Related(span_of("keys"), "a memory of a similar name"),),
        ("names are case sensitive",),
        "did you mean `keys`?",
    )
    assert render(diagnostic) == (
        "error[HET001]: unknown name `kyes`\n"
        " --> dsa.mp:4:15\n"
        "  |\n"
        "4 |     s[b, t] = kyes[b, t]\n"
        "  |               ^^^^ not declared\n"
        "note: a memory of a similar name\n"
        " --> dsa.mp:1:8\n"
        "  |\n"
        "1 | memory keys: fp8[B, T, D]\n"
        "  |        ----\n"
        "  = note: names are case sensitive\n"
        "  = help: did you mean `keys`?"
    )


def test_without_a_place_there_is_no_snippet() -> None:
    text = render(Diagnostic("warning", "HET420", "no platform", notes=("a\nb",), help="try x"))
    assert text == "warning[HET420]: no platform\n = note: a\n         b\n = help: try x"


def test_the_gutter_fits_the_widest_line_number() -> None:
    file = SourceFile("m.py", "a\nb", first_line=99)
    lines = render(Diagnostic("error", "HET001", "x", file.span(2), related=(Related(file.span(0), "y"),)))
    assert lines.split("\n") == [
        *["error[HET001]: x", "   --> m.py:100:1", "    |", "100 | b", "    | ^"],
        *["note: y", "   --> m.py:99:1", "    |", " 99 | a", "    | -"],
    ]


@pytest.mark.parametrize("before", ["\t", "a\tb\t", "漢字 ", "e\u0301 ", "\u202e", "🙂\t漢"])
def test_carets_stay_under_the_span(before: str) -> None:
    file = SourceFile("a.mp", f"{before}X = 1")
    line, carets = render(error("m", span_of("X", file))).split("\n")[3:5]
    drawn = line[: line.index("X")]
    # Written out rather than computed by the renderer: cells that each kind of character takes.
    wide = sum(character in "漢字🙂" for character in drawn)
    combining = drawn.count("\u0301")
    assert carets.index("^") == len(drawn) + wide - combining
    assert "\t" not in line
    assert "\u202e" not in line


def test_wide_characters_in_the_span_get_two_carets() -> None:
    file = SourceFile("a.mp", "a漢字b")
    assert render(error("m", span_of("漢字", file))).endswith("  |  ^^^^")


def test_a_megabyte_line_is_clipped_around_the_span() -> None:
    file = SourceFile("a.mp", "a" * 1_000_000 + "ERR" + "b" * 1_000_000)
    started = time.perf_counter()
    text = render(error("m", span_of("ERR", file), "here"))
    assert time.perf_counter() - started < 1
    assert max(len(line) for line in text.split("\n")) < 140
    assert "a.mp:1:1000001" in text
    assert marked(text) == "ERR"


def test_a_megabyte_span_is_clipped() -> None:
    file = SourceFile("a.mp", "ab = " + "x" * 1_000_000)
    text = render(error("m" * 100_000, file.span(5, len(file.text)), "here"))
    assert max(len(line) for line in text.split("\n")) < 700
    assert "1 | ab = xxx" in text
    assert text.endswith("^ here")


@pytest.mark.parametrize("width", range(1, 260, 7))
def test_clipping_never_moves_a_short_span(width: int) -> None:
    file = SourceFile("a.mp", "-" * width + "ERR" + "+" * (300 - width))
    assert marked(render(error("m", span_of("ERR", file)))) == "ERR"


def test_multi_line_spans_mark_first_and_last_lines() -> None:
    file = SourceFile("a.mp", "x when {\n  1\n  2\n  3\n  4\n} y\n")
    text = render(error("m", span_of(file.text[2:-3], file), "block"))
    assert text.split("\n")[3:] == [
        *["1 | x when {", "  |   ^^^^^^", "2 |   1", "  |   ^"],
        *["...", "6 | } y", "  | ^ block"],
    ]
    short = render(error("m", file.span(2, 16), "two")).split("\n")
    assert short[3:] == ["1 | x when {", "  |   ^^^^^^", "2 |   1", "  |   ^", "3 |   2", "  |   ^ two"]


def test_the_end_of_a_file_can_be_marked() -> None:
    assert render(error("m", FILE.span(len(FILE.text)), "end")).endswith("5 |\n  | ^ end")


def test_control_characters_do_not_reach_the_terminal() -> None:
    file = SourceFile("a.mp\x1b[31m", "\x1b[31mX\r")
    text = render(error("bad \x1b[0m", span_of("X", file)))
    assert "\x1b" not in text
    assert "\r" not in text


def test_collector_sorts_deduplicates_and_keeps_those_without_a_place_last() -> None:
    found = Diagnostics()
    found.error("HET401", "no place")
    found.error("HET001", "second", span_of("kyes"))
    found.warning("HET001", "first", span_of("keys"))
    found.error("HET001", "second", span_of("kyes"))
    assert [d.message for d in found] == ["first", "second", "no place"]
    assert len(found) == 3


def test_collector_caps_and_never_hides_the_errors() -> None:
    found = Diagnostics(limit=3)
    for offset in range(10):
        found.warning("HET001", f"w{offset}", FILE.span(offset))
    found.error("HET001", "e", FILE.span(50))
    shown = found.sorted()
    assert [d.message for d in shown] == ["w0", "w1", "e", "and 8 more"]
    assert shown[-1].severity == "note"


def test_raise_if_errors() -> None:
    found = Diagnostics()
    found.warning("HET001", "w")
    found.note("HET001", "n")
    assert not found.has_errors
    found.raise_if_errors()
    found.error("HET001", "e", FILE.span(0))
    with pytest.raises(DiagnosticError, match=r"error\[HET001\]: e\n *--> dsa.mp:1:1") as caught:
        found.raise_if_errors(EXIT_USAGE)
    assert caught.value.exit_code == EXIT_USAGE
    assert [d.message for d in caught.value.diagnostics] == ["e", "w", "n"]


def test_one_diagnostic_is_an_error_on_its_own() -> None:
    assert DiagnosticError(error("x")).diagnostics == (error("x"),)
    with pytest.raises(AssertionError):
        DiagnosticError(())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kyes", "keys"),
        ("KEYS", "keys"),
        ("scal", "scale"),
        ("zzz", None),
        ("keys", None),
        ("k" * 10_000, None),
    ],
)
def test_suggest(name: str, expected: str | None) -> None:
    assert suggest(name, ["keys", "scale", "kv"]) == expected


def test_json() -> None:
    related = (Related(span_of("keys"), "declared here"),)
    data = to_json(Diagnostic("error", "HET001", "m", span_of("kyes"), "l", related, ("n",), "h"))
    assert json.loads(json.dumps(data)) == {
        "file": "dsa.mp",
        "range": {"start": {"line": 4, "column": 15}, "end": {"line": 4, "column": 19}},
        "severity": "error",
        "code": "HET001",
        "message": "m",
        "label": "l",
        "related": [
            {
                "file": "dsa.mp",
                "range": {"start": {"line": 1, "column": 8}, "end": {"line": 1, "column": 12}},
                "message": "declared here",
            }
        ],
        "notes": ["n"],
        "help": "h",
    }
    assert to_json(error("m"))["range"] is None


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_only_on_a_terminal_without_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    shown = [error("[bold]m[/bold]", span_of("kyes"), "label"), error("second")]
    plain, coloured, refused = io.StringIO(), Terminal(), Terminal()
    print_diagnostics(shown, plain)
    print_diagnostics(shown, coloured)
    monkeypatch.setenv("NO_COLOR", "1")
    print_diagnostics(shown, refused)
    assert plain.getvalue() == refused.getvalue() == render_all(shown) + "\n"
    assert "\x1b[" in coloured.getvalue()
    without_colour = re.sub(r"\x1b\[[0-9;]*m", "", coloured.getvalue())
    assert [line.rstrip() for line in without_colour.split("\n")] == plain.getvalue().split("\n")


def test_a_stream_that_cannot_encode_a_character_does_not_fail() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    print_diagnostics([error("漢")], stream)
    stream.flush()
    assert raw.getvalue() == b"error[HET001]: \\u6f22\n"
