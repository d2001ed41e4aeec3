"""What can be seen of the passes: their forms, their times, and what one that crashed was given."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hetc.compiler.cli import app
from hetc.compiler.pipeline import PIPELINE
from hetc.passes.normalize.remove_unused import RemoveUnusedPass

PROGRAM = """
pipeline sums:
    dim B <= 4
    dim D = 8
    input x: f32[B, D]
    apply:
        y[b] = sum[d](x[b, d])
    output y
"""


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "sums.mp"
    path.write_text(PROGRAM)
    return str(path)


def test_each_pass_writes_a_form_that_can_be_read_again(program: str, tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    assert app.run(["compile", program, "-p", "cpu", "-o", str(tmp_path / "out"), "--dump-to", str(dump)]) == 0
    passes = [flag for stage in PIPELINE if stage.kind in ("", "cpu") for flag in stage.passes]
    files = sorted(dump.iterdir())
    assert [path.stem for path in files] == [f"{number:02}-{flag}" for number, flag in enumerate(passes, 1)]
    bound = next(path for path in files if path.stem.endswith("bind-arguments"))
    printed = opt(str(bound), "-t", "cpp")
    kernel = next((tmp_path / "out" / "cpu").glob("*.cpp"))
    body = kernel.read_text().partition("\n")[2]
    assert printed.startswith(f"==> cpu/{kernel.name} <==\n")
    assert _without_comments(body) in _without_comments(printed)


def _without_comments(text: str) -> str:
    """Text has no locations, so a form that was read again names no source lines."""
    return "\n".join(line for line in text.splitlines() if not line.strip().startswith("//"))


def opt(*arguments: str) -> str:
    command = [sys.executable, "-c", "from hetc.compiler.opt import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_forms_and_times_go_to_standard_error(program: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--print-ir-after-all", "--time-passes"]
    assert app.run(["compile", program, "-p", "cpu", "-o", str(tmp_path / "out"), *asked]) == 0
    shown = capsys.readouterr().err
    assert "// ----- after cut-kernels -----\nbuiltin.module" in shown
    (total,) = [line.split() for line in shown.splitlines() if line.startswith("all passes")]
    assert float(total[2]) > 0 and total[3] == "100%"


def test_what_a_crashed_pass_was_given_can_be_run_again(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def crash(self: object, ctx: object, op: object) -> None:
        raise KeyError("nothing there")

    monkeypatch.setattr(RemoveUnusedPass, "apply", crash)
    assert app.run(["compile", program, "-o", str(tmp_path / "out")]) == app.EXIT_DEFECT
    shown = capsys.readouterr().err
    assert "PassCrashed: KeyError in the pass remove-unused" in shown
    path = Path(shown.partition("given is in ")[2].partition(",")[0])
    first, rest = path.read_text().split("\n", 1)
    assert first == f"// hetc-opt -p 'remove-unused' {path}"
    assert "mp.pipeline @sums" in rest
    assert "mp.compute" in opt("-p", "remove-unused", str(path))  # mended, it passes
    path.unlink()
