"""FPGA schedules: what they choose, refuse and apply."""

from __future__ import annotations

import numpy as np
import pytest

from hetc.dialects import task
from hetc.passes.lower_hls.plan import FpgaPlan
from hetc.passes.schedule.fpga import schedule
from hetc.passes.schedule.model import Refused, Schedule
from hetc.platforms import load_platform

SCAN = """
pipeline scan:
    dim B <= 8
    dim T <= {longest} per B
    dim H = 2; dim D = 128; dim K = {k}
    input q: bf16[B, H, D]
    input w: f32[B, H]
    input keys: fp8[B, T, D]
    relevancy:
        s[b, t] = sum[h](w[b, h] * relu(sum[d](q[b, h, d] * keys[b, t, d])))
        picked[b, j] = topk[t](s[b, t], K)
    output picked
"""


@pytest.fixture(scope="module")
def card():
    return load_platform("mi210+u55c").device_of_kind("fpga")


def kernel_of(module) -> task.KernelOp:
    (found,) = [op for op in module.walk() if isinstance(op, task.KernelOp)]
    return found


@pytest.fixture(scope="module")
def scan(one_kernel_of):
    return kernel_of(one_kernel_of(SCAN.format(k=64, longest=1 << 20)))


def test_a_long_scan_is_striped_and_fits(scan, card):
    found = schedule(scan, card, {"B": 1, "T": 1 << 20})
    assert found.kind == "fpga" and found.plan["stripes"] > 1 and found.plan["striped"] == (2,)
    for resource, used in found.resources.items():
        assert used <= card.usable(resource)
    assert found.time_us > found.launch_us == card.launch_us
    # No faster than the striped channels can deliver the keys.
    channels = found.plan["stripes"]
    floor_us = (128 << 20) / (channels * card.channel_usable_bytes_per_s(512, card.clock.asked_hz)) * 1e6
    assert found.time_us >= floor_us and found.bytes_moved >= 128 << 20


def test_time_grows_with_the_scan_and_a_short_one_is_bound_by_its_launch(scan, card):
    times = [schedule(scan, card, {"B": 1, "T": size}).time_us for size in (64, 4096, 65536, 1 << 20)]
    assert times == sorted(times)
    assert schedule(scan, card, {"B": 1, "T": 64}).bound == "launch"
    assert schedule(scan, card, {"B": 1, "T": 1 << 20}).bound in ("memory", "compute")


def test_what_does_not_fit_at_its_bounds_is_refused_with_what_is_short(one_kernel_of, card):
    """Of 34 GB of keys, whatever extents the times are estimated at: what is allocated is what the bounds say."""
    long = kernel_of(one_kernel_of(SCAN.format(k=64, longest=1 << 25)))
    with pytest.raises(Refused, match="MiB in one memory channel of 512 MiB"):
        schedule(long, card, {"B": 1, "T": 4096})


def test_a_schedule_survives_its_attribute_and_the_lowering_applies_it(scan, card, one_kernel_of, bench_of_modules):
    found = schedule(scan, card, {"B": 2, "T": 4096})
    assert Schedule.from_attr(found.to_attr()) == found
    module = one_kernel_of(SCAN.format(k=64, longest=1 << 20), dict(found.plan))
    assert FpgaPlan.of(kernel_of(module)).stripes == found.plan["stripes"]
    bench = bench_of_modules([module])
    random = np.random.default_rng(0)
    import ml_dtypes

    given = [
        random.normal(size=(2, 2, 128)).astype(ml_dtypes.bfloat16),
        random.normal(size=(2, 2)).astype(np.float32),
        random.normal(size=(2, 300, 128)).astype(ml_dtypes.float8_e4m3fn),
    ]
    bench.check("scan_kernel", given, {"B": 2, "T": np.array([300, 177])})


def test_an_unknown_decision_is_an_error(one_kernel_of):
    with pytest.raises(KeyError, match="an FPGA plan has no warps"):
        one_kernel_of(SCAN.format(k=4, longest=1 << 20), {"warps": 4})
