"""Runs a program's text by the oracle and compiled for each kind of device, behind one interface."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hetc.compiler.driver import Options, compile_source_file, write_directory
from hetc.compiler.frontend import compile_source
from hetc.compiler.pipeline import run_stages
from hetc.compiler.report import pipeline_of
from hetc.dialects.mp import in_order
from hetc.runtime.program import load_program
from hetc.source import SourceFile
from tests.executors import OracleSession, ProgramSession, Session, output_codes

# A platform that has the kind of device.
PLATFORMS = {"gpu": "mi210", "fpga": "mi210+u55c", "cpu": "cpu"}
WAYS = ("oracle", "oracle on the expanded form", "gpu", "fpga", "cpu")


def session_of(
    text: str, way: str, capacities: Mapping[str, int], lengths: Mapping[str, Any], directory: Path
) -> Session:
    """A state of the pipeline `text`, executed in one of WAYS; `directory` is for what is compiled."""
    source = SourceFile("test.mp", text)
    if way.startswith("oracle"):
        module = compile_source(source)
        run_stages(module, "mp" if way == "oracle" else "expanded", {})
        return OracleSession(module, capacities, lengths, strict=way != "oracle")
    module = compile_source(source)
    steps = pipeline_of(module).steps.values()
    stages = {
        op.attributes["stage"].data  # type: ignore[attr-defined]
        for step in steps
        for op in in_order(step.body.block)
        if "stage" in op.attributes
    }
    compilation = compile_source_file(source, Options(PLATFORMS[way], pins=dict.fromkeys(sorted(stages), way)))
    write_directory(compilation, directory / "out")
    program = load_program(directory / "out", "emulation")
    assert set(program.backends) <= {way}
    return ProgramSession(program, capacities, lengths, output_codes(module))
