"""Random programs: the front end, each normalising pass and the oracle against the printed twin."""

from __future__ import annotations

import pytest

from random_programs.generate import generate
from random_programs.oracle import NORMALIZE, judge_with_oracle

SEEDS = range(40)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_oracle_agrees_with_the_twin(seed: int) -> None:
    assert judge_with_oracle(generate(seed)) is None


@pytest.mark.parametrize("seed", SEEDS)
def test_explicit_presence_and_expansions_keep_the_numbers(seed: int) -> None:
    assert judge_with_oracle(generate(seed), NORMALIZE) is None
