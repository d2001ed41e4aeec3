"""The loop around a language model that looks things up while it writes: rag_dragin, rag_flare and rag_fs.

The model is any callable that writes a few words behind each prompt and says what it knows of them (`Generator`). The
compiled pipeline decides what of them stays, whether to look something up, and what the model reads next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hetc.runtime.program import HostProgram

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Draft:
    """What a generator wrote behind B prompts of at most P words: at most S words each, -1 behind the last.

    words: int32[B, S]. probability, entropy (nats): float32[B, S], of the word that was drawn and of the distribution
    that it was drawn from. influence: float32[B, S], the most attention that a later word of the draft pays to it.
    attention: float32[B, S, P + S], that the model paid to each word of the prompt and of the draft when it wrote a
    word, 0 to what was not there yet; of the last layer, the mean over its heads. A method reads some of these.
    """

    words: Ints
    probability: Floats
    entropy: Floats
    influence: Floats
    attention: Floats


class Generator(Protocol):
    """Writes behind prompts, int32[B, P] with -1 behind the last word of each, S words or up to an end of text."""

    def __call__(self, prompts: Ints) -> Draft: ...


@dataclass(frozen=True)
class Found:
    """What a call decided for B texts.

    asks: bool[B], whether something was looked up. kept: int32[B], words of the draft that stay. query: int32[B, Q];
    picked: int32[B, K], passages, best first; prompt: int32[B, P], what to go on from: all of them -1 behind the end.
    """

    asks: NDArray[np.bool_]
    kept: Ints
    query: Ints
    picked: Ints
    prompt: Ints


class Retriever:
    """A compiled pipeline, its collection of passages, and what it is told of the vocabulary."""

    def __init__(self, program: HostProgram, capacity: int, weights: Mapping[str, NDArray[np.bool_]]) -> None:
        """capacity: most passages. weights: `ends` bool[V], and `content` where the pipeline has it."""
        self.program, self.weights = program, dict(weights)
        specification = program.PIPELINE
        ((self.name, self.step),) = specification.steps.items()
        self.longest_passage = int(specification.tensors["passages"].extents[1])
        self.longest_draft = int(specification.tensors["draft"].extents[1])
        self.state = program.new_state(N=capacity)
        self._nothing = np.full((0, self.longest_passage), -1, np.int32)

    def add(self, passages: Sequence[Sequence[int]]) -> None:
        """Append passages, word numbers each. Raises CapacityError past the capacity: then none was added."""
        self._call(
            rows(passages, self.longest_passage), rows([[]]), unwritten([[]], self.longest_draft), np.zeros(1, bool)
        )

    def __call__(self, context: Ints, draft: Draft, retrieved: NDArray[np.bool_]) -> Found:
        """Decide for every text: context int32[B, C], what was written behind it, whether it was behind passages."""
        return self._call(self._nothing, context, draft, retrieved)

    def _call(self, docs: Ints, context: Ints, draft: Draft, retrieved: NDArray[np.bool_]) -> Found:
        # The words of a context stand at the beginning of its prompt, where nothing was retrieved; only there is
        # attention read.
        to_context, to_draft = (
            draft.attention[:, :, : -self.longest_draft],
            draft.attention[:, :, -self.longest_draft :],
        )
        missing = max(0, context.shape[1] - to_context.shape[2])
        to_context = np.pad(to_context, ((0, 0), (0, 0), (0, missing)))[:, :, : context.shape[1]]
        known: dict[str, Any] = {
            "docs": docs,
            "context": context,
            "draft": draft.words,
            "retrieved": retrieved,
            "probability": draft.probability,
            "entropy": draft.entropy,
            "influence": draft.influence,
            "attention": np.concatenate([to_context, to_draft], axis=2),
            **self.weights,
        }
        outputs = self.program.step(self.name)(self.state, **{name: known[name] for name in self.step.takes})
        return Found(**{name: outputs[name].cpu().numpy() for name in Found.__dataclass_fields__})


def rows(texts: Sequence[Sequence[int]], length: int | None = None) -> Ints:
    """int32[texts, length]: a text each, -1 behind its end; by default as long as the longest, at least 1.

    Raises ValueError where one is longer."""
    longest = max((len(text) for text in texts), default=0)
    extent = max(longest, 1) if length is None else length
    if longest > extent:
        raise ValueError(f"a text of {longest} words: at most {extent} are possible")
    result = np.full((len(texts), extent), -1, np.int32)
    for row, text in zip(result, texts, strict=True):
        row[: len(text)] = text
    return result


def unwritten(texts: Sequence[Sequence[int]], length: int) -> Draft:
    """Texts in the place of a draft: nothing is known of their words but what they are."""
    words = rows(texts, length)
    nothing = np.zeros(words.shape, np.float32)
    return Draft(words, nothing, nothing, nothing, np.zeros((*words.shape, 1 + length), np.float32))


def generate(
    retriever: Retriever,
    generator: Generator,
    questions: Sequence[Sequence[int]],
    end: int,
    limit: int,
    ask_first: bool = False,
) -> list[list[int]]:
    """The answers to questions, word numbers each. They are written beside each other, each at its own pace.

    end: the word that ends an answer. limit: an answer of so many words is not continued. ask_first: the question is
    what is looked up first (rag_fs); else the model first writes from what it knows. Raises ValueError for a question
    that is longer than a draft, with ask_first; PipelineError where the pipeline is given more than it holds.
    """
    texts: list[list[int]] = [[] if ask_first else list(question) for question in questions]
    draft = unwritten(questions, retriever.longest_draft) if ask_first else generator(rows(texts))
    retrieved = np.zeros(len(texts), bool)
    live = np.arange(len(texts))
    while True:
        found = retriever(rows([texts[number] for number in live]), draft, retrieved)
        goes_on = np.zeros(len(live), bool)
        for row, number in enumerate(live):
            words = draft.words[row, : found.kept[row]].tolist()
            texts[number] += words
            answer = texts[number][len(questions[number]) :]
            goes_on[row] = bool(words or found.asks[row]) and end not in answer and len(answer) < limit
        if not goes_on.any():
            return [text[len(question) :] for text, question in zip(texts, questions, strict=True)]
        live, retrieved = live[goes_on], found.asks[goes_on]
        draft = generator(found.prompt[goes_on])
