"""The rendering of a report."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from hetc.compiler.driver import Options, compile_source_file, explain_source_file
from hetc.compiler.explain import render_report, slower_than_best, totals
from hetc.compiler.table import energy_text, time_text
from hetc.source import SourceFile

REPORT: dict[str, Any] = {
    "pipeline": "demo",
    "platform": "mi210+u55c",
    "policy": "intensity",
    "dims": {"B": 4, "T": 65536},
    "estimate": {"B": 4, "T": 65536},
    "stages": [
        {
            "step": "demo", "stage": "prepare", "device": "gpu", "reason": "no scan",
            "flop": 2e6, "flop_formula": "2*B", "bytes": {"memory": 0.0, "weight": 1e6}, "intensity": 2.0,
            "ridge": 110.0, "access": ["affine"], "irregular": [], "scan": False,
            "estimates": [
                {"device": "gpu", "time_us": 10.0, "energy_mj": 1.0, "bound": "launch"},
                {"device": "fpga", "refused": "a weight does not fit (demo.mp:7)"},
            ],
        },
        {
            "step": "demo", "stage": "relevancy", "device": "fpga", "reason": "scan, memory-bound",
            "flop": 1e9, "flop_formula": "B*T", "bytes": {"memory": 8e6, "written": 2e6}, "intensity": 100.0,
            "ridge": 110.0, "access": ["affine"], "irregular": ["selection"], "scan": True,
            "estimates": [
                {"device": "gpu", "time_us": 40.0, "energy_mj": 12.0, "bound": "memory"},
                {"device": "fpga", "time_us": 80.0, "energy_mj": 3.0, "bound": "memory"},
            ],
        },
    ],
    "memories": [{"name": "keys", "home": "fpga", "dtype": "fp8", "bytes": 8e6}],
    "kernels": [
        {"name": "scan", "device": "fpga", "stages": ["relevancy"],
         "schedule": {"time_us": 80.0, "energy_mj": 3.0, "bytes_moved": 1e7, "bound": "memory",
                      "resources": {"dsp": 96, "uram": 8}}},
    ],
    "transfers": [
        {"step": "demo", "value": "q", "from": "gpu", "to": "fpga", "bytes": 32768.0, "time_us": 9.0, "once": False,
         "line": "demo.mp:9"},
        {"step": "demo", "value": "x", "from": "host", "to": "gpu", "bytes": 1e4, "time_us": 7.0, "once": False,
         "line": "demo.mp:3"},
        {"step": "demo", "value": "Wk", "from": "host", "to": "gpu", "bytes": 1e6, "time_us": 50.0, "once": True,
         "line": "demo.mp:4"},
    ],
}  # fmt: skip


def test_figures_are_called_estimates():
    text = render_report(REPORT)
    assert "estimates at B = 4, T = 65,536" in text
    assert "nothing here was measured" in text


def test_a_stage_shows_its_facts_and_each_device():
    line = next(line for line in render_report(REPORT).splitlines() if line.startswith("relevancy "))
    for part in ("fpga", "1 GFLOP", "10 MB", "100", "110", "yes", "selection", "40 us, 12 mJ", "80 us, 3 mJ"):
        assert part in line


def test_the_losing_alternative_is_told_even_where_it_is_faster():
    text = render_report(REPORT)
    assert "not gpu: estimated 40 us and 12 mJ (2x faster, 4x the energy; transfers not counted)" in text
    assert "not fpga: it refuses the stage: a weight does not fit (demo.mp:7)" in text


def test_kernels_transfers_and_memories_are_listed():
    text = render_report(REPORT)
    assert "dsp 96, uram 8" in text
    rows = [line.split() for line in text.splitlines()]
    assert ["q", "gpu", "fpga", "32.8", "kB", "9", "us", "every", "call", "demo.mp:9"] in rows
    assert ["Wk", "host", "gpu", "1", "MB", "50", "us", "once", "demo.mp:4"] in rows
    assert ["keys", "fpga", "fp8", "8", "MB"] in rows


def test_weights_that_the_estimates_take_as_frozen_are_named():
    text = " ".join(render_report(REPORT).split())
    assert (
        "Taken as frozen (`program.freeze`), so copied once and not counted above: Wk; 1 MB, 50 us (estimate)." in text
    )
    without = {**REPORT, "transfers": [row for row in REPORT["transfers"] if not row["once"]]}
    assert "frozen" not in render_report(without)


SEVERAL = """
pipeline store:
    dim N = 512
    dim D = 64
    input x: f32[D]
    weight w: f32[D, D]
    memory rows: f32[N, D]

    step put(x):
        prepare:
            rows[n, d] = 0.5 * rows[n, d] + sum[e](w[d, e] * x[e])
    step ask(x):
        apply:
            o[d] = sum[e](w[d, e] * x[e]) + max[n](rows[n, d])
        output o
"""


def test_steps_are_told_apart_and_share_their_weights():
    """A weight is taken as frozen, and moves once; an input with each call of its step."""
    source, options = SourceFile("store.mp", SEVERAL), Options("mi210")
    report = compile_source_file(source, options, until="placed").report
    text = render_report(report)
    rows = [line.split() for line in text.splitlines()]
    assert "put.prepare -> gpu: " in text and "ask.apply -> gpu: " in text
    assert "One call of each step as placed: " in text
    assert [row[-3:-1] for row in rows if row[:1] == ["w"]] == [["us", "once"]]
    assert [row[-3:-1] for row in rows if row[:1] == ["x"]] == [["every", "put"], ["every", "ask"]]


def test_what_each_device_holds_is_said_step_by_step():
    """Of 4 bytes: rows 512 x 64, once more as they are made anew, w 64 x 64, x and o 64; x has one place in all."""
    report, wrong = explain_source_file(SourceFile("store.mp", SEVERAL), Options("mi210"))
    assert wrong is None
    gpu, host = report["device_memory"]
    rows, w, vector = 4 * 512 * 64, 4 * 64 * 64, 4 * 64
    assert (gpu["device"], gpu["capacity_bytes"], gpu["kept_bytes"]) == ("gpu", 64 * 2**30, rows + w)
    assert (gpu["workspace_bytes"], gpu["beside_bytes"]) == (rows + 2 * vector, 0)
    assert gpu["bytes"] == 2 * rows + w + 2 * vector
    put, ask = gpu["steps"]
    assert (put["step"], put["line"], ask["step"], ask["line"]) == ("put", "store.mp:11", "ask", "store.mp:14")
    assert (put["peak_bytes"], ask["peak_bytes"]) == (2 * rows + w + vector, rows + w + 2 * vector)
    assert [item["what"] for item in put["largest"]] == ["memory", "intermediate", "weight", "copy"]
    assert put["largest"][0] == {
        "name": "rows", "what": "memory", "type": "f32[512, 64]", "extents": [512, 64], "bytes": rows,
        "line": "store.mp:7",
    }  # fmt: skip
    assert (host["device"], host["capacity_bytes"]) == ("host", None)
    text = render_report(report)
    lines = [line.split() for line in text.splitlines()]
    assert ["put", "gpu", "279", "kB", "store.mp:11", "rows", "131", "kB"] in [line[:8] for line in lines]
    assert ["gpu", "279", "kB", "68.7", "GB", "147", "kB", "132", "kB"] in [line[:9] for line in lines]


def test_a_device_that_cannot_hold_its_memories_is_said():
    text = SEVERAL.replace("dim N = 512", "dim N = 2 ** 30")
    report, wrong = explain_source_file(SourceFile("store.mp", text), Options("mi210"))
    assert wrong is not None and [item.code for item in wrong.diagnostics] == ["HET304"]
    assert "This does not fit AMD Instinct MI210" in render_report(report)


def test_a_refusal_that_decided_is_told_once():
    report = copy.deepcopy(REPORT)
    report["stages"][0]["reason"] = "refused by the fpga: a weight does not fit (demo.mp:7); no scan"
    assert render_report(report).count("a weight does not fit") == 1


def test_totals_count_the_copies_between_devices_and_no_upload():
    placed, alone = totals(REPORT)
    assert placed == pytest.approx(10 + 80 + 9)
    assert alone == {"gpu": pytest.approx(50.0)}  # the fpga refuses a stage
    assert "to and from the host, not counted above: 7 us" in render_report(REPORT)


def test_a_placement_slower_than_one_device_is_said():
    line = slower_than_best(REPORT)
    assert line is not None
    assert "99 us" in line
    assert "50 us" in line
    faster = copy.deepcopy(REPORT)
    faster["stages"][1]["estimates"][1]["time_us"] = 30.0
    assert slower_than_best(faster) is None


def test_sections_without_rows_are_left_out():
    short = {**REPORT, "transfers": [], "kernels": [], "memories": []}
    assert "transfer" not in render_report(short).replace("transfers not counted", "")


@pytest.mark.parametrize(
    ("energy_mj", "text"), [(0.25, "250 uJ"), (3.5, "3.5 mJ"), (1.59e5, "159 J"), (2.3e7, "23 kJ")]
)
def test_energies_in_the_unit_that_reads_best(energy_mj, text):
    assert energy_text(energy_mj) == text


@pytest.mark.parametrize(("time_us", "text"), [(9.0, "9 us"), (1450.0, "1.45 ms"), (1.53e8, "153 s")])
def test_times_in_the_unit_that_reads_best(time_us, text):
    assert time_text(time_us) == text
