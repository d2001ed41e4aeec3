"""Reading platform files: users' own ones, and what is said about a wrong one."""

import json
import tomllib
from pathlib import Path

import pytest

from hetc import platforms
from hetc.compiler.driver import Options, explain_source_file
from hetc.compiler.gpu_builds import known_targets
from hetc.diagnostics import EXIT_USAGE, Diagnostic, DiagnosticError
from hetc.platforms import Processor, list_platforms, load_platform
from hetc.platforms.device import HostLink, Link, Transfer
from hetc.platforms.figure import Model
from hetc.platforms.fpga import Clock, Memory, Operator, Ports, Region, Resources
from hetc.source import SourceFile

MEASURED = '{ value = 1.0, source = "measured" }'


PRODUCTS = """
pipeline products:
    dim B <= 4
    dim D = 64
    input x: bf16[B, D]
    weight w: bf16[D, D]
    memory m: f32[D, D]
    prepare:
        m[d, e] = m[d, e] + sum[b](x[b, d] * x[b, e])
    apply:
        y[b, e] = exp(sum[d](x[b, d] * w[d, e])) + m[0, e]
    output y
"""
FILE = Path(platforms.__file__).with_name("mi210+u55c.toml")
DESCRIPTIONS = {"name", "kind", "title", "part", "platform", "flow", "widths_bits"}


def test_every_figure_is_read_by_a_compilation(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nothing is computed from is no figure of a platform."""
    read: set[tuple[type, str]] = set()

    def spy(self: Model, name: str) -> object:
        read.add((type(self), name))
        return object.__getattribute__(self, name)

    known_targets()
    monkeypatch.setattr(Model, "__getattribute__", spy, raising=False)
    known_targets()
    for pins in ({}, {"prepare": "gpu", "apply": "fpga"}):
        options = Options(str(FILE), pins=pins)  # by its file, which is read each time
        explain_source_file(SourceFile("products.mp", PRODUCTS), options)
    platform = load_platform(FILE)
    platform.device_of_kind("fpga").clock_hz(1.0)  # of a card that is full
    platform.transfer_us(1e12, "host", "gpu")  # of a large copy
    monkeypatch.undo()
    models = {type(device) for device in platform.devices.values()} | {
        Memory,
        Ports,
        Clock,
        Operator,
        Region,
        Resources,
    }
    unread = [
        f"{model.__name__}.{name}"
        for model in models | {Link, HostLink, Transfer}
        for name in model.model_fields
        if name not in DESCRIPTIONS and (model, name) not in read
    ]
    assert sorted(unread) == []


def failure(name_or_path: str | Path) -> tuple[Diagnostic, ...]:
    with pytest.raises(DiagnosticError) as caught:
        load_platform(name_or_path)
    assert caught.value.exit_code == EXIT_USAGE
    return caught.value.diagnostics


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_unknown_platform() -> None:
    (diagnostic,) = failure("mi210+u55")
    assert diagnostic.code == "HET420"
    assert diagnostic.help == "did you mean `mi210+u55c`?"
    assert all(name in diagnostic.notes[0] for name in list_platforms())
    assert failure("zzzzzz")[0].help == "or give the path of a platform file, or install the package that brings it"


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
    [devices.npu]
    kind = "npu"
    title = "a neural processor"
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
    path = write(tmp_path, text.replace("F,", MEASURED + ",").replace("F }", MEASURED + " }"))
    device = load_platform(path).devices["npu"]
    assert type(device) is Processor
    assert (device.name, device.compute_dtype("fp8"), device.ridge_flop_per_byte("bf16")) == ("npu", "f32", 5)


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
            'title = "x"\n[devices.gpu]\nbase = "h200"\nlaunch_us = { value = 1' + "0" * 400 + ', source = "b" }',
            "devices.gpu.launch_us: expected a figure",
        ),
        (
            'title = "x"\n[devices.gpu]\nbase = "h200"\npeak_flop_per_s.f32 = { value = 0, source = "b" }',
            "devices.gpu.peak_flop_per_s.f32: expected a figure above zero",
        ),
        (
            'title = "x"\n[devices.gpu]\nbase = "u55c"\n[devices.gpu.operators.f64.fma]\nsource = "b"\n'
            "lut = 0\nff = 0\ndsp = 0\nlatency_cycles = 1",
            "devices.gpu.operators.f64.fma: an operator takes LUTs or DSPs",
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
    assert failure(write(tmp_path, "a = " + "[" * 100_000))[0].code == "HET421"
    assert failure(tmp_path / "no.toml")[0].code == "HET401"


def test_no_number_of_a_shared_device_is_repeated_in_a_platform_file() -> None:
    folder = Path(platforms.__file__).parent
    for name in list_platforms():
        data = tomllib.loads((folder / f"{name}.toml").read_text())
        assert set(data) <= {"title", "devices", "peer_links"}
        assert all(isinstance(value, str) for value in data["devices"].values())


@pytest.mark.parametrize(
    ("key", "text"), [("part", "xcu55c; exec ls"), ("part", "a\nb"), ("part", "a\n"), ("platform", "p $(ls)")]
)
def test_text_that_goes_to_the_vendors_tools_is_plain(tmp_path: Path, key: str, text: str) -> None:
    """Tcl, make and configuration files hold it as it is."""
    described = f'title = "mine"\n[devices.fpga]\nbase = "u55c"\n{key} = {json.dumps(text)}\n'
    (diagnostic,) = failure(write(tmp_path, described))
    assert diagnostic.code == "HET422"
    assert f"devices.fpga.{key}: expected text of the form" in diagnostic.message
    assert repr(text) in diagnostic.message


def test_a_card_is_linked_for_a_platform_unless_its_flow_has_none(tmp_path: Path) -> None:
    head = 'title = "mine"\n[devices.fpga]\nbase = "u55c"\n'
    (diagnostic,) = failure(write(tmp_path, f'{head}platform = ""\n'))
    assert "platform is empty" in diagnostic.message
    (diagnostic,) = failure(write(tmp_path, f'{head}flow = "opencl"\n'))
    assert "'xrt' or 'aved'" in diagnostic.message
    assert load_platform(write(tmp_path, head)).devices["fpga"].no_host == ""
    assert "flow aved" in load_platform(write(tmp_path, f'{head}flow = "aved"\n')).devices["fpga"].no_host
