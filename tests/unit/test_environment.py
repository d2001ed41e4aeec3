"""What doctor finds, with stub executables on PATH and a made-up /proc, /sys and /dev."""

import sys
from pathlib import Path

import pytest

from hetc.devices import manifests, resolve
from hetc.diagnostics import EXIT_ENVIRONMENT, DiagnosticError
from hetc.runtime import environment
from hetc.runtime.environment import Check, probe, require
from hetc.runtime.fpga_found import HLS_TOOLS, hls_tool
from hetc.runtime.versions import installed_version, release_of, satisfies, supported_versions


def stub(folder: Path, name: str, output: str = "", status: int = 0) -> None:
    """An executable that prints `output`, whatever it is asked."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{output}'\nexit {status}\n")
    path.chmod(0o755)


def put(root: Path, name: str, text: str = "") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def found(name: str, root: Path) -> Check:
    (check,) = [check for check in probe(root) if check.name == name]
    return check


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, empty; no tool is named by the environment."""
    for variable in ("CXX", "XILINX_XRT"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    return tmp_path / "bin"


def test_an_empty_machine(tmp_path: Path, bin_folder: Path) -> None:
    checks = {check.name: check for check in probe(tmp_path)}
    assert list(checks) == [
        *("python", "torch", "ml_dtypes", "torch-mlir"),
        *("triton", "gpu", "g++", "ap_int", "xrt", "fpga", "vitis"),
    ]
    assert [name for name in ("g++", "gpu", "xrt", "fpga", "vitis") if checks[name].ok] == []
    assert checks["python"].ok
    assert checks["python"].version == ".".join(str(part) for part in sys.version_info[:3])
    for check in checks.values():
        assert check.detail
        assert check.how_to_get
        assert check.needed_for


def test_vitis_tools_are_taken_newest_first(bin_folder: Path) -> None:
    assert hls_tool() is None
    for count, name in enumerate(reversed(HLS_TOOLS), start=1):
        stub(bin_folder, name)
        assert hls_tool() == (name, str(bin_folder / name)), count


@pytest.mark.parametrize(
    ("tool", "output", "version"),
    [
        ("vitis-run", "****** vitis-run v2025.1 (64-bit)", "2025.1"),
        ("v++", "Vitis v++ Compiler Release 2024.2. SW Build 5239630", "2024.2"),
        ("vitis_hls", "Vitis HLS - High-Level Synthesis v2022.1 (64-bit)", "2022.1"),
        ("vitis-run", "no version here", None),
    ],
)
def test_vitis_version_as_the_tool_tells_it(
    tmp_path: Path, bin_folder: Path, tool: str, output: str, version: str | None
) -> None:
    stub(bin_folder, tool, output)
    check = found("vitis", tmp_path)
    assert (check.ok, check.version) == (True, version)
    assert check.detail.startswith(f"{tool}: {bin_folder / tool}")
    assert ("deprecated" in check.detail) == (tool == "vitis_hls")


def test_vitis_version_from_the_installation_path(
    tmp_path: Path, bin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "Vitis" / "2023.2" / "bin"
    # The path is enough: the tool, which would say otherwise, is not run.
    stub(folder, "v++", "Release 1999.9")
    monkeypatch.setenv("PATH", f"{bin_folder}:{folder}")
    assert found("vitis", tmp_path).version == "2023.2"


def test_a_file_that_is_not_executable_is_no_tool(bin_folder: Path) -> None:
    put(bin_folder, "vitis-run", "#!/bin/sh\n")
    assert hls_tool() is None


def test_compiler(tmp_path: Path, bin_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub(bin_folder, "g++", "g++ (Debian 12.2.0-14) 12.2.0")
    check = found("g++", tmp_path)
    assert (check.ok, check.version, check.detail) == (True, "12.2.0", str(bin_folder / "g++"))
    stub(bin_folder, "mycc", "mycc version 17.0.6")
    monkeypatch.setenv("CXX", "mycc -O1")
    assert found("g++", tmp_path).version == "17.0.6"
    monkeypatch.setenv("CXX", "nocc")
    assert not found("g++", tmp_path).ok
    assert "nocc" in found("g++", tmp_path).detail


def test_a_compiler_that_fails_is_reported(tmp_path: Path, bin_folder: Path) -> None:
    stub(bin_folder, "g++", "g++ 12.2.0", status=1)
    check = found("g++", tmp_path)
    assert not check.ok
    assert "does not tell its version" in check.detail


def test_a_tool_that_hangs_does_not_hang_the_check(
    tmp_path: Path, bin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "VERSION_TIMEOUT_S", 0.2)
    put(bin_folder, "vitis-run", "#!/bin/sh\nexec /bin/sleep 60\n")
    (bin_folder / "vitis-run").chmod(0o755)
    check = found("vitis", tmp_path)
    assert (check.ok, check.version) == (True, None)


def test_ap_int_headers_come_with_the_version_of_their_package(tmp_path: Path) -> None:
    check = found("ap_int", tmp_path)
    if installed_version("hls4ml") is None:
        assert not check.ok
    else:
        assert check.version == installed_version("hls4ml")
        assert (Path(check.detail) / "ap_int.h").is_file()
    assert "hls4ml" not in sys.modules


def test_nvidia_gpus(tmp_path: Path) -> None:
    text = "Model: \t\t NVIDIA H200\nIRQ: 1\n"
    put(tmp_path, "proc/driver/nvidia/gpus/0000:01:00.0/information", text)
    put(tmp_path, "proc/driver/nvidia/gpus/0000:02:00.0/information", text)
    put(tmp_path, "proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue\n")
    check = found("gpu", tmp_path)
    assert (check.ok, check.version, check.detail) == (True, "550.54.15", "NVIDIA H200, NVIDIA H200")


def test_an_nvidia_gpu_in_a_container_shows_only_its_device_file(tmp_path: Path) -> None:
    for name in ("nvidiactl", "nvidia-uvm"):
        put(tmp_path, f"dev/{name}")
    assert not found("gpu", tmp_path).ok
    put(tmp_path, "dev/nvidia0")
    assert (found("gpu", tmp_path).ok, found("gpu", tmp_path).detail) == (True, "NVIDIA GPU")


@pytest.mark.parametrize(("target", "name"), [(90010, "gfx90a"), (90402, "gfx942"), (110000, "gfx1100")])
def test_amd_gpus(tmp_path: Path, target: int, name: str) -> None:
    nodes = "sys/class/kfd/kfd/topology/nodes"
    put(tmp_path, f"{nodes}/0/properties", "cpu_cores_count 32\nsimd_count 0\ngfx_target_version 0\n")
    put(tmp_path, f"{nodes}/1/properties", f"simd_count 416\ngfx_target_version {target}\n")
    assert not found("gpu", tmp_path).ok  # no /dev/kfd: the process may not use it
    put(tmp_path, "dev/kfd")
    assert (found("gpu", tmp_path).ok, found("gpu", tmp_path).detail) == (True, f"AMD {name}")


def test_an_fpga_card(tmp_path: Path) -> None:
    put(tmp_path, "dev/xclmgmt24832")
    assert not found("fpga", tmp_path).ok
    assert "its platform is not loaded" in found("fpga", tmp_path).detail
    put(tmp_path, "sys/bus/pci/drivers/xocl/0000:61:00.1/vendor")
    put(tmp_path, "sys/bus/pci/drivers/xocl/bind")
    check = found("fpga", tmp_path)
    assert (check.ok, check.detail) == (True, "driven by xocl: 0000:61:00.1")


def test_xrt(tmp_path: Path, bin_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "opt/xilinx/xrt/version.json", '{\n  "BUILD_VERSION" : "2.16.204"\n}')
    check = found("xrt", tmp_path)
    assert (check.ok, check.version) == (False, "2.16.204")
    assert "pyxrt is not on PYTHONPATH" in check.detail
    # Looking for the module must not run it: it would load XRT's libraries.
    put(tmp_path, "python/pyxrt.py", "raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path / "python"))
    check = found("xrt", tmp_path)
    assert (check.ok, check.version) == (True, "2.16.204")
    assert check.detail == f"pyxrt: {tmp_path / 'python' / 'pyxrt.py'}"


def test_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def versions(**installed: str) -> Check:
        monkeypatch.setattr(environment, "installed_version", lambda name: installed.get(name))
        return found("torch", tmp_path)

    monkeypatch.setattr(environment, "supported_versions", lambda name: ">=2.6,<=2.13.0")
    assert not versions().ok
    assert versions().detail == "not installed"
    assert versions().how_to_get == "pip install 'hetc[run]'"
    assert versions(torch="2.13.0").ok
    assert "without GPU support" in versions(torch="2.13.0+cpu").detail
    assert versions(torch="2.13.0+rocm6.4").detail == "build rocm6.4"
    too_new = versions(torch="2.14.0")
    assert (too_new.ok, too_new.version) == (False, "2.14.0")
    assert too_new.detail == "supported versions: >=2.6,<=2.13.0"


def test_supported_versions_come_from_the_metadata() -> None:
    if installed_version("hetc") is None:
        pytest.skip("hetc is not installed, so it has no metadata")
    torch = supported_versions("torch")
    assert torch is not None
    assert ">=2.6" in torch
    assert supported_versions("torch-mlir") not in (None, torch)
    assert supported_versions("no-such-package") is None


@pytest.mark.parametrize(
    ("version", "specifier", "expected"),
    [
        ("3.9.0", "<3.10,>=3.6", True),
        ("3.10.0", "<3.10,>=3.6", False),
        ("3.5.9", "<3.10,>=3.6", False),
        ("2.13.0+cpu", ">=2.6,<=2.13.0", True),
        ("2.13", "<=2.13.0", True),
        ("1.3.0", "==1.3.0", True),
        ("1.3.1", "==1.3.0", False),
        ("5", "", True),
    ],
)
def test_version_ranges(version: str, specifier: str, expected: bool) -> None:
    assert satisfies(version, specifier) is expected


def test_release() -> None:
    assert release_of("3.10.0rc1") == release_of("3.10") == (3, 10)


def test_require_names_all_that_is_missing(tmp_path: Path, bin_folder: Path) -> None:
    require("python", root=tmp_path)
    with pytest.raises(DiagnosticError) as caught:
        require("python", "vitis", "fpga", root=tmp_path)
    assert caught.value.exit_code == EXIT_ENVIRONMENT
    first, second = caught.value.diagnostics
    assert (first.code, second.code) == ("HET501", "HET501")
    assert first.message.startswith("vitis is needed for synthesis")
    assert "settings64.sh" in (first.help or "")
    assert second.message.startswith("fpga is needed for running FPGA kernels")
    with pytest.raises(KeyError):
        require("abacus", root=tmp_path)


def test_each_kind_brings_the_rows_that_it_needs() -> None:
    known = environment.checks()
    for kind in manifests():
        assert set(kind.needs) <= set(known), kind.kind
        assert all(known[name] is resolve(found) for name, found in kind.checks.items()), kind.kind
