"""What a call of a step costs beside its kernels: processor time on the host, launches left out.

    python benchmarks/step_cost.py

A step that appends, scores, selects and gathers, on each device kind.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from hetc.compiler.driver import Options, compile_source_file, write_directory
from hetc.runtime.program import load_program
from hetc.source import SourceFile

PROGRAM = """
pipeline tiny grows T by 1:
    dim B <= 8
    dim T <= 4096 per B
    dim D = 16
    input x: f32[B, D]
    memory keys: f32[B, T, D]
    prepare:
        append(keys, x)
    relevancy:
        s[b, t] = sum[d](x[b, d] * keys[b, t, d])
    retrieve:
        p[b, j] = topk[t](s[b, t], 4)
    apply:
        o[b, d] = sum[j](keys[b, p[b, j], d])
    output o
"""
PLATFORMS = {"cpu": "cpu", "gpu": "mi210", "fpga": "mi210+u55c"}
BATCHES, CALLS = 30, 100


def step_us(kind: str, folder: Path) -> float:
    """Microseconds of processor time a call, with kernels that do nothing: the least of several batches."""
    pins = dict.fromkeys(("relevancy", "retrieve", "apply"), kind)
    write_directory(compile_source_file(SourceFile("tiny.mp", PROGRAM), Options(PLATFORMS[kind], pins=pins)), folder)
    program = load_program(folder, "emulation")
    program.devices[kind].launch = lambda kernel, arguments, options: None  # type: ignore[method-assign]
    state, x = program.new_state(B=1, T=4096), np.ones((1, 16), np.float32)
    step = program.step("tiny")
    for _ in range(20):
        step(state, x=x)
    batches = []
    for _ in range(BATCHES):
        start = time.process_time()
        for _ in range(CALLS):
            step(state, x=x)
        batches.append((time.process_time() - start) / CALLS * 1e6)
    return min(batches)


def main() -> None:
    for kind in PLATFORMS:
        with tempfile.TemporaryDirectory() as folder:
            print(f"{kind:5} {step_us(kind, Path(folder) / 'out'):8.1f} us a call")


if __name__ == "__main__":
    main()
