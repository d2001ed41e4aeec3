"""The processor as a device: kernels compiled for this machine, on memory that the host sees."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hetc.runtime.cpu_build import build
from hetc.runtime.devices import ANY, Device, HostDevice, fill_bits, room_for
from hetc.runtime.elements import element_type, host_dtype
from hetc.runtime.errors import DeviceError, InputError
from hetc.runtime.tensors import is_torch

KIND = "cpu"
ALIGNMENT_BYTES = 64
HUGE_PAGE_BYTES = 1 << 21


class CpuDevice(HostDevice):
    """Arrays are numpy arrays in the host's own memory, 64-byte aligned, large ones in huge pages. A launch has ended
    when it returns; other threads of the process run meanwhile."""

    kind = KIND
    backend = "processor"

    def __init__(self, build_type: str = "", threads: int = 0) -> None:
        """build_type: see cpu_build. threads: how many run a parallel loop, 0 for as many as OpenMP finds best."""
        self.build_type, self.threads = build_type, threads
        self._functions: dict[str, Any] = {}
        self._set_threads: Any = None

    def allocate(self, elements: int, element: str, fill: float = 0) -> NDArray:
        with room_for(elements, element, self.kind):
            array = aligned(elements, host_dtype(element))
        if fill != 0:
            array[:] = fill_bits(element, fill)
        return array

    def lying(self, value: Any, element: str) -> NDArray | None:
        return _flat(value, element)

    def adopt(self, tensor: Any, element: str, name: str) -> NDArray:
        flat = _flat(tensor, element)
        if flat is None:
            raise InputError(f"tensor '{name}': expected a contiguous {element} array in the host's memory")
        return flat

    def load(self, directory: Path, kernels: Sequence[str]) -> None:
        if not kernels:
            return
        folder = directory / KIND
        files = {path.name: path.read_text() for path in sorted(folder.glob("*")) if path.suffix in (".cpp", ".h")}
        missing = [name for name in kernels if f"{name}.cpp" not in files]
        if missing:
            raise DeviceError(f"{folder} holds no kernel '{missing[0]}'")
        library = build(files, self.build_type)
        for name in kernels:
            function = getattr(library, name)
            function.argtypes, function.restype = [ctypes.c_void_p], None
            self._functions[name] = function
        if self.threads:
            self._set_threads = getattr(library, "omp_set_num_threads", None)

    def argument(self, array: NDArray) -> int:
        """Its address."""
        try:
            return ctypes.addressof(ctypes.c_char.from_buffer(array.data))
        except (TypeError, ValueError):  # read-only, or empty
            address: int = array.__array_interface__["data"][0]  # three times as slow
            return address

    def launch(self, kernel: str, arguments: Sequence[int], options: Mapping[str, Any]) -> None:
        if self._set_threads is not None:
            self._set_threads(self.threads)  # of this thread of the process
        self._functions[kernel]((ctypes.c_int64 * len(arguments))(*arguments))


def aligned(elements: int, dtype: np.dtype) -> NDArray:
    """Zeros at an address that is a multiple of 64; from 2 MiB on in memory of its own that asks for huge pages.

    Raises MemoryError."""
    size = max(elements * dtype.itemsize, 1)
    if size < HUGE_PAGE_BYTES:
        raw = np.zeros(size + ALIGNMENT_BYTES, np.uint8)
        skip = -raw.ctypes.data % ALIGNMENT_BYTES
        return raw[skip : skip + size].view(dtype)[:elements] if elements else raw[:0].view(dtype)
    try:
        pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(str(error)) from error
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # of a system without huge pages: the memory is the same
            pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, np.uint8, size).view(dtype)[:elements]


def _flat(value: Any, element: str) -> NDArray | None:
    """A caller's tensor as a flat array of the same memory, where it lies as kernels read it."""
    dtype = element_type(element)
    if dtype.bits < dtype.storage_bits:
        return None
    if is_torch(value):
        return _flat_torch(value, element)
    if not isinstance(value, np.ndarray) or value.dtype != dtype.storage:
        return None
    flags = value.flags
    if not (flags.c_contiguous and flags.aligned):
        return None
    return _bits(value.reshape(-1), element)


def _flat_torch(value: Any, element: str) -> NDArray | None:
    import torch

    from hetc.runtime.elements import torch_dtype

    plain = type(value) in (torch.Tensor, torch.nn.Parameter) and value.layout is torch.strided
    if not plain or value.device.type != "cpu" or value.dtype != torch_dtype(element):
        return None
    if not value.is_contiguous() or value.is_neg() or value.is_conj():
        return None
    if value.dtype == torch.bfloat16 or value.element_size() == 1:  # numpy knows them as plain numbers alone
        bits = torch.int16 if value.dtype == torch.bfloat16 else torch.uint8
        return _bits(value.detach().reshape(-1).view(bits).numpy(), element)
    return _bits(value.detach().reshape(-1).numpy(), element)


def _bits(flat: NDArray, element: str) -> NDArray:
    return flat if flat.dtype == host_dtype(element) else flat.view(host_dtype(element))


def open_device(mode: str = ANY, *, build_type: str = "", threads: int = 0) -> Device:
    """The processor that this runs on, whatever the mode: it is never emulated. Raises CompilerMissingError."""
    return CpuDevice(build_type, threads)
