"""Reductions that take several iterations of the pipeline over rows."""

import ml_dtypes
import numpy as np
import pytest

from hetc.dialects import fpga
from hetc.passes.lower_hls.initiation import check_intervals

SCORES = """
pipeline {name}:
    dim B <= 2
    dim T <= 4096 per B
    dim H = {heads}; dim D = {width}
    input q: {dtype}[B, H, D]
    input w: f32[B, H]
    input bias: f32[B, T]
    input keys: {dtype}[B, T, D]
    relevancy:
        s[b, t] = bias[b, t] + {expression}
        picked[b, j] = topk[t](s[b, t], 5)
    output {outputs}
"""
WEIGHED = "sum[h](w[b, h] * relu(sum[d](q[b, h, d] * keys[b, t, d])))"
LARGEST = "max[h](w[b, h] + sum[d](q[b, h, d] * keys[b, t, d]))"
WHOLE = "sum[h](sum[d](q[b, h, d] * keys[b, t, d]))"


def source(name, expression, dtype="fp8", heads=4, width=128, outputs="picked"):
    return SCORES.format(name=name, expression=expression, dtype=dtype, heads=heads, width=width, outputs=outputs)


# name -> rounds of a row under 256 lanes
CASES = {"two": 2, "sixteen": 16, "largest": 4, "whole": 2, "values": 2, "wide": 8}


@pytest.fixture(scope="module")
def sources():
    return [
        source("two", WEIGHED),
        source("sixteen", WEIGHED, heads=32),
        source("largest", LARGEST, heads=8),
        source("whole", WHOLE, dtype="i8", heads=4),
        source("values", WEIGHED, outputs="s"),
        source("wide", WEIGHED, dtype="f32", heads=16),
    ]


@pytest.fixture(scope="module")
def bench(bench_of_sources, sources):
    return bench_of_sources(sources, {"lanes": 256})


@pytest.fixture(scope="module")
def striped(bench_of_sources, sources):
    return bench_of_sources(sources, {"lanes": 256, "stripes": 3, "striped": (3,)})


def given(kernel, seed: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    found = []
    for argument in kernel.block.args:
        shape = [{"B": 2, "T": 50}.get(extent, extent) for extent in argument.type.shape]
        name = {"f32": "float32", "i8": "int8"}.get(fpga_name(argument), "float8_e4m3fn")
        drawn = random.integers(-128, 128, shape) if name == "int8" else random.normal(size=shape)
        found.append(drawn.astype(getattr(ml_dtypes, name, None) or name))
    return found


def fpga_name(argument) -> str:
    from hetc.dialects.mp import dtype_name

    return dtype_name(argument.type.element)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", ["bench", "striped"])
def test_rounds_give_the_oracles_values(request, name, kind):
    bench = request.getfixturevalue(kind)
    for seed, lengths in enumerate(([50, 7], [1, 50], [0, 33])):
        operands = given(bench.task(f"{name}_kernel"), seed)
        bench.check(f"{name}_kernel", operands, {"B": 2, "T": np.array(lengths)})


@pytest.mark.parametrize("name", CASES)
def test_a_row_takes_its_rounds_in_one_pipeline(bench, name):
    kernel = bench.kernel(f"{name}_kernel")
    steps = [op for op in kernel.walk() if isinstance(op, fpga.LoopOp) and op.index.data == "step"]
    assert len(steps) == 1
    assert f"round == {CASES[name] - 1}" in bench.source(f"{name}_kernel")
    assert not any(isinstance(op, fpga.LoopOp) and op.unroll is None for op in steps[0].body.walk())
    assert check_intervals(kernel) == []
    # A row in one word, or joined to one: nothing keeps an iteration from following at once.
    assert steps[0].ii.value.data == (8 if name == "wide" else 1)
