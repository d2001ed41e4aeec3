"""Rows that lie by strides or in pages: which page holds what, and where each row begins."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hetc.footprint import placed_elements
from hetc.runtime.devices import Device
from hetc.runtime.errors import CapacityError, InputError
from hetc.runtime.tensors import host_values

NO_PAGE = -1


@dataclass(frozen=True)
class Rows:
    """Row r begins at element `offset + r * row`; with a `block`, the row at place s of page p at
    `offset + p * page + s * row`, and a table says which page holds each `block` rows of a sequence."""

    row: int
    offset: int = 0
    block: int = 0
    page: int = 0

    @property
    def unit(self) -> int:
        """Elements that all distances are multiples of."""
        return gcd(self.row, self.offset, self.page)


class PageTable:
    """Which of `pages` pages hold the rows of each sequence along one dim: int32[sequences, entries], -1 where none.

    Pages are taken as sequences grow and given back as they shrink, the lowest free one first. A table that was
    adopted is its owner's: it is read at every step, and no page is taken or given back."""

    def __init__(self, dim: str, sequences: int, capacity: int, block: int, pages: int | None = None) -> None:
        self.dim, self.block = dim, block
        self.host = np.full((sequences, -(-capacity // block)), NO_PAGE, np.int32)
        self.pages = self.host.size if pages is None else pages
        self._free = list(range(self.pages))[::-1]
        self._arrays: dict[str, tuple[Any, int]] = {}
        self._version = 0
        self._owner: Any = None

    def hold(self, lengths: NDArray) -> None:
        """Exactly the pages that sequences of these lengths need. Raises CapacityError, changing nothing, where there
        are not enough."""
        if self._owner is not None:
            self._check_owned(lengths)
            return
        wanted = -(-np.asarray(lengths, np.int64) // self.block)
        held = np.count_nonzero(self.host >= 0, axis=1)
        missing = int(np.maximum(wanted - held, 0).sum())
        spare = len(self._free) + int(np.maximum(held - wanted, 0).sum())
        if missing > spare:
            raise CapacityError(
                f"dim {self.dim}: {int(wanted.sum())} pages of {self.block} rows are needed, and there are {self.pages}"
            )
        if np.array_equal(wanted, held):
            return
        for sequence in np.flatnonzero(held > wanted):
            given_back = self.host[sequence, wanted[sequence] : held[sequence]]
            self._free += sorted(given_back.tolist(), reverse=True)
            given_back[:] = NO_PAGE
        self._free.sort(reverse=True)
        for sequence in np.flatnonzero(held < wanted):
            for entry in range(held[sequence], wanted[sequence]):
                self.host[sequence, entry] = self._free.pop()
        self._version += 1

    def resize(self, pages: int) -> None:
        """Another number of pages; none may be in use. Raises CapacityError."""
        if (self.host >= 0).any() and self._owner is None:
            raise CapacityError(f"dim {self.dim}: its pages are in use; empty the state before its pool changes")
        self.pages, self._free = pages, list(range(pages))[::-1]

    def adopt(self, table: Any) -> None:
        """Use the caller's table: a torch tensor or an array, int32[sequences, entries]."""
        values = host_values(table, "block_table")
        if values.dtype != np.int32 or values.ndim != 2 or values.shape[0] != self.host.shape[0]:
            raise InputError(
                f"block_table: expected int32[{self.host.shape[0]}, entries], got {values.dtype}{list(values.shape)}"
            )
        if values.shape[1] < self.host.shape[1]:
            raise InputError(
                f"block_table: expected at least {self.host.shape[1]} entries a sequence, got {values.shape[1]}"
            )
        self._owner = table
        self.refresh()

    def refresh(self) -> None:
        """What an adopted table says now."""
        if self._owner is not None:
            values = host_values(self._owner, "block_table")
            entries = np.ascontiguousarray(values[:, : self.host.shape[1]])
            if not np.array_equal(entries, self.host):
                self.host = entries.copy()
                self._version += 1

    def _check_owned(self, lengths: NDArray) -> None:
        for sequence, length in enumerate(np.asarray(lengths)):
            used = self.host[sequence, : -(-int(length) // self.block)]
            if len(used) and (used.min() < 0 or used.max() >= self.pages):
                raise CapacityError(
                    f"block_table: sequence {sequence} is {int(length)} rows long along {self.dim}, and entry "
                    f"{int(np.argmax((used < 0) | (used >= self.pages)))} of it names no page (0 to {self.pages - 1})"
                )

    def on(self, device: Device) -> Any:
        """The table in a device's memory, as kernels read it."""
        held = self._arrays.get(device.kind)
        if held is None or held[1] != self._version:
            array = held[0] if held is not None else device.allocate(self.host.size, "i32")
            device.write(array, slice(0, self.host.size), np.maximum(self.host, 0).reshape(-1, 1))
            held = (array, self._version)
            self._arrays[device.kind] = held
        return held[0]


@dataclass
class Placement:
    """Where the rows of one buffer begin. `capacity`: rows of a sequence that are counted, `table`: its pages."""

    rows: Rows
    capacity: int
    table: PageTable | None = field(default=None)

    def starts(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The first element of each row, rows counted row-major over capacities."""
        rows = self.rows
        if self.table is None:
            return rows.offset + numbers * rows.row
        sequence, place = numbers // self.capacity, numbers % self.capacity
        page = self.table.host[sequence, place // rows.block].astype(np.int64)
        return rows.offset + page * rows.page + place % rows.block * rows.row

    def elements(self, sequences: int) -> int:
        """How many elements hold all rows, and what lies between them."""
        pages = self.table.pages if self.table is not None else 0
        return placed_elements(self.rows.row, self.rows.page, sequences, self.capacity, pages)
