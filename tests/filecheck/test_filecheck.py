"""Runs every `.mlir` beside this file: its first lines `// RUN: COMMAND` are commands, `%s` is the file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CASES = sorted(Path(__file__).parent.rglob("*.mlir"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_filecheck(path: Path) -> None:
    runs = [
        line.removeprefix("// RUN:").strip() for line in path.read_text().splitlines() if line.startswith("// RUN:")
    ]
    assert runs, f"{path.name} has no RUN line"
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for run in runs:
        command = f"set -o pipefail; {run.replace('%s', str(path))}"
        done = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, env=environment, timeout=120, check=False
        )
        assert done.returncode == 0, f"{run}\n{done.stdout}\n{done.stderr}"
