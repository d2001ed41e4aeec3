"""Scalar operations against plain Python, value by value."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from reference_modules import element_wise

from hetc.backends.reference import run_step

I32 = [0, 1, -1, 2, 7, -7, 100, 2**31 - 1, -(2**31), 12345]
F64 = [0.0, -0.0, 1.0, -1.0, 0.5, 2.5, 3.5, -2.5, 1e30, np.inf, -np.inf, np.nan, 0.1]


def run(ops: str, result: str, of: dict[str, str], element: str, **arrays: np.ndarray) -> np.ndarray:
    count = len(next(iter(arrays.values())))
    return run_step(element_wise(ops, result, of, element), "s", arrays, {}, {"N": count}).outputs["out"]


def wrap32(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


INTEGER: dict[str, Callable[[int, int], int]] = {
    "arith.addi %a_v, %b_v": lambda a, b: a + b,
    "arith.subi %a_v, %b_v": lambda a, b: a - b,
    "arith.muli %a_v, %b_v": lambda a, b: a * b,
    "arith.floordivsi %a_v, %b_v": lambda a, b: a // b if b else 0,
    "mp.mod %a_v, %b_v": lambda a, b: a % b if b else 0,
    "arith.maxsi %a_v, %b_v": max,
    "arith.minsi %a_v, %b_v": min,
    "arith.andi %a_v, %b_v": lambda a, b: a & b,
    "arith.ori %a_v, %b_v": lambda a, b: a | b,
    "arith.xori %a_v, %b_v": lambda a, b: a ^ b,
}


@pytest.mark.parametrize("text", INTEGER)
def test_integers_wrap_and_division_by_zero_is_zero(text: str) -> None:
    a, b = (np.array(grid).ravel() for grid in np.meshgrid(I32, I32))
    got = run(f"%r = {text} : i32", "i32", {"a": "i32", "b": "i32"}, "i32", a=a, b=b)
    assert got.tolist() == [wrap32(INTEGER[text](int(x), int(y))) for x, y in zip(a, b, strict=True)]


@pytest.mark.parametrize(
    ("text", "function"),
    [("arith.shli", lambda x, n: x << n), ("arith.shrui", lambda x, n: (x % 2**64) >> n)],
)
def test_shifts_of_64_bits(text: str, function: Callable[[int, int], int]) -> None:
    a = np.array([1, -1, 5, 2**62, -(2**63)])
    for by in (0, 1, 31, 32, 63):
        ops = f"%n = arith.constant {by} : i64\n%r = {text} %a_v, %n : i64"
        got = run(ops, "i64", {"a": "i64"}, "i64", a=a)
        assert got.tolist() == [(function(int(x), by) + 2**63) % 2**64 - 2**63 for x in a]


@pytest.mark.parametrize(
    ("predicate", "function"),
    [
        ("oeq", lambda a, b: a == b),
        ("une", lambda a, b: a != b),
        ("olt", lambda a, b: a < b),
        ("ole", lambda a, b: a <= b),
        ("ogt", lambda a, b: a > b),
        ("oge", lambda a, b: a >= b),
        ("one", lambda a, b: a < b or a > b),
    ],
)
def test_float_comparisons(predicate: str, function: Callable[[float, float], bool]) -> None:
    a, b = (np.array(grid).ravel() for grid in np.meshgrid(F64, F64))
    got = run(f"%r = arith.cmpf {predicate}, %a_v, %b_v : f32", "i1", {"a": "f32", "b": "f32"}, "i1", a=a, b=b)
    assert got.tolist() == [function(float(x), float(y)) for x, y in zip(a, b, strict=True)]


@pytest.mark.parametrize(
    ("predicate", "function"),
    [
        ("eq", int.__eq__), ("ne", int.__ne__), ("slt", int.__lt__),
        ("sle", int.__le__), ("sgt", int.__gt__), ("sge", int.__ge__),
    ],
)  # fmt: skip
def test_integer_comparisons(predicate: str, function: Callable[[int, int], bool]) -> None:
    a, b = (np.array(grid).ravel() for grid in np.meshgrid(I32, I32))
    got = run(f"%r = arith.cmpi {predicate}, %a_v, %b_v : i32", "i1", {"a": "i32", "b": "i32"}, "i1", a=a, b=b)
    assert got.tolist() == [function(int(x), int(y)) for x, y in zip(a, b, strict=True)]


def test_casts_saturate_and_nan_becomes_zero() -> None:
    a = np.array([1.9, -1.9, 3e9, -3e9, np.nan, np.inf, -np.inf, 0.0])
    got = run("%r = arith.fptosi %a_v : f32 to i32", "i32", {"a": "f32"}, "i32", a=a)
    assert got.tolist() == [1, -1, 2**31 - 1, -(2**31), 0, 2**31 - 1, -(2**31), 0]
    got = run("%r = arith.fptosi %a_v : f32 to i64", "i64", {"a": "f32"}, "i64", a=np.array([np.inf, -1e30, 2.5]))
    assert got.tolist() == [2**63 - 1, -(2**63), 2]


def test_conversions_between_integers_and_conditions() -> None:
    a = np.array([True, False])
    assert run("%r = arith.extui %a_v : i1 to i32", "i32", {"a": "i1"}, "i32", a=a).tolist() == [1, 0]
    wide = np.array([2**31, -5, 2**40 + 3])
    got = run("%r = arith.trunci %a_v : i64 to i32", "i32", {"a": "i64"}, "i32", a=wide)
    assert got.tolist() == [-(2**31), -5, 3]
    got = run("%r = arith.index_cast %a_v : i64 to index", "index", {"a": "i64"}, "index", a=np.array([7, -1]))
    assert got.tolist() == [7, -1]
    got = run("%r = arith.extsi %a_v : i32 to i64", "i64", {"a": "i32"}, "i64", a=np.array([-3, 4]))
    assert got.tolist() == [-3, 4]


def test_bitcast_goes_through_32_bits() -> None:
    a = np.array([1.0, -2.5, 0.1])
    bits = run("%r = arith.bitcast %a_v : f32 to i32", "i32", {"a": "f32"}, "i32", a=a)
    assert bits.tolist() == a.astype(np.float32).view(np.int32).tolist()
    back = run("%r = arith.bitcast %a_v : i32 to f32", "f32", {"a": "i32"}, "f32", a=bits)
    assert back.tolist() == a.astype(np.float32).astype(np.float64).tolist()


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("exp", math.exp), ("log", math.log), ("sqrt", math.sqrt), ("rsqrt", lambda x: 1 / math.sqrt(x)),
        ("absf", abs), ("tanh", math.tanh), ("sin", math.sin), ("cos", math.cos), ("erf", math.erf),
        ("floor", math.floor), ("ceil", math.ceil), ("roundeven", round),
    ],
)  # fmt: skip
def test_functions(name: str, function: Callable[[float], float]) -> None:
    a = np.array([0.5, 1.0, 1.5, 2.5, 3.25, 7.0])
    got = run(f"%r = math.{name} %a_v : f32", "f32", {"a": "f32"}, "f32", a=a)
    np.testing.assert_allclose(got, [function(float(x)) for x in a], rtol=1e-14)


def test_powf_atan2_negf_divf() -> None:
    a, b = np.array([2.0, 9.0, 1.5]), np.array([3.0, -0.5, 2.0])
    of = {"a": "f32", "b": "f32"}
    np.testing.assert_allclose(run("%r = math.powf %a_v, %b_v : f32", "f32", of, "f32", a=a, b=b), a**b, rtol=1e-14)
    np.testing.assert_allclose(run("%r = math.atan2 %a_v, %b_v : f32", "f32", of, "f32", a=a, b=b), np.arctan2(a, b))
    assert run("%r = arith.negf %a_v : f32", "f32", {"a": "f32"}, "f32", a=a).tolist() == (-a).tolist()
    got = run("%r = arith.divf %a_v, %b_v : f32", "f32", of, "f32", a=np.array([1.0, 0.0, -1.0]), b=np.zeros(3))
    assert got[0] == np.inf and np.isnan(got[1]) and got[2] == -np.inf


def test_maximum_and_minimum_propagate_nan() -> None:
    a, b = np.array([np.nan, 1.0, 1.0]), np.array([1.0, np.nan, 2.0])
    of = {"a": "f32", "b": "f32"}
    for name, last in (("maximumf", 2.0), ("minimumf", 1.0)):
        got = run(f"%r = arith.{name} %a_v, %b_v : f32", "f32", of, "f32", a=a, b=b)
        assert np.isnan(got[:2]).all() and got[2] == last


def test_storing_rounds_and_saturates() -> None:
    a = np.array([1.0 + 2.0**-9, 1e9, -1e9, 0.3])
    assert run("%r = arith.negf %a_v : f32", "f32", {"a": "f32"}, "f8E4M3FN", a=a).tolist()[1:3] == [-448.0, 448.0]
    # f32 itself stays in float64: the oracle is the exact value that tolerances are taken around.
    assert run("%r = arith.negf %a_v : f32", "f32", {"a": "f32"}, "f32", a=a)[0] == -(1.0 + 2.0**-9)
    assert run("%r = arith.negf %a_v : f32", "f32", {"a": "f32"}, "bf16", a=a)[0] == -1.0
    got = run("%r = arith.addi %a_v, %a_v : i32", "i32", {"a": "i32"}, "ui8", a=np.array([200, -3, 5]))
    assert got.tolist() == [255, 0, 10]


def test_round_keeps_the_compute_type() -> None:
    a = np.array([1.0 + 2.0**-9, 3.0])
    got = run(
        "%q = mp.round %a_v to bf16 : f32 -> f32\n%r = arith.subf %a_v, %q : f32", "f32", {"a": "f32"}, "f32", a=a
    )
    assert got.tolist() == [2.0**-9, 0.0]
