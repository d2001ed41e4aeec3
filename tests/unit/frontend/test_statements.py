"""Statements: hoisting, irregular operations, memories, outputs, warnings."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from xdsl.dialects import arith
from xdsl.dialects.builtin import FloatAttr, IntegerAttr, StringAttr
from xdsl.ir import Operation

from hetc.compiler.frontend import compile_source
from hetc.dialects.locations import source_line, without_location
from hetc.dialects.mp import (
    AppendOp,
    CommitOp,
    ComputeOp,
    DimAttr,
    ForOp,
    GetOp,
    OutputOp,
    QuantizeOp,
    ReadOp,
    ReadStoredOp,
    RopeOp,
    SelectOp,
    SoftmaxOp,
    TensorType,
    TopkOp,
    dtype_name,
)
from hetc.source import SourceFile
from tests.unit.frontend.support import (
    HEADER,
    errors_of,
    module_of,
    pipeline_of,
    program,
    statements_of,
    step_of,
    warnings_of,
)

GROWING = """\
pipeline p grows T by {growth}:
    dim B <= 8
    dim T <= 64 per B
    dim M <= 4
    dim D = 4
    input x: f32[B, D]
    input many: bf16[B, 3, D]
    memory keys: bf16[B, T, D]
"""


def kinds(ops: list[Operation]) -> list[str]:
    return [op.name.removeprefix("mp.") for op in ops]


def shape(op: Operation, result: int = 0) -> tuple[tuple[int | str, ...], str]:
    type_ = op.results[result].type
    assert isinstance(type_, TensorType)
    return type_.shape, dtype_name(type_.element)


def test_softmax_alone_is_the_statement() -> None:
    (op,) = statements_of("z[b, d] = softmax[d](x[b, d])", "z")
    assert isinstance(op, SoftmaxOp) and op.axis_positions == (1,)
    assert op.result.name_hint == "z"


def test_softmax_inside_is_hoisted_over_what_it_depends_on() -> None:
    first, second = statements_of("z[b, e] = sum[d](softmax[d](x[b, d]) * y[d, e])", "z")
    assert isinstance(first, SoftmaxOp) and shape(first) == (("B", 4), "f32")
    assert isinstance(second, ComputeOp)
    reads = [op for op in second.walk() if isinstance(op, ReadOp)]
    assert reads[0].tensor is first.result


def test_hoisting_keeps_the_row_of_an_index() -> None:
    first, _ = statements_of("z[b] = sum[t](softmax[t](keys[0 * b, t, 0] * 1.0 + keys[b, t, 1]))"
                             .replace("keys[0 * b, t, 0] * 1.0 + ", ""), "z")  # fmt: skip
    assert shape(first) == (("B", "T"), "f32")


def test_nested_hoisting_goes_inside_out() -> None:
    ops = statements_of("z[b, d] = 1 + softmax[d](rope[d](x[b, d] * 2, at=b, layout=half))", "z")
    assert kinds(ops) == ["compute", "rope", "softmax", "compute"]


def test_rope_reads_a_tensor_of_floats_as_it_is() -> None:
    (op,) = statements_of("z[b, d] = rope[d](x[b, d], at=T[b] - 1, dims=2, layout=interleaved, base=100)", "z")
    assert isinstance(op, RopeOp) and isinstance(op.x.owner, GetOp)
    assert [item.value.data for item in op.frequencies] == [1.0]
    assert (op.dims.value.data, op.layout.data, op.axis.value.data) == (2, "interleaved", 1)


def test_rope_frequencies() -> None:
    (op,) = statements_of("z[b, d] = rope[d](x[b, d], at=b, layout=half)", "z")
    assert isinstance(op, RopeOp)
    assert [item.value.data for item in op.frequencies] == [1.0, pytest.approx(10000 ** (-2 / 4))]


def test_rope_position_may_need_more_indices_than_the_tensor() -> None:
    first, second = statements_of("z[b, d, e] = rope[e](y[d, e], at=T[b], layout=half)", "z")
    assert shape(first) == (("B", 4, 6), "f32") and isinstance(second, RopeOp)


def test_quantize() -> None:
    op = statements_of("q[b, d], s[b] = quantize[d](x[b, d], fp8)", "q, s")[0]
    assert isinstance(op, QuantizeOp) and isinstance(op.x.owner, GetOp)
    assert (shape(op, 0), shape(op, 1)) == ((("B", 4), "fp8"), (("B",), "f32"))
    assert (op.scale_kind.data, op.floor.value.data, op.block) == ("pow2", 1e-4, None)


def test_quantize_in_blocks_of_an_expression() -> None:
    first, op = statements_of("q[b, d], s[b, k] = quantize[d](x[b, d] * 2, i8, block=2, scale=f32, floor=1e-3)", "q, s")
    assert isinstance(first, ComputeOp) and isinstance(op, QuantizeOp)
    assert (shape(op, 0), shape(op, 1)) == ((("B", 4), "i8"), (("B", 2), "f32"))


def test_topk_gives_indices_or_both() -> None:
    (one,) = statements_of("p[b, j] = topk[d](x[b, d], 3)", "p")
    assert isinstance(one, TopkOp) and one.order.data == "any"
    assert (shape(one, 0), shape(one, 1)) == ((("B", 3), "index"), (("B", 3), "f32"))
    (both,) = statements_of("s[b, j], p[b, j] = topk[d](x[b, d], D - 1, order=score)", "p, s")
    assert isinstance(both, TopkOp) and both.order.data == "score"
    assert (both.indices.name_hint, both.scores.name_hint) == ("p", "s")


@pytest.mark.parametrize(
    ("condition", "score"),
    [
        ("x[b, d] > lr", "read"),
        ("lr < x[b, d]", "read"),
        ("x[b, d] < lr", "negf"),
        ("x[b, d] > n[d]", "subf"),
        ("flag[d]", "constant"),
    ],
)
def test_select_and_what_stays_when_it_overflows(condition: str, score: str) -> None:
    text = f"p[b, j] = select[d]({condition}, capacity=2)"
    (op,) = statements_of(text if condition != "flag[d]" else "p[j] = select[d](flag[d], capacity=2)", "p")
    assert isinstance(op, SelectOp) and op.capacity.value.data == 2
    assert op.yielded.present is not None
    assert op.yielded.value.owner.name.endswith(score)  # type: ignore[union-attr]


def test_sparse_reads_say_what_is_stored() -> None:
    text = "pipeline p:\n    dim V = 4; dim N = 8\n    input tf: sparse u8[V, N] stored <= 2e9\n"
    text += "    apply: z[v] = sum[n](tf[v, n])\n    output z\n"
    assert any(isinstance(op, ReadStoredOp) for op in module_of(text).walk())


def test_names_are_bound_again() -> None:
    first, second, third = statements_of("z[d] = n[d]\nz[d] = z[d] + 1\nw[d] = z[d]", "w")
    reads = [op for op in (*second.walk(), *third.walk()) if isinstance(op, ReadOp)]
    assert [op.tensor for op in reads] == [first.results[0], second.results[0]]


def test_a_memory_is_read_as_it_was_last_written() -> None:
    ops = statements_of("a[d] = total[d]\ntotal[d] = total[d] + 1\ntotal[d] *= lr\nz[d] = total[d]", "a, z")
    owners = [op.tensor.owner for item in ops for op in item.walk() if isinstance(op, ReadOp)]
    totals = [owner for owner in owners if isinstance(owner, ComputeOp) or owner.declared.data == "total"]  # type: ignore[union-attr]
    assert [type(owner) for owner in totals] == [GetOp, GetOp, ComputeOp, ComputeOp]


def test_the_last_value_is_committed() -> None:
    module = module_of(program("total[d] = total[d] + 1", "total"))
    ops = list(step_of(module).body.ops)
    commits = [op for op in ops if isinstance(op, CommitOp)]
    assert [op.declared.data for op in commits] == ["total"]
    assert isinstance(commits[0].value.owner, ComputeOp)


def test_appends_convert_and_are_read_from_then_on() -> None:
    text = (
        GROWING.format(growth=1)
        + "    apply:\n        append(keys, x)\n        z[b] = sum[t](keys[b, t, 0])\n    output z\n"
    )
    module = module_of(text)
    (append,) = (op for op in module.walk() if isinstance(op, AppendOp))
    assert shape(append)[1] == "bf16" and shape(append.rows.owner)[1] == "bf16"  # type: ignore[arg-type]
    (read,) = (op for op in module.walk() if isinstance(op, ReadOp) and op.tensor is append.result)
    assert read is not None
    assert step_of(module).grows.data["T"] == IntegerAttr(1, 64)


def test_a_step_appends_no_more_rows_than_its_dim_may_have() -> None:
    text = GROWING.format(growth=65) + "    output x\n"
    assert [item.code for item in errors_of(text)] == ["HET202"]


def test_growth_by_a_chunk_or_by_a_dim() -> None:
    chunk = GROWING.format(growth=3) + "    apply: append(keys, many)\n    output x\n"
    assert step_of(module_of(chunk)).grows.data["T"] == IntegerAttr(3, 64)
    by_dim = (
        GROWING.format(growth="M").replace("[B, 3, D]", "[B, M, D]") + "    apply: append(keys, many)\n    output x\n"
    )
    assert step_of(module_of(by_dim)).grows.data["T"] == DimAttr("M")


def test_outputs_convert_at_their_producer() -> None:
    module = module_of(program("z[d] = n[d] * lr", "z: bf16"))
    (compute,) = (op for op in module.walk() if isinstance(op, ComputeOp))
    assert shape(compute)[1] == "bf16"


def test_outputs_convert_in_a_copy_where_others_read_the_value() -> None:
    module = module_of(program("z[d] = n[d] * lr\nw[d] = z[d]", "z: bf16, w, total: f16"))
    computes = [shape(op)[1] for op in module.walk() if isinstance(op, ComputeOp)]
    assert sorted(computes) == ["bf16", "f16", "f32", "f32"]


@pytest.mark.parametrize("output", ["x: f16", "total: f16", "half", "half: f16"])
def test_outputs_that_no_stage_computed_are_made_in_the_last_stage(output: str) -> None:
    *_, made = statements_of("half = 0.5", output)
    assert made.attributes["stage"] == StringAttr("relevancy")
    (handed_out,) = [
        op for op in step_of(module_of(program("half = 0.5", output))).body.ops if isinstance(op, OutputOp)
    ]
    assert "stage" not in handed_out.attributes


def test_outputs_need_no_stage() -> None:
    text = HEADER + "    output lr: f16\n"
    (made,) = [op for op in step_of(module_of(text)).body.ops if "stage" in op.attributes]
    assert made.attributes["stage"] == StringAttr("apply")


def test_an_updated_memory_keeps_its_dtype_as_an_output() -> None:
    module = module_of(program("total[d] = total[d] + 1", "total: bf16"))
    (commit,) = (op for op in module.walk() if isinstance(op, CommitOp))
    (output,) = (op for op in module.walk() if isinstance(op, OutputOp))
    assert shape(commit.value.owner)[1] == "f32" and shape(output.value.owner)[1] == "bf16"  # type: ignore[arg-type]


def test_repeat_carries_names() -> None:
    module = module_of(program("z[d] = n[d]\nrepeat 3:\n    z[d] = z[d] * 2", "z"))
    (loop,) = (op for op in module.walk() if isinstance(op, ForOp))
    (output,) = (op for op in module.walk() if isinstance(op, OutputOp))
    assert loop.passes == 3 and output.value is loop.carried_outputs[0]


def test_pins_and_stages() -> None:
    text = program("z[d] = n[d]", "z").replace("relevancy:", "relevancy @fpga:")
    step = step_of(module_of(text))
    assert {name: str(kind) for name, kind in step.pins.data.items()} == {"relevancy": '"fpga"'}
    assert [str(op.attributes["stage"]) for op in step.body.ops if isinstance(op, ComputeOp)] == ['"relevancy"']


def test_every_op_knows_its_line() -> None:
    module = module_of(program("z[d] = n[d]\nw[d] = softmax[d](z[d]) * 2", "w: bf16"))
    assert without_location(module) == []
    assert [source_line(op) for op in module.walk() if isinstance(op, SoftmaxOp)] == ["test.mp:16"]


def test_locations_name_the_file_without_its_folder() -> None:
    module = compile_source(SourceFile("/some/where/a.mp", program("z[d] = n[d]", "z")))
    assert source_line(pipeline_of(module)) == "a.mp:1"
    assert "/some" not in str(pipeline_of(module).location)


def test_unused_names_are_warned_of() -> None:
    found = warnings_of(program("z[d] = n[d]\nw[d] = n[d]", "z"))
    assert {item.message.split("`")[1] for item in found} >= {"w", "x", "y", "keys", "total"}
    assert all(item.code == "HET109" for item in found)


def test_an_error_is_told_once() -> None:
    found = errors_of(program("z[d] = zz[d]\nw[d] = z[d] + 1\nv[d] = w[d]", "v, w"))
    assert [item.code for item in found] == ["HET100"]


def test_overrides_of_the_examples() -> None:
    root = Path(__file__).parents[3] / "examples"
    for path in (root / "dsa" / "dsa.mp", root / "bm25" / "bm25.mp"):
        module = compile_source(SourceFile(path.name, path.read_text(encoding="utf-8")), {"K": 3})
        (topk,) = (op for op in module.walk() if isinstance(op, TopkOp))
        assert shape(topk)[0] == ("B", 3)


def test_the_scale_of_the_attention_example() -> None:
    text = (Path(__file__).parents[3] / "examples" / "dsa" / "dsa.mp").read_text(encoding="utf-8")
    module = compile_source(SourceFile("dsa.mp", text))
    values = [op.value for op in module.walk() if isinstance(op, arith.ConstantOp)]
    floats = [item.value.data for item in values if isinstance(item, FloatAttr)]
    mscale = 0.1 * math.log(40) + 1
    for expected in (mscale**2, math.sqrt(192), 64**-0.5, 128**-0.5):
        assert any(math.isclose(expected, found, rel_tol=1e-7) for found in floats), expected
