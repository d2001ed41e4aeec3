"""examples/indexer_shared against the transformers library's layers with the same weights; f32 stands for bf16."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from hetc.compiler.driver import Options, compile_source_file, front_end, write_directory
from hetc.compiler.pipeline import run_stages
from hetc.dialects.mp import ForOp
from hetc.dialects.task import KernelOp
from hetc.runtime.program import load_program
from hetc.source import SourceFile
from tests.examples import indexer_shared_reference as reference
from tests.executors import ROOT, OracleSession, ProgramSession, Session

DIMS = {
    "L": 2, "M": 2, "E": 8, "S": 2, "R": 6, "C": 6, "G": 2, "N": 4, "P": 2, "V": 3, "H": 8, "D": 6, "K": 3, "X": 4,
    "J": 2, "F": 5,
}  # fmt: skip
"""Many index heads: where all of a token's are 0 it ties with others, and the library picks any of those."""
TOKENS = 7


def source() -> SourceFile:
    text = (ROOT / "examples" / "indexer_shared" / "indexer_shared.mp").read_text()
    assert text.count("bf16") == 21
    return SourceFile("indexer_shared.mp", text.replace("bf16", "f32"))


def weights_module() -> ModuleType:
    path = ROOT / "examples" / "indexer_shared" / "weights.py"
    spec = importlib.util.spec_from_file_location("indexer_shared_weights", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def drive(session: Session, seed: int, tolerance: float) -> None:
    """Sequences token by token, against the library's model over all of each at once."""
    model = reference.model_of(DIMS, seed)
    weights = weights_module().from_checkpoint(model.state_dict(), 0, DIMS)
    embeddings = np.random.default_rng(seed).normal(size=(2, TOKENS, DIMS["E"])).astype(np.float32)
    expected = np.stack([reference.outputs(model, row) for row in embeddings])
    for at in range(TOKENS):
        found = session.call(x=embeddings[:, at], **weights)["h"]
        np.testing.assert_allclose(found, expected[:, at], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("stage", ["mp", "expanded"])
@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(2, 8))])
def test_meaning(seed: int, stage: str) -> None:
    module = front_end(source(), Options(dims=DIMS))
    run_stages(module, stage, {})
    drive(OracleSession(module, {"B": 2, "T": TOKENS}, {"T": [0, 0]}, strict=stage != "mp"), seed, 1e-4)


def session_of(options: Options, directory: Path) -> ProgramSession:
    compilation = compile_source_file(source(), options)
    write_directory(compilation, directory / "out")
    outer, inner = [op for op in compilation.placed.walk() if isinstance(op, ForOp)]
    assert inner.parent_op() is outer
    kinds = {op.device.data for op in outer.walk() if isinstance(op, KernelOp)}
    assert kinds == (set(options.pins.values()) or {"gpu", "fpga"})
    program = load_program(directory / "out", "emulation")
    return ProgramSession(program, {"B": 2, "T": TOKENS}, {"T": [0, 0]})


def test_mixed(tmp_path: Path) -> None:
    """The rule has the scan of an indexer's keys and the selection on the FPGA."""
    drive(session_of(Options(dims={**DIMS, "B": 2, "T": TOKENS}, policy="intensity"), tmp_path), 2, 1e-3)


@pytest.mark.parametrize("kind", ["gpu", pytest.param("fpga", marks=pytest.mark.full)])
def test_on_one_kind_of_device(kind: str, tmp_path: Path) -> None:
    pins = dict.fromkeys(("prepare", "relevancy", "retrieve", "apply"), kind)
    drive(session_of(Options(dims={**DIMS, "B": 2, "T": TOKENS}, pins=pins), tmp_path), 3, 1e-3)
