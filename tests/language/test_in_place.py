"""Updates that reach a small part of a large memory: written in place, and undone where a step fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hetc.backends.reference import run_step
from hetc.compiler.driver import Options, compile_source_file, write_directory
from hetc.dialects.mp import ScatterOp
from hetc.runtime.program import HostProgram, load_program
from hetc.source import SourceFile
from tests.executors import THREE_KINDS
from tests.language.running import PLATFORMS, WAYS, session_of

UPDATES = """
pipeline updates grows T by 1:
    dim B <= 4
    dim T <= 4096 per B
    dim N = 600
    dim J = 6
    dim D = 16
    input x: f32[B, D]
    input at: i32[B, J]
    input ok: bool[B, J]
    memory keys: bf16[B, T, D] @{layout}
    memory uses: i32[B, T] @{layout}
    memory held: f32[N, D]
    memory total: f32[N, D]
    prepare:
        append(keys, x)
        none[b] = 0 * at[b, 0]
        append(uses, none)
        keys[b, T[b] - 2, d] *= 0.5
        uses[b, at[b, j]] += 1
    relevancy:
        s[b, t] = sum[d](keys[b, t, d] * x[b, d]) + uses[b, t]
    apply:
        was[d] = sum[n](held[n, d])
        held[where(ok[b, j], at[b, j]), d] = x[b, d] + j
        total[at[b, j], d] += x[b, d]
        o[d] = sum[n](held[n, d]) - was[d] + total[0, d]
    output s, o
"""


@pytest.mark.parametrize("layout", ["contiguous", "paged(8)"])
@pytest.mark.parametrize("way", WAYS)
def test_updates(way: str, layout: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lengths = np.array([3, 0, 17])
    session = session_of(UPDATES.format(layout=layout), way, {"B": 3, "T": 32}, {"T": lengths}, tmp_path)
    keys, uses = np.zeros((3, 32, 16)), np.zeros((3, 32), np.int64)
    held, total = np.zeros((600, 16)), np.zeros((600, 16))
    keys[0, :3] = rng.integers(-4, 5, (3, 16))
    session.load("keys", keys.astype(np.float32))
    for call in range(4):
        x = rng.integers(-4, 5, (3, 16)).astype(np.float32)
        at = rng.integers(-2, 12, (3, 6)).astype(np.int32)
        ok = rng.random((3, 6)) < 0.6
        outputs = session.call(x=x, at=at, ok=ok)
        was = held.sum(0)
        for b in range(3):
            length = lengths[b] + call + 1
            keys[b, length - 1] = x[b]
            if length >= 2:
                keys[b, length - 2] *= 0.5
            for j in range(6):
                if 0 <= at[b, j] < length:
                    uses[b, at[b, j]] += 1
                if ok[b, j] and at[b, j] >= 0:
                    held[at[b, j]] = x[b] + j
                if at[b, j] >= 0:
                    total[at[b, j]] += x[b]
            expected = keys[b, :length] @ x[b] + uses[b, :length]
            np.testing.assert_allclose(outputs["s"][b, :length], expected, rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(outputs["o"], held.sum(0) - was + total[0], rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(session.memory("held"), held)
    np.testing.assert_array_equal(session.memory("total"), total)
    longest = lengths.max() + 4
    np.testing.assert_array_equal(session.memory("uses")[:, :longest], uses[:, :longest])
    np.testing.assert_array_equal(session.memory("keys")[:, :longest], keys[:, :longest])


def compiled(text: str, tmp_path: Path, pins: dict[str, str] | None = None) -> HostProgram:
    compilation = compile_source_file(SourceFile("test.mp", text), Options(THREE_KINDS, pins=pins or {}))
    write_directory(compilation, tmp_path / "out")
    (host,) = (tmp_path / "out" / "host").glob("*.py")
    assert "plan.scatter(" in host.read_text()
    return load_program(tmp_path / "out", "emulation")


OLD = """
pipeline old:
    dim N = 1000
    dim D = 16
    input x: f32[D]
    input at: i32
    memory held: f32[N, D]
    prepare:
        held[at, d] = x[d]
    apply:
        o[n, d] = held[n, d] + first[n, d]
    output o, first
""".replace("    prepare:\n", "    prepare:\n        first[n, d] = bf16(held[n, d])\n")


@pytest.mark.parametrize("kind", ["gpu", "fpga", "cpu"])
def test_what_was_there_is_read_before(kind: str, tmp_path: Path) -> None:
    program = compiled(OLD, tmp_path, {"prepare": kind, "apply": kind})
    state = program.new_state()
    for call in range(3):
        x = np.full(16, call + 1, np.float32)
        outputs = program.step("old")(state, x=x, at=np.int32(5))
        assert outputs["first"][5].float().tolist() == [call] * 16
        assert outputs["o"][5].tolist() == [2 * call + 1] * 16
        assert int((outputs["o"] != 0).sum()) == 16


ELSEWHERE = """
pipeline elsewhere:
    dim N = 1000
    dim D = 16
    input x: f32[D]
    input at: i32[3]
    memory held: f32[N, D]
    prepare:
        a[d] = sum[n](held[n, d])
    relevancy:
        b[n] = sum[d](held[n, d] * x[d])
        held[at[j], d] = x[d] * (j + 1)
    apply:
        o[n] = sum[d](held[n, d] * x[d]) + b[n]
        c[d] = sum[n](held[n, d]) + a[d]
    output o, c
"""


@pytest.mark.parametrize("pins", [("gpu", "fpga", "gpu"), ("fpga", "gpu", "fpga"), ("fpga", "fpga", "gpu")])
def test_copies_on_other_devices_follow(pins: tuple[str, str, str], tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    program = compiled(ELSEWHERE, tmp_path, dict(zip(("prepare", "relevancy", "apply"), pins, strict=True)))
    state, held = program.new_state(), np.zeros((1000, 16))
    for _ in range(4):
        x = rng.integers(-3, 4, 16).astype(np.float32)
        at = rng.integers(-1, 4, 3).astype(np.int32)
        outputs = program.step("elsewhere")(state, x=x, at=at)
        a, b = held.sum(0), held @ x
        for j in range(3):
            if at[j] >= 0:
                held[at[j]] = x * (j + 1)
        np.testing.assert_array_equal(outputs["o"].numpy(), held @ x + b)
        np.testing.assert_array_equal(outputs["c"].numpy(), held.sum(0) + a)
    np.testing.assert_array_equal(state.read("held"), held)


def test_a_step_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = compiled(ELSEWHERE, tmp_path, {"prepare": "fpga", "relevancy": "gpu", "apply": "gpu"})
    state, x = program.new_state(), np.ones(16, np.float32)
    step = program.step("elsewhere")
    step(state, x=x, at=np.array([3, 4, 5], np.int32))
    before = state.read("held")
    launch, launched = program.devices["gpu"].launch, []

    def failing(kernel: str, *arguments: object) -> None:
        launched.append(kernel)
        if "apply" in kernel:
            raise RuntimeError("lost")
        launch(kernel, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(program.devices["gpu"], "launch", failing)
    with pytest.raises(RuntimeError, match="lost"):
        step(state, x=2 * x, at=np.array([4, 4, 900], np.int32))
    assert len(launched) > 1
    monkeypatch.undo()
    np.testing.assert_array_equal(state.read("held"), before)
    outputs = step(state, x=x, at=np.array([-1, -1, -1], np.int32))
    np.testing.assert_array_equal(outputs["c"].numpy(), 2 * before.sum(0))


LAYERS = """
pipeline layers:
    dim L = 3
    dim N = 500
    dim D = 16
    input x: f32[D]
    input at: i32
    memory held: f32[L, N, D]
    prepare:
        h[d] = x[d]
        for l in L:
            held[l, at + l, d] = h[d]
            h[d] = sum[n](held[l, n, d])
    output h, held
"""


@pytest.mark.parametrize("way", WAYS)
def test_layers(way: str, tmp_path: Path) -> None:
    session, held = session_of(LAYERS, way, {}, {}, tmp_path), np.zeros((3, 500, 16))
    for call in range(3):
        x = np.full(16, call + 1, np.float32)
        h = x
        for layer in range(3):
            held[layer, 7 * call + layer] = h
            h = held[layer].sum(0)
        outputs = session.call(x=x, at=np.int32(7 * call))
        np.testing.assert_array_equal(outputs["h"], h)
        np.testing.assert_array_equal(outputs["held"], held)


def test_the_callers_tensor_stays_the_memory(tmp_path: Path) -> None:
    text = ELSEWHERE.replace("        c[d] =", "        held[n, d] = held[n, d] * 2\n        c[d] =")
    program = compiled(text, tmp_path, dict.fromkeys(("prepare", "relevancy", "apply"), "gpu"))
    state, held = program.new_state(), torch.zeros(1000, 16)
    state.bind(held=held)
    program.step("elsewhere")(state, x=np.ones(16, np.float32), at=np.array([3, 4, 5], np.int32))
    assert held[3:6, 0].tolist() == [2, 4, 6]
    assert int((held != 0).sum()) == 48


ANEW = """
pipeline anew grows T by 1:
    dim B <= 4
    dim T <= 4096 per B
    dim D = 2
    input x: f32[B, D]
    memory rows: f32[B, T, D]
    apply:
        append(rows, x)
        repeat 2:
            rows[b, t, d] = 2 * rows[b, t, d]
        rows[b, T[b] - 2, d] = 1.0
    output x
"""


@pytest.mark.parametrize("way", WAYS)
def test_written_to_after_it_was_made_anew(way: str, tmp_path: Path) -> None:
    """Places that the state has and no row needs yet stay with the memory."""
    session = session_of(ANEW, way, {"B": 2, "T": 8}, {"T": [1, 3]}, tmp_path)
    rows = np.arange(2 * 8 * 2, dtype=np.float32).reshape(2, 8, 2)
    session.load("rows", rows)
    for call in range(3):
        x = np.full((2, 2), 3 - call, np.float32)
        session.call(x=x)
        for b, length in enumerate((2 + call, 4 + call)):
            rows[b, length - 1] = x[b]
            rows[b, :length] *= 4
            rows[b, length - 2] = 1
            np.testing.assert_array_equal(session.memory("rows")[b, :length], rows[b, :length])


VALUES = """
pipeline values:
    dim L = 3
    input x: i32
    memory counts: i16[L]
    prepare:
        for l in L:
            counts[l] += x + l
    output x
"""


def test_single_values_by_layers() -> None:
    """As the oracle executes them; a layer of one number is still written into."""
    options = Options("mi210", passes={"scatter-update": {"least": -(2**62)}})
    module = compile_source_file(SourceFile("values.mp", VALUES), options, until="placed").placed
    assert any(isinstance(op, ScatterOp) for op in module.walk())
    result = run_step(module, "values", {"x": np.array(2)}, {"counts": np.array([5, 6, 7])}, {})
    assert np.asarray(result.memories["counts"]).tolist() == [7, 9, 11]


WHOLE = """
pipeline whole:
    dim L = 2
    dim B <= 4
    input x: i32[L]
    input on: bool[B, L]
    memory ml: i32[L]
    memory begin: i32[B, L] = 1
    apply:
        twice = max(min(where(ml[0] <= 1, ml[0], ml[1]), 16), -16)
        for l in L:
            ml[l] = ml[l] + twice + 1
    retrieve:
        when x[0] > 0:
            ml[l] += x[l]
        when on[b, b + 1] or begin[b, 2] == 1:
            begin[b, l] = 2
    output twice
"""
IN_PLACE = {"scatter-update": {"least": -(2**62)}}


@pytest.mark.parametrize("kind", ["gpu", "fpga", "cpu"])
def test_all_layers_in_one_piece_and_a_condition_that_one_side_decides(kind: str, tmp_path: Path) -> None:
    """A piece that is written reaches over both layers, which lie apart. Of the second condition only `on` is there,
    and only of row 0: it decides where it holds."""
    options = Options(PLATFORMS[kind], pins={"apply": kind, "retrieve": kind}, passes=IN_PLACE)
    compilation = compile_source_file(SourceFile("whole.mp", WHOLE), options)
    assert any(isinstance(op, ScatterOp) for op in compilation.placed.walk())
    write_directory(compilation, tmp_path / "out")
    program = load_program(tmp_path / "out", "emulation")
    state = program.new_state(B=2)
    ml, begin = np.zeros(2, np.int64), np.ones((2, 2), np.int64)
    for x, on in (([3, 4], False), ([0, 7], True), ([1, -2], False)):
        program.step("whole")(state, x=np.array(x, np.int32), on=np.array([[False, on], [True, True]]))
        ml += (ml[0] if ml[0] <= 1 else ml[1]) + 1 + np.array(x) * (x[0] > 0)
        begin[0] = 2 if on else begin[0]
        np.testing.assert_array_equal(state.read("ml"), ml)
        np.testing.assert_array_equal(state.read("begin"), begin)


AROUND = """
pipeline around:
    dim L = 3
    dim N = 2000
    dim D = 4
    input x: f32[D]
    input at: i32
    memory held: f32[L, N, D]
    prepare:
        a[d] = sum[l, n](held[l, n, d])
    apply:
        for l in L:
            held[l, at + l, d] = x[d] + a[d]
    relevancy:
        b[d] = sum[l, n](held[l, n, d])
    output a, b
"""
READERS = [("gpu", "gpu"), ("fpga", "fpga"), ("gpu", "fpga"), ("fpga", "gpu")]


@pytest.mark.parametrize(("reader", "writer"), READERS, ids="-".join)
def test_what_is_read_as_a_whole_before_and_after_a_loop(reader: str, writer: str, tmp_path: Path) -> None:
    """The layers that the loop writes lie apart; what is read of all is a copy, which the loop makes an old one."""
    pins = {"prepare": reader, "relevancy": reader, "apply": writer}
    program = compiled(AROUND, tmp_path, pins)
    state, before = program.new_state(), 0.0
    for call in range(3):
        outputs = program.step("around")(state, x=np.ones(4, np.float32), at=np.int32(3 * call))
        assert outputs["a"].tolist() == [before] * 4
        before += 3 * (1 + before)
        assert outputs["b"].tolist() == [before] * 4
