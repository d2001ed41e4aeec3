"""An example's text with f32 for bf16, at small sizes: executed by the oracle, and compiled and emulated."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from hetc.compiler.driver import Compilation, Options, compile_source_file, front_end, write_directory
from hetc.compiler.pipeline import run_stages
from hetc.dialects.mp import loops_around
from hetc.dialects.task import KernelOp
from hetc.runtime.program import load_program
from hetc.source import SourceFile
from tests.executors import ROOT, OracleSession, ProgramSession

STAGES = ("prepare", "relevancy", "retrieve", "apply")
SEEDS = [0, 1, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(2, 8))]
KINDS = ["gpu", pytest.param("fpga", marks=pytest.mark.full)]


@dataclass(frozen=True)
class Example:
    """narrow: how often `bf16` stands in the text. Sessions have two rows, and memories that are empty at first."""

    name: str
    narrow: int
    dims: Mapping[str, int]
    capacities: Mapping[str, int]

    def source(self) -> SourceFile:
        text = (ROOT / "examples" / self.name / f"{self.name}.mp").read_text()
        assert text.count("bf16") == self.narrow
        return SourceFile(f"{self.name}.mp", text.replace("bf16", "f32"))

    def weights(self) -> ModuleType:
        """The module `weights.py` beside the example."""
        path = ROOT / "examples" / self.name / "weights.py"
        spec = importlib.util.spec_from_file_location(f"{self.name}_weights", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def oracle(self, stage: str = "mp") -> OracleSession:
        module = front_end(self.source(), Options(dims=self.dims))
        run_stages(module, stage, {})
        return OracleSession(module, self.capacities, {"T": [0, 0]}, strict=stage != "mp")

    def compiled(self, kind: str = "") -> Compilation:
        """On one kind of device, or as the rule places it: then on both, in its loops where it has any."""
        pins = dict.fromkeys(STAGES, kind) if kind else {}
        dims = {**self.dims, **self.capacities}
        compilation = compile_source_file(self.source(), Options(dims=dims, pins=pins, policy="intensity"))
        kernels = [op for op in compilation.placed.walk() if isinstance(op, KernelOp)]
        kernels = [kernel for kernel in kernels if loops_around(kernel)] or kernels
        assert {kernel.device.data for kernel in kernels} == ({kind} if kind else {"gpu", "fpga"})
        return compilation

    def emulated(self, directory: Path, kind: str = "") -> ProgramSession:
        write_directory(self.compiled(kind), directory / "out")
        return ProgramSession(load_program(directory / "out", "emulation"), self.capacities, {"T": [0, 0]})
