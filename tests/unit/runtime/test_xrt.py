"""The adapter for cards, on stand-ins that offer what XRT's binding has and nothing else.

`current` is the binding with hardware contexts, `older` the one without. Their `run.set_arg` refuses what the real
one refuses, and a buffer object's host side and card side differ until they are synchronised.
"""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from hetc.runtime.devices import open_device
from hetc.runtime.errors import DeviceError, DeviceMissingError


class SyncDirection(Enum):
    XCL_BO_SYNC_BO_TO_DEVICE = 0
    XCL_BO_SYNC_BO_FROM_DEVICE = 1


class CommandState(Enum):
    ERT_CMD_STATE_COMPLETED = 4
    ERT_CMD_STATE_ERROR = 5


class BufferObject:
    normal = 0

    def __init__(self, device: Any, size: int, flags: int, group: int) -> None:
        assert flags == self.normal and size % 4096 == 0
        self._host, self.card, self.group = bytearray(size), bytearray(size), group

    def map(self) -> memoryview:
        return memoryview(self._host)

    def sync(self, direction: SyncDirection, size: int, offset: int) -> None:
        span = slice(offset, offset + size)
        if direction is SyncDirection.XCL_BO_SYNC_BO_TO_DEVICE:
            self.card[span] = self._host[span]
        else:
            self._host[span] = self.card[span]


class Run:
    outcome = CommandState.ERT_CMD_STATE_COMPLETED
    started: list[str] = []

    def __init__(self, kernel: Any) -> None:
        self._kernel, self._arguments = kernel, {}

    def set_arg(self, position: int, value: object) -> None:
        if not isinstance(value, BufferObject) and not (type(value) is int and -(2**31) <= value < 2**31):
            raise TypeError("set_arg(): incompatible function arguments")
        self._arguments[position] = value

    def start(self) -> None:
        Run.started.append(self._kernel.name)

    def wait(self) -> CommandState:
        source, target, count = (self._arguments[position] for position in range(3))
        data = np.frombuffer(source.card, np.int32)[:count] * 2
        np.frombuffer(target.card, np.int32)[:count] = data
        return Run.outcome


def binding(current: bool) -> ModuleType:
    module: Any = ModuleType("pyxrt")

    class Device:
        def __init__(self, index: int) -> None:
            assert index == 0

        if current:

            def register_xclbin(self, xclbin: Any) -> str:
                return f"uuid of {xclbin.path}"
        else:

            def load_xclbin(self, path: str) -> str:
                return f"uuid of {path}"

    class Kernel:
        def __init__(self, *arguments: Any) -> None:
            self.name = arguments[-1]
            assert len(arguments) == (2 if current else 3)
            if self.name != "double":
                raise RuntimeError(f"No such kernel '{self.name}'")

        def group_id(self, position: int) -> int:
            return position

    class Xclbin:
        def __init__(self, path: str) -> None:
            self.path = path

    class Context:
        def __init__(self, device: Device, uuid: str) -> None:
            assert uuid.startswith("uuid of")

    module.device, module.kernel, module.run, module.bo = Device, Kernel, Run, BufferObject
    module.xclBOSyncDirection, module.ert_cmd_state = SyncDirection, CommandState
    if current:
        module.xclbin, module.hw_context = Xclbin, Context
    return module


@pytest.fixture(params=["current", "older"])
def card(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setitem(sys.modules, "pyxrt", binding(request.param == "current"))
    monkeypatch.setattr(Run, "started", [])
    (tmp_path / "all.xclbin").write_bytes(b"xclbin2")
    device = open_device("fpga", "hardware", xclbin=tmp_path / "all.xclbin")
    device.load(tmp_path, ["double"])
    return device


ALL = slice(0, 10)


def test_a_kernel_sees_what_was_written_and_its_results_come_back(card: Any) -> None:
    assert card.backend == "xrt"
    source, target = card.allocate(10, "i32"), card.allocate(10, "i32")
    card.write(source, ALL, np.arange(10, dtype=np.int32)[:, None])
    card.launch("double", [source, target, 10], {})
    assert Run.started == ["double"]
    np.testing.assert_array_equal(card.read(target, ALL, 1)[:, 0], np.arange(10) * 2)


def test_writes_after_the_first_launch_reach_the_card(card: Any) -> None:
    source, target = card.allocate(10, "i32"), card.allocate(10, "i32")
    card.launch("double", [source, target, 10], {})
    card.write(source, np.array([2, 3, 7]), np.array([[5], [6], [7]], np.int32))
    card.launch("double", [source, target, 10], {})
    assert card.read(target, ALL, 1)[:, 0].tolist() == [0, 0, 10, 12, 0, 0, 0, 14, 0, 0]


def test_a_write_leaves_what_the_card_has_around_it(card: Any) -> None:
    source, target = card.allocate(10, "i32", 3), card.allocate(10, "i32")
    card.launch("double", [source, target, 10], {})
    card.write(target, np.array([1, 8]), np.array([[-1], [-1]], np.int32))
    assert card.read(target, ALL, 1)[:, 0].tolist() == [6, -1, 6, 6, 6, 6, 6, 6, -1, 6]


def test_a_kernel_that_did_not_complete_is_an_error(card: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "outcome", CommandState.ERT_CMD_STATE_ERROR)
    source, target = card.allocate(10, "i32"), card.allocate(10, "i32")
    card.launch("double", [source, target, 10], {})
    with pytest.raises(DeviceError, match=r"kernel 'double' ended in state .*ERROR"):
        card.wait()


@pytest.mark.parametrize("value", [1.5, 2**31, True, None])
def test_what_the_binding_would_drop_is_refused(card: Any, value: object) -> None:
    source, target = card.allocate(10, "i32"), card.allocate(10, "i32")
    with pytest.raises(DeviceError, match="argument 2 of kernel 'double': expected an array or a 32-bit integer"):
        card.launch("double", [source, target, value], {})


def test_an_array_lies_in_one_bank(card: Any) -> None:
    source, target = card.allocate(10, "i32"), card.allocate(10, "i32")
    card.launch("double", [source, target, 10], {})
    with pytest.raises(DeviceError, match="memory bank 0, but the array lies in bank 1"):
        card.launch("double", [target, source, 10], {})


def test_a_missing_kernel_is_named(card: Any, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="no kernel 'triple'"):
        card.load(tmp_path, ["triple"])


def test_hardware_that_is_asked_for_and_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pyxrt", None)
    with pytest.raises(DeviceMissingError, match="no module pyxrt"):
        open_device("fpga", "hardware")
    monkeypatch.setitem(sys.modules, "pyxrt", binding(True))
    with pytest.raises(DeviceMissingError, match="a card needs an xclbin"):
        open_device("fpga", "hardware")
    with pytest.raises(DeviceMissingError, match="does not exist"):
        open_device("fpga", "hardware", xclbin=tmp_path / "none.xclbin")
    assert open_device("fpga").backend == "c-simulation"
    with pytest.raises(DeviceMissingError, match="no runtime for devices of kind 'npu'"):
        open_device("npu")
