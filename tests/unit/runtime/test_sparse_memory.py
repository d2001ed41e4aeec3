"""A sparse memory that grows by columns, against a dense reference."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hetc.runtime.errors import CapacityError
from hetc.runtime.sparse_memory import SparseMemory

ROWS = 6
COLUMN = st.lists(st.integers(-2, ROWS + 1), min_size=5, max_size=5)
# A batch of columns, and what happens to it: it stays, it is undone, or the pool is packed after it.
BATCH = st.tuples(st.lists(COLUMN, max_size=6), st.sampled_from(["keep", "undo", "pack"]))


def dense_columns(batch: list[list[int]], largest: int) -> np.ndarray:
    counts = np.zeros((ROWS, len(batch)), np.int64)
    for column, numbers in enumerate(batch):
        for number in numbers:
            if 0 <= number < ROWS:
                counts[number, column] += 1
    return np.minimum(counts, largest)


def check(memory: SparseMemory, dense: np.ndarray) -> None:
    np.testing.assert_array_equal(memory.to_dense(dense.shape[1]), dense)
    assert memory.stored == np.count_nonzero(dense)
    spans = sorted(zip(memory.row_start.tolist(), (memory.row_start + memory.room).tolist(), strict=True))
    for (_, stop), (start, end) in itertools.pairwise(spans):
        assert stop <= start or start == end, "rooms of two rows overlap"
    for row in range(ROWS):
        columns = memory.column[memory.row_start[row] :][: memory.row_length[row]]
        assert np.all(np.diff(columns) > 0)
    assert np.all(memory.row_length <= memory.room)
    assert np.all(memory.row_start + memory.room <= memory.pool)


@settings(max_examples=150, deadline=None)
@given(st.lists(BATCH, max_size=8))
def test_appends_undone_or_kept_against_a_dense_reference(batches: list[tuple[list[list[int]], str]]) -> None:
    memory, dense = SparseMemory(ROWS, "u8", 1000), np.zeros((ROWS, 0), np.int64)
    for batch, fate in batches:
        undo = memory.append(np.array(batch, np.int32).reshape(len(batch), 5), dense.shape[1])
        if fate == "undo":
            memory.roll_back(undo)
        else:
            dense = np.concatenate([dense, dense_columns(batch, 255)], axis=1)
        if fate == "pack":
            memory.pack()
        check(memory, dense)


@pytest.mark.parametrize(("element", "largest"), [("u8", 255), ("i8", 127)])
def test_counts_saturate(element: str, largest: int) -> None:
    memory = SparseMemory(2, element, 10)
    memory.append(np.ones((1, 300), np.int32), 0)
    assert memory.to_dense(1).tolist() == [[0], [largest]]


def test_float_counts_are_rounded_to_the_element() -> None:
    memory = SparseMemory(1, "bf16", 10)
    memory.append(np.zeros((1, 257), np.int32), 0)
    assert (memory.to_dense(1).astype(np.uint32) << 16).view(np.float32).tolist() == [[256.0]]


def test_the_bound_on_stored_entries_changes_nothing() -> None:
    memory = SparseMemory(3, "u8", 4)
    memory.append(np.array([[0, 1, 2]]), 0)
    before = memory.to_dense(1).tolist()
    with pytest.raises(CapacityError, match="5 stored entries exceed its bound 4"):
        memory.append(np.array([[0, 1, 1]]), 1)
    assert memory.stored == 3 and memory.to_dense(1).tolist() == before
    memory.append(np.array([[2, 2, 2]]), 1)
    assert memory.to_dense(2).tolist() == [[1, 0], [1, 0], [1, 3]]


def test_a_watcher_learns_the_rows_that_changed() -> None:
    memory = SparseMemory(4, "u8", 100)
    touched = memory.watch()
    assert touched.everything
    touched.clear()
    undo = memory.append(np.array([[1, 3, 3]]), 0)
    assert np.concatenate(touched.rows).tolist() == [1, 3]
    touched.clear()
    memory.roll_back(undo)
    assert np.concatenate(touched.rows).tolist() == [1, 3]


def test_loading_entries_and_appending_after_them() -> None:
    memory = SparseMemory(3, "u8", 100)
    memory.load(np.array([2, 0, 2]), np.array([1, 0, 0]), np.array([5, 7, 9], np.uint8))
    memory.append(np.array([[2, 0]]), 2)
    assert memory.to_dense(3).tolist() == [[7, 0, 1], [0, 0, 0], [9, 5, 1]]


def test_the_pool_stays_in_proportion() -> None:
    """Doubling rows and what they leave behind stay within a constant factor of what is stored."""
    memory = SparseMemory(50, "u8", 10**6)
    rng = np.random.default_rng(0)
    for first in range(0, 2000, 20):
        memory.append(rng.integers(0, 50, (20, 10)), first)
        if memory.wasteful:
            memory.pack()
    assert memory.pool <= 10 * memory.stored


def test_thousands_of_columns_at_once() -> None:
    rng = np.random.default_rng(0)
    memory = SparseMemory(30_000, "u8", 10**7)
    memory.append(rng.integers(0, 30_000, (5_000, 200)), 0)
    started = time.perf_counter()
    memory.append(rng.integers(0, 30_000, (5_000, 200)), 5_000)
    # 1 M entries take 0.1 s on an idle core; the limit leaves room for busy machines.
    assert time.perf_counter() - started < 2
    assert memory.to_dense(10_000).sum() == 2_000_000
