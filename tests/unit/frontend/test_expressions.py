"""Types of expressions and the ops that they become."""

from __future__ import annotations

from math import inf

import pytest
from xdsl.dialects import arith, math
from xdsl.dialects.builtin import FloatAttr, IntegerAttr

from hetc.dialects.mp import (
    ComputeOp,
    GuardOp,
    ModOp,
    ReadOp,
    ReduceOp,
    RoundOp,
    TensorType,
    YieldOp,
    dtype_name,
)
from tests.unit.frontend.support import errors_of, program, statements_of


def statement(text: str) -> ComputeOp:
    (op,) = statements_of(text, "z")
    assert isinstance(op, ComputeOp)
    return op


def dtype_of(text: str) -> str:
    type_ = statement(text).result.type
    assert isinstance(type_, TensorType)
    return dtype_name(type_.element)


@pytest.mark.parametrize(
    ("text", "dtype"),
    [
        ("z[d] = n[d] + 1", "i32"),
        ("z[d] = n[d] + 1.0", "f32"),
        ("z[d] = n[d] + long[d]", "i64"),
        ("z[d] = n[d] + d", "index64"),
        ("z[d] = min(n[d], 9) + d", "index"),
        ("z[d] = long[d] + d", "i64"),
        ("z[b < B] = ceildiv(T, 64)", "index"),
        ("z[d] = ceildiv(n[d], 2)", "i32"),
        ("z[d] = n[d] * lr", "f32"),
        ("z[d] = n[d] / 2", "f32"),
        ("z[d] = n[d] // 2", "i32"),
        ("z[d] = n[d] // 2.0", "f32"),
        ("z[d] = n[d] > 2", "bool"),
        ("z[d] = flag[d] * 2", "i32"),
        ("z[d] = where(flag[d], n[d], 0.5)", "f32"),
        ("z[d] = where(flag[d], flag[d], n[d] > 2)", "bool"),
        ("z[d < D] = d", "index"),
        ("z[d] = sum[e](e * n[d] + 0 * y[d, e])", "f32"),
        ("z = sum[d](d + n[d])", "i64"),
        ("z = sum[d < D](d)", "i32"),
        ("z = argmax[d](n[d])", "index"),
        ("z = count[d](flag[d])", "i32"),
        ("z = any[d](flag[d])", "bool"),
        ("z = mean[d](n[d])", "f32"),
        ("z = sum[d](flag[d])", "i32"),
        ("z[d] = min(n[d], 3, d)", "index"),
        ("z[d] = bf16(n[d])", "bf16"),
        ("z[d] = u8(lr) + n[d]", "i32"),
        ("z[d < D] = 2 ** d", "i32"),
        ("z[d] = n[d] ** -1", "f32"),
        ("z[b < B] = T", "index"),
        ("z[b < B] = B - 1", "index"),
        ("z[d < D] = D", "i32"),
        ("z[d < D] = floor(2.5)", "f32"),
        ("z[d] = where(flag[d], n[d], inf)", "f32"),
        ("z[d] = f16(inf) + n[d]", "f32"),
        ("z[d] = flag[d] and true", "bool"),
        ("z[d] = n[d] + true", "i32"),
        ("z = false", "bool"),
        ("z[d] = n[d] & 3", "i32"),
        ("z[d] = n[d] | long[d]", "i64"),
        ("z[d] = n[d] ^ d", "index"),
        ("z[d] = ~long[d]", "i64"),
        ("z[d] = n[d] << 3", "i32"),
        ("z[d] = n[d] >> d", "index"),
        ("z[d < D] = d << 40", "index64"),
        ("z[d < D] = 1 << d", "index"),
    ],
)
def test_dtype_of_a_definition(text: str, dtype: str) -> None:
    assert dtype_of(text) == dtype


def constants(op: ComputeOp) -> list[float]:
    found = [nested.value for nested in op.walk() if isinstance(nested, arith.ConstantOp)]
    return [item.value.data for item in found if isinstance(item, FloatAttr | IntegerAttr)]


@pytest.mark.parametrize(
    ("value", "folded"),
    [
        ("1 / 4", 0.25),
        ("D ** -0.5", 0.5),
        ("sqrt(D * D)", 4.0),
        ("log(1) + 2", 2.0),
        ("-(2 + 3) % 3", 1),
        ("max(2, D)", 4),
        ("7 // 2", 3),
        ("-inf", -inf),
        ("(1 << D | 1) & ~16 ^ 6", 7),
        ("-17 >> 2", -5),
        ("max(inf, D) - 1", inf),
        ("exp(-inf) + 1 / inf", 0.0),
        ("floor(inf) * abs(-inf)", inf),
    ],
)
def test_constants_are_folded(value: str, folded: float) -> None:
    (op,) = statements_of(f"z[d] = n[d] * ({value})", "z")
    assert isinstance(op, ComputeOp)
    assert constants(op) == [folded]


def test_a_definition_of_a_number_is_no_tensor() -> None:
    ops = statements_of("k = 1.5\nz[d] = n[d] * k", "z")
    assert len(ops) == 1


def test_presence_is_left_to_the_rule() -> None:
    op = statement("z[d] = where(flag[d], n[d])")
    assert any(isinstance(nested, GuardOp) for nested in op.walk())
    assert isinstance(op.yielded, YieldOp) and op.yielded.present is None


def test_integer_operators() -> None:
    op = statement("z[d] = n[d] % 3 - n[d] // 2")
    kinds = [type(nested) for nested in op.walk()]
    assert ModOp in kinds and arith.FloorDivSIOp in kinds


def test_powers() -> None:
    def kinds(text: str) -> set[type]:
        return {type(nested) for nested in statement(text).walk()}

    assert math.SqrtOp in kinds("z[d] = lr ** 0.5 * n[d]")
    assert math.RsqrtOp in kinds("z[d] = lr ** -0.5 * n[d]")
    assert math.PowFOp not in kinds("z[d] = lr ** 3 * n[d]")
    assert math.PowFOp in kinds("z[d] = lr ** n[d]")
    assert arith.MaxSIOp not in kinds("z[d] = 2 ** d * n[d]")
    assert arith.MaxSIOp in kinds("z[d] = 2 ** n[d]")
    assert arith.MuliOp not in kinds("z[d] = 3 ** (n[d] & 1)")
    assert arith.MuliOp in kinds("z[d] = 3 ** (n[d] & 3)")
    assert math.PowFOp in kinds("z[d] = n[d] ** -1")


def test_a_cast_inside_rounds_and_outside_stores() -> None:
    inside = statement("z[d] = bf16(lr) * n[d]")
    outside = statement("z[d] = bf16(lr * n[d])")
    assert [isinstance(nested, RoundOp) for nested in inside.walk()].count(True) == 1
    assert not any(isinstance(nested, RoundOp) for nested in outside.walk())


def test_mean_of_integers_is_taken_in_floats() -> None:
    (reduce,) = (nested for nested in statement("z = mean[d](n[d])").walk() if isinstance(nested, ReduceOp))
    assert str(reduce.yielded.value.type) == "f32"


def test_counts_over_several_indices_add_up() -> None:
    kinds = [
        nested.kind.data for nested in statement("z = count[d, e](y[d, e] > 0)").walk() if isinstance(nested, ReduceOp)
    ]
    assert sorted(kinds) == ["count", "sum"]


def test_reads_of_narrow_integers_index() -> None:
    reads = [nested for nested in statement("z[d] = y[n[d], 0] + 0 * d").walk() if isinstance(nested, ReadOp)]
    assert len(reads) == 2


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("z[d] = n[d] and flag[d]", "HET106"),
        ("z[d] = not n[d]", "HET106"),
        ("z[d] = y[d, lr] + n[d]", "HET106"),
        ("z[d] = y[flag[d], 0]", "HET106"),
        ("z[d] = n[d] ** -(d + 1)", "HET106"),
        ("z[d] = n[d] * 3000000000", "HET106"),
        ("z[d] = n[d] / (1 // 0)", "HET102"),
        ("z[d] = n[d] * sqrt(-1)", "HET102"),
        ("z[d] = n[d] * exp(10000)", "HET102"),
        ("z[d] = n[d] * (inf - inf)", "HET102"),
        ("z[d] = n[d] & lr", "HET106"),
        ("z[d] = flag[d] & flag[d]", "HET106"),
        ("z[d] = n[d] << 32", "HET106"),
        ("z[d] = d << n[d]", "HET106"),
        ("z[d] = n[d] + (1 << 64)", "HET102"),
        ("z[d] = n[d] * (0 * inf)", "HET102"),
        ("z[d] = n[d] + i32(inf)", "HET106"),
        ("z[d] = y[true, 0] + n[d]", "HET106"),
        ("z[d] = where(n[d], true, false)", "HET106"),
        ("z = any[d](n[d])", "HET106"),
        ("z = argmax[d, e](y[d, e])", "HET108"),
        ("z[d] = n[d](2)", "HET108"),
        ("z[d] = y(d)", "HET108"),
        ("z[d] = ceildiv(n[d], lr)", "HET106"),
        ("z[d] = exp[d](n[d])", "HET108"),
        ("z[d] = where(flag[d], n[d], 1, 2)", "HET108"),
        ("z[d] = n[d] + tau", "HET100"),
        ("total[d] = x[0, d] > 0 and n[d]", "HET106"),
    ],
)
def test_refused(text: str, code: str) -> None:
    assert [error.code for error in errors_of(program(text, "x"))] == [code]
