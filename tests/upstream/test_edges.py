"""Steps that upstream compiled and executes, against the oracle: the rules of the language, the edges of every type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.parser import Parser

from hetc.backends.reference import SparseMatrix, compare_tensor, run_step
from hetc.compiler.report import pipeline_of
from hetc.compiler.verify.draw import STYLES, Draw, draw, stored_entries
from hetc.dialects.mp import CommitOp, PipelineOp, ScatterOp, dtype_name
from hetc.dialects.registry import new_context
from hetc.numerics.packing import as_bytes
from hetc.numerics.rounding import round_to
from hetc.source import SourceFile, read_source
from tests.upstream.executing import UpstreamProgram, expanded

ROOT = Path(__file__).parents[2]


def agree_with_the_oracle(program: UpstreamProgram, given: dict[str, Any], extents: dict[str, Any]) -> None:
    """Every output and memory of the only step, within the oracle's tolerance."""
    (step,) = program.pipeline.steps.values()
    name = step.sym_name.data
    expected = run_step(program.module, name, given, {}, extents, strict=True, magnitudes=True)
    found = program.call(name, given, extents)
    outputs, memories = found.outputs, found.memories
    assert outputs.keys() == expected.outputs.keys() and memories.keys() == expected.memories.keys()
    for output, tensor in expected.output_values.items():
        verdict = compare_tensor(_stored(outputs[output], tensor), tensor)
        assert verdict.ok, f"{output}: {verdict.note}"
    for op in step.body.block.ops:
        if isinstance(op, CommitOp) and not isinstance(expected.memories[op.declared.data], SparseMatrix):
            held = expected.values[op.value]
            verdict = compare_tensor(_stored(memories[op.declared.data], held), held)  # type: ignore[arg-type]
            assert verdict.ok, f"{op.declared.data}: {verdict.note}"


def _stored(values: np.ndarray, tensor: Any) -> np.ndarray:
    coded = tensor.type.coded
    return values if coded is None else as_bytes(values, dtype_name(coded.element), coded.count.data)


def arguments(pipeline: PipelineOp, drawn: Draw, rng: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
    """(each declared tensor, rounded to its type; live extents in the first call of the only step)."""
    (step,) = pipeline.steps.values()
    extents: dict[str, Any] = dict(drawn.capacities)
    for name, dim in pipeline.dims.items():
        if dim.per is not None and name in extents and name not in drawn.lengths:
            extents[name] = rng.integers(0, extents[name] + 1, extents[dim.per.data])
    for name, before in drawn.lengths.items():
        size = step.grows.data[name]
        rows = drawn.capacities[size.symbol.data] if hasattr(size, "symbol") else size.value.data  # type: ignore[attr-defined]
        extents[name] = before + rows if pipeline.dims[name].per is not None else int(before[0]) + rows
    given: dict[str, Any] = {**drawn.weights, **(drawn.inputs[0] if drawn.inputs else {}), **drawn.memories}
    for name, declared in pipeline.declarations.items():
        element = dtype_name(declared.type.element)
        if declared.type.is_sparse:
            rows, columns = declared.type.shape
            entries = stored_entries(given[name], int(rows), element)
            given[name] = SparseMatrix(int(rows), drawn.capacities[str(columns)], *entries)
        elif given[name].dtype.kind == "f":
            given[name] = round_to(given[name], element)
    return given, extents


RULES = {path.stem: path for path in (ROOT / "tests/semantics/normalize").glob("*.mp")}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("name", "in_place"), [*((name, False) for name in sorted(RULES)), ("loops", True), ("updates", True)]
)
def test_rules_of_the_language(name: str, in_place: bool, style: str) -> None:
    module = expanded(read_source(RULES[name]), in_place)
    assert any(isinstance(op, ScatterOp) for op in module.walk()) is in_place
    program = UpstreamProgram(module)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        drawn = draw(pipeline_of(module), rng, style=style, largest=24)
        agree_with_the_oracle(program, *arguments(pipeline_of(module), drawn, rng))


def edges(rng: np.random.Generator, rows: int = 3) -> tuple[dict[str, Any], dict[str, Any]]:
    """Values at and beyond the ends of every type, and the divisors and dividends that have no quotient."""
    inf, nan, least = np.inf, np.nan, -(2**31)
    x = [0.0, -0.0, 1.5, -2.5, inf, -inf, nan, 2.0**31, -3e9, 1e20, 448.0, 465.0, -1e-3, 2.0**-10, 65519.0, 65520.0]
    a = [0, 1, -1, least, least, 7, -7, 7, -7, 200, -200, 127, 128, 255, 256, 40000]
    b = [0, 0, 0, -1, 0, 2, 2, -2, -2, 1, 3, -1, 5, 16, -1, 7]
    order = rng.permutation(16)
    given: dict[str, Any] = {
        "x": np.array(x)[order], "a": np.array(a), "b": np.array(b), "w": np.array(b) * 2**40 - 1,
        "m": rng.random(16) < 0.5, "at": np.array([2, 0, 1])[:rows],
        "rows": round_to(rng.normal(size=(rows, 8)), "f32"),
        "i8s": rng.integers(-128, 128, 16), "u8s": rng.integers(0, 256, 16), "i4s": rng.integers(-8, 8, 16),
        "h": round_to(rng.normal(size=16), "f16"), "e4": round_to(np.array(x), "fp8"),
        "e5": round_to(np.array(x), "fp8e5m2"),
    }  # fmt: skip
    given["w"][3] = -(2**63)
    given["x"] = round_to(given["x"], "f32")
    return given, {"B": rows, "T": np.array([0, 8, 3])[:rows]}


@pytest.fixture(scope="module")
def edge_program() -> UpstreamProgram:
    pytest.importorskip("torch_mlir")
    return UpstreamProgram(expanded(read_source(Path(__file__).parent / "edges.mp")))


@pytest.mark.parametrize("seed", range(6))
def test_edges(edge_program: UpstreamProgram, seed: int) -> None:
    agree_with_the_oracle(edge_program, *edges(np.random.default_rng(seed)))


def test_no_rows_at_all(edge_program: UpstreamProgram) -> None:
    agree_with_the_oracle(edge_program, *edges(np.random.default_rng(9), rows=0))


SELECTED = """
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 4 : i64
    mp.declare @s "input" : <[B, 6], f32>
    mp.step @p grows {} pins {} {
      %s = mp.get "s" : !mp.tensor<[B, 6], f32>
      %picked, %beyond = mp.select 2 : i64 [#mp.range<b in B>, #mp.range<n in 6>] {
      ^bb0(%b: index, %n: index):
        %v = mp.read %s[%b, %n] : !mp.tensor<[B, 6], f32> -> f32
        %zero = arith.constant 0.0 : f32
        %c = arith.cmpf ogt, %v, %zero : f32
        mp.yield %v if %c : f32
      } : !mp.tensor<[B, 2], index>, !mp.tensor<[B], index>
      mp.output "picked", %picked as index : !mp.tensor<[B, 2], index>
      mp.output "beyond", %beyond as index : !mp.tensor<[B], index>
    } {explicit}
  }
}
"""


def test_how_many_a_selection_had_no_room_for() -> None:
    """The language hands it to nobody yet."""
    program = UpstreamProgram(Parser(new_context(), SELECTED).parse_module())
    scores = np.array([[1, 3, 2, 3, -1, 0], [1, -1, 1, -1, -1, -1], [-1, -1, -1, -1, 5, np.nan], [9, 8, 7, 6, 5, 4]])
    outputs = program.call("p", {"s": scores}, {"B": 4}).outputs
    assert outputs["picked"].tolist() == [[1, 3], [0, 2], [4, -1], [0, 1]]
    assert outputs["beyond"].tolist() == [2, 0, 0, 4]


SHIFTED = """
builtin.module {
  mp.pipeline @p {
    mp.declare @x "input" : <[6], i32>
    mp.declare @by "input" : <[6], i32>
    mp.step @p grows {} pins {} {
      %x = mp.get "x" : !mp.tensor<[6], i32>
      %by = mp.get "by" : !mp.tensor<[6], i32>
      %left = mp.compute [#mp.range<n in 6>] {
      ^bb0(%n: index):
        %v = mp.read %x[%n] : !mp.tensor<[6], i32> -> i32
        %d = mp.read %by[%n] : !mp.tensor<[6], i32> -> i32
        %s = arith.shli %v, %d : i32
        mp.yield %s : i32
      } : !mp.tensor<[6], i32>
      %right = mp.compute [#mp.range<n in 6>] {
      ^bb0(%n: index):
        %v = mp.read %x[%n] : !mp.tensor<[6], i32> -> i32
        %d = mp.read %by[%n] : !mp.tensor<[6], i32> -> i32
        %s = arith.shrui %v, %d : i32
        mp.yield %s : i32
      } : !mp.tensor<[6], i32>
      mp.output "left", %left as i32 : !mp.tensor<[6], i32>
      mp.output "right", %right as i32 : !mp.tensor<[6], i32>
    } {explicit}
  }
}
"""


def test_shifts_by_any_distance() -> None:
    """The front end keeps distances in range; passes need not."""
    program = UpstreamProgram(Parser(new_context(), SHIFTED).parse_module())
    given = {"x": np.array([5, 5, 5, 5, -1, -(2**31)]), "by": np.array([-1, 0, 32, 40, 31, 31])}
    agree_with_the_oracle(program, given, {})
    outputs = program.call("p", given, {}).outputs
    assert outputs["left"].tolist() == [0, 5, 0, 0, -(2**31), 0]
    assert outputs["right"].tolist() == [0, 5, 0, 0, 1, 1]


def test_edges_by_hand(edge_program: UpstreamProgram) -> None:
    """Some of them in numbers, so that the oracle is not alone in saying so."""
    given, extents = edges(np.random.default_rng(0))
    given["x"][:5] = [np.nan, np.inf, -3e9, 1e20, 449.0]
    outputs = edge_program.call("edges", given, extents).outputs
    assert outputs["quotient"][:9].tolist() == [0, 0, 0, -(2**31), 0, 3, -4, -4, 3]
    assert outputs["rest"][:9].tolist() == [0, 0, 0, 0, 0, 1, 1, -1, -1]
    assert outputs["power"].tolist() == [2 ** (4 * n) for n in range(8)] + [0] * 8
    assert outputs["shifted"][:6].tolist() == [0, 0, 0, 1, 2, 4]
    assert outputs["whole"][:4].tolist() == [0, 2**31 - 1, -(2**31), 2**31 - 1]
    assert outputs["whole64"][:4].tolist() == [0, 2**63 - 1, -3_000_000_000, 2**63 - 1]
    assert outputs["k8"][9:13].tolist() == [127, -128, 127, 127]
    assert outputs["k8u"][9:15].tolist() == [200, 0, 127, 128, 255, 255]
    assert np.isnan(outputs["kf"][0]) and outputs["kf"][1:5].tolist() == [448.0, -448.0, 448.0, 448.0]
    assert outputs["kh"][1] == np.inf and np.isnan(outputs["high"]) and outputs["first"] == 0


KEEPING = """
pipeline keeping grows T by 1:
    dim B <= 4
    dim T <= 2048 per B
    dim N <= 8
    dim E = 3
    dim L = 2
    input x: f32[B]
    memory rows: f32[L, B, T]
    memory tf: sparse u8[E, N] stored <= 64
    apply:
        y[l < L, b] = x[b]
        append(rows, y)
        {statements}
    output x
"""


@pytest.mark.parametrize(
    "statements",
    [
        "for l in L:\n            rows[l, b, t] = rows[l, b, t] + sum[n](tf[l, n])",
        "rows[l, b, t] = 2 * rows[l, b, t]\n        rows[l < L, b, i32(x[b])] = x[b]",
    ],
    ids=["made by a loop that is left out", "written to after it was made anew"],
)
def test_a_memory_keeps_its_capacity(statements: str) -> None:
    text = KEEPING.format(statements=statements)
    program = UpstreamProgram(expanded(SourceFile("keeping.mp", text)))
    rows = np.arange(2 * 3 * 9.0).reshape(2, 3, 9)
    given = {"x": np.ones(2), "rows": rows, "tf": SparseMatrix.from_dense(np.ones((3, 4)))}
    agree_with_the_oracle(program, given, {"B": 2, "T": np.array([3, 5]), "N": 4})
