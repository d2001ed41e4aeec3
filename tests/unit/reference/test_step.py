"""Whole steps: kernels and transfers, derived dims, constants, errors, and a kernel on its own."""

from __future__ import annotations

import numpy as np
import pytest
from reference_modules import module

from hetc.backends.reference import OracleError, run_kernel, run_step
from hetc.dialects.task import KernelOp

CUT = """
    %far = task.transfer %x from "gpu" to "fpga" : !mp.tensor<[N], f32> -> !mp.tensor<[N], f32>
    %y, %k = task.kernel @scan on "fpga" stages ["relevancy"] (%far) {
    ^bb0(%a: !mp.tensor<[N], f32>):
      %table = mp.constant dense<[2.0, 3.0]> : tensor<2xf32> -> !mp.tensor<[2], f32>
      %b = mp.compute [#mp.range<i in N>] {
      ^bb1(%i: index):
        %v = mp.read %a[%i] : !mp.tensor<[N], f32> -> f32
        %one = arith.constant 1 : index
        %w = mp.read %table[%one] : !mp.tensor<[2], f32> -> f32
        %p = arith.mulf %v, %w : f32
        mp.yield %p : f32
      } : !mp.tensor<[N], f32>
      %picked, %scores = mp.topk 2 : i64 "score" [#mp.range<i in N>] {
      ^bb2(%i: index):
        %v = mp.read %b[%i] : !mp.tensor<[N], f32> -> f32
        mp.yield %v : f32
      } : !mp.tensor<[2], index>, !mp.tensor<[2], f32>
      task.return %b, %picked : !mp.tensor<[N], f32>, !mp.tensor<[2], index>
    } : (!mp.tensor<[N], f32>) -> (!mp.tensor<[N], f32>, !mp.tensor<[2], index>)
    mp.output "y", %y as f32 : !mp.tensor<[N], f32>
    mp.output "k", %k as index : !mp.tensor<[2], index>
"""


def test_kernels_and_transfers() -> None:
    built = module("N bound 8", {"x": "input [N], f32"}, CUT)
    x = np.array([1.0, 4.0, -2.0, 3.0, 100.0])
    result = run_step(built, "s", {"x": x}, {}, {"N": 4})
    assert result.outputs["y"].tolist() == [3.0, 12.0, -6.0, 9.0]
    assert result.outputs["k"].tolist() == [1, 3]


def test_a_kernel_on_the_arguments_that_it_received() -> None:
    built = module("N bound 8", {"x": "input [N], f32"}, CUT)
    kernel = next(op for op in built.walk() if isinstance(op, KernelOp))
    y, picked = run_kernel(kernel, [np.array([1.0, 2.0, 3.0])], {"N": 3})
    assert y.array.tolist() == [3.0, 6.0, 9.0] and y.present.all()
    assert y.magnitude is not None and y.magnitude.tolist() == [6.0, 12.0, 18.0]  # type: ignore[union-attr]
    assert picked.array.tolist() == [2, 1]
    with pytest.raises(OracleError, match="takes 1 arguments, got 2"):
        run_kernel(kernel, [np.zeros(3), np.zeros(3)], {"N": 3})


BLOCKS = """
    %out = mp.compute [#mp.range<b in B>, #mp.range<n in NB per 0>] {
    ^bb0(%b: index, %n: index):
      %s = mp.reduce "sum" <i in 3> {
      ^bb1(%i: index):
        %three = arith.constant 3 : index
        %start = arith.muli %n, %three : index
        %t = arith.addi %start, %i : index
        %v = mp.read %x[%b, %t] : !mp.tensor<[B, T], f32> -> f32
        mp.yield %v : f32
      } : f32
      mp.yield %s : f32
    } : !mp.tensor<[B, NB], f32>
    mp.output "out", %out as f32 : !mp.tensor<[B, NB], f32>
"""


def test_derived_dims_follow_the_ones_that_they_are_derived_from() -> None:
    dims = ('B bound 4; T bound 9 per "B"; '
            'NB bound 3 per "B" derived affine_map<(d0) -> (d0 ceildiv 3)> of ["T"]')  # fmt: skip
    built = module(dims, {"x": "input [B, T], f32"}, BLOCKS)
    x = np.arange(18.0).reshape(2, 9)
    lengths = np.array([4, 9])
    result = run_step(built, "s", {"x": x}, {}, {"B": 2, "T": lengths})
    expected = [[x[b, 3 * n : min(3 * n + 3, lengths[b])].sum() for n in range(3)] for b in range(2)]
    assert result.outputs["out"].tolist() == [[*expected[0][:2], 0.0], expected[1]]


def test_errors_name_what_is_missing() -> None:
    built = module("N bound 8", {"x": "input [N], f32"}, CUT)
    with pytest.raises(OracleError, match="no step t; the module has s"):
        run_step(built, "t", {}, {}, {})
    with pytest.raises(OracleError, match="no array given for x"):
        run_step(built, "s", {}, {}, {"N": 1})


def test_the_size_of_blocks_does_not_change_the_numbers() -> None:
    built = module("N bound 8", {"x": "input [N], f32"}, CUT)
    x = np.random.default_rng(0).normal(size=8)
    whole = run_step(built, "s", {"x": x}, {}, {"N": 8}).outputs["y"]
    assert run_step(built, "s", {"x": x}, {}, {"N": 8}, elements_at_once=1).outputs["y"].tolist() == whole.tolist()


def test_a_long_memory_fits() -> None:
    body = """
    %s = mp.compute [#mp.range<t in T>] {
    ^bb0(%t: index):
      %r = mp.reduce "sum" <h in 8> {
      ^bb1(%h: index):
        %d = mp.reduce "sum" <d in 32> {
        ^bb2(%d: index):
          %a = mp.read %q[%h, %d] : !mp.tensor<[8, 32], f32> -> f32
          %b = mp.read %keys[%t, %d] : !mp.tensor<[T, 32], f32> -> f32
          %p = arith.mulf %a, %b : f32
          mp.yield %p : f32
        } : f32
        %zero = arith.constant 0.0 : f32
        %m = arith.maximumf %d, %zero : f32
        mp.yield %m : f32
      } : f32
      mp.yield %r : f32
    } : !mp.tensor<[T], f32>
    mp.output "s", %s as f32 : !mp.tensor<[T], f32>
    """
    built = module("T bound 1000000", {"q": "input [8, 32], f32", "keys": "memory [T, 32], f32"}, body)
    random = np.random.default_rng(0)
    q, keys = random.normal(size=(8, 32)), random.normal(size=(100_000, 32)).astype(np.float32)
    out = run_step(built, "s", {"q": q}, {"keys": keys}, {"T": 100_000}).outputs["s"]
    np.testing.assert_allclose(out, np.maximum(keys @ q.T, 0).sum(axis=1), rtol=1e-9)


def test_what_follows_a_selection_follows_the_one_that_was_made() -> None:
    body = """
    %i, %v = task.kernel @pick on "gpu" stages ["retrieve"] (%x) {
    ^bb0(%a: !mp.tensor<[N], f32>):
      %picked, %scores = mp.topk 2 : i64 "any" [#mp.range<i in N>] {
      ^bb1(%i: index):
        %s = mp.read %a[%i] : !mp.tensor<[N], f32> -> f32
        mp.yield %s : f32
      } : !mp.tensor<[2], index>, !mp.tensor<[2], f32>
      %y = mp.compute [#mp.range<j in 2>] {
      ^bb2(%j: index):
        %at = mp.read %picked[%j] : !mp.tensor<[2], index> -> index
        %s = mp.read %a[%at] : !mp.tensor<[N], f32> -> f32
        mp.yield %s : f32
      } : !mp.tensor<[2], f32>
      task.return %picked, %y : !mp.tensor<[2], index>, !mp.tensor<[2], f32>
    } : (!mp.tensor<[N], f32>) -> (!mp.tensor<[2], index>, !mp.tensor<[2], f32>)
    """
    built = module("N bound 8", {"x": "input [N], f32"}, body)
    kernel = next(op for op in built.walk() if isinstance(op, KernelOp))
    x, device = np.array([1.0, 5.0, 5.000001]), np.array([1, 0])
    picked, values = run_kernel(kernel, [x], {"N": 3}, selected={0: device})
    assert picked.array.tolist() == [2, 1] and values.array.tolist() == [5.0, 1.0]
    with pytest.raises(OracleError, match="selects nothing"):
        run_kernel(kernel, [x], {"N": 3}, selected={1: device})


def test_a_step_without_a_dim_does_without_what_depends_on_it() -> None:
    body = """
    %y = mp.compute [#mp.range<n in N>] {
    ^bb0(%n: index):
      %v = mp.read %x[%n] : !mp.tensor<[N], f32> -> f32
      mp.yield %v : f32
    } : !mp.tensor<[N], f32>
    mp.output "y", %y as f32 : !mp.tensor<[N], f32>
    """
    dims = 'N bound 9; L bound 5; S bound 7 derived affine_map<(d0) -> ((d0 + 2))> of ["L"]'
    built = module(dims, {"x": "input [N], f32"}, body)
    assert run_step(built, "s", {"x": np.array([1.0, 2.0])}, {}, {"N": 2}).outputs["y"].tolist() == [1.0, 2.0]
