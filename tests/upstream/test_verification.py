"""Upstream's parser, verifier and canonicaliser accept what pipelines are lowered to, and errors point at our lines."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from random_programs.generate import generate
from random_programs.spell import spell

from hetc.compiler.cli import app
from hetc.compiler.driver import Options, front_end
from hetc.compiler.pipeline import run_stages
from hetc.compiler.upstream import Lowered, lower, verify
from hetc.compiler.upstream.verification import rejections
from hetc.source import SourceFile, read_source

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path
    for pattern in ("examples/*/*.mp", "tests/pipelines/*.mp", "tests/pipelines/short/*.mp", "tests/semantics/*/*.mp")
    for path in ROOT.glob(pattern)
)
PAGE = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```mp\n(.*?)```", PAGE, re.DOTALL)
MANY_SEEDS = range(100)


def lowered(source: SourceFile) -> Lowered:
    module = front_end(source, Options())
    run_stages(module, "expanded", {})
    return lower(module)


def accepted(source: SourceFile) -> None:
    verdict = verify(lowered(source), source)
    assert verdict.errors == (), [str(error) for error in verdict.errors]
    before, after = verdict.operations
    assert before >= after > 0 and "func.func" in verdict.canonical


def random_program(seed: int) -> SourceFile:
    return SourceFile(f"random_{seed}.mp", spell(generate(seed)))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files(path: Path) -> None:
    accepted(read_source(path))


@pytest.mark.parametrize("text", EXAMPLES, ids=lambda text: text.split()[1])
def test_examples_of_the_language_reference(text: str) -> None:
    accepted(SourceFile("example.mp", text))


@pytest.mark.parametrize("seed", range(10))
def test_random_programs(seed: int) -> None:
    accepted(random_program(seed))


@pytest.mark.full
def test_many_random_programs() -> None:
    for seed in MANY_SEEDS:
        accepted(random_program(seed))


def test_an_error_points_at_the_line() -> None:
    """A map of the wrong rank, planted in the text: our own pass makes none that xDSL would not refuse too."""
    source = read_source(ROOT / "tests/pipelines/short/outer.mp")
    whole = lowered(source)
    text = whole.text.replace("affine_map<(d0, d1) -> (d1)>", "affine_map<(d0, d1) -> (d1, d0)>")
    assert text != whole.text
    (error, *_) = verify(replace(whole, text=text), source).errors
    assert error.code == "HET340" and "rank" in error.message
    assert error.span is not None and "o[b < M, a] = " in source.line_text(error.span.line)


def test_an_error_of_no_line_shows_the_lowered_text() -> None:
    source = SourceFile("none.mp", "")
    (error, *_) = verify(
        Lowered('"builtin.module"() ({\n  "no.such"() : () -> ()\n}) : () -> ()', 0, 0, ()), source
    ).errors
    assert error.span is None and any("no.such" in note for note in error.notes)


def test_an_error_without_a_diagnostic_is_one_too() -> None:
    class Silent(Exception):
        error_diagnostics = ()

    (error,) = rejections(Silent("canonicalize failed"), Lowered("", 0, 0, ()), SourceFile("none.mp", ""))
    assert "canonicalize failed" in error.message


def test_the_command_says_what_was_verified(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = str(ROOT / "tests/pipelines/pages.mp")
    assert app.run(["compile", path, "-o", str(tmp_path / "out"), "--verify-with-mlir"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"verifies it: 1 function, (\d+) of \1 statements; \d+ operations, \d+ after", out)
    assert "Left out" not in out


def test_the_command_lists_what_was_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    path = ROOT / "examples/bm25/bm25.mp"
    assert app.run(["check", str(path), "--verify-with-mlir"]) == 0
    out = capsys.readouterr().out
    line = next(n for n, text in enumerate(path.read_text().splitlines(), start=1) if "append(tf" in text)
    assert re.search(rf"mp\.append +bm25\.mp:{line} +a sparse tensor: ", out)


def test_the_command_lists_it_for_editors(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["check", str(ROOT / "examples/bm25/bm25.mp"), "--format", "json", "--verify-with-mlir"]) == 0
    notes = json.loads(capsys.readouterr().out)
    assert {(note["code"], note["severity"]) for note in notes} == {("HET341", "note")}
    assert len(notes) == 5


def test_the_command_fails_where_upstream_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from hetc.compiler.cli import second_opinion

    def wrong(module: object) -> Lowered:
        made = lower(module)  # type: ignore[arg-type]
        return replace(made, text=made.text.replace("affine_map<(d0, d1) -> (d1)>", "affine_map<(d0, d1) -> (d1, d0)>"))

    monkeypatch.setattr(second_opinion, "lower", wrong)
    path = ROOT / "tests/pipelines/short/outer.mp"
    assert app.run(["check", str(path), "--verify-with-mlir"]) == 1
    said = capsys.readouterr()
    assert "error[HET340]" in said.err and "outer.mp" in said.err
    assert "rejects it" in said.out
