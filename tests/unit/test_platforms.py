"""Platform files: the figures that placement rests on, and what is said about a wrong file."""

import copy
import pickle
import re
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from hetc import platforms
from hetc.diagnostics import EXIT_USAGE, Diagnostic, DiagnosticError
from hetc.platforms import (
    DEFAULT_PLATFORM,
    RESOURCES,
    Figure,
    Fpga,
    Gpu,
    Processor,
    format_figure,
    list_devices,
    list_platforms,
    load_platform,
    show_rows,
)

MEASURED = '{ value = 1.0, source = "measured" }'


def gpu(name: str = DEFAULT_PLATFORM) -> Gpu:
    device = load_platform(name).device_of_kind("gpu")
    assert isinstance(device, Gpu)
    return device


def fpga(name: str = DEFAULT_PLATFORM) -> Fpga:
    device = load_platform(name).device_of_kind("fpga")
    assert isinstance(device, Fpga)
    return device


def failure(name_or_path: str | Path) -> tuple[Diagnostic, ...]:
    with pytest.raises(DiagnosticError) as caught:
        load_platform(name_or_path)
    assert caught.value.exit_code == EXIT_USAGE
    return caught.value.diagnostics


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_the_platforms_that_ship() -> None:
    assert list_platforms()[0] == DEFAULT_PLATFORM == "mi210+u55c"
    assert set(list_platforms()) == {
        *("mi210+u55c", "a100+u55c", "h200+u55c", "h200+v80", "mi210+v80", "h200", "mi210"),
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
        "i4": "i8",
        "i16": "i16",
        "u8": "u8",
    }
    assert {storage: fpga().compute_dtype(storage) for storage in wanted} == wanted


def test_every_dtype_of_the_language_has_arithmetic_everywhere() -> None:
    dtypes = ["f32", "f16", "bf16", "fp8", "fp8e5m2", "i8", "u8", "i4", "i16", "i32", "i64", "bool"]
    for name in list_platforms():
        for device in load_platform(name).devices.values():
            assert all(device.ridge_flop_per_byte(dtype) > 0 for dtype in dtypes)


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


def test_unknown_platform() -> None:
    (diagnostic,) = failure("mi210+u55")
    assert diagnostic.code == "HET420"
    assert diagnostic.help == "did you mean `mi210+u55c`?"
    assert all(name in diagnostic.notes[0] for name in list_platforms())
    assert failure("zzzzzz")[0].help == "or give the path of a platform file"


def test_user_file_with_three_devices_of_two_kinds_and_a_changed_figure(tmp_path: Path) -> None:
    text = f"""
    title = "mine"
    [devices]
    gpu = "h200"
    fpga0 = "u55c"
    [devices.fpga1]
    base = "u55c"
    launch_us = {MEASURED}
    memory.usable_fraction = {{ value = 0.5, source = "measured" }}
    """
    platform = load_platform(str(write(tmp_path, text)))
    assert platform.name == "mine"
    assert list(platform.devices) == ["gpu", "fpga0", "fpga1"]
    assert list(platform.devices_of_kind("fpga")) == ["fpga0", "fpga1"]
    assert (platform.devices["fpga0"].launch_us, platform.devices["fpga1"].launch_us) == (50, 1)
    assert platform.devices["fpga1"].launch_us.source == "measured"
    assert platform.devices["fpga1"].usable_bandwidth_bytes_per_s == pytest.approx(230e9)
    assert platform.transfer_us(4096, "fpga0", "fpga1") == pytest.approx(60.6)


def test_a_kind_without_a_model_of_its_own(tmp_path: Path) -> None:
    link = "{ title = 'none', bandwidth_bytes_per_s = F, transfers = [{ bytes = F, us = F }] }"
    text = f"""
    title = "this machine"
    [devices.cpu]
    kind = "cpu"
    title = "a processor"
    source = "measured"
    memory_bytes = 8e9
    bandwidth_bytes_per_s = 20e9
    bandwidth_usable_fraction = 0.9
    clock_hz = 3e9
    compute_units = 2
    vector_flop_per_s = 100e9
    launch_us = 0
    idle_watts = 10
    board_watts = 60
    peak_flop_per_s = {{ f32 = {{ value = 100e9, source = "measured" }} }}
    host_link = {{ to_device = {link}, to_host = {link} }}
    """
    device = load_platform(write(tmp_path, text.replace("F,", MEASURED + ",").replace("F }", MEASURED + " }"))).devices[
        "cpu"
    ]
    assert type(device) is Processor
    assert (device.name, device.compute_dtype("fp8"), device.ridge_flop_per_byte("bf16")) == ("cpu", "f32", 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("devices = 3", "devices: "),
        ('title = "x"', "devices: this key is missing"),
        ('title = "x"\n[devices]', "devices: "),
        ('[devices]\ngpu = "h200"', "title: this key is missing"),
        ('title = "x"\ntitel = 2\n[devices]\ngpu = "h200"', "titel: unknown key"),
        ('title = "x"\n[devices]\ngpu = 3', "devices.gpu: expected a device's name or a table; found 3"),
        ('title = "x"\n[devices]\ngpu = "h100"', "devices.gpu: no device is called `h100`"),
        (
            'title = "x"\n[devices.gpu]\nbase = "h200"\nclock_hz = 2',
            "devices.gpu.clock_hz: expected a figure",
        ),
        ('title = "x"\n[devices.gpu]\nbase = "h200"\nclock_ghz = 2', "devices.gpu.clock_ghz: unknown key"),
        (
            'title = "x"\n[devices.gpu]\nbase = "h200"\npeak_flop_per_s.f32 = { value = "a", source = "b" }',
            "devices.gpu.peak_flop_per_s.f32: expected a figure",
        ),
        (
            'title = "x"\n[devices.gpu]\nbase = "h200"\nlaunch_us = { value = -1, source = "b" }',
            "devices.gpu.launch_us: expected a figure",
        ),
        (
            'title = "x"\n[devices.gpu]\nbase = "h200"\nlaunch_us = { value = 1, source = " " }',
            "`source` is missing or empty",
        ),
        (
            'title = "x"\n[devices.gpu]\nbase = "u55c"\nmemory.region = "SLR9"',
            "the regions are SLR0, SLR1, SLR2",
        ),
        (
            'title = "x"\n[devices]\ngpu = "h200"\n[[peer_links]]\nfrom_device = "gpu"\nto_device = "npu"\n'
            f"link = {{ title = 'l', bandwidth_bytes_per_s = {MEASURED}, "
            f"transfers = [{{ bytes = {MEASURED}, us = {MEASURED} }}] }}",
            "peer_links[0].to_device: no device is called `npu`",
        ),
    ],
)
def test_malformed_files_name_the_key(tmp_path: Path, text: str, expected: str) -> None:
    path = write(tmp_path, text)
    found = failure(path)
    assert {diagnostic.code for diagnostic in found} == {"HET422"}
    messages = [diagnostic.message for diagnostic in found]
    assert any(expected in message and message.startswith(f"{path}: ") for message in messages), messages


def test_all_wrong_keys_are_reported_at_once(tmp_path: Path) -> None:
    found = failure(write(tmp_path, 'titel = "x"\n[devices]\ngpu = "h200"'))
    assert sorted(diagnostic.message.split(": ", 1)[1] for diagnostic in found) == [
        "titel: unknown key",
        "title: this key is missing",
    ]
    assert [diagnostic.help for diagnostic in found if "unknown" in diagnostic.message] == ["did you mean `title`?"]


def test_bad_toml_points_at_the_place(tmp_path: Path) -> None:
    (diagnostic,) = failure(write(tmp_path, 'title = "x"\n[devices\n'))
    assert diagnostic.code == "HET421"
    assert diagnostic.span is not None
    assert diagnostic.span.line == 2
    (at_end,) = failure(write(tmp_path, 'title = """x'))
    assert at_end.code == "HET421"
    assert failure(tmp_path / "no.toml")[0].code == "HET401"


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
    assert format_figure("price_usd", 15_000) == "15,000 USD"


def test_no_number_of_a_shared_device_is_repeated_in_a_platform_file() -> None:
    folder = Path(platforms.__file__).parent
    for name in list_platforms():
        data = tomllib.loads((folder / f"{name}.toml").read_text())
        assert set(data) <= {"title", "devices", "peer_links"}
        assert all(isinstance(value, str) for value in data["devices"].values())
