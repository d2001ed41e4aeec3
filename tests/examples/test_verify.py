"""`hetc run --check`'s engine on the examples: seeds, ragged lengths, ties, NaN and infinities, growth."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import pytest

from hetc.compiler.driver import Compilation, Options, compile_source_file
from hetc.compiler.verify import RunReport, run
from hetc.source import read_source

EXAMPLES = Path(__file__).parents[2] / "examples"
LENGTHS = (0, 1, 63, 64, 65, 1000)
BLOCKS = ("seerattention_topk", "seerattention_threshold", "lserve")
RAG = ("rag_dragin", "rag_flare", "rag_fs", "rag_two_stage")
STEP = {"prepare", "relevancy", "retrieve", "apply", "memory"}
STAGES = {
    "dsa": STEP,
    "bm25": STEP - {"apply"},
    **dict.fromkeys(RAG[:3], STEP),
    "rag_two_stage": {
        "embed.prepare", "add.prepare", "search.relevancy", "search.retrieve", "search.apply", "memory",
    },
    **dict.fromkeys(BLOCKS, STEP),
    "hmt": {"recall.prepare", "recall.relevancy", "recall.retrieve", "recall.apply", "push.prepare", "memory"},
    "titans": {
        "begin.prepare", "segment.retrieve", "segment.apply", "segment.relevancy", "segment.prepare", "memory",
    },
    "lact": {"begin.prepare", "chunk.apply", "chunk.relevancy", "chunk.prepare", "memory"},
    "memagent": {"prefill.retrieve", "prefill.apply", "decode.retrieve", "decode.prepare", "memory"},
}  # fmt: skip
DRAWN = [
    pytest.param(name, seed, marks=pytest.mark.full if name in (*BLOCKS, *RAG, "memagent") and seed > 1 else ())
    for name in STAGES
    for seed in range(10)
]


@cache
def compiled(name: str) -> Compilation:
    dims = tomllib.loads((EXAMPLES / name / "small.toml").read_text())["dims"]
    return compile_source_file(read_source(EXAMPLES / name / f"{name}.mp"), Options(dims=dims, policy="intensity"))


def verdict(report: RunReport) -> str:
    """What was wrong, for the assertion's message."""
    return "; ".join(f"{row.stage}: {row.note or row.max_error}" for row in report.rows if not row.ok)


@pytest.mark.parametrize(("name", "seed"), DRAWN)
def test_drawn_inputs(name: str, seed: int) -> None:
    report = run(compiled(name), seed=seed, calls=2)
    assert report.ok, verdict(report)
    assert not any(row.unjudged for row in report.rows)
    assert {row.stage for row in report.rows} == STAGES[name]
    assert set(report.backends.values()) <= {"triton-interpreter", "c-simulation", "cuda", "rocm", "xrt"}


@pytest.mark.parametrize("style", ["normal", "integers", "nonfinite"])
@pytest.mark.parametrize("lengths", [[length] for length in LENGTHS] + [[0, 64, 1000], [65, 1, 63]], ids=str)
def test_ragged_rows_of_sparse_attention(lengths: list[int], style: str) -> None:
    extents = {"B": len(lengths), "T": lengths}
    report = run(compiled("dsa"), seed=sum(lengths), calls=2, style=style, extents=extents)  # type: ignore[arg-type]
    assert report.ok, verdict(report)


@pytest.mark.parametrize("style", ["normal", "integers"])
@pytest.mark.parametrize("name", BLOCKS)
def test_ragged_rows_of_block_sparse_attention(name: str, style: str) -> None:
    extents = {"B": 4, "T": [0, 7, 64, 333]}
    report = run(compiled(name), seed=3, calls=5, style=style, extents=extents)  # type: ignore[arg-type]
    assert report.ok, verdict(report)


@pytest.mark.parametrize("documents", [0, 1, 63, 64, 65, 400])
@pytest.mark.parametrize("queries", [1, 3])
def test_collections_of_documents(documents: int, queries: int) -> None:
    extents = {"N": documents, "B": queries, "M": 3}
    report = run(compiled("bm25"), seed=documents, calls=2, extents=extents)
    assert report.ok, verdict(report)


@pytest.mark.full
@pytest.mark.parametrize("passages", [0, 1, 63, 65, 250])
@pytest.mark.parametrize("name", RAG)
def test_collections_of_passages(name: str, passages: int) -> None:
    report = run(compiled(name), seed=passages, calls=2, extents={"N": passages, "B": 2, "M": 3})
    assert report.ok, verdict(report)


@pytest.mark.parametrize("style", ["normal", pytest.param("integers", marks=pytest.mark.full)])
def test_rows_that_grow_by_lengths_of_their_own(style: str) -> None:
    """Prompts that are empty, of one token and of the most; a row that decodes nothing; an empty memory."""
    extents: dict[str, int | list[int]] = {"B": 3, "T": [0, 7, 20], "C": [12, 0, 1], "A": [1, 1, 0]}
    report = run(compiled("memagent"), seed=4, calls=2, style=style, extents=extents)  # type: ignore[arg-type]
    assert report.ok, verdict(report)


@pytest.mark.parametrize("name", ["dsa", "bm25"])
def test_a_hundred_calls_with_the_memory_growing(name: str) -> None:
    extents = {"dsa": {"B": 1, "T": [0]}, "bm25": {"B": 1, "N": 0, "M": 1}}[name]
    report = run(compiled(name), seed=7, calls=100, extents=extents)  # type: ignore[arg-type]
    assert report.ok, verdict(report)


def test_a_wrong_kernel_is_seen(tmp_path: Path) -> None:
    """The judge must be able to fail: a generated kernel with one sign turned is called wrong."""
    from hetc.compiler.driver import write_directory

    write_directory(compiled("bm25"), tmp_path / "work")
    kernel = next((tmp_path / "work" / "fpga").glob("*/*.cpp"))
    text = kernel.read_text()
    assert "hls::log(" in text
    kernel.write_text(text.replace("hls::log(", "-hls::log(", 1))
    report = run(tmp_path / "work", seed=0, calls=1)
    assert not report.ok
    assert any(not row.ok and row.stage == "retrieve" for row in report.rows)
