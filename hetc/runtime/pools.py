"""Device memory of placed rows: the pages of a state, and pools that several memories share."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from numpy.typing import NDArray

from hetc.runtime.buffers import Buffer
from hetc.runtime.devices import Device
from hetc.runtime.elements import host_dtype
from hetc.runtime.pages import PageTable, Placement
from hetc.runtime.regions import row_axis
from hetc.runtime.specification import Pipeline, Tensor


class Pools:
    """The page tables of one state, by dim and rows a page, and the arrays that groups of memories share."""

    def __init__(self, pipeline: Pipeline, capacities: Mapping[str, int], pages: Mapping[str, int]) -> None:
        self.capacities = capacities
        self.tables: dict[tuple[str, int], PageTable] = {}
        self._shared: dict[tuple[str, str], Any] = {}
        for spec in pipeline.memories.values():
            if spec.rows is not None and spec.rows.block:
                dim = _dim_of_rows(spec)
                per = pipeline.dims[dim].per
                sequences = capacities[per] if per is not None else 1
                key = (dim, spec.rows.block)
                if key not in self.tables:
                    self.tables[key] = PageTable(dim, sequences, capacities[dim], spec.rows.block, pages.get(dim))

    def placement(self, spec: Tensor) -> Placement | None:
        """Where the rows of a memory lie; None for row-major."""
        if spec.rows is None:
            return None
        dim = _dim_of_rows(spec)
        return Placement(spec.rows, self.capacities[dim], self.tables.get((dim, spec.rows.block)))

    def allocate(self, name: str, group: str, spec: Tensor, device: Device, shape: tuple[int, ...]) -> Buffer:
        """The buffer of a placed memory on a device; memories of one group share an array."""
        placement = self.placement(spec)
        assert placement is not None
        elements = placement.elements(prod(shape[: row_axis(spec.extents)]))
        if not group:
            array = device.allocate(elements, spec.element, spec.init)
        else:
            key = (group, device.kind)
            if key not in self._shared:
                self._shared[key] = device.allocate(elements * host_dtype(spec.element).itemsize, "u8")
            array = device.view(self._shared[key], spec.element, elements)
        return Buffer(device, spec.extents, shape, spec.element, (array,), name=name, placement=placement)

    def refresh(self) -> None:
        """Read the tables that the caller fills."""
        for table in self.tables.values():
            table.refresh()

    def hold(self, dim: str, lengths: NDArray) -> None:
        """Keep the pages that sequences of these lengths need. Raises CapacityError."""
        for (held, _), table in self.tables.items():
            if held == dim:
                table.hold(lengths)


def _dim_of_rows(spec: Tensor) -> str:
    dim = spec.extents[row_axis(spec.extents)]
    assert isinstance(dim, str)
    return dim
