"""Weights that are frozen: copies of what was given, and what of them lies on each device.

A weight that is not frozen is read at each call as it is then; nothing of it is kept from one call to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from hetc.diagnostics import suggest
from hetc.runtime.buffers import Buffer, Stripes, allocate, duplicate
from hetc.runtime.devices import Device
from hetc.runtime.errors import InputError
from hetc.runtime.inputs import Given
from hetc.runtime.specification import Pipeline


class FrozenWeights:
    """Of one program. What is kept of a weight is a copy: nothing that its owner does later changes a result."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._weights = [name for name, spec in pipeline.tensors.items() if spec.role == "weight"]
        self._frozen: set[str] = set()
        self._kept: dict[str, Buffer] = {}
        self.version = 0
        """Counts the changes of what is kept."""
        self._on_devices: dict[tuple[str, tuple[int, ...], str, Stripes | None], Buffer] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The frozen weights, in the order of their declarations."""
        return tuple(name for name in self._weights if name in self._frozen)

    @property
    def known(self) -> Collection[str]:
        """Those whose values have been given."""
        return self._kept.keys()

    def freeze(self, names: Collection[str]) -> None:
        """The values that `keep` next sees of these weights stay."""
        self._frozen.update(names)

    def unfreeze(self, names: Collection[str]) -> None:
        """Drop what is kept of these weights."""
        self.version += 1
        for name in self.checked(names):
            self._frozen.discard(name)
            self._kept.pop(name, None)
            for key in [key for key in self._on_devices if key[0] == name]:
                del self._on_devices[key]

    def checked(self, names: Collection[str]) -> list[str]:
        """The weights of these names, all where there is none. Raises InputError for a name of something else."""
        for name in names:
            if not isinstance(name, str) or name not in self._weights:
                raise InputError(self._no_weight(name))
        return list(names) or self._weights

    def _no_weight(self, name: object) -> str:
        pipeline = self._pipeline
        those = (
            f"pipeline '{pipeline.name}' has {'the weights ' + ', '.join(self._weights) if self._weights else 'none'}"
        )
        if not isinstance(name, str):
            return f"expected the name of a weight, got {type(name).__name__}; values are given as in freeze(W=tensor)"
        if name in pipeline.tensors:
            return f"'{name}' is declared as {pipeline.tensors[name].role}, not as weight; {those}"
        near = suggest(name, self._weights)
        return f"there is no weight '{name}'; " + (f"did you mean '{near}'?" if near else those)

    def of_call(self, given: Mapping[str, Given], takes: Collection[str]) -> dict[str, Buffer]:
        """Those weights of a call whose values are kept: given ones, and those that it takes.

        Raises InputError where one is given with other values than it was frozen with."""
        if not self._kept:
            return {}
        for name in given.keys() & self._kept.keys():
            if not _same(given[name], self._kept[name]):
                raise InputError(
                    f"weight '{name}' is frozen, and what is given holds other values; leave it out to use what was "
                    f"frozen, or unfreeze it first: program.unfreeze('{name}')"
                )
        return {name: kept for name, kept in self._kept.items() if name in takes or name in given}

    def keep(self, given: Mapping[str, Given]) -> dict[str, Buffer]:
        """Copies of the frozen weights among `given` whose values were not known yet."""
        if len(self._kept) == len(self._frozen):  # what is kept is frozen, so nothing is new
            return {}
        new = {name for name in self._frozen if name in given and name not in self._kept}
        for name in new:
            self.version += 1
            self._kept[name] = duplicate(given[name].buffer(name, self._pipeline.tensors[name]))
            self._kept[name].frozen = True
        return {name: self._kept[name] for name in new}

    def on_device(
        self, source: Buffer, device: Device, stripes: Stripes | None, copy: Callable[[Buffer, Buffer], None]
    ) -> Buffer:
        """A frozen weight, or a layer of it, on a device; copied where it is not there yet."""
        key = (source.name, source.layers, device.kind, stripes)
        if key not in self._on_devices:
            made = allocate(device, source.extents, source.shape, source.element, stripes, name=source.name)
            copy(source, made)
            self._on_devices[key] = made
        return self._on_devices[key]


def _same(first: Given, second: Buffer) -> bool:
    """Whether two tensors of one declaration hold the same bits."""
    if first.shape != second.shape:
        return False
    if first.device is second.device:
        return first.device.equal(first.array, second.array)
    one, other = first.device.read(first.array, slice(None), 1), second.device.read(second.array, slice(None), 1)
    return one.tobytes() == other.tobytes()
