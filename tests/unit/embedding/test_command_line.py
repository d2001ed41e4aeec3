"""`hetc check|compile|explain FILE.py[:NAME]`: Python text is read, not imported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hetc.compiler.cli.app import run

PIPELINES = str(Path(__file__).with_name("pipelines.py"))
TEXT = """\
raise SystemExit("this file is not executed")
@hetero_pipeline(platform="a100+u55c", pins={"prepare": "fpga"}, dims={"N": 32})
def one(x: f32["N"], *, N=le(64)):
    with prepare:
        y[n] = 2 * x[n]
    return y
"""


def test_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "one.py"
    path.write_text(TEXT)
    assert run(["check", str(path)]) == 0
    assert run(["check", f"{path}:one"]) == 0
    path.write_text(TEXT.replace("x[n]", "z[n]"))
    assert run(["check", str(path)]) == 1
    assert f"{path}:5:20" in capsys.readouterr().err
    assert run(["check", f"{PIPELINES}:attend", "-D", "Z=3"]) == 2
    assert run(["check", f"{PIPELINES}:attned"]) == 2
    assert "did you mean `attend`" in capsys.readouterr().err
    assert run(["check", PIPELINES]) == 2
    assert "it holds `attend`, `double`" in capsys.readouterr().err


def test_the_decorators_options_count_and_the_command_line_goes_before_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "one.py"
    path.write_text(TEXT)
    assert run(["explain", str(path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["platform"], report["dims"], report["stages"][0]["device"]) == ("a100+u55c", {"N": 32}, "fpga")
    arguments = ["-p", "mi210+u55c", "-D", "N=16", "--pin", "prepare=gpu"]
    assert run(["explain", str(path), "--json", *arguments]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["platform"], report["dims"], report["stages"][0]["device"]) == ("mi210+u55c", {"N": 16}, "gpu")
    path.write_text(TEXT.replace('"a100+u55c"', "PLATFORM"))
    assert run(["explain", str(path)]) == 2
    assert "`platform` is computed where the file runs" in capsys.readouterr().err


def test_a_work_directory_keeps_the_function_alone(tmp_path: Path) -> None:
    path = tmp_path / "one.py"
    path.write_text(TEXT)
    out = tmp_path / "out"
    assert run(["-q", "compile", f"{path}:one", "-o", str(out)]) == 0
    kept = (out / "source" / "one.py").read_text()
    assert kept == "\n" + "".join(TEXT.splitlines(keepends=True)[1:])
    assert run(["-q", "run", str(out), "--check"]) == 0


def test_lines_are_those_that_python_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A form feed and a line separator in front of the function break no line for Python; a lone CR does."""
    path = tmp_path / "one.py"
    head = '"""a page\x0c a line\u2028"""\r'
    path.write_text(head + TEXT.replace("\n", "\r"), newline="")
    assert run(["check", str(path)]) == 0
    path.write_text(head + TEXT.replace("x[n]", "z[n]"), newline="")
    assert run(["check", str(path)]) == 1
    assert f"{path}:6:20" in capsys.readouterr().err


def test_a_character_that_hides_what_the_function_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "one.py"
    path.write_text(TEXT.replace("    with", "    # a note\u2028\n    with"))
    assert run(["check", str(path)]) == 1
    assert "HET004" in capsys.readouterr().err
