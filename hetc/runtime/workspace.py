"""The memory that the values of a call lie in: kept for the next, shared by values that are not in use at one time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hetc.runtime.buffers import Buffer
from hetc.runtime.devices import Device
from hetc.runtime.specification import Occupant

Place = tuple[str, int | str, int]
"""A device kind, the number of a slot there (or the name of one that no other value has), and which layer of what lies
in it."""


class Workspace:
    """`slots` names for each device kind, slot by slot, the values that lie there: an array of the slot has room for
    the largest of them at the capacities that it is asked for with. Contents are whatever they were."""

    def __init__(self, slots: Mapping[str, Sequence[Sequence[Occupant]]]) -> None:
        self.slots = slots
        self._arrays: dict[Place, tuple[int, tuple[Any, ...]]] = {}
        # The values that were asked for last, as long as their slot's arrays are the same.
        self._buffers: dict[tuple[Place, str, str], Buffer] = {}

    def buffer(
        self,
        device: Device,
        place: Place,
        value: Occupant,
        shape: Sequence[int],
        capacities: Mapping[str, int],
        name: str,
    ) -> Buffer:
        """A value in its slot, as its own extents and element."""
        known = self._buffers.get((place, name, value.element))
        if known is not None and known.shape == shape and known.extents == value.extents and known.place == place:
            return known
        kind, slot, _ = place
        occupants = self.slots[kind][slot] if isinstance(slot, int) else (value,)
        size = max(item.array_bytes(capacities) for item in occupants)
        held = self._arrays.get(place)
        channels = 1 if value.stripes is None else value.stripes.channels
        if held is None or held[0] < size:
            self._forget(place)  # what is replaced is free before its successor is there
            held = (size, tuple(device.allocate(size, "u8") for _ in range(channels)))
            self._arrays[place] = held
        arrays = tuple(device.view(array, value.element, value.elements(shape)) for array in held[1])
        made = Buffer(device, value.extents, tuple(shape), value.element, arrays, value.stripes, name=name, place=place)
        self._buffers[place, name, value.element] = made
        return made

    def exchange(self, value: Buffer, other: Buffer) -> None:
        """Let a value's slot and a buffer in no slot, of the same shape and element, have each other's arrays."""
        assert value.place is not None
        size, _ = self._arrays[value.place]
        given, taken = other.arrays, value.arrays
        self._arrays[value.place] = (size, given)
        for known in [buffer for key, buffer in self._buffers.items() if key[0] == value.place]:
            known.arrays = given
        other.arrays = taken

    def _forget(self, place: Place) -> None:
        """The slot's arrays, and the values that lie in them."""
        self._arrays.pop(place, None)
        for key in [key for key in self._buffers if key[0] == place]:
            del self._buffers[key]
