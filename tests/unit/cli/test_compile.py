"""`hetc compile`: a work directory, whole or not at all."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hetc.compiler import driver, work_directory
from hetc.compiler.cli import app
from hetc.compiler.work_directory import WorkDirectory
from hetc.manifest import seal
from hetc.passes.lower_host.refusal import HostLoweringRefused
from hetc.passes.refusal import LoweringRefused
from hetc.passes.schedule.model import Refused
from hetc.source import plain_file_name

PROGRAM = """pipeline demo grows T by 1:
    dim T <= 4096
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


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "demo.mp"
    path.write_text(PROGRAM)
    return path


@pytest.fixture
def out(program: Path) -> Path:
    """The work directory of the program on a platform with a GPU only."""
    folder = program.parent / "work"
    assert app.run(["compile", str(program), "-p", "mi210", "-o", str(folder)]) == 0
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_directory_has_kernels_a_host_program_a_report_and_the_source(out):
    files = content(out)
    assert {"manifest.json", "report.json", "source/demo.mp", "gpu/kernels.py"} <= set(files)
    assert any(path.startswith("host/") and path.endswith(".py") for path in files)
    manifest = json.loads(files["manifest.json"])
    assert manifest["platform"] == "mi210"
    assert {*manifest["files"], "manifest.json"} == set(files)
    assert "demo.mp:9" in files["gpu/kernels.py"].decode()


def test_the_same_input_gives_the_same_bytes(program, out):
    again = program.parent / "again"
    assert app.run(["compile", str(program), "-p", "mi210", "-o", str(again)]) == 0
    assert content(again) == content(out)


def test_a_wrong_program_leaves_the_directory_as_it_was(program, out, capsys):
    before = content(out)
    program.write_text(PROGRAM.replace("keys[t, d]", "keys[t]"))
    assert app.run(["compile", str(program), "-p", "mi210", "-o", str(out)]) == 1
    assert "keys" in capsys.readouterr().err
    assert content(out) == before
    assert sorted(path.name for path in program.parent.iterdir()) == ["demo.mp", "work"]


def test_a_foreign_directory_is_not_touched(program, tmp_path, capsys):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")
    assert app.run(["compile", str(program), "-p", "mi210", "-o", str(folder), "--force"]) == 2
    assert "is not a work directory" in capsys.readouterr().err
    assert content(folder) == {"thesis.txt": b"precious"}


def test_edited_kernels_are_kept_unless_forced(program, out, capsys):
    kernels = out / "gpu" / "kernels.py"
    kernels.write_text(kernels.read_text() + "# tuned by hand\n")
    arguments = ["compile", str(program), "-p", "mi210", "-o", str(out)]
    assert app.run(arguments) == 2
    assert "gpu/kernels.py" in capsys.readouterr().err
    assert "tuned by hand" in kernels.read_text()
    assert app.run([*arguments, "--force"]) == 0
    assert "tuned by hand" not in kernels.read_text()


def test_another_programs_manifest_makes_no_work_directory(program, tmp_path, capsys):
    folder = tmp_path / "extension"
    folder.mkdir()
    (folder / "manifest.json").write_text('{"manifest_version": 3, "files": {}}')
    (folder / "thesis.txt").write_text("precious")
    for force in ([], ["--force"]):
        assert app.run(["compile", str(program), "-p", "mi210", "-o", str(folder), *force]) == 2
        assert "is not a work directory" in capsys.readouterr().err
    assert (folder / "thesis.txt").read_text() == "precious"


def test_files_added_to_a_work_directory_are_kept_unless_forced(program, out, capsys):
    (out / "gpu" / "__pycache__").mkdir()
    (out / "gpu" / "__pycache__" / "kernels.pyc").write_bytes(b"")
    arguments = ["compile", str(program), "-p", "mi210", "-o", str(out)]
    assert app.run(arguments) == 0
    bitstream = out / "fpga" / "a.xclbin"
    bitstream.parent.mkdir()
    bitstream.write_bytes(b"hours of synthesis")
    assert app.run(arguments) == 2
    assert "fpga/a.xclbin" in capsys.readouterr().err
    assert bitstream.exists()
    assert app.run([*arguments, "--force"]) == 0
    assert not bitstream.exists()


@pytest.mark.parametrize("damage", ["{", "[]", "{}", '{"hetc": "0.1.0", "pipeline": "demo", "files": {}}', "\0"])
def test_a_damaged_manifest_is_repaired_when_forced(program, out, capsys, damage):
    before = content(out)
    (out / "manifest.json").write_text(damage)
    arguments = ["compile", str(program), "-p", "mi210", "-o", str(out)]
    assert app.run(arguments) == 2
    assert f"{out} has a damaged manifest.json" in capsys.readouterr().err
    (out / "thesis.txt").write_text("precious")
    assert app.run([*arguments, "--force"]) == 2
    assert "is not a work directory" in capsys.readouterr().err
    (out / "thesis.txt").unlink()
    assert app.run([*arguments, "--force"]) == 0
    assert content(out) == before


def test_a_directory_of_another_version_is_replaced(program, out, monkeypatch, capsys):
    monkeypatch.setattr(work_directory, "version", lambda name: "9.0")
    for command in ("run", "inspect", "explain"):
        assert app.run([command, str(out)]) == 2
        err = capsys.readouterr().err
        assert f"`{out}` was written by hetc 0.1.0, and this is 9.0" in err and "compile the pipeline again" in err
    assert app.run(["compile", str(program), "-p", "mi210", "-o", str(out)]) == 0


def test_an_entry_of_a_cache_is_no_work_directory(program, tmp_path, capsys):
    folder = tmp_path / "entry"
    folder.mkdir()
    (folder / "kernel.so").write_bytes(b"library")
    seal(folder, {})
    assert app.run(["compile", str(program), "-p", "mi210", "-o", str(folder), "--force"]) == 2
    assert "is not a work directory" in capsys.readouterr().err
    assert app.run(["run", str(folder)]) == 2
    assert "is no work directory: its manifest.json is of something else" in capsys.readouterr().err


def test_two_compiles_to_one_directory_at_once(program, tmp_path):
    out = tmp_path / "work"
    arguments = ["compile", str(program), "-p", "mi210", "-o", str(out)]
    script = f"from hetc.compiler.cli import main; main({arguments!r})"
    running = [subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE) for _ in range(2)]
    for process in running:
        assert process.wait(timeout=120) == 0, process.stderr.read()
    assert not WorkDirectory.open(out).changed_files()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo.mp", "work"]


@pytest.mark.parametrize("there", [True, False])
def test_a_link_to_a_work_directory_stays_a_link(program, tmp_path, there):
    target, link = tmp_path / "scratch" / "work", tmp_path / "link"
    if there:
        target.mkdir(parents=True)
    link.symlink_to(target)
    for _ in range(2):
        assert app.run(["compile", str(program), "-p", "mi210", "-o", str(link)]) == 0
        assert link.is_symlink()
    assert (target / "manifest.json").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--pin", "relevance=gpu"], "did you mean relevancy?"),
        (["--pin", "relevancy=fgpa"], "installed are gpu, cpu, fpga"),
        (["-p", "cpu", "--pin", "relevancy=fpga"], "has no device of that kind"),
        (["-D", "TT=4"], "did you mean `T`?"),
        (["--policy", "costs"], "valid policies: auto, intensity"),
        (["-p", "mi21"], "no platform is called `mi21`"),
    ],
)
def test_options_that_do_not_fit_are_usage_errors(program, tmp_path, capsys, arguments, expected):
    out = tmp_path / "none"
    assert app.run(["compile", str(program), "-o", str(out), *arguments]) == 2
    assert expected in capsys.readouterr().err
    assert not out.exists()


def test_an_estimate_of_an_unknown_dim_is_a_usage_error(program, tmp_path, capsys):
    dims = tmp_path / "dims.toml"
    dims.write_text("[estimate]\nTT = 4\n")
    assert app.run(["explain", str(program), "-p", "mi210", "--dims", str(dims)]) == 2
    assert "no dim TT" in capsys.readouterr().err


@pytest.mark.parametrize(("extents", "expected"), [("D = 4", "D is a constant"), ("T = 4097", "its bound is 4096")])
def test_an_estimate_at_an_extent_that_cannot_be_is_a_usage_error(program, tmp_path, capsys, extents, expected):
    dims = tmp_path / "dims.toml"
    dims.write_text(f"[estimate]\n{extents}\n")
    assert app.run(["explain", str(program), "-p", "mi210", "--dims", str(dims)]) == 2
    assert expected in capsys.readouterr().err


def test_the_explanation_of_a_file_and_of_its_directory_agree(program, out, capsys):
    capsys.readouterr()
    assert app.run(["explain", str(program), "-p", "mi210"]) == 0
    of_file = capsys.readouterr().out
    assert app.run(["explain", str(out)]) == 0
    assert capsys.readouterr().out == of_file
    assert "relevancy" in of_file
    assert app.run(["explain", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pipeline"] == "demo"


@pytest.mark.parametrize("refused", [Refused, LoweringRefused, HostLoweringRefused])
def test_a_refusal_is_a_diagnostic_at_its_line(program, tmp_path, capsys, monkeypatch, refused):
    def refuse(module, *arguments):
        raise refused("it needs more than there is", next(op for op in module.walk() if op.name == "mp.topk"))

    monkeypatch.setattr(driver, "run_stages", refuse)
    assert app.run(["compile", str(program), "-p", "mi210", "-o", str(tmp_path / "work")]) == 1
    err = capsys.readouterr().err
    assert "it needs more than there is" in err
    assert f"{program}:11:" in err


def test_generated_text_can_be_printed(program, capsys):
    assert app.run(["compile", str(program), "-p", "mi210", "--emit", "triton"]) == 0
    captured = capsys.readouterr()
    assert "@triton.jit" in captured.out
    assert app.run(["compile", str(program), "-p", "mi210", "--emit", "hls-cpp"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "nothing of this pipeline was placed there" in captured.err


def test_compiling_imports_neither_torch_nor_triton(program, tmp_path):
    arguments = ["compile", str(program), "-p", "mi210", "-o", str(tmp_path / "work")]
    script = (
        "import sys\nfrom hetc.compiler.cli import app\n"
        f"assert app.run({arguments!r}) == 0\n"
        "print([n for n in ('torch', 'triton', 'scipy', 'ml_dtypes') if n in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "name", ["a\nint evil;.mp", 'q"""\'.mp', "b*_\\", "r\u202el.mp", "\udcff.mp", "??/ /*.mp".replace("/", "\\")]
)
@pytest.mark.parametrize("device", ["gpu", "fpga"])
def test_generated_text_is_the_same_whatever_the_file_is_called(tmp_path, name, device):
    """Only the name in comments differs, and it is one word: nothing of it is read as code."""
    generated = []
    for folder, file in (("plain", "demo.mp"), ("odd", name)):
        path = tmp_path / folder / file
        path.parent.mkdir()
        path.write_text(PROGRAM)
        out = tmp_path / f"{folder}_out"
        assert app.run(["compile", str(path), "-o", str(out), "--pin", f"relevancy={device}", "-D", "T=64"]) == 0
        work = WorkDirectory.open(out)
        assert (out / "source" / file).read_text() == PROGRAM
        generated.append({each: work.text(each) for each in work.files if each not in (work.source, "report.json")})
    plain, odd = generated
    shown = plain_file_name(name)
    assert re.fullmatch(r"[\w.+-]+", shown)
    assert odd == {each: text.replace("demo.mp", shown) for each, text in plain.items()}


def test_inspect_shows_the_source_lines_of_a_file_with_an_odd_name(tmp_path, capsys):
    path = tmp_path / "my demo (2)"
    path.write_text(PROGRAM)
    assert app.run(["compile", str(path), "-p", "mi210", "-o", str(tmp_path / "out")]) == 0
    assert app.run(["inspect", str(tmp_path / "out"), "relevancy_retrieve", "--no-build"]) == 0
    assert "> my_demo__2_:9  s[t] = sum[d](q[d] * keys[t, d])" in capsys.readouterr().out


def test_a_card_without_a_host_program_is_compared_only(program, capsys):
    """Its kernels would be linked for no platform, and nothing could start them."""
    said = "no host program can be made for the AMD Alveo V80, where relevancy, retrieve would run"
    arguments = [str(program), "-p", "mi210+v80", "--pin", "relevancy=fpga", "--pin", "retrieve=fpga"]
    out = program.parent / "out"
    for command in (
        ["compile", *arguments, "-o", str(out)],
        ["run", *arguments],
        ["compile", *arguments, "--emit=triton"],
    ):
        assert app.run(command) == 2
        err = capsys.readouterr().err
        assert f"error[HET424]: {said}" in err
        assert "--pin relevancy=gpu --pin retrieve=gpu" in err
        assert not out.exists()
    assert app.run(["explain", *arguments]) == 0
    assert said in capsys.readouterr().out
    assert app.run(["compile", *arguments, "--emit=fpga"]) == 0
    pins = ["--pin", "relevancy=gpu", "--pin", "retrieve=gpu"]
    assert app.run(["compile", str(program), "-p", "mi210+v80", *pins, "-o", str(out)]) == 0
