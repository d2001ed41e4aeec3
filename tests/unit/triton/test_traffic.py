"""Launches and bytes of GPU schedules against a count of what the emitted kernels do."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from counted_traffic import Launch, counted_launches

from hetc.compiler import verify
from hetc.compiler.driver import Compilation, Options, compile_source_file
from hetc.source import read_source

EXAMPLES = Path(__file__).parents[3] / "examples"


def compiled(name: str, dims: dict[str, int]) -> Compilation:
    return compile_source_file(read_source(EXAMPLES / name / f"{name}.mp"), Options("mi210", dims=dims))


def bm25_arrays(dims: dict[str, int]) -> dict[str, Any]:
    """Postings in which every term stands in every document, as the bound of what is stored allows."""
    rng = np.random.default_rng(3)
    before = dims["N"] - dims["M"]
    return {
        "docs": rng.integers(0, dims["V"], (dims["M"], dims["L"])).astype(np.int32),
        "query": rng.integers(0, dims["V"], (dims["B"], dims["Q"])).astype(np.int32),
        "tf": rng.integers(1, 4, (dims["V"], before)).astype(np.uint8),
        "length": np.full(before, 500, np.int32),
    }


DIMS = {
    "dsa": {"B": 2, "T": 8192, "E": 64, "R": 32, "H": 4, "LOG_D": 4, "K": 8, "G": 4, "N": 16, "P": 8, "V": 32},
    "bm25": {"M": 1, "N": 2048, "B": 4, "V": 256, "L": 16, "Q": 6, "K": 8},
    "lserve": {"B": 2, "T": 4096, "H": 2, "G": 2, "D": 64, "L": 4, "M": 2, "K": 4, "SINK": 8, "LOCAL": 16},
    "seerattention_topk": {"B": 2, "T": 4096, "H": 2, "G": 2, "D": 64, "C": 16, "S": 8, "K": 4},
}


@pytest.mark.parametrize("name", DIMS)
def test_launches_and_bytes_are_those_of_the_emitted_kernels(name: str) -> None:
    dims = DIMS[name]
    compilation = compiled(name, dims)
    inputs = bm25_arrays(dims) if name == "bm25" else None
    extents = {"B": dims["B"], "T": dims["T"] - 1} if inputs is None else None  # a call appends one more
    with counted_launches() as launches:
        verify.run(compilation, calls=1, check=False, extents=extents, inputs=inputs)
    counted: defaultdict[str, list[Launch]] = defaultdict(list)
    about = json.loads(compilation.files["gpu/kernels.json"])["kernels"]
    for launch in launches:
        counted[about[launch.kernel]["task"]].append(launch)
    for row in compilation.report["kernels"]:
        found = counted[row["name"]]
        moved = sum(launch.bytes_moved(selects(compilation, launch.kernel)) for launch in found)
        assert len(found) == row["times"] * row["schedule"]["resources"]["launches"]
        assert row["times"] * row["schedule"]["bytes_moved"] == pytest.approx(moved, rel=0.1), row["name"]


def selects(compilation: Compilation, kernel: str) -> bool:
    """Whether a kernel counts the digits of keys."""
    text = compilation.files["gpu/kernels.py"]
    (own,) = re.findall(rf"^def {kernel}\(.*?(?=^@triton|\Z)", text, re.MULTILINE | re.DOTALL)
    return "tl.histogram" in own
