"""`hetc fmt` on files, on standard input, and refusing."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from hetc.compiler.cli.app import run

ROUGH = "pipeline p:\n  dim N<=4\n  input x:f32[N]\n  prepare:\n    y[n]=2*x[n]   # twice\n  output y\n"
SMOOTH = (
    "pipeline p:\n    dim N <= 4\n    input x: f32[N]\n    prepare:\n"
    "        y[n] = 2 * x[n]  # twice\n    output y\n"
)  # fmt: skip


def standard_input(data: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(data), encoding="ascii")  # which says nothing about the program's text


@pytest.fixture
def rough(tmp_path: Path) -> Path:
    path = tmp_path / "p.mp"
    path.write_text(ROUGH)
    path.chmod(0o640)
    return path


def test_files_are_changed_in_place(rough: Path, capsys: pytest.CaptureFixture[str]) -> None:
    link = rough.with_name("link.mp")
    link.symlink_to(rough)
    assert run(["fmt", str(link)]) == 0
    assert rough.read_text() == SMOOTH and link.is_symlink()
    assert rough.stat().st_mode & 0o777 == 0o640
    assert "formatted" in capsys.readouterr().err
    before = rough.stat().st_mtime_ns
    assert run(["fmt", str(rough)]) == 0
    assert rough.stat().st_mtime_ns == before and capsys.readouterr().err == ""
    assert sorted(path.name for path in rough.parent.iterdir()) == ["link.mp", "p.mp"]


def test_check_writes_nothing(rough: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fmt", "--check", str(rough)]) == 1
    assert rough.read_text() == ROUGH
    assert capsys.readouterr().out == f"{rough}: would be reformatted\n"
    rough.write_text(SMOOTH)
    assert run(["fmt", "--check", str(rough)]) == 0


def test_standard_input_is_printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", standard_input(ROUGH.encode()))
    assert run(["fmt", "-"]) == 0
    assert capsys.readouterr().out == SMOOTH
    monkeypatch.setattr("sys.stdin", standard_input(ROUGH.encode()))
    assert run(["fmt", "-", "--check"]) == 1


def test_nothing_is_written_if_one_file_does_not_parse(rough: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = rough.with_name("wrong.mp")
    wrong.write_text("pipeline q:\n  dim N <=\n  dim M <=\n")
    assert run(["fmt", str(rough), str(wrong)]) == 1
    assert rough.read_text() == ROUGH
    assert capsys.readouterr().err.count("wrong.mp:") == 2


@pytest.mark.parametrize("arguments", [["missing.mp"], ["-", "p.mp"], ["p.py"], []])
def test_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fmt", *arguments]) == 2
    assert "error[" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(rough: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rough.parent.chmod(0o500)
    try:
        assert run(["fmt", str(rough)]) == 2
        assert rough.read_text() == ROUGH and "HET403" in capsys.readouterr().err
    finally:
        rough.parent.chmod(0o700)
