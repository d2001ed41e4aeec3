"""`topk` of as many as a run-time dim says, executed every way, against numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hetc.compiler.frontend import check_source
from hetc.source import SourceFile
from tests.language.running import WAYS, session_of

TEXT = """
pipeline best:
    dim B <= 4
    dim T <= 20 per B
    dim K <= 8
    dim R <= 6 per B
    dim D = 12
    input x: f32[D]
    input n: i32[D]
    input v: f32[B, T]

    retrieve:
        picked[j] = topk[d](x[d], K)
        score[j], place[j] = topk[d](x[d], K, order=score)
        some[j < K] = topk[d](n[d], K, order=any)
        sorted[j] = topk[d](x[d], K, order=index)
        ragged[b, j] = topk[t](v[b, t], K)
        own[b, j] = topk[t](v[b, t], R, order=index)
    apply:
        values[j] = x[picked[j]]
        total[b] = sum[j](v[b, own[b, j]])
        found[b] = count[j](present(ragged[b, j]))
    output picked, score, place, some, sorted, ragged, own, values, total, found
"""


@pytest.mark.parametrize("way", WAYS)
def test_the_first_k_are_kept(way: str, tmp_path: Path) -> None:
    random = np.random.default_rng()
    session = session_of(TEXT, way, {"B": 3, "T": 20, "K": 8, "R": 6}, {}, tmp_path)
    for k in (int(random.integers(1, 8)), 8):
        lengths, own = random.integers(0, 21, 3), random.integers(0, 7, 3)
        lengths[0], own[1] = 20, 6
        session.extents |= {"T": lengths, "K": np.array(k), "R": own}
        x, n = random.normal(size=12).astype(np.float32), random.permutation(12).astype(np.int32)
        v = random.normal(size=(3, 20)).astype(np.float32)
        found = session.call(x=x, n=n, v=v)
        order = np.argsort(-x, kind="stable")[:k]
        for name in ("picked", "place"):
            assert found[name].tolist() == order.tolist()
        np.testing.assert_allclose(found["score"], x[order], 1e-6)
        assert found["some"].tolist() == np.argsort(-n)[:k].tolist()
        assert found["sorted"].tolist() == sorted(order.tolist())
        np.testing.assert_allclose(found["values"], x[order], 1e-6)
        for row, (length, most) in enumerate(zip(lengths.tolist(), own.tolist(), strict=True)):
            best = np.argsort(-v[row, :length], kind="stable").tolist()
            assert found["ragged"][row].tolist() == (best + [-1] * k)[:k]
            assert found["own"][row][:most].tolist() == (sorted(best[:most]) + [-1] * most)[:most]
            np.testing.assert_allclose(found["total"][row], v[row, best[:most]].sum(), 1e-5, 1e-6)
            assert found["found"][row] == min(length, k)


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("p[j < 4] = topk[d](x[d], K)", "HET104"),
        ("p = topk[d](x[d], K)", "HET105"),
        ("p[j], q[j], r[j] = topk[d](x[d], K)", "HET108"),
        ("p[j], q[i] = topk[d](x[d], K)", "HET105"),
        ("p[j] = topk[d](x[d], K, order=best)", "HET108"),
        ("p[j] = topk[d](x[d], K, ordered=any)", "HET108"),
        ("m[j] = topk[d](x[d], K)", "HET201"),
        ("p[j] = topk[d](x[d], K + 1)", "HET102"),
        ("p[j] = topk[d](x[d], R)", "HET107"),
        ("p[j] = select[d](x[d] > 0, capacity=K)", "HET102"),
    ],
)
def test_what_it_is_not_is_refused(statement: str, code: str) -> None:
    text = (
        "pipeline p:\n    dim B <= 4; dim K <= 8; dim R <= 8 per B; dim D = 12\n    input x: f32[D]\n"
        f"    memory m: i32[D]\n    retrieve:\n        {statement}\n    output x\n"
    )
    errors = [item for item in check_source(SourceFile("p.mp", text))[1] if item.severity == "error"]
    assert [item.code for item in errors] == [code]


SEVERAL = """
pipeline places:
    dim B <= 3
    dim T <= 9 per B
    dim K <= 7
    dim D = 5
    input n: i32[B, T, D]
    input z: f32[K]
    retrieve:
        best[b, j], pt[b, j], pd[b, j] = topk[t, d](where(n[b, t, d] > -4, n[b, t, d]), K, order=index)
        o[j] = z[j]
    output best, pt, pd, o
"""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("count", [1, 4, 7])
def test_several_indices_in_the_order_of_the_places(way: str, count: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(count)
    session = session_of(SEVERAL, way, {}, {}, tmp_path)
    session.extents = {"T": np.array([9, 0, 1])}
    n = rng.integers(-5, 6, (3, 9, 5))
    outputs = session.call(n=n, z=np.zeros(count, np.float32))
    for b, length in enumerate([9, 0, 1]):
        places = [(t, d) for t in range(length) for d in range(5) if n[b, t, d] > -4]
        taken = sorted(sorted(places, key=lambda place: (-n[b, *place], place))[:count])
        rest = count - len(taken)
        assert outputs["pt"][b].tolist() == [t for t, _ in taken] + [-1] * rest
        assert outputs["pd"][b].tolist() == [d for _, d in taken] + [-1] * rest
        assert outputs["best"][b].tolist() == [n[b, t, d] for t, d in taken] + [0] * rest
