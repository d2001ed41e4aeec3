"""What a GPU schedule was priced with is what is emitted: tiles by loop, and reductions as matrix products."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from random_programs.generate import generate
from random_programs.spell import spell

from hetc.compiler.driver import Compilation, Options, compile_source_file
from hetc.diagnostics import DiagnosticError
from hetc.dialects.task import KernelOp
from hetc.passes.schedule import gpu
from hetc.platforms import load_platform
from hetc.source import SourceFile, read_source

EXAMPLES = Path(__file__).parents[3] / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/small.toml"))
GPU = load_platform("mi210").device_of_kind("gpu")


def priced_products(compilation: Compilation) -> int:
    """Matrix products in the plans that the schedules were priced with."""
    dims = compilation.report["estimate"]
    kernels = [op for op in compilation.placed.walk() if isinstance(op, KernelOp)]
    units = [unit for kernel in kernels for unit in gpu.plan(kernel, GPU, dims).units]
    return sum(len(plan.products) for unit in units for plan in unit.plans)


@pytest.mark.parametrize("name", NAMES)
def test_every_priced_product_of_an_example_is_emitted(name: str) -> None:
    """And every tile: what cannot be kept is refused."""
    dims = tomllib.loads((EXAMPLES / name / "small.toml").read_text())["dims"]
    compilation = compile_source_file(read_source(EXAMPLES / name / f"{name}.mp"), Options("mi210", dims=dims))
    assert compilation.files["gpu/kernels.py"].count("tl.dot(") == priced_products(compilation)


@pytest.mark.parametrize("seed", range(40))
def test_every_priced_product_of_a_random_program_is_emitted(seed: int) -> None:
    try:
        compilation = compile_source_file(SourceFile(f"{seed}.mp", spell(generate(seed))), Options("mi210"))
    except DiagnosticError as refused:
        assert "cannot be kept" not in str(refused)
        return
    assert compilation.files.get("gpu/kernels.py", "").count("tl.dot(") == priced_products(compilation)


def test_loops_of_one_index_name_have_tiles_of_their_own() -> None:
    """A sum over four elements beside a product of 4096 terms, both over `d`: the product stays one of matrices."""
    text = """
pipeline beside:
    dim B <= 256
    dim D = 4096; dim O = 256
    input x: bf16[B, D]
    weight w: bf16[D, O]
    apply:
        y[b, o] = sum[d](x[b, d] * w[d, o]) * sum[d < 4](x[b, d])
    output y
"""
    compilation = compile_source_file(SourceFile("beside.mp", text), Options("mi210"))
    assert compilation.files["gpu/kernels.py"].count("tl.dot(") == priced_products(compilation) == 1
    (row,) = compilation.report["kernels"]
    assert row["schedule"]["plan"]["s0.d"] >= 16 and row["schedule"]["plan"]["s0.d#2"] <= 4
