"""When a selection is right, by the language reference: said once, for tests that bring their own scores."""

from __future__ import annotations

import numpy as np


def differing(picked: np.ndarray, scores: np.ndarray, count: int, allowed: float, above: float = -np.inf) -> int:
    """Entries in which picked [count] differs from the best of scores [n], each within `allowed` of the last one.

    The best are the `count` highest scores greater than `above`, never NaN, equal ones by lower index. Fails where an
    entry repeats, is out of range, may not be taken, or scores further away; where the unused tail is not -1; where
    fewer are taken than possible. With allowed 0 the sets must be equal."""
    with np.errstate(invalid="ignore"):
        usable = np.flatnonzero(scores > above)
    expected = sorted(sorted(usable, key=lambda n: (-scores[n], n))[:count])
    used = int(np.count_nonzero(picked >= 0))
    assert picked.shape == (count,)
    assert np.all(picked[:used] >= 0) and np.all(picked[used:] == -1), f"the tail is not -1: {picked}"
    taken = picked[:used]
    assert len(set(taken.tolist())) == used, f"an index repeats: {picked}"
    assert np.all(taken < len(scores)), f"an index is past {len(scores)}: {picked}"
    added, left_out = set(taken.tolist()) - set(expected), set(expected) - set(taken.tolist())
    if not added and not left_out:
        return 0
    last = above if len(expected) < count else min(scores[n] for n in expected)
    for n in added | left_out:
        distance = abs(scores[n] - last)
        assert np.isfinite(scores[n]), f"index {n} scores {scores[n]}"
        assert 0 < distance <= allowed, f"index {n} scores {scores[n]}, the last one {last}; allowed is {allowed}"
    if np.isneginf(above):
        assert used == len(expected), f"{used} taken of {len(expected)}"
    return max(len(added), len(left_out))
