"""The row of `hetc doctor` for the C++ compiler, which several device kinds need."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from hetc.runtime.csim_errors import CompilerMissingError
from hetc.runtime.csim_toolchain import find_compiler
from hetc.runtime.environment import Check, output_of


def check_compiler(_root: Path) -> Check:
    """The compiler that CXX names, else g++."""
    how, needed = (
        "apt-get install g++, or name a C++17 compiler in CXX",
        "kernels of the processor, C simulation of FPGA kernels",
    )
    try:
        command = find_compiler()
    except CompilerMissingError as error:
        return Check("g++", False, None, str(error), how, needed)
    path = shutil.which(command[0]) or command[0]
    found = re.search(r"\b\d+\.\d+(\.\d+)?\b", output_of([*command, "--version"]) or "")
    if found is None:
        return Check("g++", False, None, f"{path} does not tell its version", how, needed)
    return Check("g++", True, found[0], path, how, needed)
