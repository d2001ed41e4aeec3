"""The rendering of a report."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from hetc.compiler.driver import Options, compile_source_file, explain_source_file
from hetc.compiler.explain import render_report, verdict
from hetc.compiler.table import energy_text, time_text
from hetc.source import SourceFile

REPORT: dict[str, Any] = {
    "pipeline": "demo",
    "platform": "mi210+u55c",
    "policy": "intensity",
    "dims": {"B": 4, "T": 65536},
    "estimate": {"B": 4, "T": 65536},
    "devices": {"gpu": "Some GPU", "fpga": "Some FPGA"},
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


def plan(name: str, devices: tuple[str, str], time_us: float, energy_mj: float, copies_us: float) -> dict[str, Any]:
    stages = [
        {"step": "demo", "stage": stage, "device": kind}
        for stage, kind in zip(("prepare", "relevancy"), devices, strict=True)
    ]
    return {
        "name": name, "stages": stages, "time_us": time_us, "energy_mj": energy_mj, "between_us": copies_us,
        "host_us": 0.0, "busy_us": {},
    }  # fmt: skip


REPORT["placement"] = {
    "policy": "auto",
    "objective": "latency",
    "exact": True,
    "plans": [
        plan("chosen", ("gpu", "fpga"), 99.0, 4.0, 9.0),
        plan("rule", ("gpu", "fpga"), 99.0, 4.0, 9.0),
        plan("all gpu", ("gpu", "gpu"), 150.0, 13.0, 0.0),
        {"name": "all fpga", "stages": [], "refused": "a weight does not fit (demo.mp:7)"},
    ],
    "ranges": [
        {"dim": "B", "extents": [4], "best": ["chosen"]},
        {"dim": "T", "extents": [1024, 8192, 65536], "best": ["all gpu", "all gpu", "chosen"]},
    ],
}


def other(**changed: Any) -> dict[str, Any]:
    """The report with another placement."""
    report = copy.deepcopy(REPORT)
    report["placement"].update(changed)
    return report


def test_the_answer_comes_first():
    lines = render_report(REPORT, 200).splitlines()
    assert (
        lines[0]
        == "demo at B = 4, T = 65,536: prepare on the gpu; relevancy on the fpga, an estimated 99 us and 4 mJ a call."
    )
    assert "- Of all placements that can be compiled it takes the least time." in lines
    assert "- The rule by sparsity and arithmetic intensity places the stages so too." in lines
    assert "- Everything on the gpu would take 1.52x the time and 3.25x the energy." in lines
    assert "- Of the plans below all gpu is better at T = 1,024, 8,192." in lines
    assert any(
        line.startswith("- Estimates are made from the figures of Some GPU (gpu) and Some FPGA") for line in lines
    )
    assert verdict(REPORT) == f"{lines[0]} {lines[2].removeprefix('- ')}"


def test_the_rule_is_shown_beside_what_was_chosen():
    plans = [{**plan("chosen", ("gpu", "gpu"), 50.0, 12.0, 0.0)}, *REPORT["placement"]["plans"][1:]]
    text = " ".join(render_report(other(plans=plans)).split())
    assert "everything on the gpu, an estimated 50 us and 12 mJ a call." in text
    assert "(prepare on the gpu; relevancy on the fpga) would take 1.98x the time and 1/3.00 of the energy." in text
    assert "it takes the least energy" in render_report(other(plans=plans, objective="energy"))
    assert "places the stages (`--policy intensity`)" in render_report(other(policy="intensity"))
    assert "a local search tried" in " ".join(render_report(other(exact=False)).split())


def test_pins_and_platforms_of_one_device_leave_less_to_choose():
    stages = [{**REPORT["stages"][0], "reason": "pinned by --pin"}, REPORT["stages"][1]]
    assert "Of all placements that keep the pins and can be compiled it takes" in render_report(
        {**REPORT, "stages": stages}
    )
    alone = [{**REPORT["placement"]["plans"][0], "name": name} for name in ("chosen", "rule", "all fpga")]
    assert verdict(other(plans=alone)) == render_report(other(plans=alone), 200).splitlines()[0]
    assert "Of all placements" not in render_report(other(plans=alone))


def test_each_plan_is_listed_once_under_all_of_its_names():
    rows = [line.split("  ")[0] for line in render_report(REPORT).splitlines()]
    assert "the rule (chosen)" in rows and "all gpu" in rows


def test_no_better_plan_at_other_extents_is_an_answer():
    ranges = [{"dim": "T", "extents": [1024, 8192, 65536], "best": ["chosen", "chosen", "chosen"]}]
    assert "- Of the plans below it stays the fastest at T = 1,024, 8,192." in render_report(other(ranges=ranges))
    assert "Of the plans" not in render_report(other(ranges=[]))
    alone = [
        REPORT["placement"]["plans"][0],
        *({**item, "refused": "no room"} for item in REPORT["placement"]["plans"][2:]),
    ]
    alone.append({**alone[0], "name": "rule"})
    assert "- No other of the plans below can be compiled." in render_report(other(plans=alone))


def test_what_cannot_be_compiled_is_said():
    assert "all fpga cannot be compiled: a weight does not fit (demo.mp:7)." in render_report(REPORT)
    refused = [{"name": "chosen", "stages": [], "refused": "no room"}, *REPORT["placement"]["plans"][1:]]
    assert verdict(other(plans=refused)).startswith("demo cannot be compiled as it is placed: no room.")


def test_a_line_a_stage():
    rows = [line.split() for line in render_report(REPORT).splitlines()]
    assert ["prepare", "gpu", "10", "us", "launch", "not", "on", "the", "fpga", "gpu:", "no", "scan"] in rows
    assert [
        "relevancy",
        "fpga",
        "80",
        "us",
        "memory",
        "gpu",
        "40",
        "us",
        "fpga:",
        "scan,",
        "irregular",
        "(selection)",
    ] in rows
    assert "Not on the fpga: prepare: a weight does not fit (demo.mp:7)." in render_report(REPORT)


@pytest.mark.parametrize("width", [60, 100, 140])
def test_no_line_is_wider_than_asked_where_words_allow(width):
    for line in render_report(REPORT, width).splitlines():
        assert len(line) <= max(width, 91), line  # tables are as wide as what they hold


def test_facts_kernels_transfers_and_memories_are_listed_where_asked_for():
    text = render_report(REPORT, verbose=True)
    assert "dsp 96, uram 8" in text and "dsp 96" not in render_report(REPORT)
    line = next(line for line in text.splitlines() if line.startswith("relevancy ") and "GFLOP" in line)
    for part in ("fpga", "1 GFLOP", "10 MB", "100", "110", "yes", "selection"):
        assert part in line
    rows = [line.split() for line in text.splitlines()]
    assert ["q", "gpu", "fpga", "32.8", "kB", "9", "us", "every", "call", "demo.mp:9"] in rows
    assert ["Wk", "host", "gpu", "1", "MB", "50", "us", "once", "demo.mp:4"] in rows
    assert ["keys", "fpga", "fp8", "8", "MB"] in rows
    assert "relevancy -> fpga: scan, memory-bound" in text


def test_weights_that_the_estimates_take_as_frozen_are_named():
    text = " ".join(render_report(REPORT).split())
    assert "Taken as frozen (`program.freeze`), so copied once and not counted above: Wk; 1 MB, 50 us." in text
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
    text = render_report(report, verbose=True)
    rows = [line.split() for line in text.splitlines()]
    assert ["put.prepare", "gpu"] in [row[:2] for row in rows] and ["ask.apply", "gpu"] in [row[:2] for row in rows]
    assert "one call of each step" in text
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
    text = render_report(report, verbose=True)
    lines = [line.split() for line in text.splitlines()]
    assert ["put", "gpu", "279", "kB", "store.mp:11", "rows", "131", "kB"] in [line[:8] for line in lines]
    assert ["gpu", "279", "kB", "68.7", "GB", "147", "kB", "132", "kB"] in [line[:9] for line in lines]


def test_a_device_that_cannot_hold_its_memories_is_said():
    text = SEVERAL.replace("dim N = 512", "dim N = 2 ** 30")
    report, wrong = explain_source_file(SourceFile("store.mp", text), Options("mi210"))
    assert wrong is not None and [item.code for item in wrong.diagnostics] == ["HET304"]
    assert "This does not fit AMD Instinct MI210" in render_report(report)


def test_sections_without_rows_are_left_out():
    short = {**REPORT, "transfers": [], "kernels": [], "memories": []}
    assert "transfer" not in render_report(short, verbose=True)


@pytest.mark.parametrize(
    ("energy_mj", "text"), [(0.25, "250 uJ"), (3.5, "3.5 mJ"), (1.59e5, "159 J"), (2.3e7, "23 kJ")]
)
def test_energies_in_the_unit_that_reads_best(energy_mj, text):
    assert energy_text(energy_mj) == text


@pytest.mark.parametrize(("time_us", "text"), [(9.0, "9 us"), (1450.0, "1.45 ms"), (1.53e8, "153 s")])
def test_times_in_the_unit_that_reads_best(time_us, text):
    assert time_text(time_us) == text
