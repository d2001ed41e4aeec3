"""The live lengths of a dim where kernels read them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hetc.runtime.devices import Device


class LiveLength:
    """An array i32[size] on a device: a dim's length in the call at hand, or those of all rows, 0 for those that the
    call leaves out."""

    def __init__(self, device: Device, size: int) -> None:
        self.device, self.size = device, size
        self.array = device.allocate(size, "i32")
        self._values: NDArray[np.int32] = np.zeros(0, np.int32)

    def hold(self, values: NDArray[np.int32]) -> None:
        """Write the lengths of a call, where they are not there yet."""
        if values is self._values:
            return
        if values.tobytes() != self._values.tobytes():
            held, size = values, values.size
            if size < self.size:
                held = np.zeros(self.size, np.int32)
                held[:size] = values
            self.device.write(self.array, slice(0, self.size), held.reshape(-1, 1))
        self._values = values
