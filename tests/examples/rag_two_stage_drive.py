"""Steps of examples/rag_two_stage on a session, each compared with the reference."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tests.examples import rag_two_stage_reference as reference
from tests.examples.scripts import load_script
from tests.executors import ROOT, Session, rounded
from tests.selection import differing

if TYPE_CHECKING:
    from transformers import BertConfig, BertForSequenceClassification, BertModel

DIMS = {"Q": 4, "P": 7, "C": 6, "K": 3, "L": 2, "H": 12, "A": 3, "F": 20, "V": 110, "N": 1000}
S = DIMS["Q"] + DIMS["P"] + 3
bert = load_script(ROOT / "examples" / "rag_two_stage" / "bert.py")


def config() -> BertConfig:
    return reference.transformers().BertConfig(
        vocab_size=DIMS["V"], hidden_size=DIMS["H"], num_hidden_layers=DIMS["L"], num_attention_heads=DIMS["A"],
        intermediate_size=DIMS["F"], max_position_embeddings=S + 2, num_labels=1,
    )  # fmt: skip


@dataclass
class Case:
    encoder: BertModel
    cross: BertForSequenceClassification
    store: reference.Store = field(default_factory=reference.Store)
    near_ties: int = 0

    def __post_init__(self) -> None:
        self.encoder_weights = bert.encoder_weights(self.encoder, S)
        self.cross_weights = bert.weights_of(self.cross, S)


def draw_case(seed: int) -> Case:
    return Case(*reference.random_models(seed, config()))


def draw_texts(rng: np.random.Generator, count: int, longest: int, others: list[reference.Tokens]) -> list[list[int]]:
    """Of any lengths, also none and the most; no two alike, nor like others: equal scores may be rounded apart."""
    found: list[reference.Tokens] = []
    while len(found) < count:
        text = rng.integers(0, DIMS["V"], rng.integers(0, longest + 1)).tolist()
        if text not in found and text not in others:
            found.append(text)
    return found


def rows(texts: list[reference.Tokens], length: int) -> np.ndarray:
    return np.array([text + [-1] * (length - len(text)) for text in texts], np.int64).reshape(len(texts), length)


def embed(session: Session, case: Case, texts: list[reference.Tokens]) -> np.ndarray:
    session.step = "embed"
    found = session.call(text=rows(texts, DIMS["P"]), **case.encoder_weights)["embedding"]
    expected = np.array([reference.embed(case.encoder, text) for text in texts])
    np.testing.assert_allclose(found, expected, atol=5e-6)
    return found


def add(session: Session, case: Case, texts: list[reference.Tokens], vectors: np.ndarray) -> None:
    session.step = "add"
    session.call(text=rows(texts, DIMS["P"]), vectors=vectors)
    case.store.add(texts, vectors)
    count = len(case.store.passages)
    assert session.lengths["N"].tolist() == [count]
    np.testing.assert_array_equal(session.memory("passages")[:count], rows(case.store.passages, DIMS["P"]))
    np.testing.assert_array_equal(session.memory("embeddings")[:count], np.array(case.store.embeddings))


def search(
    session: Session, case: Case, queries: list[reference.Tokens], vectors: np.ndarray, exact: bool = False
) -> None:
    """exact: embeddings are small integers, so that candidates tie and are compared without tolerance."""
    session.step = "search"
    outputs = session.call(query=rows(queries, DIMS["Q"]), vector=vectors, **case.cross_weights)
    for b, query in enumerate(queries):
        scores = case.store.near(vectors[b])
        allowed = 0.0 if exact else 1e-5 * float(np.abs(scores).max(initial=0.0))
        near = outputs["near"][b]
        case.near_ties += differing(near, scores, DIMS["C"], allowed)
        candidates = near[near >= 0]
        read = np.array([reference.score(case.cross, query, case.store.passages[n]) for n in candidates])
        best, chosen = outputs["best"][b], outputs["chosen"][b]
        found = chosen[chosen >= 0]
        places = np.array([candidates.tolist().index(n) for n in found], np.int64)
        padded = np.concatenate([places, np.full(DIMS["K"] - len(places), -1)])
        case.near_ties += differing(padded, read, DIMS["K"], allowed=2e-5)
        np.testing.assert_allclose(best[: len(found)], read[places], atol=2e-5)
        assert np.all(np.isneginf(best[len(found) :])) and np.all(chosen[len(found) :] == -1)
        assert np.all(np.diff(best[: len(found)]) <= 0)


def drive(session: Session, case: Case, rng: np.random.Generator, added: list[int], queries: int) -> None:
    """For each number of new passages: embed them and the queries, add the passages, search."""
    for count in added:
        if count:
            texts = draw_texts(rng, count, DIMS["P"], case.store.passages)
            add(session, case, texts, embed(session, case, texts))
        asked = draw_texts(rng, queries, DIMS["Q"], [])
        search(session, case, asked, embed(session, case, asked))


def drive_exact(session: Session, case: Case, rng: np.random.Generator, added: list[int]) -> None:
    def draw(count: int) -> np.ndarray:
        return rounded(rng.integers(-2, 3, (count, DIMS["H"])), "f32")

    for count in added:
        add(session, case, draw_texts(rng, count, DIMS["P"], case.store.passages), draw(count))
        search(session, case, draw_texts(rng, 2, DIMS["Q"], []), draw(2), exact=True)
