"""Loops and folds in chunks give what they give whole, and the same bits however many threads and rows there are."""

from __future__ import annotations

import ctypes
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from nest_kernels import parsed, run
from numpy.typing import NDArray

from hetc.dialects import nest
from hetc.dialects.registry import new_context
from hetc.passes.nest.bind_parallel import BindParallelPass
from hetc.passes.nest.bind_vector import BindVectorPass
from hetc.passes.nest.reorder import ReorderPass
from hetc.passes.nest.split import SplitPass
from hetc.passes.nest.split_fold import SplitFoldPass
from hetc.passes.nest.split_loops import SplitLoopsPass
from hetc.passes.nest.stage import StagePass

CASES = Path(__file__).parents[2] / "filecheck"
LENGTHS = [137, 64, 1, 0, 40]

# Scores, their sum, their mean, the largest, and the best of them: a phase each.
TEXT = """builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 8 : i64
    mp.dim @T bound 200 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, T], f32>, %s: !nest.buf<[B, T] x f32, global>, %r: !nest.buf<[B, 3] x f32, global>,
       %at: !nest.buf<[B, 3] x index, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %half = arith.constant 0.5 : f32
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 8 : i64 {
      ^bb0(%b: index):
        %size = mp.dim_size "T" per %b : index
        nest.for %zero to %size step 1 : i64 most 200 : i64 {
        ^bb0(%t: index):
          %v = nest.read %x[%b, %t] : !mp.tensor<[B, T], f32> -> f32
          %w = arith.mulf %v, %half : f32
          nest.store %w in %s[%b, %t] : f32, !nest.buf<[B, T] x f32, global>
        }
      }
    }
    nest.phase {
      %zero_1 = arith.constant 0 : index
      %one = arith.constant 1 : index
      %two = arith.constant 2 : index
      %batch_1 = mp.dim_size "B" : index
      nest.for %zero_1 to %batch_1 step 1 : i64 most 8 : i64 {
      ^bb0(%b_1: index):
        %size_1 = mp.dim_size "T" per %b_1 : index
        %sum = nest.acc "sum" : !nest.acc<[] of sum<f32>, reg>
        %mean = nest.acc "mean" : !nest.acc<[] of mean<f32>, reg>
        %most = nest.acc "most" : !nest.acc<[] of max<f32>, reg>
        nest.for %zero_1 to %size_1 step 1 : i64 most 200 : i64 {
        ^bb0(%t_1: index):
          %u = nest.load %s[%b_1, %t_1] : !nest.buf<[B, T] x f32, global> -> f32
          nest.fold %u into %sum[] : f32 into !nest.acc<[] of sum<f32>, reg>
          nest.fold %u into %mean[] : f32 into !nest.acc<[] of mean<f32>, reg>
          nest.fold %u into %most[] : f32 into !nest.acc<[] of max<f32>, reg>
        }
        %a = nest.finish %sum[] : !nest.acc<[] of sum<f32>, reg> -> f32
        nest.store %a in %r[%b_1, %zero_1] : f32, !nest.buf<[B, 3] x f32, global>
        %c = nest.finish %mean[] : !nest.acc<[] of mean<f32>, reg> -> f32
        nest.store %c in %r[%b_1, %one] : f32, !nest.buf<[B, 3] x f32, global>
        %d = nest.finish %most[] : !nest.acc<[] of max<f32>, reg> -> f32
        nest.store %d in %r[%b_1, %two] : f32, !nest.buf<[B, 3] x f32, global>
      }
    }
    nest.phase {
      %zero_2 = arith.constant 0 : index
      %three = arith.constant 3 : index
      %batch_2 = mp.dim_size "B" : index
      nest.for %zero_2 to %batch_2 step 1 : i64 most 8 : i64 {
      ^bb0(%b_2: index):
        %size_2 = mp.dim_size "T" per %b_2 : index
        %best = nest.acc "best" : !nest.acc<[] of queue<f32, 3>, reg>
        nest.for %zero_2 to %size_2 step 1 : i64 most 200 : i64 {
        ^bb0(%t_2: index):
          %e = nest.load %s[%b_2, %t_2] : !nest.buf<[B, T] x f32, global> -> f32
          nest.fold %e, %t_2 into %best[] : f32, index into !nest.acc<[] of queue<f32, 3>, reg>
        }
        nest.arrange %best[] by "score" : !nest.acc<[] of queue<f32, 3>, reg>
        nest.for %zero_2 to %three step 1 : i64 most 3 : i64 {
        ^bb0(%j: index):
          %score, %place = nest.entry %best[] at %j : !nest.acc<[] of queue<f32, 3>, reg> -> f32
          nest.store %place in %at[%b_2, %j] : index, !nest.buf<[B, 3] x index, global>
        }
      }
    }
  }
}"""


def chunked(chunk: int) -> str:
    """The same with loops and folds in chunks, on threads and in lanes."""
    module = parsed(TEXT)
    passes = [SplitFoldPass(chunk=chunk), SplitLoopsPass(chunk=chunk), BindParallelPass(), BindVectorPass()]
    for pass_ in passes:
        pass_.apply(new_context(), module)
        module.verify()
    return str(module)


def rows(lengths: list[int], seed: int) -> NDArray:
    """With ties, infinities and a NaN."""
    x = np.random.default_rng(seed).integers(-3, 4, (len(lengths), max(lengths))).astype(np.float32) * np.float32(0.1)
    x[0, 5:9] = [np.inf, -np.inf, np.nan, -0.0] if seed else [0.7, 0.7, -0.0, 0.0]
    return x


def results(text: str, x: NDArray, lengths: list[int]) -> list[NDArray]:
    """Of each row what was stored."""
    s, r, at = run(text, [x], {"B": [len(lengths)], "T": lengths})
    return [np.concatenate([row[:length] for row, length in zip(s, lengths, strict=True)]), r, at]


@pytest.mark.parametrize("seed", range(2))
def test_chunks_give_what_the_whole_gives(seed: int) -> None:
    x = rows(LENGTHS, seed)
    for found, expected in zip(results(chunked(16), x, LENGTHS), results(TEXT, x, LENGTHS), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_bits_do_not_depend_on_threads_or_rows() -> None:
    """A chunk is as long as the bounds say."""
    x, text = rows(LENGTHS, 0), chunked(16)
    openmp = ctypes.CDLL("libgomp.so.1")
    seen = []
    for threads in (1, 2, 5):
        openmp.omp_set_num_threads(threads)
        seen.append(results(text, x, LENGTHS))
    openmp.omp_set_num_threads(2)
    for other in seen[1:]:
        for found, expected in zip(other, seen[0], strict=True):
            assert found.tobytes() == expected.tobytes()
    for number, length in enumerate(LENGTHS):
        if length:
            alone = results(text, np.ascontiguousarray(x[number : number + 1, :length]), [length])
            assert alone[1].tobytes() == seen[0][1][number].tobytes()
            assert alone[2].tobytes() == seen[0][2][number].tobytes()


TABLE = """builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[9, 21], f32>, %s: !nest.buf<[8, 21] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %rows = arith.constant 8 : index
      %columns = arith.constant 21 : index
      nest.for %zero to %rows step 1 : i64 most 8 : i64 {
      ^bb0(%i: index):
        %next = arith.addi %i, %one : index
        nest.for %zero to %columns step 1 : i64 most 21 : i64 {
        ^bb0(%j: index):
          %v = nest.read %x[%i, %j] : !mp.tensor<[9, 21], f32> -> f32
          %w = nest.read %x[%next, %j] : !mp.tensor<[9, 21], f32> -> f32
          %d = arith.subf %w, %v : f32
          nest.store %d in %s[%i, %j] : f32, !nest.buf<[8, 21] x f32, global>
        }
      }
    }
  }
}"""


@pytest.mark.parametrize("by", [1, 4, 7])
def test_blocks_and_their_order_change_no_number(by: int) -> None:
    """Columns in blocks, also where the last has fewer, blocks outside of rows."""
    module = parsed(TABLE)
    for pass_ in (SplitPass(loop="j", by=by), ReorderPass(loop="i")):
        pass_.apply(new_context(), module)
        module.verify()
    first = next(op for op in module.walk() if isinstance(op, nest.ForOp))
    assert (first.index.name_hint, first.step_size) == ("j0", by)
    x = np.random.default_rng(0).normal(size=(9, 21)).astype(np.float32)
    np.testing.assert_array_equal(run(str(module), [x])[0], run(TABLE, [x])[0])


@pytest.mark.parametrize("element", ["f8E4M3FN", "bf16", "f32"])
def test_staged_rows_change_no_bit(element: str) -> None:
    """Products of sums whose operands are widened in front of the loop; in lanes by no more than rounding."""
    text = (CASES / "stage.mlir").read_text().replace("f8E4M3FN", element)
    dtype = {"f8E4M3FN": ml_dtypes.float8_e4m3fn, "bf16": ml_dtypes.bfloat16, "f32": np.float32}[element]
    random = np.random.default_rng(0)
    q, keys = random.normal(size=(2, 8, 32)).astype(dtype), random.normal(size=(2, 70, 32)).astype(np.float32)
    lengths = {"B": [2], "T": [70, 33]}
    staged, bound = parsed(text), parsed(text)
    StagePass().apply(new_context(), staged)
    for each in (StagePass(), BindVectorPass()):
        each.apply(new_context(), bound)
    expected, alone, lanes = (run(item, [q, keys], lengths)[0] for item in (text, str(staged), str(bound)))
    for row, length in enumerate(lengths["T"]):
        np.testing.assert_array_equal(alone[row, :length], expected[row, :length])
        np.testing.assert_allclose(lanes[row, :length], expected[row, :length], rtol=1e-4, atol=1e-5)
