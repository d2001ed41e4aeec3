"""Rows of a region against masks over the whole shape."""

from __future__ import annotations

import tracemalloc

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hetc.runtime.regions import as_slice, box, region_rows, row_elements

PERS = {"T": "B"}
EXTENTS = [
    ("B", "T", 2), ("B", 3, "T", 2), ("T2", 4), ("B",), ("B", "T2", "T"), (3, "B"), (2, 2),
]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(EXTENTS), st.data())
def test_region_rows(extents: tuple[int | str, ...], data: st.DataObject) -> None:
    capacity = {"B": 3, "T": 5, "T2": 4}
    live_b = data.draw(st.integers(0, 3))
    live_t = data.draw(st.lists(st.integers(0, 5), min_size=3, max_size=3))
    low_t = [data.draw(st.integers(0, length)) for length in live_t]
    high = {"B": np.array([live_b]), "T": np.array(live_t), "T2": np.array([data.draw(st.integers(0, 4))])}
    along = "T" if "T" in extents and data.draw(st.booleans()) else None
    low = {"T": np.array(low_t)} if along else None
    shape = tuple(capacity[item] if isinstance(item, str) else item for item in extents)
    inside = np.ones(shape, bool)
    for index in np.ndindex(*shape):
        for position, item in enumerate(extents):
            if not isinstance(item, str):
                continue
            row = index[extents.index("B")] if item in PERS else 0
            first = low_t[row] if along == item else 0
            inside[index] &= first <= index[position] < high[item][row]
    expected = np.flatnonzero(inside.reshape(-1, row_elements(extents)).all(axis=1))
    np.testing.assert_array_equal(region_rows(extents, shape, PERS, high, low), expected)


def test_box_counts_the_longest_live_row() -> None:
    lengths = {"B": np.array([2]), "T": np.array([3, 1, 9])}
    assert box(("B", "T", 7), PERS, lengths) == (2, 3, 7)
    assert box((), PERS, lengths) == ()


def test_neighbouring_rows_become_a_slice() -> None:
    assert as_slice(np.array([4, 5, 6])) == slice(4, 7)
    assert isinstance(as_slice(np.array([4, 6])), np.ndarray)


def test_a_few_new_rows_of_a_long_memory_are_found_at_once() -> None:
    """64 rows of a batch, a million tokens each: the numbers of the new ones must not cost a walk over the rest."""
    old = np.full(64, 1_000_000)
    tracemalloc.start()
    rows = region_rows(("B", "T", 576), (64, 1_048_576, 576), PERS, {"B": np.array([64]), "T": old + 1}, {"T": old})
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 1_000_000
    assert rows.tolist() == [row * 1_048_576 + 1_000_000 for row in range(64)]
