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
    "nsa": {"prepare": "gpu", "relevancy": "fpga", "retrieve": "fpga", "apply": "gpu"},
    "moba": {"prepare": "gpu", "relevancy": "fpga", "retrieve": "fpga", "apply": "gpu"},
    "csa": {"prepare": "gpu", "relevancy": "fpga", "retrieve": "fpga", "apply": "gpu"},
    "indexer_shared": {"prepare": "gpu", "relevancy": "fpga", "retrieve": "fpga", "apply": "gpu"},
    "indexer_pooled": {"prepare": "gpu", "relevancy": "fpga", "retrieve": "fpga", "apply": "gpu"},
    "indexer_two_level": {"prepare": "gpu", "relevancy": "fpga", "retrieve": "fpga", "apply": "gpu"},
    # The entries of their matrices of terms lie in one memory channel, which has no room for them.
    "bm25": {"prepare": "gpu", "relevancy": "gpu", "retrieve": "fpga"},
    "hmt": {"prepare": "gpu", "relevancy": "fpga", "retrieve": "fpga", "apply": "gpu"},
    "rag_dragin": {"prepare": "gpu", "relevancy": "gpu", "retrieve": "fpga", "apply": "gpu"},
    "rag_flare": {"prepare": "gpu", "relevancy": "gpu", "retrieve": "fpga", "apply": "gpu"},
    "rag_fs": {"prepare": "gpu", "relevancy": "gpu", "retrieve": "fpga", "apply": "gpu"},
    "rag_two_stage": {"prepare": "gpu", "relevancy": "fpga", "retrieve": "fpga", "apply": "gpu"},
    # Their memory is as large as it is, however much it has seen: nothing scans.
    "titans": {"prepare": "gpu", "relevancy": "gpu", "retrieve": "gpu", "apply": "gpu"},
    "lact": {"prepare": "gpu", "relevancy": "gpu", "apply": "gpu"},
    # Decoding (prepare) is a scan, memory-bound, but its weights do not lie in the FPGA's memory channels.
    "memagent": {"retrieve": "gpu", "apply": "gpu", "prepare": "gpu"},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_stages_go_where_the_policy_sends_them(name: str) -> None:
    folder = ROOT / "examples" / name
    dims, estimate = read_dims_file(str(folder / "paper.toml"))
    options = Options(dims=dims, estimate=estimate, policy="intensity")
    report = compile_source_file(read_source(folder / f"{name}.mp"), options, until="placed").report
    placed = {(stage["stage"], stage["device"]) for stage in report["stages"]}  # of every step
    assert placed == set(EXPECTED[name].items())
    for stage in report["stages"]:
        assert stage["reason"]
        assert {estimate["device"] for estimate in stage["estimates"]} == {"gpu", "fpga"}
