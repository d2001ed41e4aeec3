"""examples/bm25: the front end and the oracle against the reference, at small sizes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.examples import bm25_drive, bm25_reference
from tests.executors import OracleSession, module_of

PATH = "examples/bm25/bm25.mp"
CALLS = ([0], [1], [0, 3], [64, 1, 65], [200, 0, 7, 100])


def oracle(capacity: int, stage: str = "mp") -> OracleSession:
    module = module_of(PATH, tuple(bm25_drive.DIMS.items()), stage)
    return OracleSession(module, {"N": capacity}, {"N": 0}, strict=stage != "mp")


@pytest.mark.parametrize("calls", CALLS, ids=str)
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("stage", ["mp", "expanded"])
def test_meaning(calls: list[int], rows: int, stage: str) -> None:
    rng = np.random.default_rng([rows, *calls])
    assert bm25_drive.drive(oracle(max(sum(calls), 1), stage), rng, calls, rows) == 0


def test_meaning_of_a_hundred_calls() -> None:
    rng = np.random.default_rng(3)
    bm25_drive.drive(oracle(100), rng, [1] * 100, rows=1)


def test_meaning_of_equal_documents() -> None:
    """Documents of equal scores: the lowest numbers, in ascending order."""
    session = oracle(40)
    documents = np.array([[n % 3, 7] for n in range(40)])
    documents = np.pad(documents, ((0, 0), (0, 18)), constant_values=-1)
    outputs = session.call(docs=documents, query=np.array([[1, -1, -1, -1, -1, -1]]))
    assert outputs["picked"].tolist() == [[1, 4, 7, 10, 13]]
    assert bm25_drive.check(outputs, list(documents), np.array([[1]]), exact=False) == 0


def test_a_term_past_the_vocabulary_counts_for_nothing_but_length() -> None:
    session = oracle(2)
    documents = np.full((2, 20), -1)
    documents[0, :2], documents[1, :2] = [4, 4], [4, 49_000]
    outputs = session.call(docs=documents, query=np.array([[4, 49_000, -1, -1, -1, -1]]))
    index = bm25_reference.Index([[4, 4], [4, 49_000]])
    expected = index.scores([4])
    np.testing.assert_allclose(outputs["best"][0, :2], expected, rtol=1e-6)  # k1 and b are f32
