"""examples/csa against the transformers library's layer with the same weights; its text with f32 for bf16."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from hetc.compiler.driver import Options, compile_source_file, front_end, write_directory
from hetc.compiler.pipeline import run_stages
from hetc.dialects.task import KernelOp
from hetc.runtime.program import load_program
from hetc.source import SourceFile
from tests.examples import csa_reference as reference
from tests.executors import ROOT, OracleSession, ProgramSession, Session

DIMS = {
    "E": 8, "R": 6, "H": 4, "D": 6, "P": 4, "W": 3, "M": 2, "I": 8, "F": 6, "K": 2, "G": 2, "Q": 5
}  # fmt: skip
"""Many index heads: where all of an entry's are 0 it ties with others, and the library picks any of those."""
TOKENS = 12


def source() -> SourceFile:
    text = (ROOT / "examples" / "csa" / "csa.mp").read_text()
    assert text.count("bf16") == 16
    return SourceFile("csa.mp", text.replace("bf16", "f32"))


def weights_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("csa_weights", ROOT / "examples" / "csa" / "weights.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def drive(session: Session, seed: int, tolerance: float) -> None:
    """Sequences token by token, against the library's layer over all of each at once."""
    layer = reference.layer_of(DIMS, seed)
    weights = weights_module().from_checkpoint(layer.state_dict(), DIMS)
    x = np.random.default_rng(seed).normal(size=(2, TOKENS, DIMS["E"])).astype(np.float32)
    expected = np.stack([reference.outputs(layer, row) for row in x])
    for at in range(TOKENS):
        found = session.call(x=x[:, at], **weights)["y"]
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
    kinds = {op.device.data for op in compilation.placed.walk() if isinstance(op, KernelOp)}
    assert kinds == (set(options.pins.values()) or {"gpu", "fpga"})
    program = load_program(directory / "out", "emulation")
    return ProgramSession(program, {"B": 2, "T": TOKENS}, {"T": [0, 0]})


def test_mixed(tmp_path: Path) -> None:
    """The rule has the scan of the indexer's keys and the selection on the FPGA."""
    drive(session_of(Options(dims={**DIMS, "B": 2, "T": TOKENS}, policy="intensity"), tmp_path), 2, 1e-3)


@pytest.mark.parametrize("kind", ["gpu", pytest.param("fpga", marks=pytest.mark.full)])
def test_on_one_kind_of_device(kind: str, tmp_path: Path) -> None:
    pins = dict.fromkeys(("prepare", "relevancy", "retrieve", "apply"), kind)
    drive(session_of(Options(dims={**DIMS, "B": 2, "T": TOKENS}, pins=pins), tmp_path), 3, 1e-3)
