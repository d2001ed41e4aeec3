"""The time that is estimated of an FPGA kernel against a count in its text."""

from __future__ import annotations

from pathlib import Path

import pytest

from hetc.compiler.driver import Options, compile_source_file
from hetc.compiler.report import pipeline_of
from hetc.dialects import fpga, task
from hetc.passes.lower_hls.initiation import Latencies, check_intervals
from hetc.passes.schedule.fpga_cycles import Counter
from hetc.platforms import load_platform
from hetc.source import SourceFile, read_source
from tests.unit.hls.counted_cycles import count_cycles

EXAMPLES = Path(__file__).parents[3] / "examples"
SIZES = {
    "dsa": {"B": 1, "T": 8192, "H": 8, "K": 128},
    "bm25": {"M": 8, "N": 50_000, "B": 1, "V": 512},
    "lserve": {"B": 1, "T": 8192},
    "seerattention_topk": {"B": 1, "T": 8192},
}


@pytest.mark.parametrize("name", SIZES)
def test_the_cycles_of_published_methods(name: str, tmp_path: Path) -> None:
    compare(read_source(EXAMPLES / name / f"{name}.mp"), SIZES[name], tmp_path)


HEAD = """
pipeline p:
    dim N = {n}
    dim M = 96
    input x: f32[N, M]
    input y: f32[M, M]
    input at: i32[N]
    apply @fpga:
"""
STATEMENTS = {
    "a product": "o[n, k] = sum[m](x[n, m] * y[m, k])",
    "a softmax": "o[n, m] = softmax[m](x[n, m])",
    "a mean, and its square": "c[n] = mean[m](x[n, m])\no[n] = c[n] * c[n]",
    "a gather": "o[n, m] = x[at[n], m]",
    "a long selection": "o[k] = topk[n](x[n, 0], 256)",
    "a selection by condition": "o[k] = select[n](x[n, 0] > 0, capacity=512)",
    "a long selection in the order of its scores": "best[k], o[k] = topk[n](x[n, 0], 256, order=score)",
    "a short selection in the order of its indices": "o[k] = topk[n](x[n, 0], 8, order=index)",
    "the best of each row": "o[n] = argmax[m](x[n, m])",
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_the_cycles_of_a_statement(name: str, tmp_path: Path) -> None:
    n = 4096 if "selection" in name else 96
    body = "".join(f"        {line}\n" for line in STATEMENTS[name].splitlines())
    compare(SourceFile("p.mp", HEAD.format(n=n) + body + "    output o\n"), {}, tmp_path)


def compare(source: SourceFile, sizes: dict[str, int], folder: Path) -> None:
    """Of every FPGA kernel, at these extents: intervals that the card can keep, and as many cycles within a tenth."""
    options = Options("mi210+u55c", policy="intensity", dims=sizes)
    compilation = compile_source_file(source, options)
    card = load_platform(options.platform).device_of_kind("fpga")
    tasks = {op.sym_name.data: op for op in compilation.module.walk() if isinstance(op, task.KernelOp)}
    kernels = [op for op in compilation.module.walk() if isinstance(op, fpga.KernelOp)]
    assert kernels
    dims = {name: dim.largest for name, dim in pipeline_of(compilation.module).dims.items()}
    for kernel in kernels:
        assert check_intervals(kernel, Latencies.of(card)) == []
        own = tasks[kernel.sym_name.data]
        (folder / kernel.sym_name.data).mkdir()
        counted = count_cycles(compilation.files, kernel, own, dims, folder / kernel.sym_name.data)
        estimated = Counter(own, kernel, card, dims, card.clock.asked_hz).run()
        print(kernel.sym_name.data, counted, estimated.cycles)
        assert estimated.cycles == pytest.approx(counted, rel=0.1)
