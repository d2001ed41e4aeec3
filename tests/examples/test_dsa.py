"""examples/dsa: the front end and the oracle against the reference, at small sizes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.examples import dsa_drive, dsa_reference
from tests.executors import Dims, OracleSession, module_of

PATH = "examples/dsa/dsa.mp"
LENGTHS = ([0], [1], [63], [64], [65], [0, 1, 200], [63, 65, 31], [1000])


def oracle(lengths: list[int], capacity: int, stage: str = "mp", dims: Dims | None = None) -> OracleSession:
    module = module_of(PATH, tuple({**dsa_drive.DIMS, **(dims or {})}.items()), stage)
    return OracleSession(module, {"B": len(lengths), "T": capacity}, {"T": lengths}, strict=stage != "mp")


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize(("seed", "stage"), [(0, "mp"), (1, "mp"), (2, "expanded")])
def test_meaning(lengths: list[int], seed: int, stage: str) -> None:
    rng = np.random.default_rng([seed, *lengths])
    case = dsa_drive.draw_case(rng, lengths)
    session = oracle(lengths, max(lengths) + 2, stage)
    dsa_drive.load(session, case, max(lengths) + 2)
    tally = dsa_drive.drive(session, case, rng, steps=2)
    assert tally == dsa_drive.Tally()  # both compute in float64


def test_meaning_of_a_hundred_steps_from_an_empty_memory() -> None:
    rng = np.random.default_rng(7)
    case = dsa_drive.draw_case(rng, [0, 0])
    session = oracle([0, 0], 100)
    dsa_drive.load(session, case, 100)
    assert dsa_drive.drive(session, case, rng, steps=100) == dsa_drive.Tally()
    assert [len(sequence.keys) for sequence in case.sequences] == [100, 100]


def test_meaning_of_planted_nan_and_infinite_scores() -> None:
    rng = np.random.default_rng(8)
    case = dsa_drive.draw_case(rng, [90, 12])
    dsa_drive.plant(case)
    session = oracle([90, 12], 91)
    dsa_drive.load(session, case, 91)
    dsa_drive.drive(session, case, rng, steps=1)
    scores = session.value("s")[0]
    assert np.isnan(scores[3]) and sorted(scores[[4, 6]]) == [-np.inf, np.inf]


def test_meaning_of_equal_scores() -> None:
    """Equal keys score equally: of these the lowest positions are taken."""
    rng = np.random.default_rng(9)
    case = dsa_drive.draw_case(rng, [100])
    dsa_drive.make_ties(case)
    session = oracle([100], 101)
    dsa_drive.load(session, case, 101)
    dsa_drive.drive(session, case, rng, steps=1)


def test_meaning_of_keys_below_the_least_scale() -> None:
    rng = np.random.default_rng(12)
    case = dsa_drive.draw_case(rng, [5])
    for name in ("gamma", "beta"):
        case.weights[name] *= 2.0**-20
    case.layer.gain, case.layer.bias = case.weights["gamma"], case.weights["beta"]
    session = oracle([5], 6)
    dsa_drive.load(session, case, 6)
    dsa_drive.drive(session, case, rng, steps=1)
    assert session.memory("scale")[0, 5] == 2.0**-22


def test_meaning_of_the_published_sizes_of_a_head() -> None:
    """The real index head (64 heads of 128, 64 rotary channels), few tokens."""
    sizes = {"E": 64, "R": 32, "H": 64, "LOG_D": 7, "K": 40, "G": 2, "N": 128, "P": 64, "V": 64}
    rng = np.random.default_rng(10)
    case = dsa_drive.draw_case(rng, [50], sizes)
    session = oracle([50], 52, dims=sizes)
    dsa_drive.load(session, case, 52)
    dsa_drive.drive(session, case, rng, steps=2, dims=sizes)


def test_the_program_holds_the_published_sizes() -> None:
    pipeline = OracleSession(module_of(PATH), {"B": 1, "T": 1}, {"T": [0]}).pipeline
    sizes = {name: dim.largest for name, dim in pipeline.dims.items()}
    published = {"E": 7168, "R": 1536, "G": 128, "V": 512, "P": 64, "N": 128, "H": 64, "D": 128, "K": 2048, "C": 576}
    assert {name: sizes[name] for name in published} == published


def test_absorbed_attention_is_expanded_attention() -> None:
    """The reference expands keys and values a head; the program absorbs the expansions: both are the same sum."""
    rng = np.random.default_rng(11)
    case = dsa_drive.draw_case(rng, [9])
    memory, layer = case.sequences[0], case.layer
    plain, rotary = rng.normal(size=(3, 8)), rng.normal(size=(3, 8))
    absorbed = np.concatenate([np.einsum("gn,gnv->gv", plain, layer.wuk), rotary], axis=1)
    weights = dsa_reference.softmax(absorbed @ memory.latents.T * layer.score_scale)
    expected = np.einsum("gv,gvn->gn", weights @ memory.latents[:, :16], layer.wuv)
    actual = dsa_reference.attend(layer, memory, np.arange(9), plain, rotary)
    np.testing.assert_allclose(actual, expected, atol=1e-12)
