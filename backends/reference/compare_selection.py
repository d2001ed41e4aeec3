"""Verdicts on selections: topk and select by their contract, not entry by entry.

A selection may differ from the oracle's only where scores lie within tolerance of the last one taken, or where the
condition of a select is in doubt; how many such entries there are is counted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hetc.backends.reference.compare import Verdict, allowed_error, compare_values, cropped
from hetc.backends.reference.selection import Selection, best, qualifying
from hetc.backends.reference.tensors import Tensor, values_of
from hetc.dialects.mp import dtype_name

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]


def compare_tensor(actual: np.ndarray, expected: Tensor, *, exact: bool = False) -> Verdict:
    """Compare a buffer with a value of the oracle: a selection by its contract, anything else by values."""
    if expected.selection is not None:
        chosen = expected.selection
        return compare_selection(actual, chosen, inside=expected.inside[..., :1], exact=exact)
    if expected.type.coded is not None:
        return _compare_codes(actual, expected, exact)
    name = dtype_name(expected.type.element)
    present = expected.present | ~expected.inside
    return compare_values(
        actual, expected.array, present, name, magnitude=expected.magnitude, inside=expected.inside, exact=exact
    )


def _compare_codes(actual: np.ndarray, expected: Tensor, exact: bool) -> Verdict:
    """Bytes by the values that they are codes of: one may be the next of its type."""
    coded = expected.type.coded
    assert coded is not None
    got, want = (values_of(cropped(array, expected.array.shape), expected.type) for array in (actual, expected.array))
    inside = expected.inside
    if coded.count.data:
        inside = np.broadcast_to(inside.all(axis=-1, keepdims=True), want.shape)
    return compare_values(got, want, None, dtype_name(coded.element), inside=inside, exact=exact)


def compare_selection(
    actual_indices: np.ndarray,
    selection: Selection,
    *,
    inside: BoolArray | None = None,
    exact: bool = False,
    dtype: str = "f32",
) -> Verdict:
    """Check picked indices [..., count] by the contract of topk and select against the oracle's scores [..., n].

    Every entry in which they differ from the oracle's set must score within tolerance of the oracle's last one (or
    its condition be in doubt); none may repeat, be absent, NaN, -inf or out of range; the unused tail is -1; order
    `index` ascends exactly, order `score` descends within tolerance. exact: the oracle's entries themselves, in its
    order unless that is `any`. inside: [..., 1], which rows exist."""
    scores, count = selection.scores, selection.count
    rows = int(np.prod(scores.shape[:-1]))
    picked = cropped(np.asarray(actual_indices), (*scores.shape[:-1], count)).astype(np.int64).reshape(rows, count)
    expected = best(scores, selection.candidates, count, selection.order).reshape(rows, count)
    exists = np.ones(rows, np.bool_) if inside is None else np.broadcast_to(inside, (*scores.shape[:-1], 1)).reshape(-1)
    allowed = _score_tolerance(selection, dtype).reshape(rows, scores.shape[-1])
    flat = _Rows(selection, rows, allowed)
    problems: list[tuple[int, str]] = []
    near_ties, largest = 0, 0.0
    for row in np.flatnonzero(exists):
        if exact:
            same = picked[row] if selection.order != "any" else np.sort(picked[row])
            want = expected[row] if selection.order != "any" else np.sort(expected[row])
            problem, ties, error = ("" if np.array_equal(same, want) else "differs from the oracle's"), 0, 0.0
            tail = int(np.count_nonzero(expected[row] >= 0))
            if not problem and np.any(picked[row, tail:] != -1):
                problem = "the unused tail is not at the end"
        else:
            problem, ties, error = flat.check(int(row), picked[row], expected[row])
        near_ties += ties
        largest = max(largest, error)
        if problem:
            problems.append((int(row), problem))
    note = f"{near_ties} entries differ within tolerance" if near_ties else ""
    where: tuple[int, ...] | None = None
    if problems:
        where = tuple(int(i) for i in np.unravel_index(problems[0][0], scores.shape[:-1] or (1,)))
        note = f"{len(problems)} of {rows} rows are wrong; row {where}: {problems[0][1]}"
    return Verdict(largest, float(allowed.max(initial=0.0)), not problems, where, note, near_ties, rows * count)


def another_selection(selection: Selection, rng: np.random.Generator, dtype: str = "f32") -> NDArray[np.int64]:
    """int64[..., count]: what an evaluation within tolerance may pick: every score off by a part of what is allowed,
    conditions in doubt decided either way, and what may come in any order by score, by index or shuffled."""
    scores, candidates = selection.scores, selection.candidates
    allowed = _score_tolerance(selection, dtype)
    if allowed.any():
        scores = scores + rng.uniform(-1, 1, scores.shape) * np.where(np.isfinite(allowed), allowed, 0.0)
    if selection.doubtful is not None:
        candidates = np.where(selection.doubtful, rng.random(scores.shape) < 0.5, candidates)
    if selection.order != "any":
        return best(scores, candidates, selection.count, selection.order)
    order = rng.choice(("score", "index", "shuffled"))
    picked = best(scores, candidates, selection.count, "index" if order == "index" else "score")
    if order == "shuffled":
        places = np.where(picked >= 0, rng.random(picked.shape), 2.0)  # what is unused stays at the end
        picked = np.take_along_axis(picked, np.argsort(places, axis=-1), axis=-1)
    return picked


def _score_tolerance(selection: Selection, dtype: str) -> FloatArray:
    """How far a score may lie from the oracle's, one for each score."""
    scores = selection.scores
    if scores.dtype.kind != "f":
        return np.zeros(scores.shape)
    finite = np.where(np.isfinite(scores), scores, 0.0)
    return np.where(np.isfinite(scores), allowed_error(finite, dtype, selection.magnitude), 0.0)


class _Rows:
    """Checks one row of a selection at a time."""

    def __init__(self, selection: Selection, rows: int, allowed: FloatArray):
        extent = selection.scores.shape[-1]
        self.selection = selection
        self.scores = selection.scores.reshape(rows, extent)
        self.candidates = qualifying(self.scores, selection.candidates.reshape(rows, extent))
        doubtful = selection.doubtful
        self.doubtful = np.zeros((rows, extent), np.bool_) if doubtful is None else doubtful.reshape(rows, extent)
        self.allowed = allowed

    def check(self, row: int, picked: np.ndarray, expected: np.ndarray) -> tuple[str, int, float]:
        """(what is wrong or "", entries that differ within tolerance, the largest distance of one from the limit)"""
        scores, doubtful = self.scores[row], self.doubtful[row]
        used = int(np.argmin(picked >= 0)) if np.any(picked < 0) else len(picked)
        taken = picked[:used]
        if np.any(picked[used:] != -1):
            return f"an entry after the unused tail began, or below -1: {picked.tolist()}", 0, 0.0
        if np.any(taken >= len(scores)):
            return f"index {int(taken.max())} is past the extent {len(scores)}", 0, 0.0
        if len(np.unique(taken)) != used:
            return "an index repeats", 0, 0.0
        forbidden = taken[~self.candidates[row][taken] & ~doubtful[taken]]
        if len(forbidden):
            return f"index {int(forbidden[0])} is absent, NaN, -inf or does not qualify", 0, 0.0
        disordered = self._disorder(row, taken)
        if disordered:
            return disordered, 0, 0.0
        certain = int(np.count_nonzero(self.candidates[row] & ~doubtful))
        possible = int(np.count_nonzero(self.candidates[row] | doubtful))
        low, high = min(certain, len(picked)), min(possible, len(picked))
        if not low <= used <= high:
            return f"{used} entries, expected {low if low == high else f'{low} to {high}'}", 0, 0.0
        return self._differences(row, taken, expected[expected >= 0])

    def _disorder(self, row: int, taken: np.ndarray) -> str:
        order = self.selection.order
        if order == "index" and np.any(np.diff(taken) <= 0):
            return "the indices do not ascend"
        if order == "score" and len(taken) > 1:
            scores, allowed = self.scores[row][taken], self.allowed[row][taken]
            with np.errstate(invalid="ignore"):
                rises = np.diff(scores.astype(np.float64)) > allowed[1:] + allowed[:-1]
            # Equal integer scores leave no doubt which one comes first.
            ties = (np.diff(scores) == 0) & (np.diff(taken) < 0) & (allowed[1:] + allowed[:-1] == 0)
            if np.any(rises) or np.any(ties):
                return "the scores do not descend"
        return ""

    def _differences(self, row: int, taken: np.ndarray, expected: np.ndarray) -> tuple[str, int, float]:
        scores, allowed, doubtful = self.scores[row], self.allowed[row], self.doubtful[row]
        differing = np.setxor1d(taken, expected)
        if not len(differing):
            return "", 0, 0.0
        added = len(np.setdiff1d(taken, expected))
        sure = differing[~doubtful[differing]]
        possible = int(np.count_nonzero(self.candidates[row] | doubtful))
        if len(sure) and (not len(expected) or possible <= self.selection.count):
            return f"index {int(sure[0])} should {'' if sure[0] in expected else 'not '}have been taken", 0, 0.0
        if not len(sure):
            return "", max(added, len(differing) - added), 0.0
        last = expected[np.argmin(scores[expected])]
        with np.errstate(invalid="ignore"):
            distance = np.abs(scores[sure].astype(np.float64) - float(scores[last]))
        distance = np.where(scores[sure] == scores[last], 0.0, distance)
        limit = allowed[sure] + allowed[last]
        exact_tie = (distance == 0) & (limit == 0)
        if np.any(distance > limit) or np.any(exact_tie):
            worst = int(sure[np.argmax(distance - limit)])
            return f"index {worst} scores {scores[worst]}, the last one taken {scores[last]}", 0, float(distance.max())
        return "", max(added, len(differing) - added), float(distance.max())


def compare_selected_scores(actual_scores: np.ndarray, actual_indices: np.ndarray, selection: Selection) -> Verdict:
    """The scores that came with picked indices: each is its own index's, -inf in the unused tail."""
    shape = (*selection.scores.shape[:-1], selection.count)
    picked = cropped(np.asarray(actual_indices), shape).astype(np.int64)
    usable = (picked >= 0) & (picked < selection.scores.shape[-1])
    at = np.where(usable, picked, 0)
    size = selection.magnitude
    if not selection.scores.shape[-1]:
        expected, size = np.full(shape, -np.inf), None
    else:
        expected = np.where(usable, np.take_along_axis(selection.scores, at, axis=-1), -np.inf)
        size = None if size is None else np.where(usable, np.take_along_axis(size, at, axis=-1), 0.0)
    return compare_values(actual_scores, expected, None, "f32", magnitude=size)
