"""The emitted text: pinned, complete on its own, the same every time, and compiled for every target."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from kernel_texts import compute, kernel_module, read, reduce
from test_products import scoring_text
from test_selection import topk_text

from hetc.runtime.triton_compile import KernelSpec, compile_kernels, violations

GOLDEN = Path(__file__).parents[2] / "golden" / "triton"
# What a target allows one program: CUDA C++ Programming Guide (sm_80, sm_90), CDNA 2 instruction set (gfx90a).
SHARED_LIMIT_BYTES = {"sm_80": 166_912, "sm_90": 232_448, "gfx90a": 65_536}


def product_text() -> str:
    inner = read("a", "x", "n e", "[N, 512], bf16") + read("c", "w", "e m", "[512, 256], f32")
    body = reduce("s", "sum", "e in 512", inner + "%p = arith.mulf %a, %c : f32\n", "p")
    operands = {"x": "[N, 512], bf16", "w": "[512, 256], f32"}
    return kernel_module(
        operands, compute("y", "n in N, m in 256", body, "s", "[N, 256], bf16"), [("y", "[N, 256], bf16")]
    )


CASES = {"scoring": scoring_text(64, 128), "topk": topk_text(2048, "score"), "product": product_text()}


@pytest.mark.parametrize("name", CASES)
def test_golden(lower, update_golden, name):
    files = lower(CASES[name]).files
    assert files == lower(CASES[name]).files
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for suffix in ("py", "json"):
        path = GOLDEN / f"{name}.{suffix}"
        if update_golden:
            path.write_text(files[f"gpu/kernels.{suffix}"])
        assert files[f"gpu/kernels.{suffix}"] == path.read_text(), f"{path.name}: see --update-golden"


def test_imports_nothing_but_triton(lower, tmp_path):
    text = lower(CASES["scoring"]).text
    assert set(re.findall(r"^(?:from|import) (.+)$", text, re.MULTILINE)) == {"triton", "triton.language as tl"}
    (tmp_path / "kernels.py").write_text(text)
    script = "import kernels, sys; assert not any(name.startswith('hetc') for name in sys.modules)"
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, env={"TRITON_INTERPRET": "1"})


@pytest.mark.parametrize("name", CASES)
def test_compiles_for_every_target_without_spills(lower, name):
    lowered = lower(CASES[name])
    for target, limit in SHARED_LIMIT_BYTES.items():
        native = target == "sm_90"
        specs = [
            KernelSpec(
                kernel,
                {item["name"]: item["type"] for item in entry["arguments"]},
                dict.fromkeys(entry["constexprs"], native),
                entry["num_warps"],
                entry["num_stages"],
            )
            for kernel, entry in json.loads(lowered.files["gpu/kernels.json"])["kernels"].items()
        ]
        builds = compile_kernels(lowered.text, specs, [target], shared_limit_bytes={target: limit})
        assert [problem for build in builds for problem in violations(build)] == []


def test_only_where_a_tile_begins_is_in_64_bits(lower):
    """A buffer of 2^31 elements or more; between a tile's elements 32 bits are enough."""
    text = lower(scoring_text(64, 128)).text
    assert "tl.cast(t_start, tl.int64)" in text and "(lane * 128 + lane_2).to(tl.int64)" in text
    assert "t.to(tl.int64)" not in text
