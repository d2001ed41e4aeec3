"""The same program gives the same bytes, in whatever order sets and hashes happen to be walked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
COMPILE = "import sys; from hetc.compiler.cli import main; main(sys.argv[1:])"


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*/*.mp")))
def test_two_compiles_write_identical_bytes(name: str, tmp_path: Path) -> None:
    written = []
    for seed in ("1", "2"):
        out = tmp_path / seed
        source, dims = EXAMPLES / name / f"{name}.mp", EXAMPLES / name / "paper.toml"
        command = [sys.executable, "-c", COMPILE, "compile", str(source), "--dims", str(dims), "-o", str(out)]
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True)
        files = [path for path in sorted(out.rglob("*")) if path.is_file()]
        written.append({str(path.relative_to(out)): path.read_bytes() for path in files})
    assert written[0] == written[1]
    assert any(path.startswith(("fpga/", "gpu/")) for path in written[0]) and "manifest.json" in written[0]
