"""What the pipelines of this folder compute, in plain numpy and float64, one sequence at a time.

Written from their docstrings and the language reference; nothing of the compiler is used.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


def best(scores: Array, count: int) -> Indices:
    """Positions of the highest scores, ties to the lower one, ascending, -1 for the unused tail."""
    usable = [n for n in range(len(scores)) if scores[n] > -np.inf]
    chosen = sorted(sorted(usable, key=lambda n: (-scores[n], n))[:count])
    return np.array(chosen + [-1] * (count - len(chosen)), np.int64)


def pages(keys: Array, query: Array, rows_a_page: int, count: int) -> tuple[Array, Indices, Array]:
    """(o [D], pages [count], bounds [P]) of keys [T, D], the new one included. The last page may be short."""
    parts = [keys[start : start + rows_a_page] for start in range(0, len(keys), rows_a_page)]
    bounds = np.array([np.maximum(query * part.min(0), query * part.max(0)).sum() for part in parts])
    chosen = best(bounds, count)
    rows = np.concatenate([parts[page] for page in chosen if page >= 0])
    near = 1 / (1 + np.exp(-(rows @ query)))
    return near @ rows / near.sum(), chosen, bounds


def decay(codes: Indices, levels: Indices, energy: Array, classes: int, window: int) -> dict[str, np.ndarray]:
    """The outputs, and the new `energy` [classes]; codes and levels [T] have the new event at their end."""
    energy = 0.5 * energy
    if 0 <= codes[-1] < classes:
        energy[codes[-1]] += levels[-1]
    start = max(0, len(codes) - window)
    hits = np.zeros(classes, np.int64)
    peak = np.full(classes, -1, np.int64)
    for t in range(start, len(codes)):
        c = codes[t]
        if 0 <= c < classes:
            hits[c] += 1
            if peak[c] < 0 or levels[t] > levels[peak[c]]:
                peak[c] = t
    height = np.array([levels[t] if t >= 0 else 0 for t in peak], np.int64)
    busiest = int(np.argmax(hits))
    often = height[hits > 1]
    # A maximum over nothing is the least 32-bit integer.
    score = energy[busiest] + (often.max() if len(often) else -(2**31))
    moved = np.abs(np.diff(levels.astype(np.int64))).sum()
    return {
        "hits": hits,
        "peak": peak,
        "moved": np.asarray(moved),
        "busiest": np.asarray(busiest),
        "height": height,
        "score": np.asarray(score),
        "energy": energy,
    }


def codebook(
    codes: Indices, rows: Array, query: Array, centroids: Array, tau: float, capacity: int
) -> tuple[Array, Indices, Array]:
    """(o [E], picked [capacity], scores [N]) of codes [N, S], rows [N, E], query [S, D], centroids [S, A, D]."""
    table = (query[:, None, :] * centroids).sum(-1)
    known = codes < table.shape[1]
    parts = np.arange(codes.shape[1])
    scores = np.where(known, table[parts, np.where(known, codes, 0)], 0.0).sum(-1)
    passing = best(np.where(scores > tau, scores, -np.inf), capacity)
    chosen = passing[passing >= 0]
    weight = np.exp(scores[chosen])
    return weight @ rows[chosen] / max(weight.sum(), 1e-6), passing, scores


def as_bf16(values: Array) -> Array:
    return values.astype(ml_dtypes.bfloat16).astype(np.float64)
