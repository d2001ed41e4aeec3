"""Sparse matrices of the oracle: sorted (row, column) keys and their values; nothing but numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class SparseMatrix:
    """A matrix of which only some elements are stored.

    rows, columns: the extents (columns may count spare capacity).
    row, column: int64[n], the stored positions, ascending by row, then by column, none twice.
    value: [n], float64 or int64.
    """

    rows: int
    columns: int
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    value: NDArray

    def __post_init__(self) -> None:
        if len(self.row) != len(self.column) or len(self.row) != len(self.value):
            raise ValueError(f"got {len(self.row)} rows, {len(self.column)} columns and {len(self.value)} values")
        if np.any(np.diff(self.keys) <= 0):
            raise ValueError("stored positions must ascend by row, then by column, without repeats")
        if len(self.row) and (self.column.min() < 0 or self.column.max() >= self.columns):
            raise ValueError(f"a stored column lies outside of [0, {self.columns})")
        if len(self.row) and (self.row.min() < 0 or self.row.max() >= self.rows):
            raise ValueError(f"a stored row lies outside of [0, {self.rows})")

    @property
    def keys(self) -> NDArray[np.int64]:
        return self.row * max(self.columns, 1) + self.column

    @property
    def shape(self) -> tuple[int, int]:
        return (self.rows, self.columns)

    @classmethod
    def from_dense(cls, array: np.ndarray) -> SparseMatrix:
        """The non-zero elements of a [rows, columns] array."""
        row, column = np.nonzero(array)
        kind = np.float64 if array.dtype.kind not in "iub" else np.int64
        return cls(array.shape[0], array.shape[1], row, column, array[row, column].astype(kind))

    @classmethod
    def from_buffers(
        cls,
        row_start: np.ndarray,
        row_length: np.ndarray,
        column: np.ndarray,
        value: np.ndarray,
        columns: int,
    ) -> SparseMatrix:
        """The matrix held in the four physical buffers: i64[R] and i32[R], and the pools of columns and values, of
        which each row owns the `row_length` entries from `row_start`. Raises ValueError where a row leaves the
        pool or its columns do not ascend."""
        lengths = np.asarray(row_length, dtype=np.int64)
        starts = np.asarray(row_start, dtype=np.int64)
        if np.any(lengths < 0) or np.any((starts < 0) & (lengths > 0)) or np.any(starts + lengths > len(column)):
            raise ValueError(f"a row lies outside of the pool of {len(column)} entries")
        within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        entry = np.repeat(starts, lengths) + within
        kind = np.float64 if value.dtype.kind not in "iub" else np.int64
        row = np.repeat(np.arange(len(lengths)), lengths)
        return cls(len(lengths), columns, row, np.asarray(column, np.int64)[entry], value[entry].astype(kind))

    def to_dense(self) -> NDArray:
        """[rows, columns], zeros where nothing is stored."""
        array = np.zeros(self.shape, dtype=self.value.dtype)
        array[self.row, self.column] = self.value
        return array

    def lookup(self, row: np.ndarray, column: np.ndarray) -> tuple[NDArray, NDArray[np.bool_]]:
        """(values, stored) at positions inside of the matrix (broadcast against each other); 0 where unstored."""
        wanted = np.asarray(row, dtype=np.int64) * max(self.columns, 1) + np.asarray(column, dtype=np.int64)
        if not len(self.row):
            return np.zeros(wanted.shape, self.value.dtype), np.zeros(wanted.shape, np.bool_)
        keys = self.keys
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        stored = keys[place] == wanted
        return np.where(stored, self.value[place], 0), stored

    def with_entries(self, row: np.ndarray, column: np.ndarray, value: np.ndarray) -> SparseMatrix:
        """The matrix with more entries; one at a position that is stored already replaces it."""
        added = np.asarray(row, dtype=np.int64) * max(self.columns, 1) + np.asarray(column, dtype=np.int64)
        kept = ~np.isin(self.keys, added)
        rows = np.concatenate([self.row[kept], np.asarray(row, dtype=np.int64)])
        columns = np.concatenate([self.column[kept], np.asarray(column, dtype=np.int64)])
        values = np.concatenate([self.value[kept], np.asarray(value, dtype=self.value.dtype)])
        order = np.lexsort((columns, rows))
        return SparseMatrix(self.rows, self.columns, rows[order], columns[order], values[order])
