"""What a generated host program imports."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from hetc.devices import UnknownKind, device_kind
from hetc.diagnostics import DiagnosticError
from hetc.runtime.buffers import Stripes
from hetc.runtime.devices import HOST
from hetc.runtime.errors import PipelineError
from hetc.runtime.pages import Rows
from hetc.runtime.plan_builder import PlanBuilder
from hetc.runtime.program import HostProgram
from hetc.runtime.specification import Dim, Occupant, Pipeline, Step, Tensor, highest, lowest
from hetc.runtime.state import State

__all__ = [
    "Dim", "HostProgram", "Occupant", "Pipeline", "PlanBuilder", "Rows", "State", "Step", "Stripes", "Tensor",
    "highest", "lowest", "main",
]  # fmt: skip

_CHECK = "from hetc.compiler.cli import main; main()"


def main(program: type[HostProgram], file: str) -> None:
    """The command line of a generated host program: says what runs the kernels; `--check` runs `hetc run --check`."""
    parser = argparse.ArgumentParser(description=f"Host program of the pipeline {program.PIPELINE.name}.")
    parser.add_argument("--check", action="store_true", help="run on random inputs and compare with the oracle")
    parser.add_argument("--mode", choices=("any", "emulation", "hardware"), default="any", help="which devices to open")
    try:
        options = {kind: device_kind(kind).options for kind in program.PIPELINE.devices if kind != HOST}
    except (UnknownKind, DiagnosticError) as error:
        sys.exit(str(error))
    for name, text in {name: text for own in options.values() for name, text in own.items()}.items():
        parser.add_argument(f"--{name.replace('_', '-')}", help=text)
    arguments = vars(parser.parse_args())
    directory = Path(file).resolve().parent.parent
    try:
        chosen = {kind: {name: arguments[name] for name in own} for kind, own in options.items()}
        opened = program(directory, arguments["mode"], chosen)
    except PipelineError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    for kind, backend in opened.backends.items():
        print(f"{kind}: {backend}")
    if arguments["check"]:
        command = [sys.executable, "-c", _CHECK, "run", str(directory), "--check"]
        sys.exit(subprocess.run(command, check=False).returncode)
