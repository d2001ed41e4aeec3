"""The contract of topk and select, on whole arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Selection:
    """What `count` positions of the last axis were picked from, all of one shape.

    scores: float64 or int64; candidates: present, and the condition holds; doubtful: where an evaluation in f32 may
    decide the condition otherwise (None: nowhere); magnitude: what the scores' errors are relative to, or None.
    order: any, score or index. is_threshold: a select, which takes every candidate that fits.
    """

    scores: np.ndarray
    candidates: BoolArray
    count: int
    order: str
    magnitude: NDArray[np.float64] | None = None
    doubtful: BoolArray | None = None
    is_threshold: bool = False


def qualifying(scores: np.ndarray, candidates: BoolArray) -> BoolArray:
    """The candidates that may be taken at all: NaN and -inf never are."""
    return candidates & (scores > -np.inf) if scores.dtype.kind == "f" else candidates


def best(scores: np.ndarray, candidates: BoolArray, count: int, order: str) -> NDArray[np.int64]:
    """int64[..., count]: positions, along the last axis, of the highest scores among the candidates.

    Equal scores go to the lower position; the unused tail is -1. `order` is `score` or `any` (descending, ties by
    lower position) or `index` (ascending)."""
    extent = scores.shape[-1]
    takeable = qualifying(scores, candidates)
    lowest = -np.inf if scores.dtype.kind == "f" else np.iinfo(np.int64).min
    key = np.where(takeable, scores.astype(np.float64) if scores.dtype.kind == "f" else scores.astype(np.int64), lowest)
    ranked = _descending(key, takeable)[..., :count]
    available = np.count_nonzero(takeable, axis=-1)[..., None]
    used = np.arange(ranked.shape[-1]) < available
    picked = np.where(used, ranked, -1)
    if order == "index":
        picked = np.sort(np.where(used, picked, extent), axis=-1)
        picked = np.where(picked == extent, -1, picked)
    missing = count - picked.shape[-1]
    padding = [(0, 0)] * (picked.ndim - 1) + [(0, missing)]
    return np.pad(picked, padding, constant_values=-1).astype(np.int64)


def _descending(key: np.ndarray, takeable: BoolArray) -> NDArray[np.int64]:
    """Positions by descending key, takeable ones first, ties by lower position (a stable sort of the reverse)."""
    reverse = key[..., ::-1]
    ascending = np.argsort(reverse, axis=-1, kind="stable")
    order = key.shape[-1] - 1 - ascending[..., ::-1]
    # An integer's lowest value can be a candidate's score: a second stable sort puts the others behind it.
    first = np.take_along_axis(~takeable, order, axis=-1)
    return np.take_along_axis(order, np.argsort(first, axis=-1, kind="stable"), axis=-1)
