"""A better device is never slower, and more work never faster: in the estimates of every kernel of some pipelines."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from hetc.compiler.cli.dims_file import read_dims_file
from hetc.compiler.driver import Options, compile_source_file
from hetc.dialects.mp import PipelineOp
from hetc.dialects.task import KernelOp
from hetc.passes.partition.assign_devices import estimate_dims
from hetc.passes.partition.evaluate import kernels_of
from hetc.passes.schedule.model import Refused
from hetc.passes.schedule.registry import scheduler_of
from hetc.platforms import load_platform
from hetc.platforms.fpga import Fpga
from hetc.platforms.gpu import Gpu
from hetc.source import read_source

EXAMPLES = Path(__file__).parents[3] / "examples"
QUICK = ("dsa", "bm25", "lserve")
SMALL = {path.parent.name for path in EXAMPLES.glob("*/*.mp")}
NAMES = [pytest.param(name, marks=() if name in QUICK else pytest.mark.full) for name in sorted(SMALL)]
LITTLE = 1 + 1e-9
MORE_PLANS = 1.01
"""With more channels there are more plans to choose from, by a quicker model than the one that prices them."""


@cache
def pipeline_of(name: str) -> PipelineOp:
    """At the small sizes, by the rule: some kernels on each device."""
    dims, estimate = read_dims_file(str(EXAMPLES / name / "small.toml"))
    options = Options("mi210+u55c", policy="intensity", dims=dims, estimate=estimate)
    module = compile_source_file(read_source(EXAMPLES / name / f"{name}.mp"), options, until="placed").placed
    return next(op for op in module.body.block.ops if isinstance(op, PipelineOp))


def better_gpus(gpu: Gpu) -> dict[str, Gpu]:
    """Twice of one figure; of units the peaks grow with them, of one unit it is the same."""
    peaks = {name: 2 * peak for name, peak in gpu.peak_flop_per_s.items()}
    units = {
        "compute_units": 2 * gpu.compute_units,
        "vector_flop_per_s": 2 * gpu.vector_flop_per_s,
        "peak_flop_per_s": peaks,
    }
    return {
        "bandwidth": gpu.model_copy(update={"bandwidth_bytes_per_s": 2 * gpu.bandwidth_bytes_per_s}),
        "clock of a unit's port": gpu.model_copy(update={"clock_hz": 2 * gpu.clock_hz}),
        "bytes of a unit's port": gpu.model_copy(update={"unit_bytes_per_clock": 2 * gpu.unit_bytes_per_clock}),
        "peaks": gpu.model_copy(update={"vector_flop_per_s": 2 * gpu.vector_flop_per_s, "peak_flop_per_s": peaks}),
        "units": gpu.model_copy(update=units),
        "launches": gpu.model_copy(update={"launch_us": gpu.launch_us / 2}),
    }


def better_cards(card: Fpga) -> dict[str, Fpga]:
    memory = card.memory
    faster = memory.model_copy(update={"channel_bytes_per_s": 2 * memory.channel_bytes_per_s})
    more = memory.model_copy(update={"channels": 2 * memory.channels})
    ports = card.ports.model_copy(update={"max_bundles": 2 * card.ports.max_bundles})
    clock = card.clock.model_copy(update={"asked_hz": 2 * card.clock.asked_hz, "crowded_hz": 2 * card.clock.crowded_hz})
    return {
        "bandwidth": card.model_copy(update={"memory": faster}),
        "channels": card.model_copy(update={"memory": more, "ports": ports}),
        "clock": card.model_copy(update={"clock": clock}),
        "launches": card.model_copy(update={"launch_us": card.launch_us / 2}),
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_better_device_is_never_slower(name: str) -> None:
    platform = load_platform("mi210+u55c")
    gpu, card = platform.device_of_kind("gpu"), platform.device_of_kind("fpga")
    assert isinstance(gpu, Gpu) and isinstance(card, Fpga)
    better = {"gpu": better_gpus(gpu), "fpga": better_cards(card)}
    dims = estimate_dims(pipeline_of(name), {})
    for kernel in kernels_of(pipeline_of(name)):
        kind = kernel.device.data
        device = gpu if kind == "gpu" else card
        time_us = scheduler_of(kind)(kernel, device, dims).at(dims).time_us
        for what, other in better[kind].items():
            found = scheduler_of(kind)(kernel, other, dims).at(dims).time_us
            allowed = MORE_PLANS if what == "channels" else LITTLE
            assert found <= time_us * allowed, f"{kernel.sym_name.data} with twice the {what}"


@pytest.mark.parametrize("name", NAMES)
def test_more_work_is_never_faster(name: str) -> None:
    """As it is planned for the larger extents, and for each extent anew."""
    pipeline = pipeline_of(name)
    full = estimate_dims(pipeline, {})
    own = [dim for dim, op in pipeline.dims.items() if not op.is_static and op.derived is None and full[dim] > 1]
    platform = load_platform("mi210+u55c")
    for kernel in kernels_of(pipeline):
        kind = kernel.device.data
        planned = scheduler_of(kind)(kernel, platform.device_of_kind(kind), full)
        for dim in own:
            sizes = sorted({max(1, full[dim] // part) for part in (8, 3, 2, 1)})
            extents = [estimate_dims(pipeline, {**{name: full[name] for name in own}, dim: size}) for size in sizes]
            fixed = [planned.at(dims).time_us for dims in extents]
            growing = all(a <= b * LITTLE for a, b in pairwise(fixed))
            assert growing, (kernel.sym_name.data, dim, fixed)


def test_a_kernel_that_no_card_can_hold_is_refused() -> None:
    platform = load_platform("mi210+u55c")
    card = platform.device_of_kind("fpga")
    assert isinstance(card, Fpga)
    tiny = card.model_copy(update={"memory": card.memory.model_copy(update={"channel_bytes": 64.0})})
    kernels = [op for op in kernels_of(pipeline_of("dsa")) if isinstance(op, KernelOp) and op.device.data == "fpga"]
    with pytest.raises(Refused, match="in one memory channel"):
        scheduler_of("fpga")(kernels[0], tiny, estimate_dims(pipeline_of("dsa"), {}))
