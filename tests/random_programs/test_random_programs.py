"""Random programs: front end, normalising passes, oracle and compiled programs against the printed twin."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from random_programs.fast_csim import fast_csim
from random_programs.generate import generate
from random_programs.oracle import NORMALIZE, judge_with_oracle
from random_programs.run_many import failures, run_many
from random_programs.verdict import judge

SEEDS = range(40)
MIXED_SEEDS = range(12)
MANY_SEEDS = range(300)


@pytest.fixture(scope="module")
def csim() -> Iterator[None]:
    with fast_csim():
        yield


@pytest.mark.parametrize("seed", SEEDS)
def test_the_oracle_agrees_with_the_twin(seed: int) -> None:
    assert judge_with_oracle(generate(seed)) is None


@pytest.mark.parametrize("seed", SEEDS)
def test_explicit_presence_and_expansions_keep_the_numbers(seed: int) -> None:
    assert judge_with_oracle(generate(seed), NORMALIZE) is None


@pytest.mark.parametrize("seed", MIXED_SEEDS)
def test_compiled_for_both_devices_it_agrees_with_the_twin(seed: int, csim: None) -> None:
    found = judge(generate(seed), "mix")
    assert found.kind in ("ok", "refused"), found.text


@pytest.mark.full
def test_many_programs_every_way() -> None:
    assert failures(run_many(MANY_SEEDS)) == []
