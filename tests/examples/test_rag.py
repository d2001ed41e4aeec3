"""examples/rag_dragin, rag_flare and rag_fs: the front end and the oracle against the reference, at small sizes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.examples import rag_drive
from tests.examples import rag_reference as reference
from tests.executors import OracleSession, module_of

METHODS = pytest.mark.parametrize("name", rag_drive.NAMES)


def oracle(name: str, capacity: int, stage: str = "mp") -> OracleSession:
    module = module_of(f"examples/{name}/{name}.mp", tuple(rag_drive.DIMS.items()), stage)
    return OracleSession(module, {"N": capacity}, {"N": 0}, strict=stage != "mp")


@METHODS
@pytest.mark.parametrize("stage", ["mp", "expanded"])
@pytest.mark.parametrize("seed", range(10))
def test_meaning(name: str, seed: int, stage: str) -> None:
    """Collections that are empty, grow and stay; one to five texts."""
    rng = np.random.default_rng([seed, 1])
    case = rag_drive.draw_case(rng, name)
    assert rag_drive.drive(oracle(name, 200, stage), case, rng, [0, 1, 0, 60, 7], rows=1 + seed % 5) == 0


@METHODS
def test_meaning_of_two_hundred_calls(name: str) -> None:
    """Texts that ask beside texts that do not, most of the time."""
    rng = np.random.default_rng(30)
    case = rag_drive.draw_case(rng, name)
    rag_drive.drive(oracle(name, 200), case, rng, [1] * 200, rows=3)
    assert 100 < sum(case.asked) < 600


@METHODS
def test_the_program_holds_the_published_sizes(name: str) -> None:
    module = module_of(f"examples/{name}/{name}.mp")
    sizes = {key: dim.largest for key, dim in OracleSession(module, {"N": 1}, {"N": 0}).pipeline.dims.items()}
    assert {key: sizes[key] for key in ("N", "C", "V", "L", "S", "K")} == {
        "N": 21_015_324, "C": 2048, "V": 32_000, "L": 128, "S": 100, "K": 3,
    }  # fmt: skip
    assert sizes["Q"] == (35 if name == "rag_dragin" else 64)


def asks(name: str, vocabulary: reference.Vocabulary, draft: reference.Draft) -> bool:
    call = rag_drive.Call(np.full((0, 20), -1), [[]], [draft], [False])
    case = rag_drive.Case(name, vocabulary)
    outputs = oracle(name, 1).call(**rag_drive.tensors(case, call))
    rag_drive.check(case, call, outputs)
    return bool(outputs["asks"][0])


@pytest.mark.parametrize(("entropy", "expected"), [(0.8, False), (np.nextafter(np.float32(0.8), 1), True)])
def test_among_words_of_equal_influence_entropy_decides_alone(entropy: float, expected: bool) -> None:
    """Two words: half of the attention, times two, is exactly 1. What equals the threshold is not above it."""
    draft = reference.Draft([7, 8], [1.0, 1.0], [float(np.float32(entropy)), 0.0], [0.25, 0.25], [[0, 0], [1, 0]])
    assert asks("rag_dragin", reference.Vocabulary({9}, {7}), draft) is expected
    assert not asks("rag_dragin", reference.Vocabulary({9}, {8}), draft)  # the uncertain word means nothing


def drawn_with(words: list[int], probability: list[float], context: int = 0) -> reference.Draft:
    """A draft of a generator that says nothing else."""
    count = len(words)
    return reference.Draft(words, probability, [0.0] * count, [1.0] * count, [[0.0] * (context + count)] * count)


@pytest.mark.parametrize(("probability", "expected"), [(0.9375, False), (0.875, True)])
def test_a_sentence_asks_by_its_own_mean(probability: float, expected: bool) -> None:
    """The second sentence is as doubtful as its own words; the certain one before it does not make up for it."""
    draft = drawn_with([7, 8, 9, 7, 7], [1.0, 1.0, 1.0, probability, probability])
    assert asks("rag_flare", reference.Vocabulary({9}), draft) is expected


def test_words_of_a_sentence_that_are_all_doubtful_find_nothing() -> None:
    """It asks, with no words; what is kept is written on from."""
    case = rag_drive.Case("rag_flare", reference.Vocabulary({9}), [[7, 8]])
    call = rag_drive.Call(
        np.array([[7, 8] + [-1] * 18]), [[1, 2]], [drawn_with([3, 9, 7, 8], [1.0, 1.0, 0.5, 0.5], 2)], [False]
    )
    outputs = oracle("rag_flare", 1).call(**rag_drive.tensors(case, call))
    assert outputs["asks"].tolist() == [True] and outputs["kept"].tolist() == [2]
    assert outputs["picked"].tolist() == [[-1, -1, -1]]
    assert outputs["prompt"][0, :5].tolist() == [1, 2, 3, 9, -1]
