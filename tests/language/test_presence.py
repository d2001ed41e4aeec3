"""What is absent stays absent through every operation, until it is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.language.running import WAYS, session_of

INFINITY = np.inf
TEXT = """
pipeline missing:
    dim N <= 8
    dim D = 3
    dim K = 3
    dim W = 4
    input x: f32[N]             # one of them is above 5
    input emb: f32[N, D]
    input ids: i32[N]
    input w: f32[W]
    input flag: bool[N]
    memory kept: i32[K]
    memory sums: f32[K]
    memory added: f32[K]
    memory written: f32[4]

    relevancy:
        best[j], picked[j] = topk[n](where(x[n] > 5.0, x[n]), K)
        none[j], nobody[j] = topk[n](where(x[n] > 100.0, x[n]), K)
    retrieve:
        # Through arithmetic on the pick, the value and the score; across statements.
        next[j, i < 2, d] = emb[picked[j] + i, d]
        turned[j] = w[picked[j] % W]
        flat[j] = picked[j] * D + 1
        by_flat[j] = w[flat[j] // D]
        doubled[j] = best[j] * 2.0
        late[j] = doubled[j] + 1.0
        weight[j] = softmax[j](best[j])
        nothing[j] = softmax[j](none[j])
        total = sum[j](nothing[j] + 1.0)
        first = argmax[j](none[j])
        at_first = x[first]
        past_first = x[first + 1]
    apply:
        # and, or, present, coalesce.
        high[j] = best[j] > 6.0
        one[j] = high[j] and j > 5
        other[j] = high[j] or j < 3
        how_many = count[j](high[j] or j < 2)
        all_high = all[j](high[j])
        there[j] = present(picked[j])
        id[j] = coalesce(ids[picked[j]], -1)
        loose[j] = ids[picked[j]]
        either[j] = where(present(best[j]), best[j], 9.0)
        level[j] = softmax[j](where(j < 2, coalesce(x[picked[j]], 7.0)))
        kept[j] = ids[picked[j]]
        sums[j] = best[j] + 1.0
        added[j] += coalesce(best[j], 0.5)
        added[j] += best[j]
        written[picked[j] + 1] = 7.0
        back[j] = kept[j] + 1
        # Each branch of a choice; a condition; a guard; what a reduction skips and what it passes on.
        then[j] = present(where(j < 2, best[j], 1.0))
        otherwise[j] = present(where(j < 2, 1.0, best[j]))
        tested[j] = present(where(high[j], 1.0, 2.0))
        guarded[j < K] = present(where(j < 2, 1.0))
        skipped = count[j](where(j < 2, ids[picked[j]] + j) < 100)
        passed[j] = present(sum[d](emb[picked[j], d]))
        again[i] = topk[j](where(best[j] > 0, best[j]), K)
    output back, then, otherwise, tested, guarded, skipped, passed, again
    output best, picked, next, turned, flat, by_flat, doubled, late, weight, nothing, total, first, at_first
    output past_first
    output high, one, other, how_many, all_high, there, id, loose, either, level
"""


@pytest.mark.parametrize("way", WAYS)
def test_absent_stays_absent(way: str, tmp_path: Path) -> None:
    x = np.array([1, 2, 7, 3, 0], np.float32)
    emb = np.arange(1, 16).reshape(5, 3).astype(np.float32)
    ids = np.array([10, 20, 30, 40, 50], np.int32)
    w = np.array([5, 6, 7, 8], np.float32)
    session = session_of(TEXT, way, {}, {}, tmp_path)
    got = session.call(x=x, emb=emb, ids=ids, w=w, flag=np.zeros(5, np.bool_))
    expected: dict[str, Any] = {
        "best": [7, -INFINITY, -INFINITY],
        "picked": [2, -1, -1],
        "next": [[emb[2].tolist(), emb[3].tolist()], *[[[0, 0, 0], [0, 0, 0]]] * 2],
        "turned": [7, 0, 0],
        "flat": [7, -1, -1],
        "by_flat": [7, 0, 0],
        "doubled": [14, 0, 0],
        "late": [15, 0, 0],
        "weight": [1, 0, 0],
        "nothing": [0, 0, 0],
        "total": 0,
        "first": -1,
        "at_first": 0,
        "past_first": 0,
        "high": [True, False, False],
        "one": [False, False, False],
        "other": [True, True, True],
        "how_many": 2,
        "all_high": True,
        "there": [True, False, False],
        "id": [30, -1, -1],
        "loose": [30, 0, 0],
        "either": [7, 9, 9],
        "level": [0.5, 0.5, 0],
        "back": [31, 1, 1],
        "then": [True, False, True],
        "otherwise": [True, True, False],
        "tested": [True, False, False],
        "guarded": [True, True, False],
        "skipped": 1,
        "passed": [True, False, False],
        "again": [0, -1, -1],
    }
    for name, values in expected.items():
        assert got[name].tolist() == values, name
    assert session.memory("kept").tolist() == [30, 0, 0]
    assert session.memory("sums").tolist() == [8, 0, 0]
    assert session.memory("added").tolist() == [14, 0.5, 0.5]
    assert session.memory("written").tolist() == [0, 0, 0, 7]


TRUTH = """
pipeline truth:
    dim R = 3
    dim C = 3
    input a: i32[R]       # 0 false, 1 true, 2 absent
    input b: i32[C]
    apply:
        left[r] = where(a[r] < 2, a[r] == 1)
        right[c] = where(b[c] < 2, b[c] == 1)
        conjunction[r, c] = left[r] and right[c]
        disjunction[r, c] = left[r] or right[c]
        is_and[r, c] = present(left[r] and right[c])
        is_or[r, c] = present(left[r] or right[c])
        not_left[r] = present(not left[r])
        # A clause that mentions c is consumed by what goes over c, as a whole; one of r alone is passed on.
        some[r] = count[c](left[r] or right[c])
        every[r] = count[c](not (left[r] and right[c]))
        rows = count[r](count[c](left[r] or right[c]) >= 0)
        same[r] = present(left[r] and left[r])
    output conjunction, disjunction, is_and, is_or, not_left, some, every, rows, same
"""


def _and(a: bool | None, b: bool | None) -> bool | None:
    return False if a is False or b is False else None if a is None or b is None else True


def _or(a: bool | None, b: bool | None) -> bool | None:
    return True if a is True or b is True else None if a is None or b is None else False


@pytest.mark.parametrize("way", WAYS)
def test_and_and_or_decide_with_what_is_there(way: str, tmp_path: Path) -> None:
    """The truth table of three values, as Kleene's."""
    session = session_of(TRUTH, way, {}, {}, tmp_path)
    values = np.array([0, 1, 2], np.int32)
    got = session.call(a=values, b=values)
    sides = (False, True, None)
    table = {name: [[rule(a, b) for b in sides] for a in sides] for name, rule in (("and", _and), ("or", _or))}
    assert got["conjunction"].tolist() == [[bool(v) for v in row] for row in table["and"]]
    assert got["disjunction"].tolist() == [[bool(v) for v in row] for row in table["or"]]
    assert got["is_and"].tolist() == [[v is not None for v in row] for row in table["and"]]
    assert got["is_or"].tolist() == [[v is not None for v in row] for row in table["or"]]
    assert got["not_left"].tolist() == [True, True, False]
    assert got["some"].tolist() == [sum(v is True for v in row) for row in table["or"]]
    assert got["every"].tolist() == [sum(v is False for v in row) for row in table["and"]]
    assert got["rows"].tolist() == 3
    assert got["same"].tolist() == [True, True, False]


INTEGERS = """
pipeline integers:
    dim N <= 16
    dim K = 4
    input s: i32[N]
    input limit: i32
    prepare:
        top[k], places[k] = topk[n](s[n], K, order=score)
        low[k], lows[k] = topk[n](where(s[n] < 0, s[n]), K, order=index)
        over[k] = select[n](s[n] > limit, capacity=K)
        under[k] = select[n](s[n] <= limit, capacity=K)
        apart[k] = select[n](s[n] > s[n] - limit, capacity=K)
    output top, places, low, lows, over, under, apart
"""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("limit", [1_700_000_001, -(2**31), 2**31 - 1])
def test_integer_scores_are_compared_exactly(way: str, limit: int, tmp_path: Path) -> None:
    """f32 holds neither 1700000001 nor 1700000003; the least i32 is a score like any other."""
    s = np.array([1_700_000_001, 5, 1_700_000_003, -(2**31), 1_700_000_002, -7, -(2**31), 2**31 - 1], np.int32)
    got = session_of(INTEGERS, way, {}, {}, tmp_path).call(s=s, limit=np.int32(limit))
    order = sorted(range(8), key=lambda n: (-int(s[n]), n))
    assert got["places"].tolist() == order[:4]
    assert got["top"].tolist() == [int(s[n]) for n in order[:4]]
    assert got["lows"].tolist() == [3, 5, 6, -1]
    assert got["low"].tolist() == [-(2**31), -7, -(2**31), -(2**31)]
    for name, qualifying, rank in (
        ("over", [n for n in range(8) if s[n] > limit], lambda n: (-int(s[n]), n)),
        ("under", [n for n in range(8) if s[n] <= limit], lambda n: (int(s[n]), n)),
    ):
        chosen = sorted(sorted(qualifying, key=rank)[:4])
        assert got[name].tolist() == chosen + [-1] * (4 - len(chosen)), name


CALLS = """
pipeline counted:
    dim N = 4
    input x: f32
    memory m: f32[N]
    memory last: f32[N]
    apply:
        m[calls] = x
        last[calls - 1] = x
    output m
"""


@pytest.mark.parametrize("way", WAYS)
def test_the_number_of_the_call_is_a_place(way: str, tmp_path: Path) -> None:
    session = session_of(CALLS, way, {}, {}, tmp_path)
    assert session.call(x=np.float32(1))["m"].tolist() == [1, 0, 0, 0]
    assert session.call(x=np.float32(2))["m"].tolist() == [1, 2, 0, 0]
    assert session.memory("last").tolist() == [2, 0, 0, 0]


ROWS = """
pipeline rows:
    dim B <= 4
    dim T <= 8 per B
    dim K = 3
    input x: f32[B, T]
    input at: i32[K]
    prepare:
        second[k] = x[at[k], 1]
        total[k] = sum[i < 2](x[at[k], i])
        seen[k] = present(total[k])
        # Each place has its own index; the choice mentions t, the places do not.
        most[b] = max[t](where(x[b, t] > 2.0, x[b + 1, 0], x[b + 1, 0]))
        carried[k < K] = k * 3000000000
        repeat 2:
            carried[k] = carried[k] + 1
    output second, total, seen, most, carried
"""


@pytest.mark.parametrize("way", WAYS)
def test_rows_and_loops(way: str, tmp_path: Path) -> None:
    lengths = np.array([3, 1], np.int32)
    x = np.array([[1, 2, 3], [4, 0, 0]], np.float32)
    session = session_of(ROWS, way, {"B": 2, "T": 3}, {}, tmp_path)
    session.extents["T"] = lengths
    got = session.call(x=x, at=np.array([0, 7, 1], np.int32))
    assert got["second"].tolist() == [2, 0, 0]
    assert got["total"].tolist() == [3, 0, 4]
    assert got["seen"].tolist() == [True, False, True]
    assert got["most"].tolist() == [4, -INFINITY]
    # What 32 bits do not hold is absent for a loop, which stores it: -1, and two more.
    assert got["carried"].tolist() == [2, 1, 1]
