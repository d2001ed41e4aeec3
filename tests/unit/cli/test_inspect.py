"""Reading a work directory: its kernels, the source beside their text, and what is damaged."""

from __future__ import annotations

import dataclasses
import json
from importlib.metadata import version
from pathlib import Path

import pytest

from hetc.compiler.builds import build_table
from hetc.compiler.cli import app
from hetc.compiler.gpu_builds import functions_of, known_targets, shown, specification
from hetc.compiler.inspect import annotate, kernels_of
from hetc.compiler.work_directory import WorkDirectory, refuse_to_replace
from hetc.diagnostics import DiagnosticError
from hetc.manifest import seal
from hetc.runtime.triton_compile import KernelBuild

SOURCE = "pipeline demo:\n    relevancy:\n        s[t] = sum[d](q[d] * k[t, d])\n"
CPP = 'extern "C" void scan() {\n  float s = 0;  // demo.mp:3\n  s += 1;       // demo.mp:3\n}\n'
PYTHON = """import triton

@triton.jit
def read_0(x):
    # demo.mp:3
    pass

@triton.jit
def reader_0(x):
    pass
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    description = {"kernels": {"read_0": {"task": "read", "order": 0}, "reader_0": {"task": "reader", "order": 0}}}
    files = {"fpga/scan/scan.cpp": CPP, "fpga/scan/scan.h": "void scan();\n", "gpu/kernels.py": PYTHON}
    files["gpu/kernels.json"] = json.dumps(description)
    schedule = {"kind": "fpga", "time_us": 4.0, "energy_mj": 0.5, "bound": "memory", "resources": {"dsp": 12}}
    report = {
        "kernels": [
            {"name": "scan", "device": "fpga", "stages": ["relevancy"], "schedule": schedule},
            {"name": "read", "device": "gpu", "stages": ["apply"], "schedule": None},
        ]
    }
    for path, text in {**files, "source/demo.mp": SOURCE, "report.json": json.dumps(report)}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    seal(tmp_path, {"hetc": version("hetc"), "pipeline": "demo", "source": "demo.mp"})
    return tmp_path


def test_a_kernel_has_its_own_text_only(directory):
    scan, read = kernels_of(WorkDirectory.open(directory))
    assert scan.texts == {"fpga/scan/scan.cpp": CPP}
    assert list(read.texts) == ["gpu/kernels.py:3"]
    assert "def read_0" in read.texts["gpu/kernels.py:3"]
    assert "reader_0" not in read.texts["gpu/kernels.py:3"]
    assert read.first_lines["gpu/kernels.py:3"] == 3
    assert read.launches == ("read_0",)


def test_functions_are_found_with_their_decorators():
    assert functions_of(PYTHON.splitlines()) == {"read_0": (3, 6), "reader_0": (8, 10)}


def test_the_source_line_stands_above_its_first_use():
    shown = annotate(CPP, {"demo.mp": SOURCE.splitlines()}).splitlines()
    at = shown.index("  > demo.mp:3  s[t] = sum[d](q[d] * k[t, d])")
    assert "float s = 0" in shown[at + 1]
    assert sum("> demo.mp:3" in line for line in shown) == 1


def test_a_place_outside_the_source_adds_nothing():
    assert annotate("x // demo.mp:99", {"demo.mp": ["a"]}) == "1 | x // demo.mp:99"


def test_inspect_prints_one_kernel(directory, capsys):
    assert app.run(["inspect", str(directory), "scan"]) == 0
    out = capsys.readouterr().out
    assert "estimates, not measurements" in out
    assert "dsp 12" in out
    assert "> demo.mp:3  s[t] = sum[d](q[d] * k[t, d])" in out


def test_an_unknown_kernel_lists_the_kernels(directory, capsys):
    assert app.run(["inspect", str(directory), "scam"]) == 2
    assert "valid kernels: scan, read" in capsys.readouterr().err


def test_json_names_files_and_estimates(directory, capsys):
    assert app.run(["inspect", str(directory), "--json", "--no-build"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0]["schedule"]["time_us"] == 4.0
    assert rows[0]["files"] == {"fpga/scan/scan.cpp": 4}


@pytest.mark.parametrize("damage", ["{", "[]"])
def test_damaged_json_is_a_diagnostic(directory, capsys, damage):
    (directory / "report.json").write_text(damage)
    assert app.run(["inspect", str(directory)]) == 2
    assert "is damaged" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["inspect", "explain"])
def test_a_report_with_an_entry_missing_is_a_diagnostic(directory, capsys, command):
    (directory / "report.json").write_text('{"kernels": [{}], "stages": [{}]}')
    assert app.run([command, str(directory)]) == 2
    assert "is damaged, or was written by another version" in capsys.readouterr().err


def test_damaged_descriptions_are_a_diagnostic(directory, capsys):
    (directory / "gpu/kernels.json").write_text("{")
    assert app.run(["inspect", str(directory)]) == 2
    assert "is damaged" in capsys.readouterr().err


def test_a_function_is_specialised_for_its_target():
    entry = {
        "arguments": [{"name": "x", "type": "*u8"}, {"name": "cap_B", "type": "i32"}],
        "constexprs": ["NATIVE_FP8"],
        "num_warps": 8,
        "num_stages": 3,
    }
    spec = specification("scan_0", entry, "sm_90")
    assert (spec.signature, spec.constexprs) == ({"x": "*u8", "cap_B": "i32"}, {"NATIVE_FP8": True})
    assert (spec.num_warps, spec.num_stages) == (8, 3)
    for target in ("sm_80", "gfx90a", "gfx942"):
        assert specification("scan_0", entry, target).constexprs == {"NATIVE_FP8": False}


def test_targets_come_from_the_platforms_with_their_limits(directory, capsys):
    assert known_targets()["gfx90a"] == 65536
    assert app.run(["inspect", str(directory), "--target", "sm_12"]) == 2
    assert "valid targets: gfx90a" in capsys.readouterr().err


def test_a_folder_that_hetc_did_not_write(tmp_path, capsys):
    assert app.run(["inspect", str(tmp_path)]) == 2
    assert "is no work directory" in capsys.readouterr().err


def test_options_of_a_compilation_do_not_go_with_a_directory(directory, capsys):
    assert app.run(["explain", str(directory), "-D", "T=4"]) == 2
    assert "-D would change nothing" in capsys.readouterr().err


def test_edited_files_are_not_overwritten_silently(directory):
    refuse_to_replace(directory)
    (directory / "gpu/kernels.py").write_text(PYTHON + "\n# tuned by hand\n")
    with pytest.raises(DiagnosticError, match=r"gpu/kernels\.py"):
        refuse_to_replace(directory)


def test_each_gpu_function_has_a_line_that_says_what_is_wrong():
    good = KernelBuild("read_0", "gfx90a", True, registers=24, shared_bytes=2048, shared_limit_bytes=65_536)
    builds = [good, dataclasses.replace(good, kernel="read_1", spill_bytes=96, stack_bytes=8, shared_bytes=80_000)]
    fine, bad = build_table(map(shown, builds)).splitlines()[-2:]
    assert fine.startswith("read_0") and "24" in fine and fine.rstrip().endswith("ok")
    assert bad.startswith("read_1")
    for problem in ("spills 96 bytes", "uses 8 bytes of stack", "needs 80000 bytes of shared memory of 65536"):
        assert problem in bad


@pytest.mark.parametrize(("spilled", "code"), [(0, 0), (96, 1)])
def test_compile_check_builds_gpu_functions(tmp_path, monkeypatch, capsys, spilled, code):
    build = KernelBuild("read_0", "gfx90a", True, registers=24, spill_bytes=spilled, shared_limit_bytes=65_536)
    monkeypatch.setattr("hetc.compiler.gpu_builds.build", lambda *_: [shown(build)])
    path = Path(__file__).parents[2] / "pipelines" / "pages.mp"
    assert app.run(["compile", str(path), "-o", str(tmp_path / "out"), "--check"]) == code
    assert ("spills 96 bytes" in capsys.readouterr().out) == bool(spilled)
