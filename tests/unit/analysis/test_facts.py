"""Work, traffic and scans of statements, in closed form."""

from pathlib import Path

import pytest
from xdsl.parser import Parser

from hetc.dialects.mp import PipelineOp, StepOp
from hetc.dialects.registry import new_context
from hetc.passes.analysis.facts import live_dims, op_facts, source_of
from hetc.passes.analysis.stages import stage_facts
from hetc.platforms import load_platform

CASES = Path(__file__).parents[2] / "filecheck"


def step_of(text: str) -> StepOp:
    module = Parser(new_context(), text).parse_module()
    module.verify()
    pipeline = module.body.block.first_op
    assert isinstance(pipeline, PipelineOp)
    return next(iter(pipeline.steps.values()))


@pytest.fixture(name="step")
def scored_memory() -> StepOp:
    """A row appended, a dot product with every row of the memory, the best four."""
    return step_of((CASES / "assign-devices.mlir").read_text())


def test_work_of_a_scan_is_two_operations_an_element(step: StepOp) -> None:
    relevancy = next(facts for facts in stage_facts(step) if facts.stage == "relevancy")
    assert str(relevancy.flop) == "32 B T"  # 16 multiplications, 16 additions
    assert relevancy.scan
    assert relevancy.irregular == ()


def test_a_tensor_is_read_once_however_often_loops_return_to_it(step: StepOp) -> None:
    relevancy = next(facts for facts in stage_facts(step) if facts.stage == "relevancy")
    elements = {source_of(traffic.value): str(traffic.elements) for traffic in relevancy.reads}
    assert elements == {"memory": "16 B T", "input": "16 B"}


def test_a_stage_that_only_appends_does_not_scan(step: StepOp) -> None:
    prepare = next(facts for facts in stage_facts(step) if facts.stage == "prepare")
    assert not prepare.scan
    assert str(prepare.flop) == "16 B"


def test_of_a_memory_only_the_appended_rows_are_written(step: StepOp) -> None:
    prepare = next(facts for facts in stage_facts(step) if facts.stage == "prepare")
    gpu = load_platform("mi210").device_of_kind("gpu")
    assert gpu is not None
    written = [prepare.bytes_by_source(gpu, {"B": 3, "T": extent})["written"] for extent in (4096, 8192)]
    assert written[0] == written[1] > 0


def test_a_selection_is_irregular(step: StepOp) -> None:
    retrieve = next(facts for facts in stage_facts(step) if facts.stage == "retrieve")
    assert retrieve.scan
    assert retrieve.irregular == ("selection",)


def test_intensity_is_work_over_bytes_at_the_compute_dtype(step: StepOp) -> None:
    relevancy = next(facts for facts in stage_facts(step) if facts.stage == "relevancy")
    gpu = load_platform("mi210").device_of_kind("gpu")
    assert gpu is not None
    dims = {"B": 1, "T": 4096}
    # bf16 keys and f32 query in, f32 scores out
    expected = 32 * 4096 / (16 * 4096 * 2 + 16 * 4 + 4096 * 4)
    assert relevancy.intensity(gpu, dims) == pytest.approx(expected)
    assert relevancy.dominant_dtype(gpu, dims) == "bf16"


POSTINGS = "!mp.tensor<[1000, N], ui8, #mp.sparse<#builtin.int<500000>>>"
SPARSE = f"""
builtin.module {{
  mp.pipeline @p {{
    mp.dim @N bound 1000000 : i64
    mp.declare @tf "memory" : <[1000, N], ui8, #mp.sparse<#builtin.int<500000>>>
    mp.declare @q "input" : <[4], i32>
    mp.step @p grows {{N = 1 : i64}} pins {{}} {{
      %tf = mp.get "tf" : {POSTINGS}
      %q = mp.get "q" : !mp.tensor<[4], i32>
      %s = mp.compute [#mp.range<n in N>] {{
      ^bb0(%n: index):
        %v = mp.reduce "sum" <j in 4> {{
        ^bb0(%j: index):
          %word = mp.read %q[%j] : !mp.tensor<[4], i32> -> i32
          %row = arith.index_cast %word : i32 to index
          %c, %stored = mp.read_stored %tf[%row, %n] : {POSTINGS} -> i32, i1
          mp.yield %c if %stored : i32
        }} : i32
        mp.yield %v : i32
      }} {{stage = "relevancy"}} : !mp.tensor<[N], i32>
      mp.output "s", %s as i32 : !mp.tensor<[N], i32>
    }}
  }}
}}
"""


def test_a_guarded_sparse_reduction_counts_stored_entries_only() -> None:
    step = step_of(SPARSE)
    (statement,) = [op for op in step.body.block.ops if op.name == "mp.compute"]
    facts = op_facts(statement, live_dims(step))
    assert facts.scan
    assert facts.irregular == ("sparse",)
    # 4 words, 500 entries a row on average: one addition each
    assert facts.flop.evaluate({"N": 1e6}) == 2000
    stored = next(traffic for traffic in facts.reads if traffic.access == "sparse")
    assert stored.bytes_moved().evaluate({"N": 1e6}) == 2000 * (1 + 4)
