"""Commands in a process of their own, on whose path the package `hetc_abacus` is or is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PACKAGE = HERE / "abacus"
MIX = HERE / "mix.mp"
PLATFORM = "desk"
"""A GPU and an abacus: a file in the package."""
STAGES = ("prepare", "relevancy", "retrieve", "apply")
HETC = "from hetc.compiler.cli.app import run; sys.exit(run(sys.argv[1:]))"
OPT = "from hetc.compiler.opt import main; main()"


def hetc(
    *arguments: str | Path, installed: bool = True, code: int = 0, main: str = HETC, given: str = "", **environment: str
) -> str:
    """What a command prints, with and without the package; `main` is the program, `given` its standard input."""
    path = [str(PACKAGE)] if installed else []
    path += [item for item in os.environ.get("PYTHONPATH", "").split(os.pathsep) if item]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "COLUMNS": "200", **environment}
    command = [sys.executable, "-c", f"import sys; {main}", *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, input=given, env=environment, check=False, timeout=300
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def verdicts(text: str) -> dict[str, list[str]]:
    """The rows of `hetc run --check`: stage -> device, what ran it, ..."""
    return {line.split()[0]: line.split()[1:] for line in text.splitlines() if " ok" in line and "  " in line}
