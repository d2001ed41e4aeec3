"""An abacus as a device: its memory is the host's, its kernels are Python."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hetc.runtime.devices import ANY, Device, HostDevice
from hetc.runtime.environment import Check
from hetc.runtime.errors import DeviceError


class AbacusDevice(HostDevice):
    """Kernels are the functions of the printed modules."""

    kind = "abacus"
    backend = "abacus"

    def __init__(self) -> None:
        self._functions: dict[str, Callable[..., None]] = {}

    def load(self, directory: Path, kernels: Sequence[str]) -> None:
        for name in kernels:
            path = directory / self.kind / f"{name}.py"
            if not path.is_file():
                raise DeviceError(f"{path.parent} holds no kernel '{name}'")
            space: dict[str, Any] = {}
            exec(compile(path.read_text(), str(path), "exec"), space)
            self._functions[name] = space[name]

    def launch(self, kernel: str, arguments: Sequence[Any], options: Mapping[str, Any]) -> None:
        assert options == {"sym_name": kernel}
        with np.errstate(all="ignore"):
            self._functions[kernel](*arguments)


def open_device(mode: str = ANY, *, speed: str | None = None) -> Device:
    """An abacus is always at hand."""
    return AbacusDevice()


def detect() -> str:
    """An abacus is used where it is asked for."""
    return "abacus" if os.environ.get("ABACUS") else ""


def check_beads(root: Path) -> Check:
    """A row of `hetc doctor`."""
    return Check("beads", True, "0.1", "on the wires", "pip install hetc-abacus", "running kernels of an abacus")
