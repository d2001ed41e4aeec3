"""What FPGA kernels need of this machine, found by light means: rows of `hetc doctor`."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from pathlib import Path

from hetc.runtime.csim_errors import HeadersMissingError
from hetc.runtime.csim_toolchain import ap_types_include
from hetc.runtime.environment import Check, first_match, output_of
from hetc.runtime.versions import installed_version

# The current tool first: `vitis_hls` is deprecated and absent from new releases.
HLS_TOOLS = ("vitis-run", "v++", "vitis_hls")

_HLS_VERSION = re.compile(r"(?<!\d)(20\d\d\.\d)(?!\d)")


def hls_tool() -> tuple[str, str] | None:
    """Name and path of the first of `HLS_TOOLS` on PATH."""
    for name in HLS_TOOLS:
        path = shutil.which(name)
        if path:
            return name, path
    return None


def check_ap_int(_root: Path) -> Check:
    """The headers of C simulation."""
    how, needed = "pip install --no-deps hls4ml==1.3.0", "C simulation of FPGA kernels"
    try:
        folder = ap_types_include()
    except HeadersMissingError as error:
        return Check("ap_int", False, None, str(error), how, needed)
    return Check("ap_int", True, installed_version("hls4ml"), str(folder), how, needed)


def check_xrt(root: Path) -> Check:
    """XRT and its Python module."""
    how = "install XRT from AMD's packages and source /opt/xilinx/xrt/setup.sh"
    needed = "running FPGA kernels on a card"
    folder = Path(os.environ.get("XILINX_XRT") or root / "opt/xilinx/xrt")
    version = first_match(folder / "version.json", r'"BUILD_VERSION"\s*:\s*"([^"]+)"')
    spec = importlib.util.find_spec("pyxrt")
    if spec is None:
        detail = f"XRT is in {folder}, but pyxrt is not on PYTHONPATH" if version else "no pyxrt module"
        return Check("xrt", False, version, detail, how, needed)
    return Check("xrt", True, version, f"pyxrt: {spec.origin}", how, needed)


def check_fpga(root: Path) -> Check:
    """The cards that drivers show."""
    how = "an Alveo card with its platform flashed and the xocl driver loaded (xrt-smi examine)"
    needed = "running FPGA kernels on a card (without: C simulation)"
    cards = [path.name for path in sorted(root.glob("sys/bus/pci/drivers/xocl/*:*"))]
    if cards:
        return Check("fpga", True, None, f"driven by xocl: {', '.join(cards)}", how, needed)
    if list(root.glob("dev/xclmgmt*")):
        detail = "a card is seen by xclmgmt, but xocl drives none: its platform is not loaded"
        return Check("fpga", False, None, detail, how, needed)
    return Check("fpga", False, None, "no card is visible (neither xocl nor xclmgmt)", how, needed)


def check_vitis(_root: Path) -> Check:
    """The tool that synthesises."""
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
        found = _HLS_VERSION.search(output_of([path, flag]) or "")
    detail = f"{name}: {path}" + (" (deprecated since 2024.2)" if name == "vitis_hls" else "")
    return Check("vitis", True, found[1] if found else None, detail, how, needed)
