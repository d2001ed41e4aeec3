"""What the runtime asks of a device, and the registry of device kinds.

A device holds flat arrays of elements and runs kernels on them. An array is addressed by rows of a given number
of elements; what moves is always host arrays (see `elements`). A new kind of device is one subclass of `Device`
and a manifest (`hetc.devices`) that names what opens it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hetc import devices
from hetc.runtime.elements import host_dtype
from hetc.runtime.errors import DeviceError, DeviceMissingError
from hetc.runtime.regions import Rows

HOST = "host"
EMULATION, HARDWARE, ANY = "emulation", "hardware", "any"


class Device(ABC):
    """One device. `kind` is what programs are placed on; `backend` says what really runs the kernels, `emulated`
    whether that is something else than such a device."""

    kind: str
    backend: str
    emulated: bool = False

    @abstractmethod
    def allocate(self, elements: int, element: str, fill: float = 0) -> Any:
        """An array of so many elements, each `fill`."""

    @abstractmethod
    def view(self, array: Any, element: str, elements: int) -> Any:
        """The beginning of an array's memory as so many elements, whatever it was allocated as."""

    def lying(self, value: Any, element: str) -> Any:
        """A caller's tensor as an array of this device, if its kernels can read it where it lies, as it is; else
        None."""
        return None

    def adopt(self, tensor: Any, element: str, name: str) -> Any:
        """A caller's tensor as an array of this device. Raises InputError where it is of another dtype or place."""
        raise DeviceError(f"{self.backend} cannot use memory that others allocated")

    def portion(self, array: Any, start: int, stop: int) -> Any:
        """The memory of some neighbouring elements of an array."""
        raise DeviceError(f"{self.backend} reads arrays from their beginning only")

    def equal(self, first: Any, second: Any) -> bool:
        """Whether two arrays of this device, of one element type and length, hold the same bits."""
        one, other = (self.read(array, slice(None), 1).view(np.uint8) for array in (first, second))
        return np.array_equal(one, other)

    def span(self, array: Any) -> range:
        """The addresses of an array that the caller can see; empty for one that only this device sees."""
        return range(0)

    @abstractmethod
    def write(self, array: Any, rows: Rows, values: NDArray) -> None:
        """Write host values [rows, row elements] to these rows."""

    @abstractmethod
    def read(self, array: Any, rows: Rows, row_elements: int) -> NDArray:
        """These rows as a host array of its own [rows, row elements]; waits for what writes them."""

    def copy(self, source: Any, source_rows: Rows, target: Any, target_rows: Rows, row_elements: int) -> None:
        """Copy rows within the device."""
        self.write(target, target_rows, self.read(source, source_rows, row_elements))

    @abstractmethod
    def load(self, directory: Path, kernels: Sequence[str]) -> None:
        """Make the kernels of a work directory ready to launch."""

    def argument(self, array: Any) -> Any:
        """What `launch` is given for an array, as long as that is where it is."""
        return array

    @abstractmethod
    def launch(self, kernel: str, arguments: Sequence[Any], options: Mapping[str, Any]) -> None:
        """Start a kernel on what `argument` gave for arrays, and plain integers; it may still run on return."""

    def wait(self) -> None:  # noqa: B027 - a device whose launches have ended on return has nothing to wait for
        """Return when everything launched has completed. Raises DeviceError where something failed."""


class HostDevice(Device):
    """The host's memory; it runs no kernels."""

    kind = HOST
    backend = HOST

    def allocate(self, elements: int, element: str, fill: float = 0) -> NDArray:
        return filled(elements, element, fill)

    def write(self, array: NDArray, rows: Rows, values: NDArray) -> None:
        array.reshape(-1, values.shape[1])[rows] = values

    def read(self, array: NDArray, rows: Rows, row_elements: int) -> NDArray:
        chosen = array.reshape(-1, row_elements)[rows]
        return chosen.copy() if isinstance(rows, slice) else chosen

    def copy(self, source: Any, source_rows: Rows, target: Any, target_rows: Rows, row_elements: int) -> None:
        if isinstance(source_rows, slice) and isinstance(target_rows, slice):
            target[_run(target_rows, row_elements)] = source[_run(source_rows, row_elements)]
        else:
            target.reshape(-1, row_elements)[target_rows] = source.reshape(-1, row_elements)[source_rows]

    def view(self, array: NDArray, element: str, elements: int) -> NDArray:
        dtype = host_dtype(element)
        return array.view(np.uint8)[: elements * dtype.itemsize].view(dtype)

    def portion(self, array: NDArray, start: int, stop: int) -> NDArray:
        return array[start:stop]

    def span(self, array: NDArray) -> range:
        return range(array.ctypes.data, array.ctypes.data + array.nbytes)

    def load(self, directory: Path, kernels: Sequence[str]) -> None:
        if kernels:
            raise DeviceError(f"the host runs no kernels, and {kernels[0]} is placed on it")

    def launch(self, kernel: str, arguments: Sequence[Any], options: Mapping[str, Any]) -> None:
        raise DeviceError(f"the host runs no kernels, and {kernel} is placed on it")


def _run(rows: slice, row_elements: int) -> slice:
    """The elements of neighbouring rows."""
    return rows if rows.start is None else slice(rows.start * row_elements, rows.stop * row_elements)


def filled(elements: int, element: str, fill: float) -> NDArray:
    """A new host array, each element `fill`. Zeros are taken from untouched pages."""
    with room_for(elements, element, HOST):
        if fill == 0:
            return np.zeros(elements, host_dtype(element))
        return np.full(elements, fill_bits(element, fill), host_dtype(element))


@contextmanager
def room_for(elements: int, element: str, place: str) -> Iterator[None]:
    """Around an allocation. Raises DeviceError where there is no memory left."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        size_gb = elements * host_dtype(element).itemsize / 1e9
        raise DeviceError(f"{place} has no room for {elements:,} elements of {element} ({size_gb:.3g} GB)") from error


def fill_bits(element: str, fill: float) -> Any:
    """One host element holding the value `fill`."""
    from hetc.numerics.rounding import to_bits
    from hetc.runtime.elements import element_type

    return to_bits(np.array([fill]), element_type(element)).view(host_dtype(element))[0]


def open_device(kind: str = HOST, mode: str = ANY, **options: Any) -> Device:
    """Open a device of a kind.

    mode: `hardware` (raises DeviceMissingError where there is none), `emulation`, or `any`: hardware where it
    is present, else emulation. `Device.backend` says which one it is.
    """
    if kind == HOST:
        return HostDevice()
    try:
        opener = devices.device_kind(kind).runtime
    except devices.UnknownKind as error:
        known = ", ".join((*devices.device_kinds(), HOST))
        raise DeviceMissingError(f"no runtime for devices of kind '{kind}'; there is one for {known}") from error
    opened: Device = devices.resolve(opener)(mode, **options)
    return opened
