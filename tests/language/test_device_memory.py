"""What is said to be taken of a device's memory is what the emitted program allocates of it, at the bounds."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hetc.compiler.driver import Options, compile_source_file, write_directory
from hetc.runtime.elements import host_dtype
from hetc.runtime.fpga import CsimDevice
from hetc.runtime.gpu import GpuDevice
from hetc.runtime.program import load_program
from hetc.source import SourceFile
from tests.language.running import PLATFORMS

GROWING = """
pipeline growing grows T by 1:
    dim B <= 3
    dim T <= 40 per B
    dim D = 16; dim K = 4
    input x: f32[B, D]
    weight w: f32[D, D]
    memory keys: bf16[B, T, D] @{layout}
    memory scale: f32[B, T] @{other}
    memory total: f32[D]
    prepare:
        gain[b] = x[b, 0]
        append(keys, x); append(scale, gain)
        q[b, e] = sum[d](x[b, d] * w[d, e])
        total[d] += sum[b](x[b, d])
    relevancy:
        s[b, t] = scale[b, t] * sum[d](q[b, d] * keys[b, t, d])
    retrieve:
        picked[b, j] = topk[t](s[b, t], K)
    apply:
        o[b, d] = sum[j](keys[b, picked[b, j], d]) + total[d]
    output picked, o
"""
LAYERS = """
pipeline layers grows T by 1:
    dim L = 3; dim B <= 3; dim D = 16; dim T <= 40
    input x: f32[B, D]
    weight w: f32[L, D, D]
    memory last: f32[L, B, D]
    memory deep: f32[L, B, T, D]
    apply:
        h[b, d] = x[b, d]
        for l in L:
            n[b, d] = h[b, d] * rsqrt(mean[e](h[b, e] ** 2) + 1)
            append(deep[l], n)
            last[l, b, d] = 0.5 * last[l, b, d] + n[b, d] + l
            h[b, e] = sum[d](n[b, d] * w[l, d, e]) + max[t](deep[l, b, t, e])
    output h, last
"""
PROGRAMS = {
    "contiguous": GROWING.format(layout="contiguous", other="contiguous"),
    "pages": GROWING.format(layout="paged(8)", other="paged(16)"),
    "record": GROWING.format(layout="contiguous", other="record(keys)"),
    "planes": GROWING.format(layout="paged(8)", other="planes(keys)"),
    "layers": LAYERS,
}
QUICK = {("contiguous", "both"), ("planes", "gpu"), ("layers", "gpu")}


@pytest.fixture
def allocated(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Bytes that were ever allocated on each kind of device."""
    found: Counter[str] = Counter()

    def counting(device: Any) -> None:
        original = device.allocate

        def allocate(self: Any, elements: int, element: str, fill: float = 0) -> Any:
            found[self.kind] += elements * host_dtype(element).itemsize
            return original(self, elements, element, fill)

        monkeypatch.setattr(device, "allocate", allocate)

    counting(GpuDevice)
    counting(CsimDevice)
    return found


@pytest.mark.parametrize(
    ("name", "placement"),
    [
        pytest.param(name, placement, marks=() if (name, placement) in QUICK else pytest.mark.full)
        for name in PROGRAMS
        for placement in ("gpu", "fpga", "both")
        if (name, placement) != ("layers", "both")  # one stage is on one device
    ],
)
def test_the_figure_is_what_is_allocated(name: str, placement: str, allocated: Counter[str], tmp_path: Path) -> None:
    source, options = SourceFile("test.mp", PROGRAMS[name]), Options(PLATFORMS.get(placement, "mi210+u55c"))
    stages = ["apply"] if name == "layers" else ["prepare", "relevancy", "retrieve", "apply"]
    pins = {"relevancy": "fpga", "apply": "gpu"} if placement == "both" else dict.fromkeys(stages, placement)
    compilation = compile_source_file(source, replace(options, pins=pins))
    write_directory(compilation, tmp_path / "out")
    program = load_program(tmp_path / "out", "emulation")
    program.freeze()
    state = program.new_state(B=3, T=40)
    x, w = np.ones((3, 16), np.float32), np.ones((3, 16, 16) if name == "layers" else (16, 16), np.float32)
    (step,) = program.PIPELINE.steps
    for _ in range(3):  # nothing more is allocated in later calls
        program.step(step)(state, x=x, w=w)
    told = {row["device"]: row["bytes"] for row in compilation.report["device_memory"] if row["device"] != "host"}
    assert told == dict(allocated)
