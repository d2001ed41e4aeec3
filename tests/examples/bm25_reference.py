"""BM25 in Lucene's form, from token lists, in plain Python: idf * tf / (tf + k1 * (1 - b + b * length / average))."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

K1, B = 1.2, 0.75


class Index:
    """Passages as token ids; ids below 0 are padding. A query's word counts as often as it is repeated."""

    def __init__(self, passages: Sequence[Sequence[int]]):
        self.counts = [Counter(token for token in tokens if token >= 0) for tokens in passages]
        self.lengths = [sum(count.values()) for count in self.counts]
        self.frequency = Counter(token for count in self.counts for token in count)

    def idf(self, token: int) -> float:
        """ln(1 + (N - df + 0.5) / (df + 0.5))."""
        found = self.frequency[token]
        return math.log(1 + (len(self.counts) - found + 0.5) / (found + 0.5))

    def scores(self, query: Sequence[int], k1: float = K1, b: float = B) -> list[float]:
        """One score a passage."""
        average = sum(self.lengths) / len(self.lengths) if self.lengths else 0.0
        words = [token for token in query if token >= 0]
        weights = {token: self.idf(token) for token in words}
        result = []
        for count, length in zip(self.counts, self.lengths, strict=True):
            score = 0.0
            for token in words:
                if count[token]:
                    norm = k1 * (1 - b + b * length / average)
                    score += weights[token] * count[token] / (count[token] + norm)
            result.append(score)
        return result


def best(scores: Sequence[float], count: int) -> list[int]:
    """Positions of the highest scores, equal ones by lower position."""
    return sorted(range(len(scores)), key=lambda n: (-scores[n], n))[:count]
