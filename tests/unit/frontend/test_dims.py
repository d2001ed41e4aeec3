"""Dims: constants, bounds, derived ones, overrides."""

from __future__ import annotations

import pytest

from hetc.compiler.frontend import compile_source
from hetc.diagnostics import EXIT_USAGE, DiagnosticError
from hetc.source import SourceFile
from tests.unit.frontend.support import errors_of, module_of, pipeline_of

TEXT = """\
pipeline p:
    dim H = 4; dim D = 2 ** 3
    dim HD = H * D - 1
    dim B <= 8 * H
    dim T <= 100 per B
    dim NB = ceildiv(T, 64)
    dim NC = 2 * (T // 64) + 1
    input x: f32[H, HD + 1]
    output x
"""


def test_sizes_bounds_and_derived_dims() -> None:
    dims = pipeline_of(module_of(TEXT)).dims
    assert {name: op.largest for name, op in dims.items()} == {
        "H": 4, "D": 8, "HD": 31, "B": 32, "T": 100, "NB": 2, "NC": 3
    }  # fmt: skip
    assert dims["HD"].is_static and not dims["B"].is_static
    assert dims["NB"].per is not None and dims["NB"].per.data == "B"
    derived = dims["NC"].derived
    assert derived is not None
    assert [derived.data.eval([rows], []) for rows in (0, 63, 64, 100)] == [(1,), (1,), (3,), (3,)]
    ceiled = dims["NB"].derived
    assert ceiled is not None
    assert [ceiled.data.eval([rows], []) for rows in (0, 1, 64, 65)] == [(0,), (1,), (1,), (2,)]


def test_overrides_reach_what_depends_on_them() -> None:
    pipeline = pipeline_of(module_of(TEXT, {"H": 2, "T": 1000}))
    assert pipeline.dims["HD"].largest == 15
    assert pipeline.dims["B"].largest == 16
    assert pipeline.dims["NB"].largest == 16
    assert pipeline.declarations["x"].type.shape == (2, 16)


@pytest.mark.parametrize("overrides", [{"Z": 4}, {"H": 0}, {"H": 2**31}, {"H": True}])
def test_wrong_overrides_are_a_usage_error(overrides: dict[str, int]) -> None:
    with pytest.raises(DiagnosticError) as caught:
        compile_source(SourceFile("t.mp", TEXT), overrides)
    assert caught.value.exit_code == EXIT_USAGE


@pytest.mark.parametrize(
    ("declaration", "words"),
    [
        ("dim A = T * 2", "the limit"),
        ("dim A = B % 4", "derived dim"),
        ("dim A = T + M", "mixes dims"),
        ("dim A = -B - 1", "would range"),
        ("dim A <= 4 per T", "plain run-time dim"),
        ("dim A = 1 / 3", "integer"),
    ],
)
def test_refused_dims(declaration: str, words: str) -> None:
    text = "dim B <= 8\n    dim O <= 8\n    dim T <= 2147483647 per B\n    dim M <= 4 per O"
    found = errors_of(f"pipeline p:\n    {text}\n    {declaration}\n    input x: f32[4]\n    output x\n")
    expected = "would range" if words == "the limit" else words
    assert [expected in item.message for item in found] == [True], found
