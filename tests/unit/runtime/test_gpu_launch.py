"""Launches under the interpreter that do not succeed: the kernel is named, and what the machine lacks is no fault of
its."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hetc.diagnostics import DiagnosticError
from hetc.runtime.errors import DeviceError
from hetc.runtime.gpu import GpuArray, GpuDevice, open_device

KERNELS = """
import triton
import triton.language as tl


@triton.jit
def spin(out, stop):
    place = stop - stop
    while place <= stop:
        tl.store(out, place)
        place = place * 0


@triton.jit
def write(out, stop):
    tl.store(out, stop)


@triton.jit
def fail(out, stop):
    undefined(out, stop)
"""


@pytest.fixture
def device(tmp_path: Path) -> GpuDevice:
    (tmp_path / "gpu").mkdir()
    (tmp_path / "gpu" / "kernels.py").write_text(KERNELS)
    device = open_device("emulation")
    device.load(tmp_path, ["spin", "write", "fail"])
    return device


@pytest.fixture
def out(device: GpuDevice) -> GpuArray:
    return device.allocate(1, "i32")


def test_a_kernel_without_end_is_stopped(device: GpuDevice, out: GpuArray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HETC_KERNEL_TIMEOUT_S", "0.1")
    start = time.monotonic()
    with pytest.raises(DeviceError) as caught:
        device.launch("spin", [device.argument(out), 3], {"grid": (1,)})
    assert time.monotonic() - start < 10
    said = "kernel 'spin' did not end within 0.1 s; HETC_KERNEL_TIMEOUT_S sets this limit in seconds, 0 takes it away"
    assert str(caught.value) == said
    time.sleep(0.1)
    device.launch("write", [device.argument(out), 5], {"grid": (1,)})
    assert out.tensor.tolist() == [5], "the limit is of one kernel, not of all"


def test_the_limit_counts_all_programs_of_a_launch(
    device: GpuDevice, out: GpuArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HETC_KERNEL_TIMEOUT_S", "0.05")
    with pytest.raises(DeviceError, match=r"'write' did not end within 0\.05 s"):
        device.launch("write", [device.argument(out), 5], {"grid": (10_000_000,)})


def test_other_failures(device: GpuDevice, out: GpuArray, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeviceError, match=r"kernel 'fail' on triton-interpreter: .*undefined"):
        device.launch("fail", [device.argument(out), 5], {"grid": (1,)})
    monkeypatch.setenv("HETC_KERNEL_TIMEOUT_S", "soon")
    with pytest.raises(DiagnosticError, match="found `soon`"):
        device.launch("write", [device.argument(out), 5], {"grid": (1,)})
    monkeypatch.delenv("HETC_KERNEL_TIMEOUT_S")

    def no_memory(*arguments: object) -> None:
        raise MemoryError("Unable to allocate 512. GiB")

    monkeypatch.setattr("triton.runtime.interpreter.InterpreterBuilder.create_masked_store", no_memory)
    with pytest.raises(MemoryError, match="512"):
        device.launch("write", [device.argument(out), 5], {"grid": (1,)})
