"""`hetc run`: the verdict table, and how a run ends."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from hetc.cache import kept
from hetc.compiler import verify
from hetc.compiler.cli import app
from hetc.compiler.cli.verdict import render_verdict
from hetc.compiler.driver import Options, compile_source_file
from hetc.compiler.verify import Row, RunReport
from hetc.runtime import gpu_found
from hetc.runtime.commits import LeftOutRows
from hetc.runtime.environment import Check
from hetc.runtime.errors import DeviceError
from hetc.source import SourceFile

PROGRAM = """pipeline demo grows T by 1:
    dim T <= 256
    dim D = 16
    input q: f32[D]
    memory keys: f32[T, D]
    prepare:
        append(keys, q)
    relevancy:
        s[t] = sum[d](q[d] * keys[t, d])
    retrieve:
        picked[j] = topk[t](s[t], 4)
    output picked
"""
BLOCKS = """pipeline blocks grows T by 1:
    dim B <= 4
    dim T <= 64 per B
    dim S = 4; dim D = 8
    dim N = T // S
    input k: f32[B, D]
    memory keys: f32[B, T, D]
    memory sums: f32[B, N, D]
    prepare:
        append(keys, k)
    relevancy:
        when T[b] % S == 0:
            sums[b, N[b] - 1, d] = sum[i < S](keys[b, T[b] - S + i, d])
        o[b, n, d] = 2 * sums[b, n, d]
    output o
"""
RIGHT = Row("relevancy", "gpu", "triton-interpreter", 1e-7, 1e-5, None, True)
WRONG = Row("retrieve", "fpga", "csim", 0.5, 1e-5, 2, False, "row 3")


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "demo.mp"
    path.write_text(PROGRAM)
    return str(path)


def fixed_report(*rows: Row):
    return lambda target, **options: RunReport(list(rows), calls=2)


def test_a_program_runs_and_agrees_with_the_oracle(program, capsys):
    assert app.run(["run", program, "-p", "mi210", "--check", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"]
    compared = [row for row in report["rows"] if row["max_error"] is not None]
    assert {row["stage"] for row in compared} >= {"retrieve", "memory"}


def test_a_directory_runs_as_its_program_does(program, tmp_path, capsys):
    out = str(tmp_path / "work")
    assert app.run(["compile", program, "-p", "mi210", "-o", out]) == 0
    assert app.run(["run", out, "--check", "--calls", "1"]) == 0
    assert "all stages ok" in capsys.readouterr().out


@pytest.fixture
def work(program, tmp_path, capsys) -> Path:
    out = tmp_path / "work"
    assert app.run(["compile", program, "-p", "mi210", "-o", str(out)]) == 0
    capsys.readouterr()
    return out


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_an_edited_kernel_runs_as_it_is_and_is_named(work, capsys):
    kernels = work / "gpu" / "kernels.py"
    assert app.run(["run", str(work), "--check", "--calls", "1"]) == 0
    assert capsys.readouterr().err == ""
    edit(kernels, "tl.sum(q_2 * keys_2", "tl.sum(q_2 + keys_2")
    assert app.run(["run", str(work), "--check", "--calls", "1"]) == 1
    captured = capsys.readouterr()
    assert captured.err == f"{kernels}: edited since it was generated, and used as it is\n"
    assert "wrong: relevancy" in captured.out
    edit(kernels, "tl.sum(q_2 + keys_2", "tl.sum(keys_2 * q_2")
    assert app.run(["run", str(work), "--check", "--calls", "1", "-q"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("gpu/kernels.py", "def (", "gpu/kernels.py cannot be imported: SyntaxError"),
        ("gpu/kernels.py", "1 / 0", "gpu/kernels.py cannot be imported: ZeroDivisionError"),
        ("host/demo_host.py", "import nothing_of_this_name", "demo_host.py cannot be imported: ModuleNotFoundError"),
        ("host/demo_host.py", "Program = None", "defines no class Program"),
    ],
)
def test_an_edit_that_cannot_run_is_no_traceback(work, capsys, path, text, message):
    (work / path).write_text(text)
    assert app.run(["run", str(work)]) == 1
    err = capsys.readouterr().err
    assert "HET502" in err and message in err and f"{work / path}: edited since" in err


def test_an_edited_host_program_that_fails_is_not_the_compilers(work, capsys, monkeypatch):
    """The edit keeps the file's size and the second of its last change, by which Python's own cache goes."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    host = work / "host" / "demo_host.py"
    os.utime(host, (1e9, 1e9 + 0.25))
    assert app.run(["run", str(work), "--calls", "1"]) == 0
    edit(host, "plan.memory(", "plan.memoir(")
    os.utime(host, (1e9, 1e9 + 0.5))
    assert app.run(["run", str(work)]) == 1
    err = capsys.readouterr().err
    assert "HET502" in err and "the edited program failed: AttributeError: 'PlanBuilder' object has no attribute" in err
    assert "edited since it was generated: host/demo_host.py" in err


def test_a_missing_file_is_named(work, capsys):
    (work / "gpu" / "kernels.py").unlink()
    (work / "host" / "demo_host.py").unlink()
    assert app.run(["run", str(work)]) == 2
    err = capsys.readouterr().err
    assert f"`{work}` lacks `gpu/kernels.py`, `host/demo_host.py`" in err and "compile the pipeline again" in err


def test_an_edited_source_is_not_what_the_kernels_are_of(work, capsys):
    edit(work / "source" / "demo.mp", "q[d] * keys", "q[d] + keys")
    assert app.run(["run", str(work)]) == 2
    err = capsys.readouterr().err
    assert "source/demo.mp` was edited; the kernels beside it are of what it said before" in err


@pytest.mark.parametrize("damage", ["{", "[]", '{"hetc": "0.1.0"}'])
def test_a_damaged_manifest_asks_to_compile_again(work, capsys, damage):
    (work / "manifest.json").write_text(damage)
    assert app.run(["run", str(work)]) == 2
    err = capsys.readouterr().err
    assert f"`{work / 'manifest.json'}` is damaged" in err and "compile the pipeline again" in err


def test_a_cache_that_cannot_be_written_is_the_environments(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("")
    (tmp_path / "demo.mp").write_text(PROGRAM)
    monkeypatch.setenv("HETC_CACHE_DIR", str(tmp_path / "file"))
    assert app.run(["run", str(tmp_path / "demo.mp"), "--emulate", "--pin", "relevancy=fpga"]) == 3
    err = capsys.readouterr().err
    assert "HET503" in err and "name a folder that can be written in HETC_CACHE_DIR" in err


def test_what_the_cache_makes_again_is_said_with_v(tmp_path, capsys, monkeypatch):
    (tmp_path / "demo.mp").write_text(PROGRAM)
    monkeypatch.setenv("HETC_CACHE_DIR", str(tmp_path / "cache"))
    (entry,) = [kept("csim", "key", lambda folder: {})]
    (entry / "manifest.json").write_text("")
    assert app.run(["check", str(tmp_path / "demo.mp"), "-v"]) == 0
    capsys.readouterr()
    kept("csim", "key", lambda folder: {})
    assert f"{entry} is made again: manifest.json" in capsys.readouterr().err


def test_a_memory_as_long_as_another_dim_makes_it(monkeypatch):
    compilation = compile_source_file(SourceFile("blocks.mp", BLOCKS), Options())
    extents = {"B": 3, "T": [2, 7, 0]}
    report = verify.run(compilation, calls=6, extents=extents)
    assert report.ok
    assert any(row.stage == "memory" for row in report.rows)
    # Rows that are not live yet keep what they hold; a runtime that forgets them is seen.
    monkeypatch.setattr(LeftOutRows, "keep", lambda self, made, lengths: None)
    report = verify.run(compilation, calls=6, extents=extents)
    assert [row.note for row in report.rows if not row.ok] == ["differs: sums"]


def test_the_verdict_names_what_is_wrong():
    report = RunReport([RIGHT, WRONG], calls=4, extents={"B": [3], "T": [0, 7, 9], "C": [4, 0, 2, 9, 1]})
    text = render_verdict(report, "random values of seed 5")
    assert text.splitlines()[-2] == "4 calls on random values of seed 5: B = 3, T = 0/7/9, C = 0 to 9"
    assert text.splitlines()[-1] == "wrong: retrieve"
    assert "5.00e-01" in text
    assert "WRONG" in text
    assert "row 3" in text


def test_a_run_without_check_claims_nothing(program, capsys):
    assert app.run(["run", program, "-p", "mi210", "--calls", "1"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "all stages ran; nothing was compared (--check does)"
    assert " ok " not in out


def test_a_wrong_stage_is_exit_code_one(program, capsys, monkeypatch):
    monkeypatch.setattr(verify, "run", fixed_report(RIGHT, WRONG))
    assert app.run(["run", program, "-p", "mi210", "--check"]) == 1
    assert "wrong: retrieve" in capsys.readouterr().out
    monkeypatch.setattr(verify, "run", fixed_report(RIGHT))
    assert app.run(["run", program, "-p", "mi210", "--check"]) == 0


def test_a_failing_program_is_no_traceback(program, capsys, monkeypatch):
    def fail(target, **options):
        raise DeviceError("kernel 'scan' did not end")

    monkeypatch.setattr(verify, "run", fail)
    assert app.run(["run", program, "-p", "mi210"]) == 1
    err = capsys.readouterr().err
    assert "HET502" in err
    assert "kernel 'scan' did not end" in err


def test_an_unknown_build_type_is_a_mistake_of_the_caller(program, capsys, monkeypatch):
    monkeypatch.setenv("HETC_CSIM_BUILD_TYPE", "O3")
    assert app.run(["run", program, "--emulate", "--pin", "relevancy=fpga"]) == 2
    message = "HETC_CSIM_BUILD_TYPE is `O3`; expected one of optimised, plain, checked, mixed"
    assert message in " ".join(capsys.readouterr().err.split())


def test_what_the_machine_lacks_is_named_with_how_to_get_it(program, capsys, monkeypatch):
    def fail(target, **options):
        raise ModuleNotFoundError("No module named 'triton'")

    lacking = Check("triton", False, None, "not installed", "pip install 'hetc[run]'", "GPU kernels")
    monkeypatch.setattr(verify, "run", fail)
    monkeypatch.setattr(gpu_found, "check_triton", lambda root: lacking)
    assert app.run(["run", program, "-p", "mi210"]) == 3
    err = capsys.readouterr().err
    assert "triton is needed for GPU kernels: not installed" in err
    assert "pip install 'hetc[run]'" in err


def test_the_sizes_of_a_run_are_said_and_set(program, capsys):
    assert app.run(["run", program, "-p", "mi210", "--calls", "1", "--extent", "T=200", "--seed", "3"]) == 0
    assert capsys.readouterr().out.splitlines()[-2] == "1 call on random values of seed 3: T = 200"
    assert app.run(["run", program, "-p", "mi210", "--calls", "1", "--extent", "D=20"]) == 2
    assert "D is a constant, no run-time extent" in capsys.readouterr().err
    assert app.run(["run", program, "-p", "mi210", "--calls", "1", "--extent", "T"]) == 2
    assert "--extent takes NAME=EXTENT; found `T`" in capsys.readouterr().err
