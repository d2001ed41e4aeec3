"""Retrieval while a language model writes, one text at a time, in plain Python over lists of words.

Written from DRAGIN (arXiv 2403.10081), FLARE (arXiv 2305.06983, with the trigger of DRAGIN's comparison) and
fix-sentence retrieval (arXiv 2212.10509, likewise). Shares nothing with the compiler.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from tests.examples.bm25_reference import Index

Words = list[int]
NEED, DOUBT = (float(np.float32(value)) for value in (0.8, 0.08))
"""The thresholds, in the precision of what is compared with them."""


@dataclass(frozen=True)
class Draft:
    """What was written behind a prompt, word by word. attention[i][p]: of word i to word p of prompt and draft."""

    words: Words
    probability: list[float] = field(default_factory=list)
    entropy: list[float] = field(default_factory=list)
    influence: list[float] = field(default_factory=list)
    attention: list[list[float]] = field(default_factory=list)


@dataclass(frozen=True)
class Decision:
    """asks: whether something is looked up, with the words of query. kept: the words of the draft that stay."""

    asks: bool
    kept: Words
    query: Words


@dataclass(frozen=True)
class Vocabulary:
    """Words that end a sentence, and words that mean something."""

    ends: Collection[int]
    content: Collection[int] = ()


def sentences(words: Words, ends: Collection[int]) -> list[range]:
    """The positions of each sentence, its last word one that ends it, or the draft's last."""
    found, start = [], 0
    for position, word in enumerate(words):
        if word in ends or position + 1 == len(words):
            found.append(range(start, position + 1))
            start = position + 1
    return found


def first_sentence(words: Words, ends: Collection[int]) -> Words:
    """Of no words: none."""
    return [words[position] for sentence in sentences(words, ends)[:1] for position in sentence]


def dragin(context: Words, draft: Draft, vocabulary: Vocabulary, longest_query: int) -> Decision:
    """Attention as a share of the sentence's, times its length, times entropy, above 0.8 on a content word; the query
    is of the content words before the sentence's end that those words attend to most, themselves not among them."""
    text = context + draft.words
    for sentence in sentences(draft.words, vocabulary.ends):
        attention = sum(draft.influence[i] for i in sentence)
        hits = []
        for i in sentence:
            value = draft.influence[i] / attention * len(sentence) * draft.entropy[i]
            if value > NEED and draft.words[i] in vocabulary.content:
                hits.append(i)
        if hits:
            places = [len(context) + i for i in hits]
            seen = [p for p in range(len(context) + sentence.stop) if text[p] in vocabulary.content and p not in places]
            paid = {p: sum(draft.attention[i][p] for i in hits) / len(hits) for p in seen}
            chosen = sorted(sorted(seen, key=lambda p: (-paid[p], p))[:longest_query])
            return Decision(True, draft.words[: sentence.start], [text[p] for p in chosen])
    return Decision(False, draft.words, [])


def flare(context: Words, draft: Draft, vocabulary: Vocabulary, longest_query: int) -> Decision:
    """A sentence whose words have 1 - p above 0.08 on average; the query is what remains without such words."""
    for sentence in sentences(draft.words, vocabulary.ends):
        doubts = [1 - draft.probability[i] for i in sentence]
        if sum(doubts) / len(doubts) > DOUBT:
            query = [draft.words[i] for i, doubt in zip(sentence, doubts, strict=True) if doubt <= DOUBT]
            return Decision(True, draft.words[: sentence.start], query[-longest_query:])
    return Decision(False, draft.words, [])


Decide = Callable[[Words, Draft, Vocabulary, int], Decision]
METHODS: dict[str, Decide] = {"rag_dragin": dragin, "rag_flare": flare}


def decide(
    method: str, context: Words, draft: Draft, retrieved: bool, vocabulary: Vocabulary, longest_query: int
) -> Decision:
    """What one call says of one text."""
    sentence = first_sentence(draft.words, vocabulary.ends)
    if method == "rag_fs":
        said = sentence if retrieved else draft.words
        return Decision(bool(said), said, said[-longest_query:])
    if retrieved:
        return Decision(False, sentence, [])
    return METHODS[method](context, draft, vocabulary, longest_query)


def look_up(index: Index, query: Words, count: int) -> tuple[list[float], list[int]]:
    """Scores and numbers of the best passages that hold a word of the query, equal ones by lower number."""
    scores = index.scores(query)
    order = sorted((n for n, score in enumerate(scores) if score > 0), key=lambda n: (-scores[n], n))[:count]
    return [scores[n] for n in order], order


@dataclass(frozen=True)
class Library:
    """A collection, and how it is asked."""

    passages: Sequence[Words]
    vocabulary: Vocabulary
    longest_query: int
    count: int

    def before(self, query: Words) -> Words:
        """The passages found, one behind the other."""
        _, numbers = look_up(Index(self.passages), query, self.count)
        return [word for number in numbers for word in self.passages[number]]


def write(
    method: str, generator: Callable[[Words], Draft], question: Words, library: Library, end: int, limit: int
) -> Words:
    """An answer as DRAGIN and FLARE write it: a draft from what the model knows; where the method asks, one sentence
    from passages, and a new draft behind it."""
    answer: Words = []
    vocabulary = library.vocabulary
    while True:
        draft = generator(question + answer)
        decision = METHODS[method](question + answer, draft, vocabulary, library.longest_query)
        answer += decision.kept
        if end in decision.kept or len(answer) >= limit:
            return answer
        if decision.asks:
            behind = generator(library.before(decision.query) + question + answer)
            sentence = first_sentence(behind.words, vocabulary.ends)
            answer += sentence
            if end in sentence or len(answer) >= limit or not sentence:
                return answer
        elif not decision.kept:
            return answer


def write_by_sentence(
    generator: Callable[[Words], Draft], question: Words, library: Library, end: int, limit: int
) -> Words:
    """An answer sentence after sentence, each from the passages that the one before finds, or the question."""
    answer: Words = []
    query = question
    while True:
        behind = generator(library.before(query[-library.longest_query :]) + question + answer)
        query = first_sentence(behind.words, library.vocabulary.ends)
        answer += query
        if end in query or len(answer) >= limit or not query:
            return answer
