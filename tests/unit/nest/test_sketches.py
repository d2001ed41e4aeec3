"""The hand-written kernels of tests/filecheck/nest-sketches give the numbers of numpy, however they are arranged.

Those with states of several queues or with streams are only verified: the processor's printer has no form for them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from nest_kernels import parsed, run
from numpy.typing import NDArray
from xdsl.transforms.canonicalize import CanonicalizePass
from xdsl.transforms.common_subexpression_elimination import CommonSubexpressionElimination
from xdsl.transforms.dead_code_elimination import DeadCodeElimination

from hetc.backends.cpu.project import check
from hetc.dialects import nest
from hetc.dialects.registry import new_context
from hetc.passes.nest.bind_arguments import BindArgumentsPass
from hetc.passes.nest.building import dims_of
from hetc.passes.nest.expand_combiners import ExpandCombinersPass
from hetc.passes.nest.rewrites import rewrite

SKETCHES = Path(__file__).parents[2] / "filecheck" / "nest-sketches"
ABSENT = -1
Variant = Callable[[str], str]


def without_binds(text: str) -> str:
    """Serial execution is what loops mean."""
    return re.sub(r" bind <[a-z]+( \d+)?>", "", text)


def simplified(text: str) -> str:
    """As general passes leave it, which know ops by their effects only."""
    module, context = parsed(text), new_context()
    for pass_ in (CanonicalizePass(), CommonSubexpressionElimination(), DeadCodeElimination()):
        pass_.apply(context, module)
    return str(module)


def rewritten(text: str) -> str:
    """As the rewrites of a processor's kernels leave it."""
    module = parsed(text)
    for op in module.walk():
        if isinstance(op, nest.KernelOp):
            rewrite(op, dims_of(module))
    module.verify()
    return str(module)


VARIANTS = {"as written": str, "without binds": without_binds, "simplified": simplified, "rewritten": rewritten}


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS)
def sketch(request: pytest.FixtureRequest) -> Variant:
    """The text of a sketch by its name, in one of the forms that have to give the same."""
    variant: Variant = request.param
    return lambda name: variant(text_of(name))


def text_of(name: str) -> str:
    return (SKETCHES / f"{name}.mlir").read_text()


@pytest.mark.parametrize("name", ["dsa-scan-cpu", "dsa-scan-fpga", "lserve-bounds"])
def test_what_the_processor_cannot_print_is_refused(name: str) -> None:
    """Several queues and streams: an error that names them, no text that means something else."""
    module = parsed(text_of(name).replace('on "fpga"', 'on "cpu"'))
    for pass_ in (ExpandCombinersPass(), BindArgumentsPass()):
        pass_.apply(new_context(), module)
    codes = {(item.code, item.message.split(" in kernel")[0]) for item in check(module)}
    assert ("HET330", "C++ has no form for nest.acc") in codes


def best(scores: NDArray, count: int) -> list[int]:
    """The indices of the highest scores, of equal ones the lower index, in ascending order."""
    order = [index for index in np.lexsort((np.arange(len(scores)), -scores)) if scores[index] > -np.inf]
    return sorted(order[:count])


@pytest.mark.parametrize("form", ["naive", "gpu"])
def test_index_scores_and_selection(form: str, sketch: Variant) -> None:
    """One sequence longer than what is picked, with ties of scores and none, and an empty one."""
    random = np.random.default_rng(0)
    lengths, capacity = [5000, 0], 5000
    keys = random.integers(-2, 3, (2, capacity, 128)).astype(ml_dtypes.float8_e4m3fn)
    q8 = random.integers(-1, 2, (2, 64, 128)).astype(ml_dtypes.float8_e4m3fn)
    w = random.integers(-1, 2, (2, 64)).astype(np.float32)
    # Many scores are 0, some of them -0, and some are no candidates.
    scale = random.choice(np.array([0.0, -0.0, 1.0, np.inf, -np.inf, np.nan], np.float32), (2, capacity))
    (picked,) = run(sketch(f"dsa-scan-{form}"), [scale, w, q8, keys], {"B": [2], "T": lengths})
    dots = np.einsum("hd,td->ht", q8[0].astype(np.float64), keys[0].astype(np.float64))
    with np.errstate(invalid="ignore"):
        scores = scale[0] * (w[0].astype(np.float64) @ np.maximum(dots, 0))
    expected = best(np.where(np.isnan(scores), -np.inf, scores), 2048)
    assert 0 < (scores[expected] == 0).sum() < (scores == 0).sum()
    found = sorted(index for index in picked[0].tolist() if index != ABSENT)
    assert found == expected
    assert (picked[1] == ABSENT).all()


@pytest.mark.parametrize("form", ["naive", "online", "gpu"])
def test_attention_over_picks(form: str, sketch: Variant) -> None:
    """With absent picks, of one sequence all of them: its sums are 0."""
    random = np.random.default_rng(1)
    lengths, capacity = [90, 7], 90
    picked = np.full((2, 2048), ABSENT, np.int32)
    picked[0, random.permutation(2048)[:150]] = random.integers(0, 90, 150)
    qa = random.normal(size=(2, 128, 512)).astype(np.float32)
    qp = random.normal(size=(2, 128, 64)).astype(ml_dtypes.bfloat16)
    kv = random.normal(size=(2, capacity, 576)).astype(ml_dtypes.bfloat16)
    (ol,) = run(sketch(f"dsa-apply-{form}"), [picked, qa, kv, qp], {"B": [2], "T": lengths})
    rows = kv[0].astype(np.float64)[picked[0][picked[0] >= 0]]
    query = np.concatenate([qa[0], qp[0].astype(np.float64)], axis=1)
    scores = query @ rows.T * np.float32(0.135233775)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    np.testing.assert_allclose(ol[0], powers / powers.sum(axis=1, keepdims=True) @ rows[:, :512], rtol=2e-4, atol=2e-5)
    assert (ol[1] == 0).all()


def test_postings(sketch: Variant) -> None:
    """More than one block of documents; few have a term, and documents without one compete with their 0."""
    random = np.random.default_rng(2)
    documents, terms = 70_000, 30_522
    chosen = np.sort(random.choice(documents, 9, replace=False)).astype(np.int32)
    start, count = np.zeros(terms, np.int64), np.zeros(terms, np.int32)
    count[7] = len(chosen)
    times = random.integers(1, 5, len(chosen)).astype(np.uint8)
    query = np.full((1, 32), -1, np.int32)
    query[0, 3], query[0, 5] = 7, terms  # a term, and one that is none
    idf, norm = np.full((1, 32), 2.0, np.float32), random.uniform(1, 2, documents).astype(np.float32)
    sparse = {"row_start": start, "row_length": count, "column": chosen, "value": times}
    picked, score = run(sketch("bm25-postings"), [query, idf, norm, sparse], {"B": [1], "N": [documents]})
    scores = np.zeros(documents)
    scores[chosen] = 2.0 * times / (times + norm[chosen])
    expected = np.lexsort((np.arange(documents), -scores))[:16]
    assert picked[0].tolist() == expected.tolist()
    np.testing.assert_allclose(score[0], scores[expected], rtol=1e-6)


def attention(scores: NDArray, values: NDArray) -> NDArray:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True) @ values


def test_prefill_in_one_pass(sketch: Variant) -> None:
    """Over pages that lie in any order, with lengths that end inside of a tile."""
    random = np.random.default_rng(3)
    tokens, lengths = 6, [100, 13]
    q = random.normal(size=(2, tokens, 2, 8)).astype(np.float32)
    pages = -(-max(lengths) // 16)
    tables = random.permutation(2 * pages).astype(np.int32)
    pools = [random.normal(size=(2 * pages, 16, 8)).astype(ml_dtypes.bfloat16) for _ in range(2)]
    given = [{"": pool, "table": tables} for pool in pools]
    (o,) = run(sketch("prefill-online"), [q, *given], {"B": [2], "C": [tokens], "T": lengths})
    for row, length in enumerate(lengths):
        ordered = tables.reshape(2, pages)[row]
        keys, values = (pool[ordered].reshape(-1, 8)[:length].astype(np.float64) for pool in pools)
        for token in range(tokens):
            seen = length - tokens + token + 1
            scores = q[row, token] @ keys[:seen].T * np.float32(0.353553391)
            np.testing.assert_allclose(o[row, token], attention(scores, values[:seen]), rtol=1e-4, atol=1e-5)


def test_a_rounded_softmax_takes_two_passes(sketch: Variant) -> None:
    """The probabilities are rounded after the division: rounding the powers instead would be seen."""
    random = np.random.default_rng(4)
    tokens, lengths = 5, [40, 6]
    q, ks, vs = (
        random.normal(size=(2, count, 8)).astype(ml_dtypes.bfloat16) for count in (tokens, max(lengths), max(lengths))
    )
    (o,) = run(sketch("prefill-rounded"), [q, ks, vs], {"B": [2], "C": [tokens], "T": lengths})
    rounded = np.zeros_like(o)
    early = np.zeros_like(o)
    for row, length in enumerate(lengths):
        keys, values = ks[row, :length].astype(np.float32), vs[row, :length].astype(np.float64)
        for token in range(tokens):
            scores = (keys @ q[row, token].astype(np.float32)) * np.float32(0.353553391)
            scores[length - tokens + token + 1 :] = np.float32(-1.0e30)
            powers = np.exp(scores - scores.max())
            rounded[row, token] = (powers / powers.sum()).astype(ml_dtypes.bfloat16).astype(np.float64) @ values
            early[row, token] = powers.astype(ml_dtypes.bfloat16).astype(np.float64) @ values / powers.sum()
    np.testing.assert_allclose(o, rounded, rtol=2e-4, atol=2e-4)
    assert np.abs(o - early).max() > 5 * np.abs(o - rounded).max()
