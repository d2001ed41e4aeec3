"""How much room things take: what the compiler counts of a device's memory is what the runtime allocates of it."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

POOL_FACTOR = 4
"""Of a sparse memory: rows grow in a pool, doubling ones waste up to a half, what they leave behind as much again."""
LEAST_ROOM = 4
"""The least entries that such a row has room for."""
LEAST_POOL = 64
"""The least entries that a pool has."""


def stripe_elements(shape: Sequence[int], channels: int, axis: int) -> int:
    """Elements of each channel's array of a tensor whose rows along `axis` are dealt to memory channels."""
    return prod(shape[:axis]) * -(-shape[axis] // channels) * prod(shape[axis + 1 :])


def pages_needed(sequences: int, capacity: int, block: int) -> int:
    """Pages of `block` rows that hold `capacity` rows of each sequence."""
    return sequences * -(-capacity // block)


def placed_elements(row: int, page: int, sequences: int, capacity: int, pages: int) -> int:
    """Elements that hold all rows of a memory, and what lies between them: rows `row` elements apart, or pages `page`
    elements apart."""
    return pages * page if page else sequences * capacity * row


def pool_entries(stored_bound: int, rows: int) -> int:
    """The most entries that the pool of a sparse memory has room for, of which at most `stored_bound` are stored.

    What is appended finds room behind a pool that was packed: 3/2 of each row, at least LEAST_ROOM, and then twice what
    the rows need that move."""
    return max(POOL_FACTOR * stored_bound + 2 * LEAST_ROOM * rows, LEAST_POOL)
