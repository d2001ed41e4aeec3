"""An FPGA card through XRT's Python binding.

What the binding takes decides the form: `run.set_arg` accepts a buffer object or an int (32 bits, signed) and
nothing else, and calling a kernel directly swallows every other argument in silence; so a run is always built
argument by argument, and only arrays and ints are passed. `wait` keeps Python's global lock: one launch at a
time is in flight on a card. Newer XRT opens kernels through a hardware context, older XRT by the xclbin's uuid.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hetc.runtime.devices import Device
from hetc.runtime.errors import DeviceError, DeviceMissingError
from hetc.runtime.fpga import PagedArray
from hetc.runtime.regions import Rows

_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1


class XrtArray(PagedArray):
    """Elements that become a buffer object in the memory bank of the first kernel argument they are passed as. Arrays
    that lie in another one, `whole`, are in its buffer object."""

    def __init__(self, elements: int, element: str, fill: float = 0, within: XrtArray | None = None) -> None:
        self.whole: XrtArray = self if within is None else within.whole
        self._own_object: Any = None
        self._own_group = -1
        super().__init__(elements, element, fill, within)

    @property
    def buffer_object(self) -> Any:
        """None before a kernel was passed the array."""
        return self.whole._own_object

    @property
    def padded(self) -> NDArray:  # type: ignore[override]
        """The array's host side, which moves into the buffer object with it."""
        return self._memory if self.whole is self else self.whole._memory[: self._memory.nbytes]

    @padded.setter
    def padded(self, memory: NDArray) -> None:
        self._memory = memory

    def bind(self, xrt: Any, card: Any, group: int, place: str) -> Any:
        """The buffer object in bank `group`. Raises DeviceError where it already lies in another bank."""
        whole = self.whole
        if whole._own_object is None:
            size = whole.padded.nbytes
            whole._own_object = xrt.bo(card, size, xrt.bo.normal, group)
            mapped = np.frombuffer(whole._own_object.map(), np.uint8)
            mapped[:size] = whole.padded
            whole.padded, whole._own_group = mapped, group
            whole._own_object.sync(xrt.xclBOSyncDirection.XCL_BO_SYNC_BO_TO_DEVICE, size, 0)
        elif whole._own_group != group:
            raise DeviceError(f"{place} is in memory bank {group}, but the array lies in bank {whole._own_group}")
        return whole._own_object


class XrtDevice(Device):
    """One card with one xclbin."""

    kind = "fpga"
    backend = "xrt"

    def __init__(self, xclbin: str | Path | None, index: int = 0) -> None:
        try:
            self._xrt = importlib.import_module("pyxrt")
        except ImportError as error:
            raise DeviceMissingError(
                "no module pyxrt: install XRT from AMD's packages and source its setup.sh"
            ) from error
        if xclbin is None:
            raise DeviceMissingError("a card needs an xclbin: build one in fpga/ and pass its path")
        if not Path(xclbin).is_file():
            raise DeviceMissingError(f"{xclbin} does not exist")
        try:
            self._card = self._xrt.device(index)
            self._open_kernel = self._opener(str(xclbin))
        except RuntimeError as error:
            raise DeviceMissingError(f"XRT: {error}") from error
        self._kernels: dict[str, Any] = {}
        self._running: tuple[str, Any] | None = None

    def _opener(self, path: str) -> Any:
        """A function that opens a kernel by its name, by whichever way this XRT has."""
        xrt, card = self._xrt, self._card
        if hasattr(xrt, "hw_context"):
            program = xrt.xclbin(path)
            context = xrt.hw_context(card, card.register_xclbin(program))
            return lambda name: xrt.kernel(context, name)
        identity = card.load_xclbin(path)
        return lambda name: xrt.kernel(card, identity, name)

    def allocate(self, elements: int, element: str, fill: float = 0) -> XrtArray:
        return XrtArray(elements, element, fill)

    def view(self, array: XrtArray, element: str, elements: int) -> XrtArray:
        return XrtArray(elements, element, within=array)

    def write(self, array: XrtArray, rows: Rows, values: NDArray) -> None:
        if not values.size:
            return
        if array.buffer_object is None:
            array.values.reshape(-1)[: array.elements // values.shape[1] * values.shape[1]].reshape(
                -1, values.shape[1]
            )[rows] = values
            return
        self.wait()
        whole = len(array.values) // values.shape[1]
        array.values[: whole * values.shape[1]].reshape(-1, values.shape[1])[rows] = values
        # Only what was written: around it the card may hold newer data than the mapped copy.
        for start, stop in _runs(rows, whole):
            self._sync(array, start, stop, values.shape[1], "XCL_BO_SYNC_BO_TO_DEVICE")

    def read(self, array: XrtArray, rows: Rows, row_elements: int) -> NDArray:
        self.wait()
        whole = len(array.values) // row_elements
        if array.buffer_object is not None:
            runs = _runs(rows, whole)
            if runs:
                self._sync(array, runs[0][0], max(stop for _, stop in runs), row_elements, "XCL_BO_SYNC_BO_FROM_DEVICE")
        return array.values[: whole * row_elements].reshape(-1, row_elements)[rows].copy()

    def _sync(self, array: XrtArray, start: int, stop: int, row_elements: int, direction: str) -> None:
        row_bytes = row_elements * array.values.itemsize
        way = getattr(self._xrt.xclBOSyncDirection, direction)
        array.buffer_object.sync(way, (stop - start) * row_bytes, start * row_bytes)

    def load(self, directory: Path, kernels: Sequence[str]) -> None:
        for name in kernels:
            try:
                self._kernels[name] = self._open_kernel(name)
            except (RuntimeError, IndexError) as error:
                raise DeviceError(f"the xclbin has no kernel '{name}': {error}") from error

    def launch(self, kernel: str, arguments: Sequence[Any], options: Mapping[str, Any]) -> None:
        self.wait()
        run = self._xrt.run(self._kernels[kernel])
        for position, value in enumerate(arguments):
            place = f"argument {position} of kernel '{kernel}'"
            if isinstance(value, XrtArray):
                group = self._kernels[kernel].group_id(position)
                run.set_arg(position, value.bind(self._xrt, self._card, group, place))
            elif isinstance(value, int) and not isinstance(value, bool) and _INT_MIN <= value <= _INT_MAX:
                run.set_arg(position, value)
            else:
                raise DeviceError(f"{place}: expected an array or a 32-bit integer, got {value!r}")
        run.start()
        self._running = (kernel, run)

    def wait(self) -> None:
        if self._running is None:
            return
        (kernel, run), self._running = self._running, None
        state = run.wait()
        if state != self._xrt.ert_cmd_state.ERT_CMD_STATE_COMPLETED:
            raise DeviceError(f"kernel '{kernel}' ended in state {state}")


def _runs(rows: Rows, whole: int) -> list[tuple[int, int]]:
    """Maximal runs of neighbouring rows, [start, stop)."""
    if isinstance(rows, slice):
        start, stop, _ = rows.indices(whole)
        return [(start, stop)] if stop > start else []
    if not len(rows):
        return []
    ordered = np.unique(rows)
    breaks = np.flatnonzero(np.diff(ordered) != 1) + 1
    return [(int(part[0]), int(part[-1]) + 1) for part in np.split(ordered, breaks)]
