"""Top-k and selection keep their contract, ties and order included."""

from __future__ import annotations

import numpy as np
import pytest
from kernel_texts import kernel_module, read, reduce

RNG = np.random.default_rng(3)


def best(scores, count, order):
    """The contract, in numpy: indices and scores, -1 / -inf in the tail."""
    real = np.flatnonzero(scores > -np.inf)
    ranked = real[np.lexsort((real, -scores[real].astype(np.float64)))][:count]
    if order == "index":
        ranked = np.sort(ranked)
    indices, values = np.full(count, -1), np.full(count, -np.inf)
    indices[: len(ranked)], values[: len(ranked)] = ranked, scores[ranked]
    return indices, values


def topk_text(k, order, body="", yielded="s", element="f32"):
    operands = {"x": f"[B, T], {element}"}
    region = body or read("s", "x", "b t", f"[B, T], {element}", "i32" if element == "i32" else "f32")
    kind = "i32" if element == "i32" else "f32"
    statement = (
        f'%picked, %best = mp.topk {k} : i64 "{order}" [#mp.range<b in B>, #mp.range<t in T per 0>] {{\n'
        f"^bb0(%b: index, %t: index):\n{region}mp.yield %{yielded} : {kind}\n}} : "
        f"!mp.tensor<[B, {k}], index>, !mp.tensor<[B, {k}], {element}>"
    )
    return kernel_module(operands, statement, [("picked", f"[B, {k}], index"), ("best", f"[B, {k}], {element}")])


@pytest.mark.parametrize("order", ["any", "score", "index"])
@pytest.mark.parametrize("k", [1, 5, 40, 300])
def test_topk_with_ties_nan_and_short_rows(machine, order, k):
    x = np.round(RNG.standard_normal((5, 150)) * 3).astype(np.float32)
    x[0, 3:9] = np.nan
    x[1, 10:140] = -np.inf
    x[2] = 0.0
    x[2, ::2] = -0.0
    x[3, 7] = np.inf
    lengths = [150, 150, 150, 60, 0]
    picked, scores = machine(topk_text(k, order)).run([x], {"B": 5, "T": lengths}, {"B": 5, "T": 150})
    for row, length in enumerate(lengths):
        want, values = best(x[row, :length], k, "score" if order == "score" else "index")
        np.testing.assert_array_equal(picked[row], want, err_msg=f"row {row}")
        np.testing.assert_array_equal(scores[row], values, err_msg=f"row {row}")


def test_topk_over_several_tiles_and_of_integers(machine):
    x = RNG.integers(-(2**31), 2**31 - 1, (2, 5000)).astype(np.int32)
    x[1] = RNG.integers(-3, 3, 5000)
    lengths = [5000, 4100]
    picked, scores = machine(topk_text(700, "score", element="i32")).run(
        [x], {"B": 2, "T": lengths}, {"B": 2, "T": 5000}
    )
    for row, length in enumerate(lengths):
        want, values = best(x[row, :length], 700, "score")
        np.testing.assert_array_equal(picked[row], want)
        np.testing.assert_array_equal(scores[row], values.astype(np.int64))


def test_topk_of_a_computed_score_with_a_condition(machine):
    inner = "%e = mp.read %x[%b, %u] : !mp.tensor<[B, T], f32> -> f32\n"
    body = reduce("m", "sum", "u in T|b", inner, "e")
    body += read("a", "x", "b t", "[B, T], f32") + "%s = arith.mulf %a, %m : f32\n"
    body += "%zero = arith.constant 0.0 : f32\n%p = arith.cmpf ogt, %a, %zero : f32\n"
    x = RNG.standard_normal((2, 90)).astype(np.float32)
    text = topk_text(8, "score", body, "s if %p")
    assert text.count("mp.topk") == 1
    picked, _ = machine(text).run([x], {"B": 2, "T": [90, 50]}, {"B": 2, "T": 90})
    for row, length in enumerate([90, 50]):
        score = x[row, :length] * x[row, :length].sum()
        want, _ = best(np.where(x[row, :length] > 0, score, -np.inf), 8, "score")
        np.testing.assert_array_equal(picked[row], want)


@pytest.mark.parametrize("capacity", [4, 200])
def test_select_keeps_the_highest_scores_and_counts_the_rest(machine, capacity):
    region = read("s", "x", "b t", "[B, T], f32") + "%z = arith.constant 0.5 : f32\n%p = arith.cmpf ogt, %s, %z : f32\n"
    statement = (
        f"%picked, %over = mp.select {capacity} : i64 [#mp.range<b in B>, #mp.range<t in T per 0>] {{\n"
        f"^bb0(%b: index, %t: index):\n{region}mp.yield %s if %p : f32\n}} : "
        f"!mp.tensor<[B, {capacity}], index>, !mp.tensor<[B], index>"
    )
    text = kernel_module(
        {"x": "[B, T], f32"}, statement, [("picked", f"[B, {capacity}], index"), ("over", "[B], index")]
    )
    x = np.round(RNG.standard_normal((3, 100)) * 2).astype(np.float32)
    x[0, 4] = np.nan
    lengths = [100, 5, 0]
    picked, over = machine(text).run([x], {"B": 3, "T": lengths}, {"B": 3, "T": 100})
    for row, length in enumerate(lengths):
        seen = x[row, :length]
        want, _ = best(np.where(seen > 0.5, seen, -np.inf), capacity, "index")
        np.testing.assert_array_equal(picked[row], want)
        assert over[row] == max(0, np.sum(seen > 0.5) - capacity)


@pytest.mark.parametrize("order", ["score", "index"])
@pytest.mark.parametrize("k", [1, 6])
def test_topk_from_several_chunks(machine, monkeypatch, order, k):
    monkeypatch.setattr("hetc.passes.schedule.gpu_selection.CHUNK", 64)
    x = np.round(RNG.standard_normal((5, 300)) * 2).astype(np.float32)
    x[1] = 0.0
    x[2, :200] = -np.inf
    x[3, 2] = np.nan
    lengths = [300, 300, 299, 65, 0]
    target = machine(topk_text(k, order))
    assert "_chunks(" in target.lowered.text
    picked, scores = target.run([x], {"B": 5, "T": lengths}, {"B": 5, "T": 300})
    for row, length in enumerate(lengths):
        want, values = best(x[row, :length], k, order)
        np.testing.assert_array_equal(picked[row], want, err_msg=f"row {row}")
        np.testing.assert_array_equal(scores[row], values, err_msg=f"row {row}")
