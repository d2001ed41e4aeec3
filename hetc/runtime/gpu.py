"""GPU devices: a real one through torch, or Triton's corrected interpreter on CPU tensors."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hetc.runtime.devices import ANY, EMULATION, HARDWARE, Device, filled
from hetc.runtime.elements import host_dtype, is_torch, to_torch, torch_dtype
from hetc.runtime.errors import DeviceError, DeviceMissingError, InputError
from hetc.runtime.regions import Rows

KERNELS_FILE = "gpu/kernels.py"
# CUDA devices convert fp8 in hardware from this compute capability on.
FP8_CAPABILITY = (8, 9)
BYTES = ("fp8", "fp8e5m2", "bool")


@dataclass(frozen=True)
class GpuArray:
    """A flat torch tensor of the element's own dtype, and the same memory as plain integers or floats."""

    tensor: Any
    element: str

    @property
    def argument(self) -> Any:
        """What a kernel is passed: kernels see fp8 and bool buffers as bytes."""
        return self.plain if self.element in BYTES else self.tensor

    @property
    def plain(self) -> Any:
        """The memory in a dtype that every torch indexing supports."""
        import torch

        widths = {1: torch.uint8, 2: torch.int16}
        size = self.tensor.element_size()
        return self.tensor.view(widths[size]) if size in widths else self.tensor


class GpuDevice(Device):
    """Kernels are the functions of `gpu/kernels.py`; arguments are its pointers and integers in order."""

    kind = "gpu"

    def __init__(self, place: str, backend: str) -> None:
        self.place = place
        self.backend = backend
        self._module: ModuleType | None = None

    def allocate(self, elements: int, element: str, fill: float = 0) -> GpuArray:
        import torch

        if fill == 0:
            # fp8 tensors have no fill of their own everywhere; zero bits are zero.
            return GpuArray(torch.zeros(elements, dtype=torch_dtype(element), device=self.place), element)
        return GpuArray(to_torch(filled(elements, element, fill), element).to(self.place), element)

    def view(self, array: GpuArray, element: str) -> GpuArray:
        return GpuArray(array.tensor.view(torch_dtype(element)), element)

    def adopt(self, tensor: Any, element: str) -> GpuArray:
        if not is_torch(tensor) or not str(tensor.device).startswith(self.place) or not tensor.is_contiguous():
            found = f"{tensor.device}" if is_torch(tensor) else type(tensor).__name__
            raise InputError(f"expected a contiguous torch tensor on {self.place}, got {found}")
        flat = tensor.reshape(-1)
        if flat.dtype != torch_dtype(element) and flat.element_size() != 1:
            raise InputError(f"expected {torch_dtype(element)}, or its bytes as torch.uint8, got {flat.dtype}")
        return GpuArray(flat if flat.dtype == torch_dtype(element) else flat.view(torch_dtype(element)), element)

    def write(self, array: GpuArray, rows: Rows, values: NDArray) -> None:
        if values.size:
            plain = array.plain
            tensor = self._tensor(values, array)
            plain.view(-1, values.shape[1])[self._rows(rows)] = tensor.to(plain.device)

    def read(self, array: GpuArray, rows: Rows, row_elements: int) -> NDArray:
        chosen = array.plain.view(-1, row_elements)[self._rows(rows)]
        return chosen.cpu().contiguous().numpy().view(host_dtype(array.element))

    def copy(self, source: GpuArray, source_rows: Rows, target: GpuArray, target_rows: Rows, row_elements: int) -> None:
        chosen = source.plain.view(-1, row_elements)[self._rows(source_rows)]
        target.plain.view(-1, row_elements)[self._rows(target_rows)] = chosen

    def load(self, directory: Path, kernels: Sequence[str]) -> None:
        if kernels:
            self._module = _import_file(directory / KERNELS_FILE)
            missing = [name for name in kernels if not hasattr(self._module, name)]
            if missing:
                raise DeviceError(f"{directory / KERNELS_FILE} has no kernel '{missing[0]}'")

    def launch(self, kernel: str, arguments: Sequence[Any], options: Mapping[str, Any]) -> None:
        function = getattr(self._module, kernel)
        plain = [item.argument if isinstance(item, GpuArray) else item for item in arguments]
        named = dict(options)
        grid = named.pop("grid")
        named.update({name: self._constexpr(name) for name in named.pop("constexprs", ())})
        try:
            function[grid](*plain, **named)
        except Exception as error:
            raise DeviceError(f"kernel '{kernel}' on {self.backend}: {type(error).__name__}: {error}") from error

    def _constexpr(self, name: str) -> Any:
        """The value of a compile-time parameter that depends on the device."""
        if name != "NATIVE_FP8":
            raise DeviceError(f"kernels ask for a compile-time parameter '{name}' that is not known")
        if self.backend != "cuda":
            return False
        import torch

        return torch.cuda.get_device_capability() >= FP8_CAPABILITY

    def wait(self) -> None:
        if self.place != "cpu":
            import torch

            try:
                torch.cuda.synchronize()
            except RuntimeError as error:
                raise DeviceError(f"{self.backend}: {error}") from error

    def _rows(self, rows: Rows) -> Any:
        if isinstance(rows, slice):
            return rows
        import torch

        return torch.from_numpy(rows).to(self.place)

    @staticmethod
    def _tensor(values: NDArray, array: GpuArray) -> Any:
        import torch

        wanted = array.plain
        # torch wants memory that it may write, though nothing does.
        contiguous = np.require(values, requirements=["C", "W"])
        bits = {1: np.uint8, 2: np.int16}.get(contiguous.itemsize)
        return torch.from_numpy(contiguous.view(bits) if bits else contiguous).view(wanted.dtype)


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise DeviceError(f"{path} does not exist")
    # The name is the path's, so that two work directories in one process keep their kernels apart.
    name = "hetc_gpu_kernels_" + json.dumps(str(path.resolve())).encode().hex()
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def hardware_backend() -> str | None:
    """`cuda` or `rocm` where torch sees a device, else None."""
    try:
        import torch
    except ImportError:
        return None
    if not torch.cuda.is_available():
        return None
    return "rocm" if torch.version.hip else "cuda"


def open_device(mode: str = ANY) -> GpuDevice:
    """A GPU. Raises DeviceMissingError for `hardware` without one, EmulationUnavailable where the interpreter
    cannot run kernels faithfully."""
    found = None if mode == EMULATION else hardware_backend()
    if found:
        return GpuDevice("cuda", found)
    if mode == HARDWARE:
        raise DeviceMissingError("no GPU: torch sees no CUDA or ROCm device in this machine")
    from hetc.runtime.triton_interpreter import install

    install()
    return GpuDevice("cpu", "triton-interpreter")
