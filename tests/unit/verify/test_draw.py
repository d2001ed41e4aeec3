"""What is drawn for a pipeline's memories is a state that the pipeline can be in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hetc.compiler.driver import Options, compile_source_file
from hetc.compiler.frontend import compile_source
from hetc.compiler.report import pipeline_of
from hetc.compiler.verify import Draw, draw, run
from hetc.compiler.verify.draw import stored_entries
from hetc.compiler.verify.positions import positions
from hetc.diagnostics import DiagnosticError
from hetc.source import SourceFile

BANK = """
pipeline p:
    dim N = 3
    input x: f32
    memory bank: ring f32[N]
    prepare:
        append(bank, x)
    apply:
        o = sum[n](bank[n])
    output o
"""


def test_the_appends_that_a_ring_counts() -> None:
    """None, fewer than slots, and more: each state that appends lead to, and no other."""
    pipeline = pipeline_of(compile_source(SourceFile("p.mp", BANK)))
    drawn = [int(draw(pipeline, np.random.default_rng(seed)).memories["bank_count"]) for seed in range(100)]
    assert set(drawn) == set(range(6))


def drawn(text: str, seed: int = 0, **options: Any) -> Draw:
    return draw(pipeline_of(compile_source(SourceFile("p.mp", text))), np.random.default_rng(seed), **options)


# Positions

GATHER = """
pipeline p:
    dim N <= 64
    dim J = 5000
    dim K = 8
    input direct: i32[J]
    input wide: i64[J]
    input scaled: i32[J]
    input small: u8[J]
    input plain: i32[J]
    input written: i32[J]
    input kept: i64[J]
    input x: f32[N]
    memory m: f32[K]
    memory held: i64[J]
    prepare:
        held[j] = kept[j]
        m[written[j]] += 1
    retrieve:
        a[j] = x[direct[j]] + x[wide[j]] + x[small[j]]
        b[j, i < 4] = x[4 * scaled[j] + i] * f32(plain[j])
        c[j] = where(plain[j] > 2, x[held[j]], 0.5)
    output a, b, c
"""


def test_what_integers_are_used_for() -> None:
    pipeline = pipeline_of(compile_source(SourceFile("p.mp", GATHER)))
    found = {name: positions(pipeline, name) for name in pipeline.declarations}
    assert {name for name, used in found.items() if used.reached} == {
        "direct", "wide", "scaled", "small", "written", "kept",
    }  # fmt: skip
    assert {name: used.extents for name, used in found.items() if used.extents} == {
        "direct": {"N"}, "wide": {"N"}, "small": {"N"}, "written": {8}, "kept": {"N"},
    }  # fmt: skip


def test_positions_reach_the_ends_of_their_formats_and_most_lie_within() -> None:
    found = drawn(GATHER, extents={"N": 40})
    inputs = found.inputs[0]
    within = {"direct": 40, "wide": 40, "small": 40, "written": 8, "scaled": 8, "kept": 40}
    for name, limit in within.items():
        values = inputs[name].astype(object)
        share = np.mean([0 <= value < limit for value in values])
        assert 0.75 < share < 0.97, name
        assert (values == -1).any() == (name != "small")
    for name in ("direct", "scaled", "written"):
        values = inputs[name]
        assert values.dtype == np.int32
        assert {2**31 - 1, -(2**31), 2**24, 2**24 + 1} <= set(values.tolist())
    values = set(inputs["wide"].tolist())
    assert {2**63 - 1, -(2**63), 2**32, 2**32 - 1, 2**31, 2**24} <= values
    assert any(2**32 <= value < 2**32 + 40 for value in values), "with its high bits lost it would be within"
    assert 255 in inputs["small"]
    assert np.abs(inputs["plain"]).max() <= 7


# Growth


@pytest.mark.parametrize(
    ("growth", "dims", "expected"),
    [
        ("M", "dim M <= 200", 32),
        ("M", "dim N <= 90; dim M = 2 * N + 1", 31),
        ("M", "dim M <= 3", 3),
    ],
)
def test_what_all_calls_append_finds_room(growth: str, dims: str, expected: int) -> None:
    text = f"pipeline p grows T by {growth}:\n    dim T <= 64\n    {dims}\n    input x: f32[M]\n    memory m: f32[T]\n"
    text += "    prepare:\n        append(m, x)\n    apply:\n        y = sum[t](m[t])\n    output y\n"
    largest = 0
    for seed in range(40):
        found = drawn(text, seed, calls=2)
        rows = found.capacities["M"]
        assert found.inputs[1]["x"].shape == (rows,)
        assert int(found.lengths["T"][0]) + 2 * rows <= found.capacities["T"] <= 64
        largest = max(largest, rows)
    assert largest == expected


CLEARED = """
pipeline p:
    dim T <= 64
    input x: f32[40]
    memory m: f32[T]
    step add(x) grows T by 40:
        prepare:
            append(m, x)
    step forget:
        prepare:
            clear(T)
"""


def test_what_no_extent_makes_room_for() -> None:
    text = "pipeline p grows T by 40:\n    dim T <= 64\n    input x: f32[40]\n    memory m: f32[T]\n"
    text += "    prepare:\n        append(m, x)\n"
    assert drawn(text, calls=1).capacities["T"] <= 64
    with pytest.raises(DiagnosticError, match="after 2 calls of each step T would be 80 long, past its bound 64"):
        drawn(text, calls=2)
    assert drawn(CLEARED, calls=9).capacities["T"] <= 64, "what is emptied in each round of calls"


@pytest.mark.parametrize(
    ("extents", "words"),
    [
        ({"N": 65}, "N = 65 is past its bound 64"),
        ({"J": 3}, "J is a constant, no run-time extent"),
        ({"Z": 3}, "the pipeline has no dim Z"),
        ({"N": [3, 4]}, "N has one extent, not one for each row"),
    ],
)
def test_extents_that_are_none(extents: dict[str, Any], words: str) -> None:
    with pytest.raises(DiagnosticError, match=words) as caught:
        drawn(GATHER, extents=extents)
    assert caught.value.exit_code == 2


# Sparse memories

COUNTS = """
pipeline p grows N by 2:
    dim V = 16; dim M = 3
    dim N <= 100
    input new: i32[2, M]
    input q: i32
    memory tf: sparse {element}[V, N] stored <= {stored}
    prepare:
        append(tf, new)
    relevancy:
        s[n] = f32(tf[q, n])
    output s
"""


@pytest.mark.parametrize("stored", [2000, 200, 30, 12])
def test_a_sparse_memory_leaves_room_for_what_is_appended(stored: int) -> None:
    for seed in range(10):
        found = drawn(COUNTS.format(element="u8", stored=stored), seed, calls=2)
        _, _, values = stored_entries(found.memories["tf"], 16, "u8")
        assert len(values) + 2 * 2 * 3 <= stored
    with pytest.raises(DiagnosticError, match="3 calls of each step may store 18 entries in `tf`, whose bound is 12"):
        drawn(COUNTS.format(element="u8", stored=12), calls=3)


@pytest.mark.parametrize("element", ["f32", "bf16", "f16", "fp8", "fp8e5m2", "u8", "i8", "i16", "i32", "i64", "bool"])
def test_a_sparse_memory_of_each_type_runs(element: str) -> None:
    """Whether values count or only say that something is there."""
    text = COUNTS.format(element=element, stored=500)
    compilation = compile_source_file(SourceFile("p.mp", text), Options("mi210"))
    assert run(compilation, extents={"N": 20}).ok


CONSTANT_COLUMNS = """
pipeline p:
    dim V <= 9
    dim N = 12
    input q: i32
    input x: f32[V]
    memory tf: sparse u8[V, N] stored <= 50
    relevancy:
        s[n] = f32(tf[q, n]) + x[0]
    output s
"""


def test_a_sparse_memory_whose_columns_are_constant() -> None:
    assert run(compile_source_file(SourceFile("p.mp", CONSTANT_COLUMNS), Options("mi210"))).ok
