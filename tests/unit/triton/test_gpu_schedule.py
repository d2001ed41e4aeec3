"""Schedules of GPU kernels: what they estimate, what the lowering takes from them, what they refuse."""

from __future__ import annotations

from dataclasses import replace

import pytest
from kernel_texts import compute, kernel_module, read
from test_products import scoring_text
from test_selection import topk_text
from xdsl.dialects.builtin import DictionaryAttr
from xdsl.parser import Parser

from hetc.dialects.registry import new_context
from hetc.dialects.task import KernelOp
from hetc.passes.schedule.gpu import schedule
from hetc.passes.schedule.gpu_checks import GpuRefused
from hetc.passes.schedule.model import Refused, Schedule
from hetc.platforms import load_platform


def kernel_of(text: str) -> KernelOp:
    module = Parser(new_context(), text).parse_module()
    (kernel,) = (op for op in module.walk() if isinstance(op, KernelOp))
    return kernel


@pytest.fixture
def h200():
    return load_platform("h200").device_of_kind("gpu")


def test_a_scan_takes_the_time_of_its_bytes(h200):
    found = schedule(kernel_of(scoring_text(4, 128)), h200, {"B": 1, "T": 1_000_000})
    assert found.bound == "memory"
    assert found.bytes_moved == pytest.approx(1e6 * (128 + 4 + 4), rel=0.01)
    busy_us = found.bytes_moved / h200.usable_bandwidth_bytes_per_s * 1e6
    assert found.time_us == pytest.approx(busy_us + found.launch_us, rel=1e-6)
    assert found.launch_us == h200.launch_us


def test_work_counts_every_product_and_sum(h200):
    found = schedule(kernel_of(scoring_text(64, 128)), h200, {"B": 2, "T": 1000})
    assert found.flop == pytest.approx(2 * 1000 * (64 * (2 * 128 + 3) + 1), rel=0.01)


def test_ordering_by_score_is_one_more_launch(h200):
    plain, ordered = (
        schedule(kernel_of(topk_text(64, order)), h200, {"B": 2, "T": 5000}) for order in ("any", "score")
    )
    assert ordered.resources["launches"] == plain.resources["launches"] + 1


def test_the_lowering_applies_the_plan(h200, lower):
    text = scoring_text(64, 128)
    found = schedule(kernel_of(text), h200, {"B": 2, "T": 1000})
    planned = lower(with_schedule(text, found.to_attr()))
    assert planned.text == lower(text).text, "the defaults are what the scheduler chooses"
    changed = Schedule.from_attr(found.to_attr())
    changed = Schedule(**{**vars(changed), "plan": {**changed.plan, "s0.t": 32}})
    assert planned.kernels["k_0_y"]["grid"][1] == {"extent": "T", "tile": 64}
    assert lower(with_schedule(text, changed.to_attr())).kernels["k_0_y"]["grid"][1] == {"extent": "T", "tile": 32}


def test_a_tile_that_cannot_be_kept_is_refused(h200, lower):
    text = scoring_text(64, 128)
    found = Schedule.from_attr(schedule(kernel_of(text), h200, {"B": 2, "T": 1000}).to_attr())
    changed = replace(found, plan={**found.plan, "s0.d": 256})
    with pytest.raises(GpuRefused, match="tile of 256 for d cannot be kept"):
        lower(with_schedule(text, changed.to_attr()))


def with_schedule(text: str, attribute: DictionaryAttr) -> str:
    return text.replace("stages []", f"stages [] schedule {attribute}")


def test_a_returned_operand_is_refused(h200):
    body = compute("y", "n in N", read("a", "x", "n", "[N], f32"), "a", "[N], f32")
    text = kernel_module({"x": "[N], f32"}, body, [("y", "[N], f32"), ("x", "[N], f32")])
    with pytest.raises(Refused, match="returns its operand"):
        schedule(kernel_of(text), h200, {"N": 100})
