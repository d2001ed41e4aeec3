"""Which outputs of integers are warned about: those that hold 0 where nothing was picked."""

from __future__ import annotations

import pytest

from hetc.compiler.frontend import check_source
from hetc.source import SourceFile

TEXT = """
pipeline picks:
    dim N <= 16
    dim K = 4
    input x: f32[N]
    input ids: i32[N]
    input table: i64[N]
    memory seen: i32[K]
    prepare:
        p[k] = topk[n](x[n], K)
        q[k] = select[n](x[n] > 0, capacity=K)
        y{indices} = {value}
    output p, q, y
"""


def warned(indices: str, value: str) -> bool:
    text = TEXT.replace("{indices}", indices).replace("{value}", value)
    module, diagnostics = check_source(SourceFile("picks.mp", text))
    assert module is not None
    found = [item for item in diagnostics if item.code == "HET111"]
    assert all("`y`" in item.message for item in found)
    return bool(found)


@pytest.mark.parametrize(
    ("indices", "value"),
    [
        ("[k]", "ids[p[k]]"),
        ("[k]", "ids[q[k]] + 1"),
        ("[k]", "i32(p[k])"),
        ("[k]", "i8(ids[p[k]])"),
        ("[k]", "table[p[k]]"),
        ("[k, j < K]", "ids[p[k] + j]"),
        ("[k < K]", "ids[p[k + count[j < K](x[count[i < K](x[i + j] > 0)] > 0)]]"),
        ("[k]", "sum[j < K](ids[p[k] + j])"),
        ("[k]", "where(p[k] >= 0, ids[p[k]], -1)"),
        ("[k]", "coalesce(ids[p[k]], ids[q[k]])"),
    ],
)
def test_what_is_read_through_picks_is_warned_about(indices: str, value: str) -> None:
    assert warned(indices, value)


@pytest.mark.parametrize(
    ("indices", "value"),
    [
        ("[k]", "coalesce(ids[p[k]], -1)"),
        ("[k]", "where(present(p[k]), ids[p[k]], -1)"),
        ("[k]", "coalesce(coalesce(ids[p[k]], ids[q[k]]), -1)"),
        ("[k]", "present(ids[p[k]])"),
        ("[k]", "p[k] + 1"),
        ("[k]", "x[p[k]]"),
        ("[k]", "ids[p[k]] > 3"),
        ("", "sum[k](ids[p[k]])"),
        ("", "count[k](ids[p[k]] > 0)"),
        ("[n]", "ids[n]"),
        ("[n < N]", "ids[n + 1]"),
    ],
)
def test_what_says_what_is_missing_is_not(indices: str, value: str) -> None:
    assert not warned(indices, value)


def test_it_is_seen_through_statements_and_not_through_memories() -> None:
    through = "ids[p[k]]\n        z[k] = y[k] * 2\n        seen[k] = ids[p[k]]\n        back[k] = seen[k] + 0"
    text = TEXT.replace("{indices}", "[k]").replace("{value}", through).replace("p, q, y", "z, seen, back")
    _, diagnostics = check_source(SourceFile("picks.mp", text))
    found = [item for item in diagnostics if item.code == "HET111"]
    assert [item.message for item in found] == [
        "`z` holds integers that are read through picks: 0 where nothing was picked"
    ]
