"""Several statements in one launch: which may be, what the schedule chooses, and that it computes the same."""

from __future__ import annotations

import numpy as np
import pytest
from kernel_texts import compute, kernel_module, read, reduce
from test_gpu_schedule import kernel_of, with_schedule

from hetc.dialects.mp import ComputeOp
from hetc.passes.schedule.gpu import schedule
from hetc.passes.schedule.gpu_launches import MOST_STATEMENTS, may_share
from hetc.platforms import load_platform

WIDTH = 300
"""Of a row: more than a tile, so that the launch loops over tiles of a row, and no power of two."""


@pytest.fixture
def gpu():
    return load_platform("h200").device_of_kind("gpu")


def normalise_text() -> str:
    """Mean, variance and normalised rows; the last reads its row in reverse, so across threads and tiles."""
    row = f"[B, {WIDTH}], f32"
    mean = reduce("m", "mean", f"d in {WIDTH}", read("a", "x", "b d", row), "a")
    apart = read("a", "x", "b d", row) + read("u", "mu", "b", "[B], f32") + "%c = arith.subf %a, %u : f32\n"
    spread = reduce("v", "mean", f"d in {WIDTH}", apart + "%q = arith.mulf %c, %c : f32\n", "q")
    scaled = apart + read("w", "var", "b", "[B], f32") + "%r = math.rsqrt %w : f32\n%y = arith.mulf %c, %r : f32\n"
    last = f"%end = arith.constant {WIDTH - 1} : index\n%back = arith.subi %end, %d : index\n"
    last += read("z", "normal", "b back", row)
    body = compute("mu", "b in B", mean, "m", "[B], f32") + compute("var", "b in B", spread, "v", "[B], f32")
    body += compute("normal", f"b in B, d in {WIDTH}", scaled, "y", row)
    body += compute("turned", f"b in B, d in {WIDTH}", last, "z", row)
    return kernel_module({"x": row}, body, [("turned", row)])


def shifted_text() -> str:
    """A statement that reads the row before its own."""
    first = read("a", "x", "b", "[B], f32") + "%s = arith.addf %a, %a : f32\n"
    second = "%one = arith.constant 1 : index\n%before = arith.subi %b, %one : index\n"
    second += "%zero = arith.constant 0 : index\n%p = arith.cmpi sge, %before, %zero : index\n"
    second += read("t", "double", "before", "[B], f32", present="p")
    body = compute("double", "b in B", first, "s", "[B], f32") + compute("y", "b in B", second, "t", "[B], f32")
    return kernel_module({"x": "[B], f32"}, body, [("y", "[B], f32")])


def statements(text: str) -> list[ComputeOp]:
    return [op for op in kernel_of(text).block.ops if isinstance(op, ComputeOp)]


def test_rows_of_a_chain_may_share_a_launch():
    chain = statements(normalise_text())
    assert may_share(chain, 1)
    assert not may_share(chain, 2), "a row's mean has no second index"
    assert may_share(chain[2:3], 2)
    assert not may_share(chain[2:], 2), "reversed, an element is another program's"


def test_another_row_may_not_be_read():
    pair = statements(shifted_text())
    assert not may_share(pair, 1)
    assert may_share(pair, 0), "one program computes all rows"


def test_a_chain_of_rows_is_one_launch_and_computes_the_same(machine, gpu):
    text = normalise_text()
    found = schedule(kernel_of(text), gpu, {"B": 40})
    assert found.resources["launches"] == 1
    assert found.launch_us == gpu.launch_us
    x = np.random.default_rng(3).standard_normal((40, WIDTH)).astype(np.float32)
    target = machine(with_schedule(text, found.to_attr()))
    assert len(target.lowered.kernels) == 1
    assert target.lowered.text.count("tl.debug_barrier()") == 3
    (shared,) = target.run([x], {"B": 37}, {"B": 40})
    want = ((x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True))[:, ::-1]
    np.testing.assert_allclose(shared[:37], want[:37], rtol=1e-4, atol=1e-5)
    apart = machine(text)
    assert len(apart.lowered.kernels) == 4
    np.testing.assert_allclose(shared[:37], apart.run([x], {"B": 37}, {"B": 40})[0][:37], rtol=1e-5, atol=1e-6)


def powers_text(count: int) -> str:
    """Products of matrices in a chain, each of which reads all of the one before: what joins them is one program."""
    matrix = "[B, 64, 64], f32"
    body, last = "", "x"
    for number in range(count):
        left, right = read("a", last, "b i k", matrix), read("c", "x", "b k j", matrix)
        product = reduce("s", "sum", "k in 64", left + right + "%p = arith.mulf %a, %c : f32\n", "p")
        body += compute(f"y{number}", "b in B, i in 64, j in 64", product, "s", matrix)
        last = f"y{number}"
    return kernel_module({"x": matrix}, body, [(last, matrix)])


def test_a_launch_holds_few_matrix_products(gpu):
    """However many rows there are to keep busy: the registers of all products of a launch are taken at once."""
    dims = {"B": 4096}
    assert schedule(kernel_of(powers_text(2)), gpu, dims).resources["launches"] == 1
    assert schedule(kernel_of(powers_text(5)), gpu, dims).resources["launches"] == 3


def test_what_waits_for_other_programs_is_two_launches_where_rows_are_many(gpu):
    assert schedule(kernel_of(shifted_text()), gpu, {"B": 1 << 24}).resources["launches"] == 2


def test_a_launch_holds_a_limited_number_of_statements(gpu):
    """What joining is compared by grows with the square of it: 2,000 statements took minutes."""
    count = 2 * MOST_STATEMENTS + 1
    body = ""
    for number in range(count):
        doubled = read("a", f"y{number - 1}" if number else "x", "b", "[B], f32") + "%s = arith.addf %a, %a : f32\n"
        body += compute(f"y{number}", "b in B", doubled, "s", "[B], f32")
    text = kernel_module({"x": "[B], f32"}, body, [(f"y{count - 1}", "[B], f32")])
    assert schedule(kernel_of(text), gpu, {"B": 4096}).resources["launches"] == 3
