"""GPU devices: a real one through torch, or Triton's corrected interpreter on CPU tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hetc.diagnostics import DiagnosticError
from hetc.runtime.devices import ANY, EMULATION, HARDWARE, Device, filled, room_for
from hetc.runtime.elements import element_type, host_dtype, to_torch, torch_dtype
from hetc.runtime.errors import DeviceError, DeviceMissingError, InputError
from hetc.runtime.kernel_limit import KernelTimeout
from hetc.runtime.modules import import_file
from hetc.runtime.regions import Rows
from hetc.runtime.tensors import is_torch, plain

KERNELS_FILE = "gpu/kernels.py"
# CUDA devices convert fp8 in hardware from this compute capability on.
FP8_CAPABILITY = (8, 9)
BYTES = ("fp8", "fp8e5m2", "bool")
PORTION_BYTES = 1 << 24


@dataclass(frozen=True)
class GpuArray:
    """A flat torch tensor of the element's own dtype, and the same memory as plain integers or floats."""

    tensor: Any
    element: str

    @cached_property
    def plain(self) -> Any:
        """The memory in a dtype that every torch indexing supports, and that is compared by its bits."""
        import torch

        widths = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
        return self.tensor.view(widths[self.tensor.element_size()])


class GpuDevice(Device):
    """Kernels are the functions of `gpu/kernels.py`; arguments are its pointers and integers in order.

    `place` is torch's name of the device. Memory is written in torch's inference mode, where any may be: that which was
    allocated in it, by the caller or in a call, may be written nowhere else.
    """

    kind = "gpu"

    def __init__(self, place: str, backend: str) -> None:
        self.place = place
        self.backend = backend
        self.emulated = place == "cpu"
        self._module: ModuleType | None = None

    def allocate(self, elements: int, element: str, fill: float = 0) -> GpuArray:
        import torch

        with room_for(elements, element, self.place):
            if fill == 0:
                # fp8 tensors have no fill of their own everywhere; zero bits are zero.
                return GpuArray(torch.zeros(elements, dtype=torch_dtype(element), device=self.place), element)
            return GpuArray(to_torch(filled(elements, element, fill), element).to(self.place), element)

    def view(self, array: GpuArray, element: str, elements: int) -> GpuArray:
        import torch

        size = elements * host_dtype(element).itemsize
        return GpuArray(array.tensor.view(torch.uint8)[:size].view(torch_dtype(element)), element)

    def lying(self, value: Any, element: str) -> GpuArray | None:
        if not is_torch(value) or value.is_nested or element_type(element).bits < element_type(element).storage_bits:
            return None
        import torch

        as_it_is = (
            type(value) in (torch.Tensor, torch.nn.Parameter)
            and value.layout is torch.strided
            and value.device == torch.device(self.place)
            and value.dtype == torch_dtype(element)
            and value.is_contiguous()
            and not value.is_neg()
        )
        return GpuArray(value.detach().reshape(-1), element) if as_it_is else None

    def adopt(self, tensor: Any, element: str, name: str) -> GpuArray:
        import torch

        if not is_torch(tensor):
            raise InputError(
                f"tensor '{name}': expected a torch tensor, got {type(tensor).__name__}; torch.from_dlpack makes one "
                "of other libraries' arrays without a copy"
            )
        place, flat = torch.device(self.place), plain(tensor, f"tensor '{name}'")
        if flat.device != place or not flat.is_contiguous() or flat.data_ptr() != tensor.data_ptr():
            raise InputError(f"tensor '{name}': expected a contiguous tensor on {place}, got one on {tensor.device}")
        flat = flat.reshape(-1)
        if flat.dtype != torch_dtype(element) and flat.element_size() != 1:
            raise InputError(
                f"tensor '{name}': expected {torch_dtype(element)}, or its bytes as torch.uint8, got {flat.dtype}"
            )
        return GpuArray(flat if flat.dtype == torch_dtype(element) else flat.view(torch_dtype(element)), element)

    def portion(self, array: GpuArray, start: int, stop: int) -> GpuArray:
        return GpuArray(array.tensor[start:stop], array.element)

    def equal(self, first: GpuArray, second: GpuArray) -> bool:
        import torch

        return torch.equal(first.plain, second.plain)

    def span(self, array: GpuArray) -> range:
        start = int(array.tensor.data_ptr())
        return range(start, start + array.tensor.nbytes)

    def write(self, array: GpuArray, rows: Rows, values: NDArray) -> None:
        import torch

        if not values.size:
            return
        target, tensor = array.plain.view(-1, values.shape[1]), self._tensor(values, array)
        with torch.inference_mode():
            if isinstance(rows, slice):
                target[rows].copy_(tensor)  # into place: what is moved first and assigned then takes its size twice
                return
            for portion in _portions(len(rows), tensor):
                target[self._rows(rows[portion])] = tensor[portion].to(target.device)

    def read(self, array: GpuArray, rows: Rows, row_elements: int) -> NDArray:
        source = array.plain.view(-1, row_elements)
        if isinstance(rows, slice):
            chosen = source[rows].to("cpu", copy=True)
        else:
            chosen = source.new_empty((len(rows), row_elements), device="cpu")
            for portion in _portions(len(rows), chosen):
                chosen[portion] = source[self._rows(rows[portion])].cpu()
        return chosen.contiguous().numpy().view(host_dtype(array.element))

    def copy(self, source: GpuArray, source_rows: Rows, target: GpuArray, target_rows: Rows, row_elements: int) -> None:
        import torch

        there, here = source.plain.view(-1, row_elements), target.plain.view(-1, row_elements)
        with torch.inference_mode():
            if isinstance(source_rows, slice) and isinstance(target_rows, slice):
                here[target_rows] = there[source_rows]
                return
            count = len(target_rows) if isinstance(source_rows, slice) else len(source_rows)  # type: ignore[arg-type]
            for portion in _portions(count, there):
                here[self._rows(_part(target_rows, portion))] = there[self._rows(_part(source_rows, portion))]

    def load(self, directory: Path, kernels: Sequence[str]) -> None:
        if kernels:
            self._module = import_file(directory / KERNELS_FILE, "gpu_kernels")
            missing = [name for name in kernels if not hasattr(self._module, name)]
            if missing:
                raise DeviceError(f"{directory / KERNELS_FILE} has no kernel '{missing[0]}'")

    def argument(self, array: GpuArray) -> Any:
        """The tensor; of fp8 and bool its bytes, as which kernels see them."""
        return array.plain if array.element in BYTES else array.tensor

    def launch(self, kernel: str, arguments: Sequence[Any], options: Mapping[str, Any]) -> None:
        function = getattr(self._module, kernel)
        named = dict(options)
        grid = named.pop("grid")
        named.update({name: self._constexpr(name) for name in named.pop("constexprs", ())})
        try:
            with self._current():
                function[grid](*arguments, **named)
        except Exception as error:
            reason: BaseException | None = error
            while reason is not None:  # the interpreter wraps what goes wrong inside of a kernel
                if isinstance(reason, MemoryError | DiagnosticError):
                    raise reason from error
                if isinstance(reason, KernelTimeout):
                    raise DeviceError(f"kernel '{kernel}' {reason}") from error
                reason = reason.__cause__
            raise DeviceError(f"kernel '{kernel}' on {self.backend}: {type(error).__name__}: {error}") from error

    def _current(self) -> AbstractContextManager[Any]:
        """Makes this the device that Triton launches on, whichever the caller has chosen since it was opened."""
        if self.place == "cpu":
            return nullcontext()
        import torch

        return torch.cuda.device(self.place)

    def _constexpr(self, name: str) -> Any:
        """The value of a compile-time parameter that depends on the device."""
        if name != "NATIVE_FP8":
            raise DeviceError(f"kernels ask for a compile-time parameter '{name}' that is not known")
        if self.backend != "cuda":
            return False
        import torch

        return torch.cuda.get_device_capability(self.place) >= FP8_CAPABILITY

    def wait(self) -> None:
        if self.place != "cpu":
            import torch

            try:
                torch.cuda.synchronize(self.place)
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
        return torch.from_numpy(contiguous.view(f"i{contiguous.itemsize}")).view(wanted.dtype)


def _portions(count: int, rows: Any) -> Iterator[slice]:
    """`count` rows like those of a tensor, a few MB at a time: as much as is held twice while they are gathered."""
    step = max(1, PORTION_BYTES // max(rows.shape[1] * rows.element_size(), 1))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


def _part(rows: Rows, portion: slice) -> Rows:
    """Some of the rows, by their positions among them."""
    if not isinstance(rows, slice):
        return rows[portion]
    first = rows.start or 0
    return slice(first + portion.start, first + portion.stop)


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
        import torch

        return GpuDevice(f"cuda:{torch.cuda.current_device()}", found)
    if mode == HARDWARE:
        raise DeviceMissingError("no GPU: torch sees no CUDA or ROCm device in this machine")
    from hetc.runtime.triton_interpreter import install

    install()
    return GpuDevice("cpu", "triton-interpreter")
