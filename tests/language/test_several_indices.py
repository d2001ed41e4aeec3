"""Several indices in one softmax, topk, select, argmax, mean and sort, on every device, against numpy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hetc.compiler.driver import Options, compile_source_file, write_directory
from hetc.runtime.program import load_program
from hetc.source import SourceFile
from tests.executors import ProgramSession
from tests.language.running import PLATFORMS, WAYS, session_of

HEADER = """
pipeline several grows T by 1:
    dim B <= 4
    dim T <= 16 per B
    dim N <= 6
    dim A = 3; dim C = 4; dim K = 5
    dim TC = T * C
    input x: f32[B, A, C]
    input y: f32[N, B]
    input k: f32[B, C]
    memory keys: f32[B, T, C]
    prepare:
        append(keys, k)
"""
# A name a statement, and the outputs that it gives. Constants, a length of the time the step runs inside and outside
# of them, two such lengths, and rows together with their own lengths.
NORMALISED = """
    apply:
        p[b, a, c] = softmax[a, c](x[b, a, c])
        p_all[c, b, a] = softmax[c, b, a](x[b, a, c])
        p_some[b, t, c] = softmax[c, t](where(keys[b, t, c] > 0, keys[b, t, c]))
        p_rows[b, t, c] = softmax[b, t](keys[b, t, c])
        o[b, c] = sum[a](softmax[a, c](x[b, a, c] * 2) * x[b, a, c]) + 1
        o_in[b] = max[a, c](softmax[a, c](where(x[b, a, c] > 0, x[b, a, c])))
        m[b] = mean[a, c](where(x[b, a, c] > 0, x[b, a, c]))
        m_live = mean[b, t, c](keys[b, t, c])
    output p, p_all, p_some, p_rows, o, o_in, m, m_live
"""
PICKED = """
    retrieve:
        best[b, k], at_a[b, k], at_c[b, k] = topk[a, c](where(x[b, a, c] > 0, x[b, a, c]), K, order=score)
        t0[b, k], t1[b, k] = topk[t, c](keys[b, t, c], K, order=index)
        u0[b, k], u1[b, k] = topk[c, t](keys[b, t, c], K, order=score)
        n0[k], n1[k] = topk[n, b](y[n, b], K, order=score)
        most[k], r0[k], r1[k], r2[k] = topk[b, t, c](keys[b, t, c] - x[b, 0, c], K, order=score)
        g[b, k] = x[b, at_a[b, k], at_c[b, k]]
        k0[j < 3], k1[j] = topk[b, t](softmax[t](keys[b, t, 0]) * T[b], 3, order=score)
        l0[k], l1[k] = topk[b, c](sum[t](keys[b, t, c]), K, order=score)
    output l0, l1
    output best, at_a, at_c, t0, t1, u0, u1, n0, n1, most, r0, r1, r2, g, k0, k1
"""
CHOSEN = """
    retrieve:
        s0[b, k], s1[b, k] = select[a, c](x[b, a, c] > 0, capacity=K)
        t0[b, k], t1[b, k] = select[t, c](0 > keys[b, t, c] or keys[b, t, c] == 3, capacity=K)
        n0[k], n1[k] = select[b, n](y[n, b] > 0, capacity=K)
        e0[b], e1[b] = argmax[a, c](where(x[b, a, c] > 0, x[b, a, c]))
        f0[b], f1[b] = argmin[c, t](keys[b, t, c])
        g0, g1, g2 = argmax[b, t, c](keys[b, t, c])
        h = x[g0, g2 % A, g2]
    output s0, s1, t0, t1, n0, n1, e0, e1, f0, f1, g0, g1, g2, h
"""
SORTED = """
    retrieve:
        v[b, i], v_a[b, i], v_c[b, i] = sort[a, c](x[b, a, c])
        w[b, i < TC] = sort[t, c](keys[b, t, c], order=descending)
        z[i], z_b[i], z_c[i] = sort[b, c](where(k[b, c] > 0, k[b, c]))
    output v, v_a, v_c, w, z, z_b, z_c
"""
Place = tuple[int, ...]
Data = dict[str, np.ndarray]


class Case:
    """Random tensors of small integers, so that there are many ties, with the rows' lengths."""

    def __init__(self, seed: int):
        rng = np.random.default_rng(seed)
        self.rows = 3
        self.lengths = np.array([0, 5, 2]) if seed % 2 else rng.integers(0, 7, 3)
        self.data: Data = {
            "x": rng.integers(-3, 4, (3, 3, 4)).astype(np.float32),
            "y": rng.integers(-3, 4, (5, 3)).astype(np.float32),
            "k": rng.integers(-3, 4, (3, 4)).astype(np.float32),
        }
        self.data["x"][0] = -np.abs(self.data["x"][0])  # where nothing is above 0
        self.keys = rng.integers(-3, 4, (3, 16, 4)).astype(np.float32)

    def run(self, session: Any) -> dict[str, np.ndarray]:
        session.load("keys", self.keys)
        outputs: dict[str, np.ndarray] = session.call(**self.data)
        self.keys[np.arange(3), self.lengths] = self.data["k"]
        self.lengths = self.lengths + 1
        return outputs

    def cells(self, b: int) -> list[Place]:
        """The places (t, c) of a row."""
        return list(product(range(self.lengths[b]), range(4)))


def best(places: Sequence[Place], scores: np.ndarray, count: int) -> list[Place]:
    """The places of the highest scores, ties by the lower place."""
    return sorted(places, key=lambda place: (-scores[place], place))[:count]


def columns(places: Sequence[Place], width: int, count: int) -> list[list[int]]:
    """One list an index, -1 where there are fewer."""
    filled = [*places, *[(-1,) * width] * (count - len(places))]
    return [[place[axis] for place in filled] for axis in range(width)]


def normalised(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    weights = np.where(present, np.exp(values.astype(np.float64)), 0.0)
    total = weights.sum()
    return weights / total if total else weights


SEEDS = (0, 1)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("way", WAYS)
def test_softmax(way: str, seed: int, tmp_path: Path) -> None:
    case = Case(seed)
    got = case.run(session_of(HEADER + NORMALISED, way, {"B": 3, "T": 16}, {"T": case.lengths}, tmp_path))
    x, live = case.data["x"], case.lengths
    there = np.arange(16)[None, :, None] < live[:, None, None]
    kept = there & (case.keys > 0)
    everything = np.ones_like(x, np.bool_)
    p = np.array([normalised(x[b], everything[b]) for b in range(3)])
    longest = live.max()
    expected = {
        "p": p,
        "p_all": normalised(x, everything).transpose(2, 0, 1),
        "p_some": np.array([normalised(case.keys[b], kept[b]) for b in range(3)])[:, :longest],
        "p_rows": np.stack([normalised(case.keys[:, :, c], there[:, :, 0]) for c in range(4)], -1)[:, :longest],
        "o": np.array([normalised(2 * x[b], everything[b]) * x[b] for b in range(3)]).sum(1) + 1,
        "m": [x[b][x[b] > 0].mean() if (x[b] > 0).any() else 0 for b in range(3)],
        "m_live": np.concatenate([case.keys[b, : live[b]].ravel() for b in range(3)]).mean(),
        "o_in": [normalised(x[b], x[b] > 0).max() if (x[b] > 0).any() else -np.inf for b in range(3)],
    }
    for name, value in expected.items():
        value = np.asarray(value)
        if name in ("p_some", "p_rows"):
            np.testing.assert_allclose(np.where(there[:, :longest], got[name], 0), value, 1e-5, 1e-6, err_msg=name)
        else:
            np.testing.assert_allclose(got[name], value, 1e-5, 1e-6, err_msg=name)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("way", WAYS)
def test_topk(way: str, seed: int, tmp_path: Path) -> None:
    case = Case(seed)
    check_topk(case, case.run(session_of(HEADER + PICKED, way, {"B": 3, "T": 16}, {"T": case.lengths}, tmp_path)))


def check_topk(case: Case, got: dict[str, np.ndarray]) -> None:
    x, y, keys = case.data["x"], case.data["y"], case.keys
    expected: dict[str, list[Any]] = {name: [] for name in ("best", "at_a", "at_c", "t0", "t1", "u0", "u1", "g")}
    for b in range(3):
        positive = [(int(a), int(c)) for a, c in zip(*np.nonzero(x[b] > 0), strict=True)]
        chosen = best(positive, x[b], 5)
        for name, column in zip(("at_a", "at_c"), columns(chosen, 2, 5), strict=True):
            expected[name].append(column)
        missing = 5 - len(chosen)
        expected["best"].append([*(x[b][place] for place in chosen), *[-np.inf] * missing])
        expected["g"].append([*(x[b][place] for place in chosen), *[0] * missing])
        cells = sorted(best(case.cells(b), keys[b], 5))
        for name, column in zip(("t0", "t1"), columns(cells, 2, 5), strict=True):
            expected[name].append(column)
        turned = [(c, t) for t, c in case.cells(b)]
        cells = best(turned, keys[b].T, 5)
        for name, column in zip(("u0", "u1"), columns(cells, 2, 5), strict=True):
            expected[name].append(column)
    for name, value in expected.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name)
    pairs = best(list(product(range(5), range(3))), y, 5)
    for name, column in zip(("n0", "n1"), columns(pairs, 2, 5), strict=True):
        np.testing.assert_array_equal(got[name], column, err_msg=name)
    triples = [(b, t, c) for b in range(3) for t, c in case.cells(b)]

    difference = keys - x[:, :1]
    chosen = best(triples, difference, 5)
    for name, column in zip(("r0", "r1", "r2"), columns(chosen, 3, 5), strict=True):
        np.testing.assert_array_equal(got[name], column, err_msg=name)
    np.testing.assert_array_equal(got["most"], [difference[place] for place in chosen])
    totals = np.array([keys[b, : case.lengths[b]].sum(0) for b in range(3)])
    chosen = best(list(product(range(3), range(4))), totals, 5)
    for name, column in zip(("l0", "l1"), columns(chosen, 2, 5), strict=True):
        np.testing.assert_array_equal(got[name], column, err_msg=name)
    weights = [normalised(keys[b, : case.lengths[b], 0], np.ones(case.lengths[b], np.bool_)) for b in range(3)]
    weights = [weight * case.lengths[b] for b, weight in enumerate(weights)]
    found = [weights[b][t] for b, t in zip(got["k0"], got["k1"], strict=True)]
    np.testing.assert_allclose(found, np.sort(np.concatenate(weights))[::-1][:3], 1e-5)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("way", WAYS)
def test_select_and_extremes(way: str, seed: int, tmp_path: Path) -> None:
    case = Case(seed)
    got = case.run(session_of(HEADER + CHOSEN, way, {"B": 3, "T": 16}, {"T": case.lengths}, tmp_path))
    x, y, keys = case.data["x"], case.data["y"], case.keys
    names = ("s0", "s1", "t0", "t1", "e0", "e1", "f0", "f1")
    expected: dict[str, list[Any]] = {name: [] for name in names}

    def note(first: str, second: str, places: Sequence[Place], count: int) -> None:
        for name, column in zip((first, second), columns(places, 2, count), strict=True):
            expected[name].append(column if count > 1 else column[0])

    for b in range(3):
        positive = [(int(a), int(c)) for a, c in zip(*np.nonzero(x[b] > 0), strict=True)]
        note("s0", "s1", sorted(best(positive, x[b], 5)), 5)
        fitting = [place for place in case.cells(b) if keys[b][place] < 0 or keys[b][place] == 3]
        note("t0", "t1", sorted(best(fitting, -keys[b], 5)), 5)
        note("e0", "e1", best(positive, x[b], 1), 1)
        turned = [(c, t) for t, c in case.cells(b)]
        note("f0", "f1", best(turned, -keys[b].T, 1), 1)
    for name, value in expected.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name)
    fitting = [(b, n) for b in range(3) for n in range(5) if y[n, b] > 0]
    chosen = sorted(best(fitting, y.T, 5))
    for name, column in zip(("n0", "n1"), columns(chosen, 2, 5), strict=True):
        np.testing.assert_array_equal(got[name], column, err_msg=name)
    (first,) = best([(b, t, c) for b in range(3) for t, c in case.cells(b)], keys, 1)
    assert tuple(int(got[name]) for name in ("g0", "g1", "g2")) == first
    assert got["h"] == x[first[0], first[2] % 3, first[2]]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("way", WAYS)
def test_sort(way: str, seed: int, tmp_path: Path) -> None:
    case = Case(seed)
    got = case.run(session_of(HEADER + SORTED, way, {"B": 3, "T": 16}, {"T": case.lengths}, tmp_path))
    x, k = case.data["x"], case.data["k"]
    for b in range(3):
        order = np.argsort(x[b], axis=None, kind="stable")
        places = np.unravel_index(order, x[b].shape)
        np.testing.assert_array_equal(got["v"][b], x[b].ravel()[order])
        np.testing.assert_array_equal([got["v_a"][b], got["v_c"][b]], places)
        live = case.keys[b, : case.lengths[b]].ravel()
        np.testing.assert_array_equal(got["w"][b, : live.size], np.sort(live)[::-1])
    positive = [(int(b), int(c)) for b, c in zip(*np.nonzero(k > 0), strict=True)]
    chosen = best(positive, -k, 12)
    np.testing.assert_array_equal([got["z_b"], got["z_c"]], columns(chosen, 2, 12))
    np.testing.assert_array_equal(got["z"], [*(k[place] for place in chosen), *[0] * (12 - len(chosen))])


@pytest.mark.parametrize("apart", [{"prepare": "gpu", "retrieve": "fpga"}, {"prepare": "fpga", "retrieve": "gpu"}])
def test_across_devices(apart: dict[str, str], tmp_path: Path) -> None:
    """What is found on one device is read on the other."""
    case = Case(1)
    text = (HEADER + PICKED).replace("        g[b, k] =", "    apply:\n        g[b, k] =").replace(
        "        k0[j", "    retrieve:\n        k0[j"
    )  # fmt: skip
    pins = {**apart, "apply": apart["prepare"]}
    compilation = compile_source_file(SourceFile("test.mp", text), Options(PLATFORMS["fpga"], pins=pins))
    write_directory(compilation, tmp_path / "out")
    program = load_program(tmp_path / "out", "emulation")
    assert set(program.backends) == {"gpu", "fpga"}
    check_topk(case, case.run(ProgramSession(program, {"B": 3, "T": 16}, {"T": case.lengths})))
