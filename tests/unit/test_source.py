"""Places in source text, and reading files that are no source text."""

import ast
import textwrap
from pathlib import Path

import pytest

from hetc.diagnostics import EXIT_PROGRAM, EXIT_USAGE, DiagnosticError
from hetc.source import (
    MAX_HIDDEN_SHOWN,
    MAX_SOURCE_BYTES,
    SourceFile,
    Span,
    hidden_characters,
    plain_file_name,
    read_source,
)

FILE = SourceFile("a.mp", "one\ntwo three\n\nfour")


def span_of(file: SourceFile, text: str) -> Span:
    start = file.text.index(text)
    return file.span(start, start + len(text))


def place(span: Span) -> tuple[int, int, int, int]:
    return (span.line, span.column, span.end_line, span.end_column)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one", (1, 1, 1, 4)),
        ("three", (2, 5, 2, 10)),
        ("four", (4, 1, 4, 5)),
        ("three\n\nfo", (2, 5, 4, 3)),
        ("one\n", (1, 1, 1, 5)),
    ],
)
def test_lines_and_columns(text: str, expected: tuple[int, int, int, int]) -> None:
    assert place(span_of(FILE, text)) == expected
    assert span_of(FILE, text).text == text


def test_the_end_of_the_text_is_a_place() -> None:
    assert place(FILE.span(len(FILE.text), len(FILE.text))) == (4, 5, 4, 5)
    ended = SourceFile("b.mp", "x\n")
    assert place(ended.span(2, 2)) == (2, 1, 2, 1)
    assert place(SourceFile("c.mp", "").span(0, 0)) == (1, 1, 1, 1)


def test_offsets_outside_the_text_are_brought_inside() -> None:
    span = Span(FILE, -3, 1000)
    assert (span.start, span.end) == (0, len(FILE.text))
    assert Span(FILE, 5, 2).end == 5


def test_every_offset_round_trips() -> None:
    for offset in range(len(FILE.text) + 1):
        assert FILE.offset_of(FILE.line_of(offset), FILE.column_of(offset)) == offset


def test_line_text_leaves_out_either_line_break() -> None:
    file = SourceFile("a.mp", "a\r\nb\nc\r")
    assert [file.line_text(line) for line in (1, 2, 3)] == ["a", "b", "c"]
    assert file.span(3, 4).line == 2
    with pytest.raises(IndexError, match="lines 1 to 3, not 4"):
        file.line_text(4)


def test_merge() -> None:
    merged = span_of(FILE, "three").merge(span_of(FILE, "one"))
    assert (merged.start, merged.end) == (0, 13)
    other = SourceFile("b.mp", "zzz").span(0, 3)
    assert span_of(FILE, "one").merge(other) == span_of(FILE, "one")
    assert span_of(FILE, "one").merge(None) == span_of(FILE, "one")


def test_the_body_of_a_python_function_keeps_its_place_in_the_file() -> None:
    module = 'class A:\n    def f():\n        "αβ"; keys[b]\n'
    body = textwrap.dedent(module.split("\n", 1)[1])
    file = SourceFile("m.py", body, first_line=2, indent_columns=4)
    assert str(span_of(file, "keys")) == "m.py:3:15"
    # ast counts columns in UTF-8 bytes of the text that it was given.
    function = ast.parse(body).body[0]
    assert isinstance(function, ast.FunctionDef)
    node = function.body[1]
    assert file.offset_of_utf8(node.lineno + file.first_line - 1, node.col_offset) == body.index("keys")
    assert file.offset_of(3, 15) == body.index("keys")


def test_spans_of_equal_files_are_equal() -> None:
    twin = SourceFile("a.mp", FILE.text)
    assert twin.span(0) == FILE.span(0)
    assert hash(twin.span(0)) == hash(FILE.span(0))


def test_read_source(tmp_path: Path) -> None:
    path = tmp_path / "p.mp"
    path.write_bytes("\ufeffé = 1\n".encode())
    file = read_source(path)
    assert (file.name, file.text) == (str(path), "é = 1\n")


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"ok\n\xff\xfe", "HET001", "byte 0xff at offset 3, line 2"),
        (b"a\nb\0c", "HET002", "NUL byte (line 2)"),
        (b"#" * (MAX_SOURCE_BYTES + 1), "HET003", "larger than 4 MiB"),
    ],
)
def test_content_that_is_no_source_text(tmp_path: Path, content: bytes, code: str, words: str) -> None:
    path = tmp_path / "p.mp"
    path.write_bytes(content)
    with pytest.raises(DiagnosticError) as caught:
        read_source(path)
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, caught.value.exit_code) == (code, EXIT_PROGRAM)
    assert words in diagnostic.message


def test_a_file_of_exactly_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "p.mp"
    path.write_bytes(b"#" * MAX_SOURCE_BYTES)
    assert len(read_source(path).text) == MAX_SOURCE_BYTES


def test_no_such_readable_file(tmp_path: Path) -> None:
    for path, code in ((tmp_path / "no.mp", "HET401"), (tmp_path, "HET402"), (tmp_path / "a\0b", "HET403")):
        with pytest.raises(DiagnosticError) as caught:
            read_source(path)
        assert [d.code for d in caught.value.diagnostics] == [code]
        assert caught.value.exit_code == EXIT_USAGE
    with pytest.raises(DiagnosticError, match="HET403"):
        read_source(tmp_path / ("n" * 5000))


@pytest.mark.parametrize(
    "character", ["\r", "\x00", "\x0b", "\x0c", "\x1c", "\x7f", "\x85", "\u2028", "\u2029", "\u202e", "\u2066"]
)
@pytest.mark.parametrize("text", ["a\n# note{}b\n", "a\n{}b\n", "a\nx = {}1\n"])
def test_a_character_that_hides_what_the_text_says(character: str, text: str) -> None:
    """Editors break or turn a line at it; the compiler, which breaks lines at LF alone, would read other lines."""
    source = SourceFile("a.mp", text.format(character))
    (found,) = hidden_characters(source)
    assert (found.code, found.span) == ("HET004", source.span(source.text.index(character)))
    assert f"U+{ord(character):04X}" in found.message


def test_text_that_hides_nothing() -> None:
    assert not list(hidden_characters(SourceFile("a.mp", "\ta = 1  # é, 漢字, \u200b\r\nb = 2\r\n")))
    assert len(list(hidden_characters(SourceFile("a.mp", "\f" * 1000)))) == MAX_HIDDEN_SHOWN


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("some/where/scan-2.1+b.mp", "scan-2.1+b.mp"),
        ("a\nb\rc.mp", "a_b_c.mp"),
        ("x*/ int y; //", ""),
        ("x*\\", "x__"),
        ('"""\'?.mp', "_____.mp"),
        ("r\u202el\u2028.mp", "r_l_.mp"),
        ("\udcff.mp", "_.mp"),
        ("höhe 1.mp", "höhe_1.mp"),
    ],
)
def test_a_name_that_may_stand_in_any_comment(path: str, plain: str) -> None:
    assert plain_file_name(path) == plain
