"""examples/moba against the paper's equations; its text with f32 for bf16."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hetc.compiler.driver import Options, compile_source_file, front_end, write_directory
from hetc.compiler.pipeline import run_stages
from hetc.dialects.task import KernelOp
from hetc.runtime.program import load_program
from hetc.source import SourceFile
from tests.examples import moba_reference as reference
from tests.executors import ROOT, OracleSession, ProgramSession, Session

DIMS = {"H": 2, "G": 2, "D": 4, "S": 3, "K": 3}
CHUNKS = (5, 1, 4, 6)
"""Tokens of each step: over the ends of blocks, one token, and a chunk of more than a block."""
CAPACITIES = {"B": 2, "M": 6, "T": 18}


def source() -> SourceFile:
    text = (ROOT / "examples" / "moba" / "moba.mp").read_text()
    assert text.count("bf16") == 6
    return SourceFile("moba.mp", text.replace("bf16", "f32"))


def drive(session: Session, seed: int, tolerance: float, chunks: tuple[int, ...] = CHUNKS) -> None:
    """Two sequences chunk by chunk: what each query gives, and the blocks that it attends to."""
    rng = np.random.default_rng(seed)
    tokens, heads, group, size = sum(chunks), DIMS["H"], DIMS["G"], DIMS["D"]
    q = rng.normal(size=(2, tokens, heads, group, size)).astype(np.float32).astype(np.float64)
    k, v = rng.normal(size=(2, 2, tokens, heads, size)).astype(np.float32).astype(np.float64)
    expected = [reference.attend(q[b], k[b], v[b], DIMS) for b in range(2)]
    end = 0
    for chunk in chunks:
        start, end = end, end + chunk
        found = session.call(q=q[:, start:end], k=k[:, start:end], v=v[:, start:end])
        for b, (given, kept) in enumerate(expected):
            np.testing.assert_allclose(found["o"][b], given[start:end], rtol=tolerance, atol=tolerance)
            for m, h, g in np.ndindex(chunk, heads, group):
                blocks = [block for block in found["kept"][b, m, h, g] if block >= 0]
                assert len(set(blocks)) == len(blocks)
                assert set(blocks) == kept[start + m, h, g]


@pytest.mark.parametrize("stage", ["mp", "expanded"])
@pytest.mark.parametrize("seed", range(8))
def test_meaning(seed: int, stage: str) -> None:
    module = front_end(source(), Options(dims=DIMS))
    run_stages(module, stage, {})
    drive(OracleSession(module, CAPACITIES, {"T": [0, 0]}, strict=stage != "mp"), seed, 1e-4)


def test_chunks_change_nothing() -> None:
    """The same tokens one by one, and all at once."""
    module = front_end(source(), Options(dims=DIMS))
    for chunks in ((1,) * 16, (16,)):
        drive(OracleSession(module, {**CAPACITIES, "M": 16}, {"T": [0, 0]}), 8, 1e-4, chunks)


def session_of(options: Options, directory: Path) -> ProgramSession:
    compilation = compile_source_file(source(), options)
    write_directory(compilation, directory / "out")
    kinds = {op.device.data for op in compilation.placed.walk() if isinstance(op, KernelOp)}
    assert kinds == (set(options.pins.values()) or {"gpu", "fpga"})
    return ProgramSession(load_program(directory / "out", "emulation"), CAPACITIES, {"T": [0, 0]})


def test_mixed(tmp_path: Path) -> None:
    """The rule has the scan of the blocks' keys and the selection on the FPGA."""
    drive(session_of(Options(dims={**DIMS, **CAPACITIES}, policy="intensity"), tmp_path), 2, 1e-3)


@pytest.mark.parametrize("kind", ["gpu", pytest.param("fpga", marks=pytest.mark.full)])
def test_on_one_kind_of_device(kind: str, tmp_path: Path) -> None:
    pins = dict.fromkeys(("prepare", "relevancy", "retrieve", "apply"), kind)
    drive(session_of(Options(dims={**DIMS, **CAPACITIES}, pins=pins), tmp_path), 3, 1e-3)
