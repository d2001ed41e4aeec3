"""Platforms: the figures that placement rests on, and what is derived from them."""

import copy
import pickle
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from hetc.numerics import DTYPES
from hetc.platforms import (
    DEFAULT_PLATFORM,
    Figure,
    format_figure,
    list_devices,
    list_platforms,
    load_platform,
    show_rows,
)
from hetc.platforms.fpga import RESOURCES, Fpga
from hetc.platforms.gpu import Gpu


def gpu(name: str = DEFAULT_PLATFORM) -> Gpu:
    device = load_platform(name).device_of_kind("gpu")
    assert isinstance(device, Gpu)
    return device


def fpga(name: str = DEFAULT_PLATFORM) -> Fpga:
    device = load_platform(name).device_of_kind("fpga")
    assert isinstance(device, Fpga)
    return device


def test_the_platforms_that_ship() -> None:
    assert list_platforms()[0] == DEFAULT_PLATFORM == "mi210+u55c"
    assert set(list_platforms()) == {
        *("mi210+u55c", "a100+u55c", "h200+u55c", "h200+v80", "mi210+v80", "h200", "mi210", "cpu", "cpu+u55c"),
    }


@pytest.mark.parametrize("name", list_platforms())
def test_every_platform_loads_and_is_what_its_name_says(name: str) -> None:
    platform = load_platform(name)
    assert platform.name == name
    assert [device.name for device in platform.devices.values()] == name.split("+")
    for device in platform.devices.values():
        assert device.idle_watts < device.board_watts
        assert device.usable_bandwidth_bytes_per_s < device.peak_bandwidth_bytes_per_s


@pytest.mark.parametrize("name", list_devices())
def test_every_device_is_in_use(name: str) -> None:
    assert any(name in platform.split("+") for platform in list_platforms())


@pytest.mark.parametrize("name", list_platforms())
def test_every_number_in_a_file_became_a_figure_with_a_source(name: str) -> None:
    platform = load_platform(name)
    sources = [figure.source for _, figure in platform.figures()]
    assert all(len(source) > 8 for source in sources)
    # An estimate says so; what is derived says from what; anything else names a public document.
    public = r"estimate|derived: |data sheet|product brief|white paper|reference guide|Programming Guide"
    public += r"|AMD (UG|DS|WP|PG|AM)\d+|arXiv \d+\.\d+|list price"
    assert [source for source in sources if not re.search(public, source)] == []


@pytest.mark.parametrize(
    ("name", "dtype", "low", "high"),
    [
        ("mi210", "bf16", 109, 111),
        ("a100+u55c", "bf16", 153, 161.5),
        ("h200", "bf16", 205, 207),
        ("h200", "fp8", 411, 413),
    ],
)
def test_gpu_ridge_points(name: str, dtype: str, low: float, high: float) -> None:
    assert low <= gpu(name).ridge_flop_per_byte(dtype) <= high


def test_fpga_ridge_points() -> None:
    assert fpga().ridge_flop_per_byte("i8") == pytest.approx(20, rel=0.05)
    assert fpga().ridge_flop_per_byte("f32") == pytest.approx(3, rel=0.1)


@pytest.mark.parametrize(
    ("name", "storage", "compute"),
    [
        ("mi210", "fp8", "bf16"),
        ("mi210", "fp8e5m2", "bf16"),
        ("a100+u55c", "fp8", "bf16"),
        ("h200", "fp8", "fp8"),
        ("mi210", "bf16", "bf16"),
        ("mi210", "i4", "i8"),
        ("mi210", "fp4", "bf16"),
        ("h200", "fp4", "fp8"),
        ("mi210", "u8", "i32"),
        ("mi210", "i64", "i64"),
        ("mi210", "bool", "i8"),
    ],
)
def test_compute_dtype_of_a_gpu(name: str, storage: str, compute: str) -> None:
    assert gpu(name).compute_dtype(storage) == compute
    assert gpu(name).ridge_flop_per_byte(storage) == gpu(name).ridge_flop_per_byte(compute)


def test_compute_dtype_of_an_fpga() -> None:
    wanted = {
        "fp8": "fp8",
        "fp8e5m2": "f32",
        "bf16": "f32",
        "f16": "f32",
        "i16": "i16",
        "u8": "u8",
    }
    assert {storage: fpga().compute_dtype(storage) for storage in wanted} == wanted


def test_every_dtype_of_the_language_has_arithmetic_everywhere() -> None:
    for name in list_platforms():
        for device in load_platform(name).devices.values():
            assert all(device.ridge_flop_per_byte(dtype) > 0 for dtype in DTYPES)


def test_a_dtype_that_no_device_has() -> None:
    with pytest.raises(KeyError, match="no dtype that holds f64"):
        gpu().compute_dtype("f64")


def test_triton_targets() -> None:
    assert [gpu(name).triton_target for name in ("mi210", "a100+u55c", "h200")] == [
        "gfx90a",
        "sm_80",
        "sm_90",
    ]


def test_the_u55c_card() -> None:
    card = fpga()
    totals = {resource: card.total(resource) for resource in RESOURCES}
    assert totals["dsp"] == 9024
    assert (totals["bram36"], totals["uram"]) == (2016, 960)
    assert totals["lut"] == pytest.approx(1.304e6, rel=1e-3)
    assert totals["ff"] == pytest.approx(2.607e6, rel=1e-3)
    assert card.capacity_bytes == 16 * 2**30
    assert card.peak_bandwidth_bytes_per_s == pytest.approx(460e9)
    assert card.on_chip_bytes == pytest.approx((8.86 + 33.75) * 2**20, rel=1e-3)
    assert card.peak_ops_per_s("i8") == pytest.approx(9e12, rel=0.01)
    assert [region.name for region in card.regions] == ["SLR0", "SLR1", "SLR2"]


def test_the_v80_card() -> None:
    card = fpga("h200+v80")
    assert card.total("dsp") == 10_848
    assert card.capacity_bytes == 32 * 2**30
    assert card.peak_bandwidth_bytes_per_s == pytest.approx(820e9)
    assert card.peak_ops_per_s("i8") == pytest.approx(16e12, rel=0.03)
    assert card.flow == "aved"


def test_usable_fabric_leaves_out_reserve_and_ceiling() -> None:
    card = fpga()
    first, second = card.regions[0], card.regions[1]
    assert first.usable("lut") == first.total.lut - first.reserved.lut
    assert first.usable("lut") < second.usable("lut")
    assert card.usable("uram") == pytest.approx(0.7 * 960)
    assert card.usable("lut") == pytest.approx(0.7 * (card.total("lut") - first.reserved.lut))


def test_clock_falls_in_a_crowded_device() -> None:
    assert fpga().clock_hz(0.60) == 300e6
    assert fpga().clock_hz(0.61) == 250e6


def test_a_channel_is_limited_by_its_port() -> None:
    card = fpga()
    assert card.channel_usable_bytes_per_s(256, 300e6) == pytest.approx(9.6e9)
    assert card.channel_usable_bytes_per_s(512, 300e6) == pytest.approx(14.375e9 * 0.85)


def test_operators() -> None:
    card = fpga()
    dsp = [card.operator("f32", operation).dsp for operation in ("add", "mul", "fma", "exp")]
    assert dsp == [2, 3, 3, 9]
    assert card.operator("i8", "madd").dsp == 0.5
    assert card.operator("fp8", "madd").dsp == 0
    assert "estimate" in card.operator("fp8", "madd").lut.source
    assert [fpga("h200+v80").operator("f32", name).dsp for name in ("add", "mul", "fma")] == [1, 1, 1]
    with pytest.raises(KeyError, match=r"no operator f32\.bessel; it has f32\.add"):
        card.operator("f32", "bessel")


def test_staged_transfers_pass_through_the_host() -> None:
    platform = load_platform()
    for size_bytes in (1, 4096, 100_000, 64 * 2**20):
        up = platform.transfer_us(size_bytes, "gpu", "host")
        down = platform.transfer_us(size_bytes, "host", "fpga")
        assert platform.transfer_us(size_bytes, "gpu", "fpga") == pytest.approx(up + down)
    assert platform.transfer_us(0, "gpu", "fpga") == platform.transfer_us(9, "gpu", "gpu") == 0


def test_transfer_time_never_falls_with_size() -> None:
    platform = load_platform()
    sizes = [2**power for power in range(32)]
    for source, target, peer in [("gpu", "fpga", False), ("gpu", "fpga", True), ("fpga", "gpu", True)]:
        times = [platform.transfer_us(size, source, target, peer=peer) for size in sizes]
        assert times == sorted(times)
        assert times[0] > 0


def test_measured_peer_transfers() -> None:
    platform = load_platform()
    measured = {256: (1.6, 0.9), 8192: (13.5, 14), 131_072: (17.5, 24)}
    for size_bytes, (there_us, back_us) in measured.items():
        assert platform.transfer_us(size_bytes, "gpu", "fpga", peer=True) == there_us
        assert platform.transfer_us(size_bytes, "fpga", "gpu", peer=True) == back_us
    assert 64 * 2**20 / platform.transfer_us(64 * 2**20, "gpu", "fpga", peer=True) == pytest.approx(7580, rel=1e-3)
    assert platform.transfer_us(4224, "gpu", "fpga", peer=True) == pytest.approx((1.6 + 13.5) / 2)


def test_transfers_that_cannot_be() -> None:
    with pytest.raises(KeyError, match="no device npu; it has gpu, fpga, host"):
        load_platform().transfer_us(1, "npu", "gpu")
    with pytest.raises(KeyError, match="no direct link from gpu to fpga"):
        load_platform("h200+u55c").transfer_us(1, "gpu", "fpga", peer=True)


def test_kinds() -> None:
    assert load_platform().kinds == ("gpu", "fpga")
    assert load_platform("h200").kinds == ("gpu",)
    assert load_platform("h200").device_of_kind("fpga") is None


def test_a_platform_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_platform().name = "x"  # type: ignore[misc]


def test_a_figure_is_a_float_with_a_source() -> None:
    figure = Figure(2.5, "here")
    assert figure * 2 == 5
    assert type(figure * 2) is float
    for twin in (copy.deepcopy(figure), pickle.loads(pickle.dumps(figure))):
        assert (twin, twin.source) == (2.5, "here")


def test_a_dump_reads_back_as_the_same_figures(tmp_path: Path) -> None:
    device = gpu()
    again = Gpu.model_validate(device.model_dump())
    assert again == device
    assert [f.source for _, f in again.figures()] == [f.source for _, f in device.figures()]


def test_show_rows_hold_every_figure() -> None:
    platform = load_platform()
    rows = {(row.device, row.figure): row for row in show_rows(platform)}
    assert rows["gpu", "bandwidth_bytes_per_s"].value == "1.638 TB/s"
    assert rows["gpu", "memory_bytes"].value == "64 GiB"
    assert rows["gpu", "clock_hz"].value == "1.7 GHz"
    assert rows["gpu", "peak_flop_per_s.bf16"].value == "181 TFLOP/s"
    assert rows["fpga", "operators.f32.exp.latency_cycles"].value == "14 cycles"
    assert rows["fpga", "part"].value == "xcu55c-fsvh2892-2L-e"
    assert rows["fpga", "ridge.i8"].value == "19.6 FLOP/B"
    assert rows["gpu to fpga", "transfers[1].us"].value == "13.5 us"
    assert all(row.source for row in rows.values() if row.number is not None)
    in_rows = {row.number for row in rows.values()}
    assert {float(figure) for _, figure in platform.figures()} <= in_rows


def test_format_figure() -> None:
    assert format_figure("x_bytes", 0) == "0 B"
    assert format_figure("compute_units", 104) == "104"
