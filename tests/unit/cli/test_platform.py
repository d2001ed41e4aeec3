"""`hetc platform measure`, and what `auto` makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hetc.compiler.cli import app
from hetc.platforms import load_platform
from hetc.platforms.here import measured_file, platform_here
from hetc.runtime import cpu_found, cpu_measure, gpu_found

FOUND = cpu_measure.Processor(
    title='A "fast" one', memory_bytes=1 << 34, cache_bytes=1 << 25, cores=4, clock_hz=2e9, bandwidth_bytes_per_s=4e10,
    core_bandwidth_bytes_per_s=1e10, operations_per_clock=1.5, launch_us=3.0, copy_bytes_per_s=8e9,
    peak_ops_per_s={"f32": 2e11, "i32": 1e11, "i64": 5e10},
)  # fmt: skip


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One without devices, on which nothing was measured yet."""
    monkeypatch.setenv("HETC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(cpu_measure, "measure", lambda: FOUND)
    monkeypatch.setattr(gpu_found, "detect", lambda: "")


def test_what_was_measured_is_what_auto_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert platform_here() == "cpu"
    assert app.run(["platform", "measure"]) == 0
    shown = capsys.readouterr()
    assert (
        "this machine's processor, measured" in shown.err and "here: this machine: A 'fast' one, 4 cores" in shown.out
    )
    assert platform_here() == str(measured_file())
    (device,) = load_platform("auto").devices.values()
    assert (device.kind, float(device.launch_us), device.peak_ops_per_s("f32")) == ("cpu", 3.0, 2e11)


def test_it_is_kept_where_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["platform", "measure", str(tmp_path / "mine.toml")]) == 0
    assert load_platform(tmp_path / "mine.toml").kinds == ("cpu",)
    assert platform_here() == "cpu"
    assert app.run(["platform", "measure", "mine"]) == 2
    assert "does not end in .toml" in capsys.readouterr().err


def test_auto_joins_what_is_found_and_takes_the_processor_only_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_found, "detect", lambda: "cpu")
    monkeypatch.setattr(gpu_found, "detect", lambda: "mi210")
    app.run(["platform", "measure", "-q"])
    assert platform_here() == "mi210"
