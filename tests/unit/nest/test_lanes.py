"""Loops of lanes give what their passes one by one do: to the bit, but for the order in which floats are folded, which
is a tree of fixed shape."""

from __future__ import annotations

import re
from collections.abc import Callable

import ml_dtypes
import numpy as np
import pytest
from nest_combiners import CASES, COUNT, SPLIT, kernel
from nest_kernels import run
from numpy.typing import NDArray

from hetc.runtime import cpu_build

NUMBERS = 67  # four steps of 16 lanes, and three passes


def bound(text: str, lanes: int) -> str:
    """The loops over elements as loops of lanes."""
    return re.sub(rf"(most ({COUNT}|{NUMBERS}) : i64) \{{", rf"\1 bind <vector {lanes}> {{", text)


def tree(lanes: NDArray, operation: Callable) -> np.float32:
    """Lanes joined in pairs, the lower half with the upper."""
    while len(lanes) > 1:
        half = len(lanes) // 2
        lanes = operation(lanes[:half], lanes[half:])
    return lanes[0]


def in_lanes(x: NDArray, here: NDArray, count: int, operation: Callable, start: float) -> np.float32:
    """Lane l folds the elements whose number is l modulo the number of lanes, and then all lanes are joined."""
    lanes = np.full(count, start, np.float32)
    with np.errstate(all="ignore"):
        for number, (value, is_here) in enumerate(zip(x, here, strict=True)):
            if is_here:
                lanes[number % count] = operation(lanes[number % count], value)
        return operation(np.float32(start), tree(lanes, operation))


@pytest.mark.parametrize("count", [2, 8, 16])
@pytest.mark.parametrize(("name", "operation", "start"), [("sum", np.add, 0), ("prod", np.multiply, 1)])
def test_floats_are_a_tree_of_fixed_shape(name: str, operation: Callable, start: float, count: int) -> None:
    for x, here in CASES:
        made = run(bound(kernel(name, "f32", ["f32"]), count), [x, here.astype(np.int32), np.zeros((COUNT, 3))])[0]
        first = in_lanes(x[:SPLIT], here[:SPLIT], count, operation, start)
        second = in_lanes(x[SPLIT:], here[SPLIT:], count, operation, start)
        with np.errstate(all="ignore"):
            expected = [in_lanes(x, here, count, operation, start), operation(first, second)]
        np.testing.assert_array_equal(made[:, 0], np.array(expected, np.float32))


EXACT = [
    *((name, "f32", ["f32"], False) for name in ("max", "min")),
    *((name, "f32", ["index"], True) for name in ("argmax", "argmin")),
    *((name, "i32", ["i32"], False) for name in ("sum", "prod", "max", "min")),
    *((name, "i64", ["i64"], False) for name in ("sum", "prod", "max", "min", "count")),
    *((name, "i1", ["i1"], False) for name in ("any", "all", "max", "min")),
    ("count", "i32", ["i32"], False),
    ("argmax", "i32", ["index"], True),
]


@pytest.mark.parametrize(("name", "type", "gives", "place"), EXACT, ids=lambda value: str(value))
def test_exact_combiners_give_the_same_bits(name: str, type: str, gives: list[str], place: bool) -> None:
    text = kernel(name, type, gives, place=place)
    for x, here in CASES:
        elements = x if type == "f32" else np.round(np.nan_to_num(x, posinf=9, neginf=-9) * 3).astype(np.int32)
        operands = [elements, here.astype(np.int32), np.zeros((COUNT, 3), np.float32)]
        for lanes, alone in zip(run(bound(text, 8), operands), run(text, operands), strict=True):
            np.testing.assert_array_equal(lanes, alone)


@pytest.mark.parametrize("name", ["mean", "normalizer"])
def test_states_of_several_numbers(name: str) -> None:
    gives = ["f32"] if name == "mean" else ["f32", "f32"]
    text = kernel(name, "f32", gives)
    for x, here in CASES:
        operands = [x, here.astype(np.int32), np.zeros((COUNT, 3), np.float32)]
        for lanes, alone in zip(run(bound(text, 4), operands), run(text, operands), strict=True):
            np.testing.assert_allclose(lanes, alone, rtol=1e-5, atol=1e-6)


ELEMENTS = {
    "f32": np.float32, "bf16": ml_dtypes.bfloat16, "f16": np.float16, "f8E4M3FN": ml_dtypes.float8_e4m3fn,
    "f8E5M2": ml_dtypes.float8_e5m2, "si8": np.int8, "ui8": np.uint8, "si16": np.int16, "i32": np.int32,
    "i64": np.int64,
}  # fmt: skip


def value_of(element: str) -> str:
    return "f32" if "f" in element else "i64" if element == "i64" else "i32"


def each(element: str, body: str, result: str = "f32") -> str:
    """A kernel that stores something for each of the elements of x; `%v` is one, as a number."""
    return f"""builtin.module {{
      nest.kernel @k task "k" on "cpu" arguments [] scratch [] {{
      ^bb0(%x: !mp.tensor<[{NUMBERS}], {element}>, %y: !mp.tensor<[{NUMBERS}], i32>,
           %r: !nest.buf<[{NUMBERS}] x {result}, global>):
        nest.phase {{
          %zero = arith.constant 0 : index
          %one = arith.constant 1 : index
          %three = arith.constant 3 : index
          %end = arith.constant {NUMBERS} : index
          %none = arith.constant 0 : i32
          %number = arith.constant 5 : i32
          %half = arith.constant 0.5 : f32
          nest.for %zero to %end step 1 : i64 most {NUMBERS} : i64 {{
          ^bb0(%i: index):
            %v = nest.read %x[%i] : !mp.tensor<[{NUMBERS}], {element}> -> {value_of(element)}
            %w = nest.read %y[%i] : !mp.tensor<[{NUMBERS}], i32> -> i32
            {body}
            nest.store %o in %r[%i] : {value_of(result)}, !nest.buf<[{NUMBERS}] x {result}, global>
          }}
        }}
      }}
    }}"""


def codes(element: str, seed: int) -> NDArray:
    """Stored elements of all kinds: any bits."""
    dtype = np.dtype(ELEMENTS[element])
    return np.random.default_rng(seed).integers(0, 256, NUMBERS * dtype.itemsize, np.uint8).view(dtype)


def assert_same(text: str, operands: list[NDArray], lanes: int = 16) -> None:
    """As lanes and one by one: the same bits."""
    (made,), (expected,) = run(bound(text, lanes), operands), run(text, operands)
    nan = made != made
    np.testing.assert_array_equal(nan, expected != expected)
    np.testing.assert_array_equal(made[~nan].view(np.uint8), expected[~nan].view(np.uint8))


WHOLE = np.random.default_rng(0).integers(-70000, 70000, NUMBERS).astype(np.int32)


@pytest.mark.parametrize("element", ELEMENTS)
def test_elements_are_widened(element: str) -> None:
    body = f"%o = arith.bitcast %v : {value_of(element)} to {value_of(element)}"
    for seed in range(2):
        assert_same(each(element, body, value_of(element)), [codes(element, seed), WHOLE])


@pytest.mark.parametrize("element", ELEMENTS)
def test_values_are_rounded_and_saturated(element: str) -> None:
    """From numbers around those of the element, infinities and NaN among the floats."""
    given = "f32" if value_of(element) == "f32" else re.sub("[su]i(8|16)", "i32", element)
    body = f"%o = arith.bitcast %v : {value_of(given)} to {value_of(given)}"
    for seed in range(2):
        assert_same(each(given, body, element), [codes(given, seed), WHOLE])


@pytest.mark.parametrize("element", ELEMENTS)
def test_elements_of_each_lane_are_kept_as_they_are_stored(element: str) -> None:
    """In an array that every lane has of its own."""
    given = "f32" if value_of(element) == "f32" else re.sub("[su]i(8|16)", "i32", element)
    kept, value = f"!nest.buf<[2] x {element}, local>", value_of(element)
    body = f"""%k = nest.buffer "kept" : {kept}
            nest.store %v in %k[%one] : {value}, {kept}
            nest.store %v in %k[%zero] : {value}, {kept}
            %o = nest.load %k[%one] : {kept} -> {value}"""
    assert_same(each(given, body, value), [codes(given, 3), WHOLE])


OPERATIONS = {
    "arithmetic": """%a = arith.mulf %v, %half : f32
            %b = arith.subf %a, %v : f32
            %c = arith.negf %b : f32
            %o = arith.divf %c, %a : f32""",
    "extremes": """%a = arith.maximumf %v, %half : f32
            %b = math.absf %v : f32
            %o = arith.minimumf %a, %b : f32""",
    "comparisons": """%p = arith.cmpf ult, %v, %half : f32
            %q = arith.cmpi sgt, %w, %number : i32
            %p1 = arith.cmpf one, %v, %half : f32
            %r0 = arith.andi %p, %q : i1
            %r1 = arith.xori %r0, %p1 : i1
            %s = arith.cmpi ult, %w, %number : i32
            %t = arith.ori %r1, %s : i1
            %n = arith.sitofp %t : i1 to f32
            %o = arith.select %t, %v, %n : f32""",
    "integers": """%a = arith.muli %w, %w : i32
            %b = arith.addi %a, %number : i32
            %c = arith.floordivsi %b, %number : i32
            %d = mp.mod %c, %number : i32
            %e = arith.shrsi %b, %number : i32
            %f = arith.xori %d, %e : i32
            %g = arith.maxsi %f, %w : i32
            %l = arith.extsi %g : i32 to i64
            %m = arith.muli %l, %l : i64
            %t = arith.trunci %m : i64 to i32
            %o = arith.sitofp %t : i32 to f32""",
    "functions": """%a = math.absf %v : f32
            %b = math.exp %v : f32
            %c = math.log %a : f32
            %d = math.rsqrt %a : f32
            %e = arith.addf %b, %c : f32
            %o = arith.addf %d, %e : f32""",
    "bits": """%a = arith.bitcast %v : f32 to i32
            %b = arith.addi %a, %w : i32
            %o = arith.bitcast %b : i32 to f32""",
    "rounding": """%a = mp.round %v to bf16 : f32 -> f32
            %o = arith.addf %a, %half : f32""",
    "gathers": """%j = arith.muli %i, %three : index
            %k = mp.mod %j, %end : index
            %g = nest.read %x[%k] : !mp.tensor<[67], f32> -> f32
            %o = arith.addf %g, %v : f32""",
    "conditions": """%next = arith.addi %i, %three : index
            %in = arith.cmpi slt, %next, %end : index
            %g = nest.read %x[%next] if %in : !mp.tensor<[67], f32> -> f32
            %k = arith.index_cast %next : index to i32
            %n = arith.sitofp %k : i32 to f32
            %o = arith.addf %g, %n : f32""",
    "loops": """%sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
            %least = nest.acc "least" : !nest.acc<[] of argmin<f32>, reg>
            nest.for %zero to %three step 1 : i64 most 3 : i64 {
            ^bb1(%j: index):
              %g = nest.read %x[%j] : !mp.tensor<[67], f32> -> f32
              %p = arith.mulf %g, %v : f32
              %here = arith.cmpf olt, %p, %half : f32
              nest.fold %p into %sum[] if %here : f32 into !nest.acc<[] of sum<f32>, reg>
              nest.fold %p, %j into %least[] : f32, index into !nest.acc<[] of argmin<f32>, reg>
            }
            %total = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
            %place = nest.finish %least[] : !nest.acc<[] of argmin<f32>, reg> -> index
            %k = arith.index_cast %place : index to i32
            %n = arith.sitofp %k : i32 to f32
            %o = arith.addf %total, %n : f32""",
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations(name: str) -> None:
    for seed in range(3):
        x = np.random.default_rng(seed).normal(size=NUMBERS).astype(np.float32)
        x[seed : seed + 4] = [np.nan, np.inf, -np.inf, -0.0]
        for lanes in (4, 32):
            assert_same(each("f32", OPERATIONS[name]), [x, WHOLE], lanes)


LEVELS = ("x86-64", "x86-64-v3", "x86-64-v4")


def runs_on(level: str) -> bool:
    """Whether this processor has the instructions of a level."""
    needed = {"x86-64": "sse2", "x86-64-v3": "fma", "x86-64-v4": "avx512vl"}[level]
    features = cpu_build.processor_features()
    return features.startswith("x86_64") and f" {needed} " in f"{features} "


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("element", ["f32", "bf16", "f8E4M3FN"])
def test_bits_do_not_depend_on_the_instructions(level: str, element: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Products of sums, of every width of lanes, with and without the instructions for them."""
    if not runs_on(level):
        pytest.skip(f"no {level} here")
    text = f"""builtin.module {{
      nest.kernel @k task "k" on "cpu" arguments [] scratch [] {{
      ^bb0(%x: !mp.tensor<[8, {NUMBERS}], {element}>, %y: !mp.tensor<[{NUMBERS}], f32>,
           %r: !nest.buf<[8] x f32, global>):
        nest.phase {{
          %zero = arith.constant 0 : index
          %rows = arith.constant 8 : index
          %end = arith.constant {NUMBERS} : index
          nest.for %zero to %rows step 1 : i64 most 8 : i64 {{
          ^bb0(%b: index):
            %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
            nest.for %zero to %end step 1 : i64 most {NUMBERS} : i64 {{
            ^bb0(%i: index):
              %v = nest.read %x[%b, %i] : !mp.tensor<[8, {NUMBERS}], {element}> -> f32
              %w = nest.read %y[%i] : !mp.tensor<[{NUMBERS}], f32> -> f32
              %p = arith.mulf %v, %w : f32
              nest.fold %p into %sum[] : f32 into !nest.acc<[] of sum<f32>, reg>
            }}
            %total = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
            nest.store %total in %r[%b] : f32, !nest.buf<[8] x f32, global>
          }}
        }}
      }}
    }}"""
    random = np.random.default_rng(0)
    operands = [
        random.normal(size=(8, NUMBERS)).astype(ELEMENTS[element]),
        random.normal(size=NUMBERS).astype(np.float32),
    ]
    for lanes in (4, 16, 64):
        (here,) = run(bound(text, lanes), operands)
        with monkeypatch.context() as patch:
            patch.setitem(cpu_build.BUILD_TYPES, "optimised", ("-O2", f"-march={level}"))  # type: ignore[arg-type]
            (there,) = run(bound(text, lanes), operands)
        assert here.tobytes() == there.tobytes()
