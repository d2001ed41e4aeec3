"""A tensor that ends before its index does, read where a condition keeps the index within it, against numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hetc.compiler.frontend import check_source
from hetc.source import SourceFile
from tests.language.running import WAYS, session_of

TEXT = """
pipeline guarded:
    dim B <= 4
    dim T <= 9 per B
    dim N <= 8
    dim M <= 20
    dim C = 4
    dim E = 10
    input a: f32[B, C]
    input b: f32[B, 6]
    input e: f32[E]
    input n: f32[N]
    input long: f32[M]
    input v: f32[B, T]
    memory m: f32[E]

    apply:
        two[h, c < E] = where(c < C, a[h, c], b[h, c - C])
        mirrored[h, c < E] = where(c >= C, b[h, c - C], a[h, c])
        spelled[h, c < E] = where(C - 1 >= c, a[h, c] + e[c], -1.0)
        several[h, c < 12] = where(2 <= c and c < C, a[h, c], where(not (c >= min(6, E)) and c > 1, b[h, c], 0.5))
        maybe[h, c < 12] = where(c < C, a[h, c])
        run_time[i] = where(i < N, n[i], long[i])
        total = sum[i < M](where(i < N, n[i] * long[i], long[i]))
        rows[h, t < M] = where(t < T[h], v[h, t], long[t])
        deep[h] = sum[t < M](where(t < T - 1, v[h, t], 0))
        chosen[j] = select[c < 12](c < C and a[0, c] > 0, capacity=3)
        excluded[c < 12] = c >= C or a[0, c] > 0
        one[c < E] = where(c == 3, a[0, c], e[c])
        m[c < 8] = where(c < C, a[0, c], e[c])
    output two, mirrored, spelled, several, maybe, run_time, total, rows, deep, chosen, excluded, one, m
"""


def expected(a: np.ndarray, b: np.ndarray, e: np.ndarray, n: np.ndarray, long: np.ndarray, v: list[np.ndarray]):  # type: ignore[no-untyped-def]
    c, size = np.arange(12), len(n)
    wide = np.pad(a, ((0, 0), (0, 8)))
    positive = np.flatnonzero(a[0] > 0)[:3]
    rows = np.tile(long, (len(v), 1))
    for row, values in zip(rows, v, strict=True):
        row[: len(values)] = values
    return {
        "two": np.concatenate([a, b], axis=1),
        "mirrored": np.concatenate([a, b], axis=1),
        "spelled": np.concatenate([a + e[:4], np.full((len(a), 6), -1.0)], axis=1),
        "several": np.select([(c >= 2) & (c < 4), (c < 6) & (c > 1)], [wide, np.pad(b, ((0, 0), (0, 6)))], 0.5),
        "maybe": wide,
        "run_time": np.concatenate([n, long[size:]]),
        "total": n @ long[:size] + long[size:].sum(),
        "rows": rows,
        "deep": [values[:-1].sum() for values in v],
        "chosen": np.pad(positive, (0, 3 - len(positive)), constant_values=-1),
        "excluded": (c >= 4) | (wide[0] > 0),
        "one": np.where(np.arange(10) == 3, a[0, 3], e),
        "m": np.concatenate([a[0], e[4:8], [0, 0]]),
    }


@pytest.mark.parametrize("way", WAYS)
def test_what_lies_past_its_end_is_not_chosen(way: str, tmp_path: Path) -> None:
    random = np.random.default_rng()
    lengths = random.integers(1, 6, 3)
    lengths[0] = 5
    sizes: tuple[tuple[int, ...], ...] = (3, 4), (3, 6), (10,), (int(random.integers(1, 9)),), (17,)
    a, b, e, n, long = (random.normal(size=size).astype(np.float32) for size in sizes)
    v = [random.normal(size=length).astype(np.float32) for length in lengths]
    padded = np.stack([np.pad(row, (0, 5 - len(row))) for row in v])
    session = session_of(TEXT, way, {"B": 3, "T": 5, "N": len(n), "M": 17}, {}, tmp_path)
    session.extents["T"] = lengths
    found = session.call(a=a, b=b, e=e, n=n, long=long, v=padded)
    exact = [item.astype(float) for item in (a, b, e, n, long)]
    wanted = expected(*exact, [row.astype(float) for row in v])
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name].astype(float), value, 1e-5, 1e-5, err_msg=name)


HEAD = """pipeline p:
    dim N <= 8; dim C = 4
    input a: f32[C]
    input e: f32[10]
    input n: f32[N]
    apply:
"""


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("y[c < 10] = where(c <= C, a[c], e[c])", "HET104"),
        ("y[c < 10] = where(c < C or c > 8, a[c], e[c])", "HET104"),
        ("y[c < 10] = where(c < C, e[c], a[c])", "HET104"),
        ("y[c] = where(a[0] > 1, a[c], e[c])", "HET104"),
        ("y[c] = where(c < N + 1, n[c], e[c])", "HET104"),
        ("y[c] = where(c < 5, n[c], e[c])", "HET104"),
        ("y[c] = where(c < C, a[c], 0) + where(c < 10, e[c], 0)", "HET104"),
        ("y[c] = where(c < C, a[c], e[c + C])", "HET112"),
    ],
)
def test_what_no_condition_keeps_within_is_told(statement: str, code: str) -> None:
    module, diagnostics = check_source(SourceFile("p.mp", f"{HEAD}        {statement}\n    output y\n"))
    assert code in [item.code for item in diagnostics]
    assert (module is None) == (code == "HET104")


@pytest.mark.parametrize("condition", ["i < N - 2", "i < min(N, C)", "i < N"])
def test_a_condition_that_holds_in_part_is_not_called_certain(condition: str) -> None:
    statement = f"y = sum[i](where({condition}, n[i], i))"
    _, diagnostics = check_source(SourceFile("p.mp", f"{HEAD}        {statement}\n    output y\n"))
    assert ("HET112" in [item.code for item in diagnostics]) == (condition == "i < N")
