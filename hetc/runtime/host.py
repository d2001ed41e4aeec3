"""What a generated host program imports."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from hetc.runtime.buffers import Stripes
from hetc.runtime.errors import PipelineError
from hetc.runtime.pages import Rows
from hetc.runtime.program import HostProgram
from hetc.runtime.specification import Dim, Occupant, Pipeline, Step, Tensor, highest, lowest
from hetc.runtime.state import State

__all__ = [
    "Dim", "HostProgram", "Occupant", "Pipeline", "Rows", "State", "Step", "Stripes", "Tensor", "highest",
    "lowest", "main",
]  # fmt: skip

_CHECK = "from hetc.compiler.cli import main; main()"


def main(program: type[HostProgram], file: str) -> None:
    """The command line of a generated host program: says what runs the kernels; `--check` runs `hetc run --check`."""
    parser = argparse.ArgumentParser(description=f"Host program of the pipeline {program.PIPELINE.name}.")
    parser.add_argument("--check", action="store_true", help="run on random inputs and compare with the oracle")
    parser.add_argument("--mode", choices=("any", "emulation", "hardware"), default="any", help="which devices to open")
    parser.add_argument("--xclbin", help="the FPGA's bitstream; without one its kernels are simulated")
    arguments = parser.parse_args()
    directory = Path(file).resolve().parent.parent
    try:
        options = {"fpga": {"xclbin": arguments.xclbin}} if "fpga" in program.PIPELINE.devices else {}
        opened = program(directory, arguments.mode, options)
    except PipelineError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    for kind, backend in opened.backends.items():
        print(f"{kind}: {backend}")
    if arguments.check:
        command = [sys.executable, "-c", _CHECK, "run", str(directory), "--check"]
        sys.exit(subprocess.run(command, check=False).returncode)
