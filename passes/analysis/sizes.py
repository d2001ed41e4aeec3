"""How many bytes the buffers of a host program take where its dims have given extents."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from hetc.dialects.host import BufferType
from hetc.dialects.mp import DimOp, SparseAttr, TensorType, storage_bits
from hetc.dialects.mp.derived import value_of
from hetc.footprint import pages_needed, placed_elements, pool_entries, stripe_elements

NUMBER_BYTES = 4
"""Of a length, an entry of a table of pages, the number of a pass: i32."""


class Sizes:
    """`given`: extents of run-time dims, each dim's bound where nothing is given; those of derived dims follow."""

    def __init__(self, dims: Mapping[str, DimOp], given: Mapping[str, int] | None = None) -> None:
        self.dims = dims
        self.extents = {name: dim.largest for name, dim in dims.items()} | dict(given or {})
        for name, dim in dims.items():
            if given and dim.derived is not None and dim.of is not None and not dim.is_static:
                sources = [self.extents[source.data] for source in dim.of]
                self.extents[name] = min(value_of(dim.functions, sources), dim.largest)

    def extent(self, size: int | str) -> int:
        return self.extents[size] if isinstance(size, str) else size

    def shape(self, type: TensorType) -> tuple[int, ...]:
        return tuple(self.extent(size) for size in type.shape)

    def array_bytes(self, type: BufferType) -> int:
        """One array of a dense buffer: one channel of one layer."""
        if type.depth:
            return self.array_bytes(type.layer)
        tensor, shape = type.tensor, self.shape(type.tensor)
        if tensor.rows is not None:
            elements = self._placed(tensor)
        elif type.channels.data > 1:
            elements = stripe_elements(shape, type.channels.data, type.axis.data)
        else:
            elements = prod(shape)
        return elements * storage_bits(tensor.element) // 8

    def bytes(self, type: BufferType) -> int:
        """All arrays of a buffer; of a sparse one the four parts."""
        if type.tensor.is_sparse:
            return sum(self.sparse_parts(type.tensor).values())
        return arrays_of(type) * self.array_bytes(type)

    def sparse_parts(self, type: TensorType) -> dict[str, int]:
        """Bytes of each part of a sparse tensor on a device, with its pool as large as it gets."""
        storage, rows = type.storage, self.extent(type.shape[0])
        assert isinstance(storage, SparseAttr)
        entries = pool_entries(storage.stored_bound.data, rows)
        value = entries * storage_bits(type.element) // 8
        return {"row_start": 8 * rows, "row_length": 4 * rows, "column": 4 * entries, "value": value}

    def table_bytes(self, type: TensorType) -> int:
        """The table of a memory's pages."""
        assert type.rows is not None and type.rows.is_paged
        return NUMBER_BYTES * self._pages(type)

    def length_bytes(self, dim: str) -> int:
        """A dim's lengths, one for each row where it is per a dim."""
        per = self.dims[dim].per
        return NUMBER_BYTES * (self.extents[per.data] if per is not None else 1)

    def _placed(self, type: TensorType) -> int:
        rows = type.rows
        assert rows is not None
        capacity, sequences = self.extent(type.shape[type.row_axis]), prod(self.shape(type)[: type.row_axis])
        pages = self._pages(type) if rows.is_paged else 0
        return placed_elements(rows.row.data, rows.page.data, sequences, capacity, pages)

    def _pages(self, type: TensorType) -> int:
        """How many pages hold all sequences at capacity."""
        dim = type.shape[type.row_axis]
        assert isinstance(dim, str) and type.rows is not None
        per = self.dims[dim].per
        sequences = self.extents[per.data] if per is not None else 1
        return pages_needed(sequences, self.extents[dim], type.rows.block.data)


def arrays_of(type: BufferType) -> int:
    """Of how many arrays a dense buffer consists: one for each channel of each layer."""
    return prod(int(size) for size in type.tensor.shape[: type.depth]) * type.channels.data
