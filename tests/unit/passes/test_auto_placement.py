"""The plan that is chosen: the cheapest of all that can be compiled, pins kept; and what every plan is said to cost."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from hetc.compiler.driver import Options, compile_source_file, lower_source_file
from hetc.diagnostics import DiagnosticError
from hetc.dialects.registry import new_context
from hetc.dialects.task import KernelOp
from hetc.passes.partition.cut_kernels import CutKernelsPass
from hetc.passes.schedule.schedules import Schedules
from hetc.platforms import load_platform
from hetc.source import SourceFile

TEXT = """
pipeline scan grows T by 1:
    dim B <= 4
    dim T <= 65536 per B
    dim D = 64; dim K = 16
    input x: f32[B, D]
    weight w: f32[D, D]
    memory keys: i8[B, T, D]
    memory values: bf16[B, T, D]
    prepare:
        q[b, e] = sum[d](x[b, d] * w[d, e])
        k[b, d] = i8(x[b, d])
        append(keys, k)
        append(values, q)
    relevancy:
        s[b, t] = sum[d](q[b, d] * keys[b, t, d])
    retrieve:
        picked[b, j] = topk[t](s[b, t], K)
    apply:
        o[b, d] = sum[j](values[b, picked[b, j], d])
    output o
"""
STAGES = ("prepare", "relevancy", "retrieve", "apply")


def placement(text: str, **options: Any) -> dict[str, Any]:
    compilation = compile_source_file(SourceFile("scan.mp", text), Options("mi210+u55c", **options), until="placed")
    return compilation.report["placement"]


def plan(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(item for item in found["plans"] if item["name"] == name)


@pytest.mark.parametrize("objective", ["latency", "energy", "edp"])
def test_no_pinned_mix_is_cheaper_and_each_costs_what_it_is_compiled_for(objective: str) -> None:
    def value(item: dict[str, Any]) -> float:
        time_us, energy_mj = item["time_us"], item["energy_mj"]
        return float({"latency": time_us, "energy": energy_mj, "edp": time_us * energy_mj}[objective])

    found = placement(TEXT, objective=objective)
    chosen = plan(found, "chosen")
    for kinds in product(("gpu", "fpga"), repeat=len(STAGES)):
        pinned = plan(placement(TEXT, objective=objective, pins=dict(zip(STAGES, kinds, strict=True))), "chosen")
        assert [row["device"] for row in pinned["stages"]] == list(kinds)
        assert "refused" in pinned or value(chosen) <= 1.02 * value(pinned)
        for name in ("rule", "all gpu", "all fpga"):  # the same plan, found on another way
            other = plan(found, name)
            if other["stages"] == pinned["stages"] and "refused" not in other:
                assert other["time_us"] == pytest.approx(pinned["time_us"], rel=0.01)
                assert other["energy_mj"] == pytest.approx(pinned["energy_mj"], rel=0.01)


def test_what_is_priced_is_what_is_compiled() -> None:
    """Kernels as often as they run, and the copies that every call makes: nothing else, and nothing left out."""
    compilation = lower_source_file(SourceFile("scan.mp", TEXT), Options("mi210+u55c", policy="intensity"))
    chosen = plan(compilation.report["placement"], "chosen")
    kernels = sum(row["times"] * row["schedule"]["time_us"] for row in compilation.report["kernels"])
    copies = sum(row["time_us"] for row in compilation.report["transfers"] if not row["once"])
    assert chosen["time_us"] == pytest.approx(kernels + copies)
    assert sum(chosen["busy_us"].values()) == pytest.approx(kernels)


def test_kernels_that_compute_the_same_share_a_plan() -> None:
    """Whatever their values are called: layers that are written out are planned once."""
    text = """
pipeline layers:
    dim B <= 4
    dim D = 64
    input x: f32[B, D]
    input y: f32[B, D]
    weight w: f32[D, D]
    weight u: f32[D, D]
    prepare:
        a[b, e] = sum[d](x[b, d] * w[d, e])
    relevancy:
        c[b, e] = sum[d](y[b, d] * u[d, e])
    retrieve:
        m[b, e] = max[d](y[b, d] * u[d, e])
    output a, c, m
"""
    placed = lower_source_file(SourceFile("layers.mp", text), Options("mi210"), until="assigned").module
    CutKernelsPass(by_stage=True).apply(new_context(), placed)
    schedules = Schedules(load_platform("mi210"), {"B": 4})
    first, second, third = (schedules.planned(op) for op in placed.walk() if isinstance(op, KernelOp))
    assert first is second and second is not third


def test_of_a_memory_moves_what_was_written() -> None:
    """Keys are scanned on the FPGA and gathered from on the GPU: a row of 64 bytes a sequence moves, not the memory."""
    text = TEXT.replace("values[b, picked[b, j], d]", "values[b, picked[b, j], d] + keys[b, picked[b, j], d]")
    pins = {"prepare": "gpu", "relevancy": "fpga", "retrieve": "fpga", "apply": "gpu"}
    source = SourceFile("scan.mp", text)
    rows = compile_source_file(source, Options("mi210+u55c", pins=pins), until="placed").report["transfers"]
    (moved,) = [row for row in rows if row["value"] == "keys" and row["from"] != "host"]
    assert not moved["once"] and moved["bytes"] == 4 * 64


def test_a_pin_is_kept_or_refused() -> None:
    found = placement(TEXT, pins={"relevancy": "fpga"})
    assert {row["stage"]: row["device"] for row in plan(found, "chosen")["stages"]}["relevancy"] == "fpga"
    large = TEXT.replace("dim T <= 65536", "dim T <= 100_000_000")
    with pytest.raises(DiagnosticError) as caught:
        placement(large, pins={"apply": "fpga"})
    assert [item.code for item in caught.value.diagnostics] == ["HET303"]


def test_a_plan_that_does_not_fit_is_none() -> None:
    """Keys of 6 GB and values of 64 GB: together too much for the GPU, whose plan would be the cheapest."""
    text = TEXT.replace("dim B <= 4", "dim B <= 1").replace("values: bf16[B, T, D]", "values: bf16[B, T, 6 * D - 42]")
    text = text.replace("dim T <= 65536", "dim T <= 93_750_000").replace("append(values, q)", "append(values, v)")
    text = text.replace("        append(keys", "        v[b, i < 6 * D - 42] = q[b, i % D]\n        append(keys")
    text = text.replace("o[b, d] =", "o[b, d < D] =")
    found = placement(text, estimate={"T": 65536})
    assert "memories and weights take 70.1 GB on the gpu" in plan(found, "all gpu")["refused"]
    devices = {row["stage"]: row["device"] for row in plan(found, "chosen")["stages"]}
    assert devices["relevancy"] == "fpga" and devices["apply"] == "gpu"
