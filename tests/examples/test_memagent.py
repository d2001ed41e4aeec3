"""examples/memagent: the front end and the oracle against the reference, at small sizes; its published sizes."""

from __future__ import annotations

import numpy as np
import pytest

from hetc.compiler.driver import Options, front_end
from hetc.compiler.pipeline import run_stages
from hetc.source import SourceFile
from tests.examples import memagent_drive as drives
from tests.examples import memagent_reference as reference
from tests.executors import ROOT, OracleSession, module_of

PATH = "examples/memagent/memagent.mp"
EXACT = 1e-7
"""What is left of a logit in float64: sums of whole multiples of a step, put out as f32."""


def oracle(case: drives.Case, capacity: int = 48, stage: str = "mp") -> OracleSession:
    module = module_of(PATH, tuple(case.dims.items()), stage)
    rows = len(case.texts)
    return OracleSession(module, {"B": rows, "T": capacity}, {"T": [0] * rows}, strict=stage != "mp")


SEEDS = [0, 1, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(2, 10))]


@pytest.mark.parametrize("seed", SEEDS)
def test_meaning(seed: int) -> None:
    """Prompts of any lengths, in pieces; sequences that end; two chunks."""
    rng = np.random.default_rng(seed)
    case = drives.draw_case(rng, 1 + seed % 4)
    drives.drive(oracle(case), case, rng, steps=5, tolerance=EXACT)


@pytest.mark.parametrize("seed", SEEDS[1:])
def test_meaning_of_the_expanded_form(seed: int) -> None:
    """Its angles are whole 2^-24ths of a turn, which puts a value to the other side of a tie now and then."""
    rng = np.random.default_rng(seed)
    case = drives.draw_case(rng, 1 + seed % 4)
    drives.drive(oracle(case, stage="expanded"), case, rng, steps=5)


@pytest.mark.parametrize("seed", SEEDS[1:])
def test_meaning_without_roundings(seed: int) -> None:
    """The program's text with f32 for bf16 is the library's model itself."""
    rng = np.random.default_rng(seed)
    case = drives.draw_case(rng, 2, rounds=False)
    text = (ROOT / PATH).read_text()
    assert text.count("bf16") == 7
    module = front_end(SourceFile("memagent.mp", text.replace("bf16", "f32")), Options(dims=case.dims))
    run_stages(module, "mp", {})
    session = OracleSession(module, {"B": 2, "T": 48}, {"T": [0, 0]})
    drives.drive(session, case, rng, steps=3, tolerance=1e-6)


@pytest.mark.parametrize("stage", ["mp", "expanded"])
def test_meaning_of_whole_numbers(stage: str) -> None:
    """Scores are equal, without a tolerance."""
    rng = np.random.default_rng(5)
    case = drives.draw_case(rng, 3, whole=True)
    drives.drive(oracle(case, stage=stage), case, rng, steps=4, tolerance=0)


def test_meaning_of_two_hundred_steps() -> None:
    rng = np.random.default_rng(20)
    case = drives.draw_case(rng, 2, dims={**drives.DIMS, "L": 1})
    drives.many_steps(oracle(case, capacity=203), case, rng, 200, EXACT)


def test_pieces_give_what_one_run_gives() -> None:
    """The same tokens in one prompt, in prompts of several lengths, and as decoded tokens: the same scores."""
    rng = np.random.default_rng(3)
    case = drives.draw_case(rng, 3)
    text = rng.integers(0, case.dims["V"], 12).tolist()
    session = oracle(case)
    drives.prefill(session, case, [text[:9], text[:1], text[:4]], tolerance=EXACT)
    drives.prefill(session, case, [[], text[1:9], text[4:9]], tolerance=EXACT)
    for token in text[9:]:
        drives.decode(session, case, np.array([token] * 3), tolerance=EXACT)
    assert case.texts == [text] * 3
    drives.forget(session, case)
    drives.prefill(session, case, [text] * 3, tolerance=EXACT)


def test_the_agent_reads_as_the_plain_loop_does() -> None:
    """Texts of several lengths in chunks, memories written anew after each, answers that end of themselves or not."""
    rng = np.random.default_rng(46)
    case = drives.draw_case(rng, 3)
    drives.agent_and_reference(drives.OracleProgram(oracle(case, capacity=26)), case, rng)


def test_the_program_holds_the_published_sizes() -> None:
    sizes = {
        name: dim.largest for name, dim in OracleSession(module_of(PATH), {"B": 1, "T": 1}, {}).pipeline.dims.items()
    }
    assert sizes == {
        "B": 64, "T": 8192, "C": 1024, "A": 1, "L": 28, "H": 4, "G": 7, "D": 128, "E": 3584, "F": 18_944, "V": 152_064
    }  # fmt: skip


def test_the_checkpoint_s_weights_are_held_by_their_codes() -> None:
    rng = np.random.default_rng(9)
    state = drives.checkpoint(rng, drives.DIMS)
    weights = drives.example("weights").from_checkpoint(state, head_size=8)
    np.testing.assert_array_equal(
        weights["down"][1] * weights["down_scale"][1][:, None], state["model.layers.1.mlp.down_proj.weight"].numpy()
    )
    wq = weights["wq"][0] * weights["wq_scale"][0][..., None]
    np.testing.assert_array_equal(wq.reshape(-1, 32), state["model.layers.0.self_attn.q_proj.weight"].numpy())
    # Weights that no codes hold are off by half a step at most, and a row of zeros stays one.
    state["lm_head.weight"] *= 1.1
    state["lm_head.weight"][3] = 0
    state["lm_head.weight"][4, 5] /= 3.3
    found = drives.example("weights").from_checkpoint(state, head_size=8)
    error = found["head"] * found["head_scale"][:, None] - state["lm_head.weight"].numpy()
    assert (np.abs(error) <= found["head_scale"][:, None] * 0.501).all() and not found["head"][3].any()


def test_the_reference_is_the_library_s_model() -> None:
    """In its own precision, it gives what is in float64 to f32 rounding."""
    rng = np.random.default_rng(4)
    state = drives.checkpoint(rng, drives.DIMS)
    tokens = rng.integers(0, drives.DIMS["V"], 40).tolist()
    plain = reference.model_of(drives.DIMS, state, rounds=False)
    found = reference.logits(reference.in_double(reference.model_of(drives.DIMS, state, rounds=False), False), tokens)
    expected = reference.logits(plain, tokens)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * np.abs(expected).max())
