"""What this machine has of the tools that generated programs need, found by light means.

Nothing heavy is imported and no device is opened: packages are looked up by their metadata, GPUs and FPGA
cards by what their drivers show under /proc, /sys and /dev.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hetc.devices import manifests, resolve
from hetc.diagnostics import EXIT_ENVIRONMENT, Diagnostic, DiagnosticError
from hetc.runtime.csim_errors import CompilerMissingError, HeadersMissingError
from hetc.runtime.csim_toolchain import ap_types_include, find_compiler
from hetc.runtime.versions import installed_version, release_of, satisfies, supported_versions

# The current tool first: `vitis_hls` is deprecated and absent from new releases.
HLS_TOOLS = ("vitis-run", "v++", "vitis_hls")

_VERSION_TIMEOUT_S = 20
_HLS_VERSION = re.compile(r"(?<!\d)(20\d\d\.\d)(?!\d)")


@dataclass(frozen=True)
class Check:
    """One thing that was looked for. `detail` says where it is, or what is wrong with it."""

    name: str
    ok: bool
    version: str | None
    detail: str
    how_to_get: str
    needed_for: str


def probe(root: Path = Path("/")) -> list[Check]:
    """Everything that `hetc doctor` reports; `root` is where /proc, /sys, /dev and /opt are looked for."""
    return [check(root) for check in _checks().values()]


def require(*names: str, root: Path = Path("/")) -> None:
    """Raises DiagnosticError (exit 3) naming each of these checks that fails, with how to get it.

    KeyError for a name that is no check.
    """
    failed = [check for check in (_checks()[name](root) for name in names) if not check.ok]
    if failed:
        raise DiagnosticError(
            [
                Diagnostic(
                    "error",
                    "HET501",
                    f"{check.name} is needed for {check.needed_for}: {check.detail}",
                    help=check.how_to_get,
                )
                for check in failed
            ],
            EXIT_ENVIRONMENT,
        )


def hls_tool() -> tuple[str, str] | None:
    """Name and path of the first of `HLS_TOOLS` on PATH."""
    for name in HLS_TOOLS:
        path = shutil.which(name)
        if path:
            return name, path
    return None


def _check_python(_root: Path) -> Check:
    version = platform.python_version()
    ok = release_of(version) >= (3, 11)
    detail = f"{platform.python_implementation()} on {platform.machine()}"
    return Check("python", ok, version, detail, "install Python 3.11 or later", "everything")


def _check_compiler(_root: Path) -> Check:
    how, needed = (
        "apt-get install g++, or name a C++17 compiler in CXX",
        "kernels of the processor, C simulation of FPGA kernels",
    )
    try:
        command = find_compiler()
    except CompilerMissingError as error:
        return Check("g++", False, None, str(error), how, needed)
    path = shutil.which(command[0]) or command[0]
    found = re.search(r"\b\d+\.\d+(\.\d+)?\b", _output([*command, "--version"]) or "")
    if found is None:
        return Check("g++", False, None, f"{path} does not tell its version", how, needed)
    return Check("g++", True, found[0], path, how, needed)


def _check_ap_int(_root: Path) -> Check:
    how, needed = "pip install --no-deps hls4ml==1.3.0", "C simulation of FPGA kernels"
    try:
        folder = ap_types_include()
    except HeadersMissingError as error:
        return Check("ap_int", False, None, str(error), how, needed)
    return Check("ap_int", True, installed_version("hls4ml"), str(folder), how, needed)


def _package_check(name: str, extra: str, needed_for: str) -> Callable[[Path], Check]:
    def check(_root: Path) -> Check:
        how = f"pip install 'hetc[{extra}]'"
        version = installed_version(name)
        if version is None:
            return Check(name, False, None, "not installed", how, needed_for)
        wanted = supported_versions(name)
        if wanted and not satisfies(version, wanted):
            return Check(name, False, version, f"supported versions: {wanted}", how, needed_for)
        build = version.partition("+")[2]
        detail = {"": "installed", "cpu": "installed; a build without GPU support"}.get(build, f"build {build}")
        return Check(name, True, version, detail, how, needed_for)

    return check


def _check_gpu(root: Path) -> Check:
    how = "a GPU and its driver (NVIDIA driver, or ROCm's amdgpu and kfd)"
    needed = "running GPU kernels on hardware (without: Triton's interpreter)"
    names = gpu_names(root)
    version = _first_match(root / "proc/driver/nvidia/version", r"Module.*?\s(\d+\.\d+(?:\.\d+)?)\s")
    if not names:
        return Check("gpu", False, None, "no NVIDIA or AMD GPU is visible", how, needed)
    return Check("gpu", True, version, ", ".join(names), how, needed)


def gpu_names(root: Path = Path("/")) -> list[str]:
    """The GPUs that drivers show: `NVIDIA H200`, `AMD gfx90a`; `NVIDIA GPU` where only that there is one is seen."""
    names = [_nvidia_name(path) for path in sorted(root.glob("proc/driver/nvidia/gpus/*/information"))]
    if not names:  # containers often show only the device files
        names = ["NVIDIA GPU"] * len(list(root.glob("dev/nvidia[0-9]*")))
    if (root / "dev/kfd").exists():
        nodes = sorted(root.glob("sys/class/kfd/kfd/topology/nodes/*/properties"))
        names += [name for name in map(_amd_name, nodes) if name]
    return names


def _nvidia_name(path: Path) -> str:
    return _first_match(path, r"Model:\s*(.+)") or "NVIDIA GPU"


def _amd_name(path: Path) -> str | None:
    """The gfx name of a topology node, None for a node without SIMDs (a CPU)."""
    if int(_first_match(path, r"simd_count (\d+)") or 0) == 0:
        return None
    # 90010 is 9.0.10; minor and stepping are written as one hexadecimal digit each: gfx90a.
    target = int(_first_match(path, r"gfx_target_version (\d+)") or 0)
    return f"AMD gfx{target // 10000}{target // 100 % 100:x}{target % 100:x}" if target else "AMD GPU"


def _check_xrt(root: Path) -> Check:
    how = "install XRT from AMD's packages and source /opt/xilinx/xrt/setup.sh"
    needed = "running FPGA kernels on a card"
    folder = Path(os.environ.get("XILINX_XRT") or root / "opt/xilinx/xrt")
    version = _first_match(folder / "version.json", r'"BUILD_VERSION"\s*:\s*"([^"]+)"')
    spec = importlib.util.find_spec("pyxrt")
    if spec is None:
        detail = f"XRT is in {folder}, but pyxrt is not on PYTHONPATH" if version else "no pyxrt module"
        return Check("xrt", False, version, detail, how, needed)
    return Check("xrt", True, version, f"pyxrt: {spec.origin}", how, needed)


def _check_fpga(root: Path) -> Check:
    how = "an Alveo card with its platform flashed and the xocl driver loaded (xrt-smi examine)"
    needed = "running FPGA kernels on a card (without: C simulation)"
    cards = [path.name for path in sorted(root.glob("sys/bus/pci/drivers/xocl/*:*"))]
    if cards:
        return Check("fpga", True, None, f"driven by xocl: {', '.join(cards)}", how, needed)
    if list(root.glob("dev/xclmgmt*")):
        detail = "a card is seen by xclmgmt, but xocl drives none: its platform is not loaded"
        return Check("fpga", False, None, detail, how, needed)
    return Check("fpga", False, None, "no card is visible (neither xocl nor xclmgmt)", how, needed)


def _check_vitis(_root: Path) -> Check:
    how = "install AMD Vitis (2022.1 or later) and source its settings64.sh"
    needed = "synthesis and bitstreams of FPGA kernels (not for C simulation)"
    tool = hls_tool()
    if tool is None:
        return Check("vitis", False, None, f"none of {', '.join(HLS_TOOLS)} on PATH", how, needed)
    name, path = tool
    # The release stands in the usual path of an installation; asking the tool takes seconds.
    found = _HLS_VERSION.search(str(Path(path).resolve()))
    if found is None:
        flag = "-version" if name == "vitis_hls" else "--version"
        found = _HLS_VERSION.search(_output([path, flag]) or "")
    detail = f"{name}: {path}" + (" (deprecated since 2024.2)" if name == "vitis_hls" else "")
    return Check("vitis", True, found[1] if found else None, detail, how, needed)


def _output(command: list[str]) -> str | None:
    """What a command prints, or None where it fails, hangs or cannot start."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_VERSION_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout + done.stderr


def _first_match(path: Path, pattern: str) -> str | None:
    try:
        found = re.search(pattern, path.read_text(errors="replace"))
    except OSError:
        return None
    return found[1].strip() if found else None


_CHECKS: dict[str, Callable[[Path], Check]] = {
    "python": _check_python,
    "g++": _check_compiler,
    "ap_int": _check_ap_int,
    "torch": _package_check("torch", "run", "host programs and running anything"),
    "triton": _package_check("triton", "run", "GPU kernels: interpreting and compiling them"),
    "ml_dtypes": _package_check("ml_dtypes", "run", "bf16 and fp8 test data"),
    "gpu": _check_gpu,
    "xrt": _check_xrt,
    "fpga": _check_fpga,
    "vitis": _check_vitis,
    "torch-mlir": _package_check("torch-mlir", "mlir", "checking lowered programs with upstream MLIR"),
}


def _checks() -> dict[str, Callable[[Path], Check]]:
    """Every check by name, those that device kinds bring among them."""
    brought = {name: found for kind in manifests() for name, found in kind.checks.items()}
    return {**_CHECKS, **{name: resolve(found) for name, found in brought.items()}}


def main_job() -> frozenset[str]:
    """The checks that compiling a pipeline, and running all of it here, takes."""
    return frozenset({"python", *(name for kind in manifests() for name in kind.needs)})
