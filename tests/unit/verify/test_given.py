"""`hetc run --inputs F.npz`: tensors by name, extents from their shapes, and what is said of those that do not fit."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hetc.compiler.cli import app
from hetc.compiler.driver import Compilation, Options, compile_source_file, write_directory
from hetc.compiler.verify import run
from hetc.compiler.verify.given import given_draw, read_arrays
from hetc.compiler.verify.run import prepare_state
from hetc.diagnostics import DiagnosticError
from hetc.runtime.program import HostProgram, load_program
from hetc.source import SourceFile

PROGRAM = """pipeline p grows T by M:
    dim B <= 4
    dim T <= 20 per B
    dim M <= 8
    dim C <= 6 per B
    dim D = 2
    input k: bf16[B, M, D]
    input z: f32[B, C]
    input at: i32[B]
    weight w: f32[D]
    memory keys: bf16[B, T, D]
    memory total: f32[B] = 1
    memory tf: sparse u8[4, B] stored <= 8
    prepare:
        append(keys, k)
        total[b] += sum[c](z[b, c])
    relevancy:
        s[b, t] = sum[d](w[d] * keys[b, t, d])
        u[b] = f32(tf[at[b], b])
    output s, total, u
"""
TF = np.array([[0, 2], [5, 0], [0, 7], [0, 0]], np.uint8)


UNSAID = """pipeline q grows T by 1:
    dim T <= 8
    dim N <= 5
    input x: f32
    memory m: f32[T]
    memory b: f32[N]
    prepare:
        append(m, x)
        b[n] += x
    output b
"""


@pytest.fixture(scope="module")
def compilation() -> Compilation:
    return compile_source_file(SourceFile("p.mp", PROGRAM), Options("mi210"))


@pytest.fixture(scope="module")
def program(compilation: Compilation, tmp_path_factory: pytest.TempPathFactory) -> HostProgram:
    out = tmp_path_factory.mktemp("given") / "out"
    write_directory(compilation, out)
    return load_program(out, "emulation")


def arrays(**changes: Any) -> dict[str, np.ndarray]:
    """Two rows of the batch, three new rows of each; what is None is left out."""
    whole = {
        "k": np.arange(12, dtype=np.float32).reshape(2, 3, 2),
        "z": np.ones((2, 5), np.float32),
        "at": np.array([1, -1]),
        "w": np.array([1, 10], np.float32),
    }
    return {name: value for name, value in {**whole, **changes}.items() if value is not None}


def test_inputs_alone(program: HostProgram) -> None:
    """Memories begin as they are declared."""
    drawn, calls = given_draw(program.PIPELINE, arrays())
    assert calls == 2
    assert drawn.capacities == {"B": 2, "M": 3, "C": 5, "T": 6}
    state = prepare_state(program, drawn)
    result = program.step("p")(state, drawn.live[0], **{**drawn.inputs[0], **drawn.weights})
    np.testing.assert_array_equal(result["s"][:, :3], [[10, 32, 54], [76, 98, 120]])
    np.testing.assert_array_equal(result["total"], [6, 6])
    np.testing.assert_array_equal(result["u"], [0, 0])


def test_memories_lengths_and_tensors_of_one_call(program: HostProgram) -> None:
    keys = np.ones((2, 5, 2), np.float32)
    more = {"keys": keys, "T": np.array([5, 2]), "C": np.array([2, 0]), "tf": TF, "total": np.array([3, 4], np.float32)}
    given = arrays(**more, **{"k.2": np.full((2, 1, 2), 7, np.float32), "at.3": np.array([2, 2**31 - 1])})
    drawn, calls = given_draw(program.PIPELINE, given)
    assert calls == 3
    assert drawn.capacities == {"B": 2, "M": 3, "C": 2, "T": 5 + 3 + 1 + 3}
    state = prepare_state(program, drawn)
    results = [program.step("p")(state, drawn.live[n], **drawn.inputs[n], **drawn.weights) for n in range(calls)]
    assert state.lengths["T"].tolist() == [12, 9]
    np.testing.assert_array_equal(
        results[1]["s"][:, :9], [[11] * 5 + [10, 32, 54, 77], [11, 11, 76, 98, 120, 77, 0, 0, 0]]
    )
    np.testing.assert_array_equal(results[0]["total"], [3 + 2, 4])
    assert [result["u"].tolist() for result in results] == [[5, 0], [5, 0], [0, 0]]
    np.testing.assert_array_equal(state.read("tf"), TF)


def test_each_kernel_is_compared_on_them(compilation: Compilation) -> None:
    report = run(compilation, inputs=arrays(tf=TF, **{"k.2": np.zeros((2, 8, 2), np.float32)}), check=True)
    assert report.ok
    assert report.extents == {"B": [2], "T": [0, 0], "M": [3, 8], "C": [5]}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"z": None, "w": None}, ["the input `z` is missing", "the weight `w` is missing"]),
        ({"k": None, "k.2": np.ones((2, 1, 2), np.float32)}, ["the input `k` is missing for call 1", "add `k.1`"]),
        ({"keis": np.ones(2)}, ["has no tensor or dim `keis`", "did you mean `keys`?"]),
        ({"w.2": np.ones(2, np.float32)}, ["a weight is given once, as `w`"]),
        ({"T.1": np.ones(2)}, ["the lengths of a dim are given once, as `T`"]),
        ({"w": np.ones(2)}, ["tensor 'w': expected f32, got float64", "`w.astype(numpy.float32)`"]),
        ({"at": np.array([0.5, 1], np.float32)}, ["tensor 'at': expected i32 integers, got float32"]),
        ({"at": np.array([0, 2**31])}, ["tensor 'at': 2147483648 does not fit i32"]),
        ({"w": np.ones(3, np.float32)}, ["tensor 'w': expected [2], got [3]"]),
        ({"w": np.ones((2, 1), np.float32)}, ["tensor 'w': expected [2], got [2, 1]"]),
        ({"z": np.ones((3, 5), np.float32)}, ["the dim B is 2 in `k` and 3 in `z`"]),
        ({"z": np.ones((2, 7), np.float32)}, ["the dim C is 7 long, past its bound 6", "-D C=7"]),
        ({"C": np.array([6, 1])}, ["the dim C is up to 6 long, but 5 in `z`"]),
        ({"C": np.array([1, 1, 1])}, ["dim C: expected 2 lengths, got 3"]),
        (
            {"T": np.array([3, 1]), "keys": np.ones((2, 2, 2), np.float32)},
            ["the dim T is up to 3 long, but 2 in the memory `keys`"],
        ),
        (
            {"keys": np.ones((2, 15, 2), np.float32)},
            ["after 2 calls the dim T may be 21 long, past its bound 20", "-D T=21"],
        ),
    ],
    ids=range(16),
)
def test_what_does_not_fit(program: HostProgram, changes: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(DiagnosticError) as caught:
        given_draw(program.PIPELINE, arrays(**changes))
    assert caught.value.exit_code == 2
    assert {item.code for item in caught.value.diagnostics} == {"HET412"}
    for word in words:
        assert word in str(caught.value)


def test_calls_that_the_names_do_not_allow(program: HostProgram) -> None:
    later = {"k.3": np.ones((2, 1, 2), np.float32)}
    assert given_draw(program.PIPELINE, arrays(**later), 4)[1] == 4
    with pytest.raises(DiagnosticError, match=r"`k.3` is for call 3, but there are 2"):
        given_draw(program.PIPELINE, arrays(**later), 2)


def test_a_dim_that_no_array_has() -> None:
    compilation = compile_source_file(SourceFile("q.mp", UNSAID), Options("mi210"))
    x = np.asarray(np.float32(2))
    with pytest.raises(DiagnosticError, match="no array says how long the dim N is"):
        run(compilation, inputs={"x": x})
    report = run(compilation, inputs={"x": x, "N": np.asarray(3)})
    assert report.ok
    assert report.extents == {"T": [0], "N": [3]}


def test_files_that_hold_no_arrays(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "empty.npz").touch()
    np.save(tmp_path / "one.npy", np.ones(3))
    np.savez(tmp_path / "objects.npz", x=np.array([object()]))
    with zipfile.ZipFile(tmp_path / "bytes.npz", "w") as archive:
        archive.writestr("x", "hello")
    for name, code, words in (
        ("text.npz", "HET412", "is no .npz file"),
        ("empty.npz", "HET412", "is no .npz file"),
        ("one.npy", "HET412", "is no .npz file"),
        ("objects.npz", "HET412", "holds Python objects"),
        ("bytes.npz", "HET412", "holds `x`, which is no array"),
        ("none.npz", "HET401", "no such file"),
        (".", "HET402", "is a directory"),
    ):
        with pytest.raises(DiagnosticError) as caught:
            read_arrays(tmp_path / name)
        assert caught.value.diagnostics[0].code == code
        assert words in str(caught.value)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.mp").write_text(PROGRAM)
    np.savez(tmp_path / "given.npz", **arrays())
    command = ["run", str(tmp_path / "p.mp"), "-p", "mi210", "--inputs", str(tmp_path / "given.npz")]
    assert app.run([*command, "--check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2] == f"2 calls on tensors of {tmp_path}/given.npz: B = 2, T = 0/0, M = 3, C = 5"
    assert lines[-1] == "all stages ok"
    assert app.run([*command, "--json", "--calls", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["extents"] == {"B": [2], "T": [0, 0], "M": [3], "C": [5]}
    for option in (["--seed", "1"], ["--extent", "M=2"]):
        assert app.run([*command, *option]) == 2
        assert "with --inputs nothing is drawn" in capsys.readouterr().err
