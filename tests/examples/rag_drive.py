"""Calls of examples/rag_dragin, rag_flare and rag_fs on a session, compared with the reference after every call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from tests.examples import rag_reference as reference
from tests.examples.bm25_drive import draw_documents
from tests.examples.bm25_reference import Index
from tests.executors import Session, rounded
from tests.selection import differing

DIMS = {"V": 50, "L": 20, "S": 18, "Q": 5, "K": 3, "N": 5000}
NAMES = ("rag_dragin", "rag_flare", "rag_fs")
LONGEST_CONTEXT = 12
TAKES = {
    "rag_dragin": ("entropy", "influence", "attention", "content", "ends"),
    "rag_flare": ("probability", "ends"),
    "rag_fs": ("ends",),
}
"""What each step takes besides docs, context, draft and retrieved."""


@dataclass
class Case:
    name: str
    vocabulary: reference.Vocabulary
    passages: list[reference.Words] = field(default_factory=list)
    asked: list[bool] = field(default_factory=list)
    """Of every text of every call, so that a run says whether some asked and others did not."""

    @property
    def weights(self) -> dict[str, np.ndarray]:
        words = np.arange(DIMS["V"])
        return {name: np.isin(words, list(getattr(self.vocabulary, name))) for name in ("content", "ends")}


@dataclass
class Call:
    """What a call is given: new passages, and for each text its context, draft, and whether it was behind passages."""

    docs: np.ndarray
    contexts: list[reference.Words]
    drafts: list[reference.Draft]
    retrieved: list[bool]


def draw_case(rng: np.random.Generator, name: str) -> Case:
    """A sentence has some ten words; three of four words mean something."""
    words = rng.permutation(DIMS["V"])
    return Case(name, reference.Vocabulary(frozenset(words[:5].tolist()), frozenset(words[5:40].tolist())))


def draw_call(rng: np.random.Generator, rows: int, added: int) -> Call:
    """Contexts and drafts of any lengths, also none. Most words are certain and little attended to."""
    docs = draw_documents(rng, added, DIMS["V"], DIMS["L"])
    contexts = [rng.integers(0, DIMS["V"], rng.integers(0, LONGEST_CONTEXT)).tolist() for _ in range(rows)]
    drafts = [draw_draft(rng, len(context)) for context in contexts]
    return Call(docs, contexts, drafts, (rng.random(rows) < 0.3).tolist())


def draw_draft(rng: np.random.Generator, context: int) -> reference.Draft:
    """Attention in multiples of 1/1024, so that its sums are exact and tie."""
    count = int(rng.integers(0, DIMS["S"] + 1))
    doubtful = rng.random(count) < 0.12
    entropy = rounded(np.where(doubtful, rng.uniform(0.3, 2.5, count), rng.uniform(0.0, 0.3, count)), "f32")
    probability = rounded(1 - np.where(doubtful, rng.uniform(0, 1, count), rng.uniform(0, 0.05, count)), "f32")
    attention = rng.integers(0, 8, (count, context + count)) / 1024
    attention *= np.arange(context + count) < context + np.arange(count)[:, None]
    influence = rounded(rng.uniform(0.05, 1, count), "f32")
    words = rng.integers(0, DIMS["V"], count).tolist()
    return reference.Draft(words, probability.tolist(), entropy.tolist(), influence.tolist(), attention.tolist())


def tensors(case: Case, call: Call) -> dict[str, np.ndarray]:
    """The call's inputs and weights by the program's names. Behind a draft's end stands what must not be read."""
    rows, longest, widest = len(call.drafts), DIMS["S"], max(1, *map(len, call.contexts))
    given = {"context": np.full((rows, widest), -1), "draft": np.full((rows, longest), -1)}
    given |= {name: np.full((rows, longest), 9.0) for name in ("probability", "entropy", "influence")}
    given["attention"] = np.full((rows, longest, widest + longest), 9.0)
    for b, (context, draft) in enumerate(zip(call.contexts, call.drafts, strict=True)):
        count = len(draft.words)
        given["context"][b, : len(context)] = context
        given["draft"][b, :count] = draft.words
        for name in ("probability", "entropy", "influence"):
            given[name][b, :count] = getattr(draft, name)
        paid = np.reshape(draft.attention, (count, len(context) + count))
        given["attention"][b, :count, : len(context)] = paid[:, : len(context)]
        given["attention"][b, :count, widest : widest + count] = paid[:, len(context) :]
    given |= case.weights
    taken = {name: given[name] for name in ("context", "draft", *TAKES[case.name])}
    return {"docs": call.docs, "retrieved": np.array(call.retrieved), **taken}


def check(case: Case, call: Call, outputs: dict[str, np.ndarray]) -> int:
    """Compare one call's outputs; gives the passages that differ within the tolerance of their scores."""
    index = Index(case.passages)
    near_ties = 0
    for b, (context, draft) in enumerate(zip(call.contexts, call.drafts, strict=True)):
        expected = reference.decide(case.name, context, draft, call.retrieved[b], case.vocabulary, DIMS["Q"])
        case.asked.append(expected.asks)
        assert bool(outputs["asks"][b]) == expected.asks
        assert outputs["kept"][b] == len(expected.kept)
        assert outputs["query"][b].tolist() == padded(expected.query, DIMS["Q"])
        scores = np.array(index.scores(expected.query))
        picked, best = outputs["picked"][b], outputs["best"][b]
        allowed = 2e-5 * float(scores.max(initial=0.0))
        near_ties += differing(picked, scores, DIMS["K"], allowed, above=0.0)
        found = picked[picked >= 0].tolist()
        np.testing.assert_allclose(best[: len(found)], scores[found], rtol=2e-5)
        assert np.all(np.isneginf(best[len(found) :])) and np.all(np.diff(best[: len(found)]) <= 0)
        prompt = [word for number in found for word in case.passages[number]] + context + expected.kept
        assert outputs["prompt"][b].tolist() == padded(prompt, outputs["prompt"].shape[1])
    return near_ties


def padded(words: reference.Words, length: int) -> reference.Words:
    return words + [-1] * (length - len(words))


def drive(session: Session, case: Case, rng: np.random.Generator, calls: list[int], rows: int) -> int:
    """One call for each number of new passages; gives the passages that differ within tolerance."""
    near_ties = 0
    for count in calls:
        call = draw_call(rng, rows, count)
        case.passages += [[word for word in row if word >= 0] for row in call.docs.tolist()]
        outputs = session.call(**tensors(case, call))
        assert session.lengths["N"].tolist() == [len(case.passages)]
        near_ties += check(case, call, outputs)
    stored = session.memory("passages")[: len(case.passages)].tolist()
    assert stored == [padded(words, DIMS["L"]) for words in case.passages]
    return near_ties


def inputs(case: Case, rng: np.random.Generator, calls: int, rows: int) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Calls that add a passage each, as the placements' comparison takes them."""
    for _ in range(calls):
        yield case.name, tensors(case, draw_call(rng, rows, 1))
