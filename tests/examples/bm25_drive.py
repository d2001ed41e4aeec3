"""Calls of examples/bm25 on a session, compared with the reference after every call."""

from __future__ import annotations

import numpy as np

from tests.examples.bm25_reference import Index
from tests.executors import Session
from tests.selection import differing

DIMS = {"V": 50, "L": 20, "Q": 6, "K": 5, "N": 5000}


def draw_documents(rng: np.random.Generator, count: int, vocabulary: int = 50, length: int = 20) -> np.ndarray:
    """i64[count, length]: terms of a skewed distribution, some documents short, some empty, the rest -1."""
    terms = rng.zipf(1.4, (count, length)) % vocabulary
    lengths = rng.integers(0, length + 1, (count, 1))
    return np.where(np.arange(length) < lengths, terms, -1)


def draw_queries(rng: np.random.Generator, count: int, vocabulary: int = 50, length: int = 6) -> np.ndarray:
    """i64[count, length]: any terms, some -1 in between, some repeated; the last query has none."""
    queries = rng.integers(0, vocabulary, (count, length))
    queries = np.where(rng.random(queries.shape) < 0.3, -1, queries)
    queries[:, 1] = queries[:, 0]
    if count > 1:
        queries[-1] = -1
    return queries


def check(outputs: dict[str, np.ndarray], documents: list[np.ndarray], queries: np.ndarray, exact: bool) -> int:
    """Compare one call's outputs; gives the entries that differ within tolerance."""
    index = Index([document.tolist() for document in documents])
    near_ties = 0
    for b, query in enumerate(queries):
        scores = np.array(index.scores(query.tolist()))
        picked, best = outputs["picked"][b], outputs["best"][b]
        allowed = 0.0 if exact else 2e-5 * float(np.abs(scores).max(initial=0.0))
        near_ties += differing(picked, scores, len(picked), allowed)
        used = picked >= 0
        np.testing.assert_allclose(best[used], scores[picked[used]], rtol=2e-5, atol=allowed)
        assert np.all(np.isneginf(best[~used]))
        assert np.all(np.diff(best[used]) <= 0), f"scores must descend: {best}"
    return near_ties


def drive(session: Session, rng: np.random.Generator, calls: list[int], rows: int, exact: bool = False) -> int:
    """One call for each number of documents; gives the entries that differ within tolerance."""
    documents: list[np.ndarray] = []
    near_ties = 0
    for count in calls:
        added, queries = draw_documents(rng, count), draw_queries(rng, rows)
        documents += list(added)
        outputs = session.call(docs=added, query=queries)
        assert session.lengths["N"].tolist() == [len(documents)]
        near_ties += check(outputs, documents, queries, exact)
    lengths = [int(np.count_nonzero(document >= 0)) for document in documents]
    np.testing.assert_array_equal(session.memory("length")[: len(documents)], lengths)
    return near_ties
