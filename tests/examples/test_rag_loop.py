"""examples/rag_loop.py around a small language model, against loops over one text in plain Python."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from hetc.runtime.errors import CapacityError
from hetc.runtime.program import HostProgram
from tests.examples import rag_drive
from tests.examples import rag_reference as reference
from tests.examples.placements import compiled
from tests.examples.rag_model import Model, Writer
from tests.examples.scripts import load_script
from tests.executors import ROOT

FULL = pytest.mark.full
DIMS = {**rag_drive.DIMS, "S": 12}
LIMIT = 24


@pytest.fixture(scope="module")
def loop() -> ModuleType:
    return load_script(ROOT / "examples" / "rag_loop.py")


@pytest.fixture(scope="module", params=rag_drive.NAMES)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> HostProgram:
    path = f"examples/{request.param}/{request.param}.mp"
    return compiled(path, tmp_path_factory.mktemp(request.param) / "out", DIMS, {})


def weights_of(case: rag_drive.Case) -> dict[str, np.ndarray]:
    return {name: value for name, value in case.weights.items() if name in rag_drive.TAKES[case.name]}


class Counting:
    """A retriever that counts the texts of its calls by whether they asked."""

    def __init__(self, retriever: Any) -> None:
        self.retriever, self.longest_draft = retriever, retriever.longest_draft
        self.counts = {True: 0, False: 0}

    def __call__(self, *arguments: Any) -> Any:
        found = self.retriever(*arguments)
        for asks in found.asks.tolist():
            self.counts[asks] += 1
        return found


def answers(case: rag_drive.Case, model: Model, questions: list[reference.Words], end: int) -> list[reference.Words]:
    """What the reference writes for each question alone."""
    library = reference.Library(case.passages, case.vocabulary, DIMS["Q"], DIMS["K"])
    if case.name == "rag_fs":
        return [reference.write_by_sentence(model.draft, each, library, end, LIMIT) for each in questions]
    return [reference.write(case.name, model.draft, each, library, end, LIMIT) for each in questions]


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=FULL) for seed in range(1, 10))])
def test_answers_are_those_of_one_text_at_a_time(loop: ModuleType, program: HostProgram, seed: int) -> None:
    rng = np.random.default_rng([seed, 2])
    case = rag_drive.draw_case(rng, program.PIPELINE.name)
    documents = rag_drive.draw_documents(rng, 30, DIMS["V"], DIMS["L"]).tolist()
    case.passages = [[word for word in row if word >= 0] for row in documents]
    retriever = loop.Retriever(program, len(case.passages), weights_of(case))
    retriever.add(case.passages[:20])
    retriever.add(case.passages[20:])
    end = min(case.vocabulary.ends)
    model = Model(seed, DIMS["V"], end, DIMS["S"])
    questions = [rng.integers(0, DIMS["V"], length).tolist() for length in (5, 1, 11, 8)]
    counting = Counting(retriever)
    found = loop.generate(counting, Writer(model, loop.Draft), questions, end, LIMIT, program.PIPELINE.name == "rag_fs")
    assert found == answers(case, model, questions, end)
    assert counting.counts[True] > 0 and (counting.counts[False] > 0 or program.PIPELINE.name == "rag_fs")


def test_what_is_too_long_is_refused(loop: ModuleType, program: HostProgram) -> None:
    case = rag_drive.draw_case(np.random.default_rng(0), program.PIPELINE.name)
    retriever = loop.Retriever(program, 3, weights_of(case))
    with pytest.raises(ValueError, match="a text of 21 words: at most 20 are possible"):
        retriever.add([[7] * 21])
    with pytest.raises(CapacityError, match="dim N would be 4 long, past the state's capacity 3"):
        retriever.add([[7]] * 4)
    retriever.add([[7]] * 3)
    assert retriever.state.lengths["N"].tolist() == [3]
