"""Steps of each pipeline on a session, compared with its twin after every step."""

from __future__ import annotations

import numpy as np

from tests.executors import Session, rounded
from tests.pipelines import twins
from tests.selection import differing

STEPS = 3


def drive_pages(session: Session, rng: np.random.Generator, lengths: list[int], exact: bool, capacity: int) -> None:
    """exact: small integers, so that bounds tie and every sum is exact."""
    rows = len(lengths)

    def draw(*shape: int) -> np.ndarray:
        return rng.integers(-2, 3, shape).astype(np.float64) if exact else rounded(rng.normal(size=shape), "f32")

    keys = draw(rows, capacity, 16)
    session.load("keys", keys)
    for step in range(STEPS):
        query, key = draw(rows, 16), draw(rows, 16)
        outputs = session.call(q=query, k=key)
        for b, length in enumerate(lengths):
            keys[b, length + step] = key[b]
            live = keys[b, : length + step + 1]
            output, page, bounds = twins.pages(live, query[b], rows_a_page=8, count=3)
            near_ties = differing(outputs["page"][b], bounds, 3, 0.0 if exact else 1e-5 * np.abs(bounds).max())
            if not near_ties:
                np.testing.assert_allclose(outputs["o"][b], output, rtol=2e-5, atol=2e-5)
                assert set(outputs["page"][b]) == set(page)
    assert session.lengths["T"].tolist() == [length + STEPS for length in lengths]


def drive_decay(session: Session, rng: np.random.Generator, lengths: list[int], capacity: int) -> None:
    rows = len(lengths)
    codes = rng.integers(-1, 7, (rows, capacity))
    levels = rng.integers(-9, 10, (rows, capacity))  # few values: peaks tie
    energy = rounded(rng.normal(size=(rows, 6)), "f32")
    session.load("codes", codes)
    session.load("levels", levels)
    session.load("energy", energy)
    for step in range(STEPS):
        code, level = rng.integers(-1, 7, rows), rng.integers(-300, 300, rows)
        outputs = session.call(code=code, level=level)
        for b, length in enumerate(lengths):
            now = length + step
            codes[b, now], levels[b, now] = code[b], level[b]
            expected = twins.decay(codes[b, : now + 1], levels[b, : now + 1], energy[b], classes=6, window=12)
            energy[b] = expected.pop("energy")
            for name, value in expected.items():
                if name == "score":
                    np.testing.assert_allclose(outputs[name][b], value, rtol=1e-6, atol=1e-6)
                else:
                    np.testing.assert_array_equal(outputs[name][b], value, err_msg=name)
    np.testing.assert_allclose(session.memory("energy")[:rows], energy, rtol=1e-6)


def drive_codebook(session: Session, rng: np.random.Generator, live: int, added: int, tau: float, exact: bool) -> None:
    """exact: small integers, so that scores tie and every sum is exact."""

    def draw(*shape: int) -> np.ndarray:
        return rng.integers(-2, 3, shape).astype(np.float64) if exact else rounded(rng.normal(size=shape), "bf16")

    capacity = live + STEPS * added
    codes, rows = rng.integers(0, 18, (capacity, 4)), draw(capacity, 12)  # 16 and 17 are no codes
    session.load("codes", codes)
    session.load("rows", rows)
    centroids = draw(4, 16, 8)
    for step in range(STEPS):
        first = live + step * added
        fresh, query = slice(first, first + added), draw(4, 8)
        codes[fresh], rows[fresh] = rng.integers(0, 18, (added, 4)), draw(added, 12)
        outputs = session.call(
            q=query, tau=np.asarray(rounded(tau, "f32")), code=codes[fresh], row=rows[fresh], centroids=centroids
        )
        now = first + added
        output, picked, scores = twins.codebook(codes[:now], rows[:now], query, centroids, tau, capacity=6)
        near_ties = differing(outputs["picked"], scores, 6, 0.0 if exact else 1e-4, above=tau)
        if not near_ties:
            np.testing.assert_array_equal(outputs["picked"], picked)  # a selection ascends
            np.testing.assert_allclose(outputs["o"], output, rtol=2e-5, atol=2e-5)
    assert session.lengths["N"].tolist() == [live + STEPS * added]
