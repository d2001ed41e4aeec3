"""FPGA devices: C simulation of the emitted project, or a card through XRT (see `xrt`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hetc.runtime import csim
from hetc.runtime.devices import ANY, EMULATION, HARDWARE, HOST, Device, fill_bits, room_for
from hetc.runtime.elements import host_dtype
from hetc.runtime.errors import DeviceError
from hetc.runtime.regions import Rows

PAGE_BYTES = 4096
# Fencing an array catches accesses past its end and copies it twice; large memories are passed where they lie.
FENCED_BYTES = 1 << 26


class PagedArray:
    """Elements on page-aligned host memory, padded to whole pages: kernels move whole words of up to 64 bytes."""

    def __init__(self, elements: int, element: str, fill: float = 0, within: PagedArray | None = None) -> None:
        """within: an array at the beginning of whose memory this one lies."""
        dtype = host_dtype(element)
        self.elements, self.element = elements, element
        size = max(1, -(-elements * dtype.itemsize // PAGE_BYTES)) * PAGE_BYTES
        self.padded: NDArray
        if within is not None:
            self.padded = within.padded[:size]
            return
        with room_for(elements, element, HOST):
            raw = np.zeros(size + PAGE_BYTES, np.uint8)
        skip = -raw.ctypes.data % PAGE_BYTES
        self.padded = raw[skip : skip + size]
        if fill != 0:
            self.values[:] = fill_bits(element, fill)

    @property
    def values(self) -> NDArray:
        """The elements, without the padding."""
        return self.padded.view(host_dtype(self.element))[: self.elements]


def project_files(directory: Path, kernel: str) -> dict[str, str]:
    """The C++ files of a kernel's project (path in it -> text), testbenches left out.

    Raises DeviceError where there is none."""
    folder = directory / "fpga" / kernel
    found = [path for path in sorted(folder.rglob("*")) if path.suffix in (".cpp", ".h", ".hpp")]
    files = {str(path.relative_to(folder)): path.read_text() for path in found if not path.stem.endswith("_tb")}
    if not any(name.endswith(".cpp") for name in files):
        raise DeviceError(f"{folder} holds no C++ kernel")
    return files


class CsimDevice(Device):
    """The emitted C++ on this machine: one launch after the other, right results, no statement about time."""

    kind = "fpga"
    backend = "c-simulation"
    emulated = True

    def __init__(self) -> None:
        self.reports: dict[str, csim.CsimReport] = {}
        self._kernels: dict[str, csim.CsimKernel] = {}

    def allocate(self, elements: int, element: str, fill: float = 0) -> PagedArray:
        return PagedArray(elements, element, fill)

    def view(self, array: PagedArray, element: str, elements: int) -> PagedArray:
        return PagedArray(elements, element, within=array)

    def write(self, array: PagedArray, rows: Rows, values: NDArray) -> None:
        if values.size:
            _by_rows(array.values, values.shape[1])[rows] = values

    def read(self, array: PagedArray, rows: Rows, row_elements: int) -> NDArray:
        return _by_rows(array.values, row_elements)[rows].copy()

    def load(self, directory: Path, kernels: Sequence[str]) -> None:
        for name in kernels:
            self._kernels[name] = csim.build(project_files(directory, name), name)

    def launch(self, kernel: str, arguments: Sequence[Any], options: Mapping[str, Any]) -> None:
        arrays = [item for item in arguments if isinstance(item, PagedArray)]
        plain = [item.padded if isinstance(item, PagedArray) else item for item in arguments]
        plain = [_typed(self._kernels[kernel].signature[at], item) for at, item in enumerate(plain)]
        fenced = sum(item.padded.nbytes for item in arrays) <= FENCED_BYTES
        try:
            self.reports[kernel] = self._kernels[kernel].run(*plain, fenced=fenced)
        except csim.CsimError as error:
            raise DeviceError(f"C simulation: {error}") from error


def _typed(kind: str, value: Any) -> Any:
    return float(value) if kind.startswith("f") and not isinstance(value, np.ndarray) else value


def _by_rows(values: NDArray, row_elements: int) -> NDArray:
    return values[: len(values) // row_elements * row_elements].reshape(-1, row_elements)


def open_device(mode: str = ANY, *, xclbin: str | Path | None = None) -> Device:
    """An FPGA: the card where pyxrt finds one and `xclbin` is given, else C simulation.

    Raises DeviceMissingError for `hardware` without a card, pyxrt or an xclbin."""
    if mode != EMULATION and (mode == HARDWARE or xclbin is not None):
        from hetc.runtime.xrt import XrtDevice

        return XrtDevice(xclbin)
    return CsimDevice()
