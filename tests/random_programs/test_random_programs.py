"""Random programs: front end, normalising passes, oracle and compiled programs against the printed twin."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

import pytest
from xdsl.printer import Printer

from hetc.compiler.driver import Options, front_end
from hetc.source import SourceFile
from random_programs.fast_csim import fast_csim
from random_programs.generate import generate
from random_programs.oracle import NORMALIZE, judge_with_oracle
from random_programs.run_many import failures, run_many
from random_programs.spell import spell
from random_programs.spell_python import spell_python
from random_programs.verdict import judge

SEEDS = range(40)
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


@pytest.mark.parametrize("seed", SEEDS)
def test_the_python_form_gives_the_same_ir(seed: int) -> None:
    program = generate(seed)
    assert _ir(f"{seed}.py", spell_python(program)) == _ir(f"{seed}.mp", spell(program))


def _ir(name: str, text: str) -> str:
    """The module, printed without locations."""
    stream = StringIO()
    Printer(stream=stream).print_op(front_end(SourceFile(name, text), Options()))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("way", "seed"),
    [
        *((way, seed) for way in ("placed", "gpu", "fpga", "mix") for seed in SEEDS),
        *(("cpu", seed) for seed in SEEDS[:25]),
        *(("any", seed) for seed in SEEDS[25:35]),
    ],
)
def test_compiled_it_agrees_with_the_twin(way: str, seed: int, csim: None) -> None:
    found = judge(generate(seed), way)
    assert found.kind in ("ok", "refused"), found.text


@pytest.mark.full
def test_many_programs_every_way() -> None:
    assert failures(run_many(MANY_SEEDS)) == []
