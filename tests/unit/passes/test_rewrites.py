"""Copies within a device's memory: the ones that are counted are the ones that are emitted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from hetc.compiler.cli.dims_file import read_dims_file
from hetc.compiler.driver import Options, compile_source_file
from hetc.dialects import host
from hetc.dialects.host import HOST_KIND, BufferType
from hetc.dialects.mp import PipelineOp, TensorType
from hetc.passes.partition.assign_devices import estimate_dims
from hetc.passes.partition.evaluate import bytes_of
from hetc.source import SourceFile, read_source

EXAMPLES = Path(__file__).parents[3] / "examples"
PROGRAMS = {
    "nested": """
pipeline nested grows T by 1:
    dim B <= 2; dim T <= 64 per B
    dim L = 2; dim M = 3; dim D = 8; dim N = 2000
    input x: f32[B, D]
    input at: i32
    weight w: f32[L, M, D, D]
    memory keys: f32[L, M, B, T, D]
    memory mean: f32[L, M, D]
    memory held: f32[L, M, N, D]
    prepare:
        h[b, d] = x[b, d]
        old[l, m, d] = held[l, m, 0, d]
    for l in L:
        for m in M:
            relevancy:
                k[b, d] = sum[e](h[b, e] * w[l, m, d, e])
                append(keys[l, m], k)
                held[l, m, at, d] = k[0, d]
                s[b, t] = sum[d](h[b, d] * keys[l, m, b, t, d])
            apply:
                p[b, t] = softmax[t](s[b, t])
                mean[l, m, d] = mean[l, m, d] + sum[b](k[b, d])
                h[b, d] = sum[t](p[b, t] * keys[l, m, b, t, d]) + mean[l, m, d] + held[l, m, 3, d]
    retrieve:
        all[b, d] = h[b, d] + sum[l, m](mean[l, m, d]) + sum[l, m](held[l, m, 1, d] - old[l, m, d])
        most[b, d] = max[l, m, t](keys[l, m, b, t, d])
    output all, most
""",
    # What is read as it was before is kept; one layer is read as a whole; two names change places.
    "versions": """
pipeline versions:
    dim L = 3; dim M = 2; dim N = 2000; dim D = 4
    input x: f32[D]
    input at: i32
    memory held: f32[L, M, N, D]
    memory same: f32[L, M, D]
    memory wide: f32[N, D]
    prepare:
        a[d] = x[d]
        c[d] = 2 * x[d]
        y[l < L, m < M, d] = x[d] + l - m
        wide[at, d] = x[d]
    for l in L:
        apply:
            z[d] = sum[m, n](held[l, m, n, d])
            whole[d] = sum[m](y[l, m, d])
            for m in M:
                first[d] = held[l, m, 0, d]
                held[l, m, at + l, d] = z[d] + y[l, m, d]
                a[d] = first[d] + held[l, m, 0, d] + whole[d]
            old[d] = a[d]
            a[d] = c[d]
            c[d] = old[d] + wide[l, d]
            same[l, m, d] = c[d] + m
    retrieve:
        o[d] = a[d] + c[d] + sum[l, m](same[l, m, d])
    output o
""",
}
PLACEMENTS = {
    "gpu": dict.fromkeys(("prepare", "relevancy", "retrieve", "apply"), "gpu"),
    "fpga": dict.fromkeys(("prepare", "relevancy", "retrieve", "apply"), "fpga"),
    "both": {"prepare": "gpu", "relevancy": "fpga", "retrieve": "gpu", "apply": "gpu"},
    "all apart": {"prepare": "fpga", "relevancy": "gpu", "retrieve": "fpga", "apply": "gpu"},
}


def counted_and_emitted(source: SourceFile, options: Options) -> tuple[Counter[str], Counter[str]]:
    """Bytes a call that are copied within each device, as the report says and by the host program."""
    compilation = compile_source_file(source, options)
    counted: Counter[str] = Counter()
    for row in compilation.report["transfers"]:
        if row["from"] == row["to"]:
            counted[row["to"]] += row["bytes"]
    pipeline = next(op for op in compilation.placed.walk() if isinstance(op, PipelineOp))
    dims = estimate_dims(pipeline, options.estimate)
    emitted: Counter[str] = Counter()
    for op in compilation.module.walk():
        if isinstance(op, host.StoreOp | host.CopyOp):
            made = op.target if isinstance(op, host.StoreOp) else op.result
            kinds = {type_.kind for value in (op.value, made) if isinstance(type_ := value.type, BufferType)}
            if len(kinds) == 1 and HOST_KIND not in kinds:
                assert isinstance(made.type, BufferType) and isinstance(made.type.tensor, TensorType)
                emitted[kinds.pop()] += passes_of(op) * bytes_of(made.type.tensor, dims)
    return counted, emitted


def passes_of(op: host.StoreOp | host.CopyOp) -> int:
    count, parent = 1, op.parent_op()
    while parent is not None:
        count *= parent.count.value.data if isinstance(parent, host.ForOp) else 1
        parent = parent.parent_op()
    return count


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_copied_within_a_device_is_counted(name: str, placement: str) -> None:
    pins = {stage: kind for stage, kind in PLACEMENTS[placement].items() if f"{stage}:" in PROGRAMS[name]}
    options = Options("mi210+u55c", pins=pins, estimate={"T": 64} if "dim T" in PROGRAMS[name] else {})
    counted, emitted = counted_and_emitted(SourceFile("test.mp", PROGRAMS[name]), options)
    assert counted == emitted and counted


@pytest.mark.parametrize("policy", ["auto", "intensity"])
@pytest.mark.parametrize("name", ["decoder", "indexer_shared", "memagent", "csa"])
def test_of_examples(name: str, policy: str) -> None:
    dims, estimate = read_dims_file(str(EXAMPLES / name / "small.toml"))
    options = Options("mi210+u55c", policy=policy, dims=dims, estimate=estimate)
    counted, emitted = counted_and_emitted(read_source(EXAMPLES / name / f"{name}.mp"), options)
    assert counted == emitted
