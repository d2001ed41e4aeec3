"""Programs of under twenty-five lines, each against a few lines of numpy, on the oracle and on both devices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hetc.runtime.program import load_program
from tests.executors import OracleSession, ProgramSession, Session, all_on, compile_to, module_of, rounded

SHORT = Path(__file__).parent / "short"
Rng = np.random.Generator
Open = Callable[[str, dict[str, int], dict[str, object]], Session]


def near(actual: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(actual, expected, rtol=2e-5, atol=2e-5)


def best(scores: np.ndarray, count: int) -> list[int]:
    """The highest scores first, equal ones by lower index, -1 where there are no more."""
    order = sorted(np.flatnonzero(np.isfinite(scores)), key=lambda n: (-scores[n], n))[:count]
    return [int(n) for n in order] + [-1] * (count - len(order))


def two_level(open_session: Open, rng: Rng) -> None:
    """Upper bounds per 4 tokens, the best of each 16-token page summed over heads. Integers, so that ties are exact."""
    lengths, batch = [70, 14, 31], 3
    session = open_session("two_level", {"B": batch, "T": 80}, {"T": lengths})
    keys = rng.integers(-3, 4, (batch, 80, 8)).astype(float)
    session.load("keys", keys)
    for call in range(2):
        q, x = rng.integers(-3, 4, (batch, 2, 8)).astype(float), rng.integers(-3, 4, (batch, 8)).astype(float)
        picked = session.call(q=q, x=x)["picked"]
        for b, length in enumerate(lengths):
            keys[b, length + call] = x[b]
            pages = (length + call + 1) // 16
            blocks = keys[b, : pages * 16].reshape(pages, 4, 4, 8)
            low, high = blocks.min(2), blocks.max(2)
            bound = np.maximum(q[b, :, None, None] * low, q[b, :, None, None] * high).sum(-1)
            assert sorted(picked[b]) == sorted(best(bound.max(-1).sum(0), 3))


def product_codes(open_session: Open, rng: Rng) -> None:
    session = open_session("product_codes", {"B": 2, "N": 90}, {"N": 80})
    codes = rng.integers(0, 20, (90, 4))  # codes from 16 on have no entry in the table
    session.load("codes", codes)
    for call in range(2):
        lut, code = rng.integers(-9, 10, (2, 4, 16)).astype(float), rng.integers(0, 20, 4)
        found = session.call(lut=lut, code=code)
        codes[80 + call] = code
        padded = np.concatenate([lut, np.zeros((2, 4, 4))], axis=-1)
        for b in range(2):
            scores = sum(padded[b, m, codes[: 81 + call, m]] for m in range(4))
            assert list(found["picked"][b]) == best(scores, 5)
            near(found["best"][b], scores[found["picked"][b]])


def prefill(open_session: Open, rng: Rng) -> None:
    """Causal attention of a chunk of 3 tokens over what came before and the chunk itself."""
    lengths, chunk = [0, 17, 5], 3
    session = open_session("prefill", {"B": 3, "T": 40}, {"T": lengths})
    keys, values = (rounded(rng.normal(size=(3, 40, 8)), "bf16") for _ in range(2))
    session.load("ks", keys)
    session.load("vs", values)
    for call in range(2):
        q = rounded(rng.normal(size=(3, chunk, 2, 8)), "bf16")
        k, v = (rounded(rng.normal(size=(3, chunk, 8)), "bf16") for _ in range(2))
        o = session.call(q=q, k=k, v=v)["o"]
        for b, length in enumerate(lengths):
            start = length + call * chunk
            keys[b, start : start + chunk], values[b, start : start + chunk] = k[b], v[b]
            for c in range(chunk):
                seen = start + c + 1
                scores = q[b, c] @ keys[b, :seen].T / np.sqrt(8)
                weights = np.exp(scores - scores.max(-1, keepdims=True))
                near(o[b, c], weights / weights.sum(-1, keepdims=True) @ values[b, :seen])


def decayed(open_session: Open, rng: Rng) -> None:
    session = open_session("decayed", {}, {})
    square = np.zeros((3, 8))
    for _ in range(3):
        x = rounded(rng.normal(size=(3, 8)), "f32")
        o = session.call(x=x)["o"]
        square = 0.9 * square + 0.1 * x**2
        near(o, x / np.sqrt(square + 1e-6))
    near(session.memory("mean_square"), square)


def lengths(open_session: Open, rng: Rng) -> None:
    """Late interaction: each query token's best match among a document's tokens, both of many lengths; what lies past
    an end is NaN, and must not be looked at."""
    session = open_session("lengths", {}, {})
    query_lengths, document_lengths = np.array([5, 2]), np.array([7, 1, 0, 4])
    session.extents = {"Q": query_lengths, "L": document_lengths}
    queries, documents = rng.integers(-3, 4, (2, 5, 8)).astype(float), rng.integers(-3, 4, (4, 7, 8)).astype(float)
    for array, live in ((queries, query_lengths), (documents, document_lengths)):
        array[np.arange(array.shape[1]) >= live[:, None]] = np.nan
    found = session.call(queries=queries, documents=documents)
    scores = np.full((2, 4), -np.inf)  # a document without tokens: the maximum over nothing
    for a, query in enumerate(query_lengths):
        for n, document in enumerate(document_lengths):
            if document:
                scores[a, n] = (queries[a, :query] @ documents[n, :document].T).max(-1).sum()
    for a in range(2):
        assert list(found["picked"][a]) == best(scores[a], 3)
        near(found["best"][a], np.where(found["picked"][a] < 0, -np.inf, scores[a][found["picked"][a]]))


def merge(open_session: Open, rng: Rng) -> None:
    session = open_session("merge", {}, {})
    dense, lexical = (rounded(rng.normal(size=(2, 64)), "f32") for _ in range(2))
    found = session.call(dense=dense, lexical=lexical)
    for b in range(2):
        scores = np.full(64, -np.inf)
        for weight, ranking in ((0.7, best(dense[b], 8)), (0.3, best(lexical[b], 8))):
            for place, item in enumerate(ranking):
                scores[item] = max(scores[item], 0.0) + weight / (60 + place)
        near(found["best"][b], np.sort(scores)[::-1][:5])
        near(scores[found["picked"][b]], found["best"][b])


def outer(open_session: Open, rng: Rng) -> None:
    """An index as a value, in a statement that shares its launch with the one before."""
    session = open_session("outer", {}, {})
    session.extents = {"M": np.array(7)}
    x = rng.integers(-9, 10, 11).astype(float)
    near(session.call(x=x)["o"], np.arange(7)[:, None] * 2 * x)


PROGRAMS = {
    function.__name__: function for function in (two_level, product_codes, prefill, decayed, lengths, merge, outer)
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_oracle(name: str) -> None:
    def open_session(program: str, capacities: dict[str, int], live: dict[str, object]) -> Session:
        return OracleSession(module_of(SHORT / f"{program}.mp"), capacities, live)

    PROGRAMS[name](open_session, np.random.default_rng(5))


@pytest.mark.parametrize("kind", ["fpga", "gpu", "cpu"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_both_devices(name: str, kind: str, tmp_path: Path) -> None:
    path = SHORT / f"{name}.mp"
    compile_to(path, tmp_path / "out", pins=all_on(kind, path))
    program = load_program(tmp_path / "out", "emulation")
    assert set(program.backends) == {kind}

    def open_session(_: str, capacities: dict[str, int], live: dict[str, object]) -> Session:
        return ProgramSession(program, capacities, live)

    PROGRAMS[name](open_session, np.random.default_rng(6))
