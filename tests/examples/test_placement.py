"""Where the examples' stages go at the published sizes, and that every device's estimate is said."""

from __future__ import annotations

import pytest

from hetc.compiler.cli.dims_file import read_dims_file
from hetc.compiler.driver import Options, compile_source_file
from hetc.source import read_source
from tests.executors import ROOT

EXPECTED = {
    "dsa": {"prepare": "gpu", "relevancy": "fpga", "retrieve": "fpga", "apply": "gpu"},
    "seerattention_topk": {"prepare": "gpu", "relevancy": "fpga", "retrieve": "fpga", "apply": "gpu"},
    "seerattention_threshold": {"prepare": "gpu", "relevancy": "fpga", "retrieve": "fpga", "apply": "gpu"},
    "lserve": {"prepare": "gpu", "relevancy": "fpga", "retrieve": "fpga", "apply": "gpu"},
    "bm25": {"prepare": "gpu", "relevancy": "fpga", "retrieve": "fpga"},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_scan_and_selection_are_placed_on_the_fpga(name: str) -> None:
    folder = ROOT / "examples" / name
    dims, estimate = read_dims_file(str(folder / "paper.toml"))
    options = Options(dims=dims, estimate=estimate)
    report = compile_source_file(read_source(folder / f"{name}.mp"), options, until="placed").report
    assert {stage["stage"]: stage["device"] for stage in report["stages"]} == EXPECTED[name]
    for stage in report["stages"]:
        assert stage["reason"]
        assert {estimate["device"] for estimate in stage["estimates"]} == {"gpu", "fpga"}
