"""What is emitted: the same bytes each time, as kept in tests/golden/hls, for the target that the plan names."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hetc.backends.hls.project import check, emit
from hetc.compiler.driver import Options, compile_source_file
from hetc.dialects import fpga
from hetc.dialects.locations import without_location
from hetc.passes.lower_hls.initiation import check_intervals
from hetc.runtime.csim_toolchain import ap_types_include, find_compiler, include_directory
from hetc.source import SourceFile

GOLDEN = Path(__file__).parents[2] / "golden" / "hls"

SCAN = """
pipeline scan:
    dim B <= 4
    dim T <= 4096 per B
    dim H = 8; dim D = 64; dim K = 16
    input q: bf16[B, H, D]
    input w: f32[B, H]
    input keys: fp8[B, T, D]
    relevancy:
        s[b, t] = sum[h](w[b, h] * relu(sum[d](q[b, h, d] * keys[b, t, d])))
        picked[b, j] = topk[t](s[b, t], K)
    output picked
"""
NEST = """
pipeline nest:
    dim N <= 100
    dim M = 12
    input x: f32[N, M]
    relevancy:
        p[n, m] = softmax[m](x[n, m])
        f[n] = argmax[m](p[n, m])
    output p, f
"""
POSTINGS = """
pipeline postings:
    dim V = 16
    dim N <= 500
    memory tf: sparse u8[V, N] stored <= 4000
    input weight: f32[V]
    relevancy:
        s[n] = sum[v](weight[v] * tf[v, n])
        best[j] = topk[n](s[n], 4, order=score)
    output best
"""
CASES = {
    "scan": (SCAN, {"stripes": 2, "striped": (2,), "lanes": 128}),
    "nest": (NEST, {}),
    "postings": (POSTINGS, {"tile": 128}),
}


@pytest.fixture(scope="module")
def modules(one_kernel_of):
    return {name: one_kernel_of(source, plan) for name, (source, plan) in CASES.items()}


@pytest.mark.parametrize("name", CASES)
def test_golden_kernel(modules, name):
    module = modules[name]
    assert check(module) == []
    files = emit(module)
    assert files == emit(module)
    text = files[f"fpga/{name}_kernel/{name}_kernel.cpp"]
    path = GOLDEN / f"{name}.cpp"
    if os.environ.get("HETC_UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("name", CASES)
def test_no_location_is_lost_and_every_interval_is_reachable(modules, name):
    assert without_location(modules[name]) == []
    assert check_intervals(modules[name]) == []


def test_the_project_names_its_target(one_kernel_of):
    plan = {"part": "xcv80-lsva4737-2MHP-e-S", "platform": "some_platform", "clock_ns": "2.500"}
    files = emit(one_kernel_of(NEST, plan))
    folder = "fpga/nest_kernel/"
    assert "part=xcv80-lsva4737-2MHP-e-S" in files[folder + "hls_config.cfg"]
    assert "clock=2.500" in files[folder + "hls_config.cfg"]
    assert "PLATFORM ?= some_platform" in files[folder + "Makefile"]
    assert "create_clock -period 2.500" in files[folder + "run_hls.tcl"]
    assert all("@" not in text for path, text in files.items() if path.endswith((".cfg", ".tcl", ".ini")))


def test_ports_are_joined_to_channels_apart():
    compilation = compile_source_file(SourceFile("scan.mp", SCAN), Options("mi210+u55c", pins={"relevancy": "fpga"}))
    (path,) = [path for path in compilation.files if path.endswith("link.cfg")]
    joined = [line for line in compilation.files[path].splitlines() if line.startswith("sp=")]
    assert sum(".keys_" in line for line in joined) > 1
    banks = [line.split("HBM[")[1] for line in joined]
    assert len(set(banks)) == len(banks)


def test_the_testbench_runs_from_files(modules, tmp_path):
    """make TARGET=csim of a bare project, its data written as a host would pass it."""
    for path, text in emit(modules["nest"]).items():
        target = tmp_path / Path(path).name
        target.write_text(text)
    data = tmp_path / "tb_data"
    data.mkdir()
    x = np.random.default_rng(0).normal(size=(5, 12)).astype(np.float32)
    winners = x.argmax(axis=1).astype(np.int32)
    given = {"x": x, "p": np.zeros_like(x), "f": np.zeros(5, np.int32), "len_N": np.int32([5])}
    (kernel,) = [op for op in modules["nest"].ops if isinstance(op, fpga.KernelOp)]
    for name in (op.sym_name.data for op in kernel.interface):
        given.get(name, np.zeros(1024, np.int32)).tofile(data / f"{name}.bin")  # what is not named is scratch
    winners.tofile(data / "f.expected.bin")
    folders = [f"AP_TYPES={ap_types_include()}", f"CSIM_INCLUDE={include_directory()}"]
    command = ["make", "TARGET=csim", f"CXX={' '.join(find_compiler())}", *folders]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0 and "PASSED" in run.stdout, run.stdout + run.stderr
    (winners + 1).astype(np.int32).tofile(data / "f.expected.bin")
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode != 0 and "f differs from byte 0 on" in run.stdout
