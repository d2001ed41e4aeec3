"""Memories that loops in loops go through layer by layer: what a pass reads, appends, overwrites and makes anew lies in
its layer's own buffer, however deep, and no layer is copied for that."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from hetc.compiler.driver import Options, compile_source_file, write_directory
from hetc.runtime.errors import InputError
from hetc.runtime.program import load_program
from hetc.source import SourceFile
from tests.executors import ProgramSession, Session
from tests.language.running import WAYS, session_of

L, M, D = 2, 3, 4

TWO = """
pipeline two grows T by 1:
    dim B <= 2; dim T <= 32 per B
    dim L = 2; dim M = 3; dim D = 4; dim N = 2000
    input x: f32[B, D]
    input at: i32[B]
    weight w: f32[L, M, D]
    memory group: f32[L, B, T, D]
    memory keys: f32[L, M, B, T, D]{layout}
    memory held: f32[L, M, N, D]
    memory last: f32[L, M, B, D]
    prepare:
        h[b, d] = x[b, d]
    for l in L:
        prepare:
            append(group[l], h)
        for m in M:
            relevancy:
                k[b, d] = h[b, d] + w[l, m, d]
                append(keys[l, m], k)
                s[b, t] = sum[d](keys[l, m, b, t, d] * x[b, d])
            apply:
                held[l, m, at[b] + l + m, d] = k[b, d]
                last[l, m, b, d] = last[l, m, b, d] + k[b, d]
                y[d] = sum[n](held[l, m, n, d])
                far[b, d] = sum[t](group[l, b, t, d]) / 64
                h[b, d] = last[l, m, b, d] + y[d] / 8 + max[t](s[b, t]) / 64 + far[b, d]
    output h
"""
COPIES = re.compile(r"plan\.(?:store|copy)\(\s*(?:keys|held|last|group)(?!_places)\w*")


class Expected:
    """What the program `two` computes, beside it."""

    def __init__(self) -> None:
        self.group: list[list[np.ndarray]] = [[] for _ in range(L)]
        self.keys: list[list[np.ndarray]] = [[] for _ in range(L * M)]
        self.held, self.last = np.zeros((L, M, 2000, D)), np.zeros((L, M, 2, D))

    def call(self, x: np.ndarray, at: np.ndarray, w: np.ndarray) -> np.ndarray:
        h = x.astype(np.float64)
        for outer in range(L):
            self.group[outer].append(h)
            for inner in range(M):
                k = h + w[outer, inner]
                rows = self.keys[outer * M + inner]
                rows.append(k)
                scores = [(row * x).sum(-1) for row in rows]
                for b in range(2):
                    self.held[outer, inner, at[b] + outer + inner] = k[b]
                self.last[outer, inner] += k
                far, y = sum(self.group[outer]) / 64, self.held[outer, inner].sum(0)
                h = self.last[outer, inner] + y / 8 + np.max(scores, 0)[:, None] / 64 + far
        return h

    def check(self, session: Session, calls: int) -> None:
        np.testing.assert_allclose(session.memory("held"), self.held, rtol=1e-4)
        np.testing.assert_allclose(session.memory("last"), self.last, rtol=1e-4)
        keys = np.stack([np.stack(rows, 1) for rows in self.keys]).reshape(L, M, 2, calls, D)
        np.testing.assert_allclose(session.memory("keys")[:, :, :, :calls], keys, rtol=1e-4)
        group = np.stack([np.stack(rows, 1) for rows in self.group])
        np.testing.assert_allclose(session.memory("group")[:, :, :calls], group, rtol=1e-4)


def exercise(session: Session) -> None:
    rng, expected = np.random.default_rng(5), Expected()
    w = rng.integers(-2, 3, (L, M, D)).astype(np.float32)
    for call in range(3):
        x = rng.integers(-2, 3, (2, D)).astype(np.float32)
        at = rng.permutation(20)[:2].astype(np.int32)
        outputs = session.call(x=x, at=at, w=w)
        np.testing.assert_allclose(outputs["h"], expected.call(x, at, w), rtol=1e-4)
        expected.check(session, call + 1)


@pytest.mark.parametrize("layout", ["", " @paged(8)"])
@pytest.mark.parametrize("way", WAYS)
def test_two_loops(way: str, layout: str, tmp_path: Path) -> None:
    exercise(session_of(TWO.format(layout=layout), way, {"B": 2, "T": 8}, {"T": [0, 0]}, tmp_path))
    for path in tmp_path.rglob("host/*.py"):
        assert not COPIES.findall(path.read_text())


def mixed(text: str, pins: dict[str, str], directory: Path) -> tuple[str, ProgramSession]:
    compilation = compile_source_file(SourceFile("two.mp", text), Options("mi210+u55c", pins=pins))
    write_directory(compilation, directory / "out")
    (path,) = (directory / "out" / "host").glob("*.py")
    program = load_program(directory / "out", "emulation")
    return path.read_text(), ProgramSession(program, {"B": 2, "T": 8}, {"T": [0, 0]})


@pytest.mark.parametrize("kinds", ["gpu fpga gpu", "fpga gpu fpga", "gpu gpu fpga"])
def test_two_loops_on_two_devices(kinds: str, tmp_path: Path) -> None:
    """Of a layer of keys only the rows that the other device lacks move, in the pass that appends them."""
    pins = dict(zip(("prepare", "relevancy", "apply"), kinds.split(), strict=True))
    text, session = mixed(TWO.format(layout=""), pins, tmp_path)
    assert "layered=2" in text
    exercise(session)


THREE = """
pipeline three grows T by 1:
    dim T <= 16
    dim L = 2; dim M = 1; dim N = 3; dim D = 4
    input x: f32[D]
    memory rows: f32[L, M, N, T, D]
    memory sums: i32[L, M, N] = 7
    prepare:
        h[d] = x[d]
        repeat 2:
            for l in L:
                for m in M:
                    for n in N:
                        sums[l, m, n] = sums[l, m, n] + 10 * l + n
        for l in L:
            for m in M:
                for n in N:
                    append(rows[l, m, n], h)
                    h[d] = h[d] + sum[t](rows[l, m, n, t, d])
    output h, sums, rows
"""


@pytest.mark.parametrize("way", WAYS)
def test_three_loops(way: str, tmp_path: Path) -> None:
    """Appended to, and, in a loop around all three that carries it, made anew."""
    session = session_of(THREE, way, {"T": 8}, {"T": 0}, tmp_path)
    sums, rows = np.full((2, 1, 3), 7), np.zeros((2, 1, 3, 8, 4))
    for call in range(3):
        h = np.full(4, call + 1)
        outputs = session.call(x=h.astype(np.float32))
        for at in np.ndindex(2, 1, 3):
            rows[at][call] = h
            h = h + rows[at].sum(0)
            sums[at] += 2 * (10 * at[0] + at[2])
        np.testing.assert_array_equal(outputs["h"], h)
        np.testing.assert_array_equal(outputs["sums"], sums)
        np.testing.assert_array_equal(session.memory("sums"), sums)
        np.testing.assert_array_equal(outputs["rows"], rows[:, :, :, : call + 1])
    for path in tmp_path.rglob("host/*.py"):
        text = path.read_text()
        assert "layered=3" in text and not re.findall(r"plan\.(?:store|copy)\(\s*rows\w*", text)
        # What the outer loop begins with, and what a turn of it made.
        assert len(re.findall(r"plan\.(?:store|copy)\(\s*sums\w*", text)) == 2


def test_the_callers_tensors_of_layers_of_layers(tmp_path: Path) -> None:
    """One for each, listed as the layers are; the step writes in them."""
    _, session = mixed(TWO.format(layout=""), dict.fromkeys(("prepare", "relevancy", "apply"), "gpu"), tmp_path)
    given = [[torch.zeros(2, 8, D) for _ in range(M)] for _ in range(L)]
    session.state.bind(keys=given)
    exercise(session)
    expected = session.memory("keys")[1, 2]
    assert np.count_nonzero(expected) and given[1][2][:, :3].tolist() == expected.tolist()
    with pytest.raises(InputError, match="a tensor for each of 6 layers, got 5"):
        session.state.bind(keys=[given[0], given[1][1:]])
