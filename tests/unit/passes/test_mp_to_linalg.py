"""The lowering to upstream dialects, as far as it shows without upstream: its ops, its operands, what is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from random_programs.generate import generate
from random_programs.spell import spell
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.parser import Parser

from hetc.compiler.driver import Options, front_end
from hetc.compiler.pipeline import run_stages
from hetc.compiler.upstream import lower
from hetc.dialects.locations import without_location
from hetc.dialects.mp import ComputeOp, PipelineOp, ReadOp, ReduceOp, SelectOp, StepOp, TopkOp
from hetc.dialects.registry import new_context
from hetc.passes.lower_linalg.access import Access, Loops, access_of
from hetc.passes.lower_linalg.limits import LIMITS, left_out
from hetc.passes.lower_linalg.mp_to_linalg import MpToLinalgPass
from hetc.passes.lower_linalg.signature import arguments_of, results_of
from hetc.source import SourceFile, read_source

ROOT = Path(__file__).parents[3]
FILES = sorted(
    path
    for pattern in ("examples/*/*.mp", "tests/pipelines/*.mp", "tests/pipelines/short/*.mp", "tests/semantics/*/*.mp")
    for path in ROOT.glob(pattern)
)
UPSTREAM = {"builtin", "func", "linalg", "tensor", "scf", "arith", "math"}


def expanded(source: SourceFile) -> ModuleOp:
    module = front_end(source, Options())
    run_stages(module, "expanded", {})
    return module


def program(body: str) -> ModuleOp:
    """The expanded form of a pipeline with these dims and tensors, and `body` in its only stage."""
    text = f"""pipeline p:
    dim B <= 4; dim T <= 64 per B; dim N <= 64; dim P <= 8; dim FULL = N // 8; dim Q = 8 * P + 2; dim R = T // 8
    dim D = 16; dim E = 4
    input x: f32[B, T, D]
    input y: f32[N, D]
    input z: f32[D, E]
    input v: f32[N]
    input long: f32[Q]
    input c: i32[N]
    input one: f32
    apply:
        {body}
    output o
"""
    return expanded(SourceFile("p.mp", text))


def reads_of(module: ModuleOp) -> dict[str, Access | None]:
    """For each tensor that the first statement reads, how it is read where its reduction is a loop of the generic."""
    (pipeline,) = [op for op in module.walk() if isinstance(op, PipelineOp)]
    (statement,) = [op for op in module.walk() if isinstance(op, ComputeOp)]
    reduces = [op for op in statement.body.block.ops if isinstance(op, ReduceOp) and op.per is None]
    arguments, ranges = list(statement.body.block.args), list(statement.index_ranges)
    if reduces:
        arguments += reduces[0].body.block.args
        ranges.append(reduces[0].range)
    loops = Loops(tuple(arguments), tuple(ranges), any(item.per_position is not None for item in ranges))
    reads = [op for op in statement.walk() if isinstance(op, ReadOp)]
    return {str(read.tensor.name_hint): access_of(read, loops, pipeline) for read in reads}


@pytest.mark.parametrize(
    ("body", "tensor", "expected"),
    [
        ("o[e, d] = z[d, e]", "z", "(d0, d1) -> (d1, d0)"),
        ("o[n, e] = sum[d](y[n, d] * z[d, e])", "y", "(d0, d1, d2) -> (d0, d2)"),
        ("o[n, e] = sum[d](y[n, d] * z[d, e])", "z", "(d0, d1, d2) -> (d2, d1)"),
        ("o[n] = v[n] * one", "one", "(d0) -> ()"),
        ("o[b, t] = sum[d](x[b, t, d])", "x", "(d0, d1, d2) -> (d0, d1, d2)"),
        # Within the tensor at every place: a part, an offset, a single element.
        ("o[d < 8] = z[d, 0]", "z", "(d0) -> (d0, 0)"),
        ("o[d < 8] = z[d + 8, 1]", "z", "(d0) -> ((d0 + 8), 1)"),
        ("o[n < FULL] = sum[i < 8](v[8*n + i])", "v", "(d0, d1) -> (((d0 * 8) + d1))"),
        ("o[p < P] = sum[i < 8](long[8*p + i + 2])", "long", "(d0, d1) -> ((((d0 * 8) + d1) + 2))"),
        # A condition that the place is there, or a place that is computed: read in the body.
        ("o[n < N] = v[n - 1]", "v", None),
        ("o[d < D] = z[D - 1 - d, 0]", "z", None),
        ("o[n] = v[c[n]]", "v", None),
        ("o[n < N] = v[n // 2]", "v", None),
        ("o[d < D] = v[d]", "v", None),
        # Not every place is in range: some are past the end of a row.
        ("o[b, t < T] = x[b, T[b] - 1 - t, 0]", "x", None),
        ("o[b, r < R] = sum[i < 8](x[b, 8*r + i, 0])", "x", None),
    ],
)
def test_reads_under_affine_maps_are_operands(body: str, tensor: str, expected: str | None) -> None:
    access = reads_of(program(body))[tensor]
    assert (None if access is None else str(access.map)) == expected


UNGUARDED = """
builtin.module {
  mp.pipeline @p {
    mp.dim @N bound 64 : i64
    mp.dim @M bound 64 : i64
    mp.declare @x "input" : <[N], f32>
    mp.step @p grows {} pins {} {
      %x = mp.get "x" : !mp.tensor<[N], f32>
      %o = mp.compute [#mp.range<m in M>, #mp.range<i in 8>] {
      ^bb0(%m: index, %i: index):
        %v = mp.read %x[%i] : !mp.tensor<[N], f32> -> f32
        mp.yield %v : f32
      } : !mp.tensor<[M, 8], f32>
    } {explicit}
  }
}
"""


def test_no_operand_is_cut_to_more_than_it_may_have() -> None:
    """Where M is 0 nothing is read, and N may be less than 8."""
    assert reads_of(Parser(new_context(), UNGUARDED).parse_module()) == {"x": None}


def test_an_operand_is_cut_to_its_loops() -> None:
    access = reads_of(program("o[d < 8] = z[d, 0]"))["z"]
    assert access is not None and access.keys == (8, 4)


def check_form(module: ModuleOp, steps: int) -> None:
    MpToLinalgPass(partial=True).apply(new_context(), module)
    module.verify()
    ops = [op for op in module.walk() if op is not module]
    assert {op.name.split(".")[0] for op in ops} <= UPSTREAM
    assert [op.name for op in without_location(module) if op is not module] == []
    assert len([op for op in ops if isinstance(op, FuncOp)]) == steps


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_become_upstream_ops(path: Path) -> None:
    module = expanded(read_source(path))
    check_form(module, sum(isinstance(op, StepOp) for op in module.walk()))


@pytest.mark.parametrize("seed", range(20))
def test_random_programs_become_upstream_ops(seed: int) -> None:
    program = generate(seed)
    check_form(expanded(SourceFile(f"random_{seed}.mp", spell(program))), len(program.steps))


def test_what_is_left_out_is_listed_with_its_line() -> None:
    path = ROOT / "examples/bm25/bm25.mp"
    found = left_out(expanded(read_source(path)))
    lines = {line: text for line, text in enumerate(path.read_text().splitlines(), start=1) if "tf" in text}
    named = {int(item.line.rpartition(":")[2]) for item in found}
    # A line that a comment or a statement's second half is on has no statement.
    assert named == {line for line, text in lines.items() if re.search(r"memory tf|append\(tf|= ", text)}
    assert {item.limit.construct for item in found} == {"a sparse tensor"}
    assert [item.operation for item in found] == [
        "mp.get", "mp.append", "mp.compute (mp.read_stored)", "mp.compute (mp.read_stored)", "mp.commit",
    ]  # fmt: skip


@pytest.mark.parametrize("path", [path for path in FILES if "semantics" not in path.parts], ids=lambda path: path.stem)
def test_nothing_else_is_left_out(path: Path) -> None:
    assert {item.limit.construct for item in left_out(expanded(read_source(path)))} <= {"a sparse tensor"}


def test_left_out_values_are_arguments_after_all_others() -> None:
    module = expanded(read_source(ROOT / "examples/bm25/bm25.mp"))
    (step,) = [op for op in module.walk() if isinstance(op, StepOp)]
    omitted = {item.statement for item in left_out(module)}
    arguments = arguments_of(step, omitted)
    assert [(a.kind, a.name) for a in arguments] == [
        ("dim", "M"), ("dim", "N"), ("dim", "B"), ("tensor", "docs"), ("tensor", "query"), ("tensor", "length"),
        ("value", "df"), ("value", "s"),
    ]  # fmt: skip
    assert [(r.kind, r.name) for r in results_of(step, omitted)] == [
        ("output", "best"), ("output", "picked"), ("memory", "length"),
    ]  # fmt: skip


def test_a_module_is_lowered_beside_itself() -> None:
    module = expanded(read_source(ROOT / "tests/pipelines/pages.mp"))
    before = str(module)
    lowered = lower(module)
    assert str(module) == before
    assert (lowered.functions, lowered.left_out) == (1, ())
    assert lowered.statements == sum(len(op.body.block.ops) for op in module.walk() if isinstance(op, StepOp))
    assert 'loc("' in lowered.text and "pages.mp" in lowered.text


def test_selections_have_no_op_of_their_own() -> None:
    module = expanded(read_source(ROOT / "tests/pipelines/codebook.mp"))
    assert any(isinstance(op, TopkOp | SelectOp) for op in module.walk())
    text = lower(module).text
    assert text.count('"scf.for"') >= 2 and "mp." not in re.sub(r'"[^"]*\.mp"', "", text)


def test_the_page_lists_what_cannot_be_expressed() -> None:
    page = (ROOT / "docs" / "mlir.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| (.+?) \| (.+?) \|$", page.split("## What upstream cannot express")[1])
    assert rows[1:] == [(limit.construct, limit.reason) for limit in LIMITS]
