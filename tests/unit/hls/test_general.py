"""Loop nests: every kind of statement, reduction and element type against the oracle."""

from __future__ import annotations

import numpy as np
import pytest

DIMS = """
    mp.dim @B bound 8 : i64
    mp.dim @T bound 4096 : i64 per "B"
    mp.dim @N bound 100000 : i64
"""


def kernel(name: str, operands: str, results: str, body: str, returned: str, dims: str = DIMS, plan: str = "") -> str:
    """A module with one kernel. `operands`: `q: [B, 128], f32; ...`."""
    names, types = [], []
    for item in operands.split(";"):
        operand, type_ = item.split(":", 1)
        names.append(operand.strip())
        types.append(f"!mp.tensor<{type_.strip()}>")
    result_types = [f"!mp.tensor<{item.strip()}>" for item in results.split(";")]
    gets = "\n".join(f'%{n}_ = mp.get "{n}" : {t}' for n, t in zip(names, types, strict=True))
    arguments = ", ".join(f"%{n}: {t}" for n, t in zip(names, types, strict=True))
    outputs = ", ".join(f"%out{i}" for i in range(len(result_types)))
    bare = [t.removeprefix("!mp.tensor") for t in types]
    declared = "\n".join(f'mp.declare @{n} "input" : {t}' for n, t in zip(names, bare, strict=True))
    passed = ", ".join(f"%{n}_" for n in names)
    schedule = f"schedule {{{plan}}}" if plan else ""
    return f"""
builtin.module {{
  mp.pipeline @p_{name} {{
    {dims}
    {declared}
    mp.step @s grows {{}} pins {{}} {{
      {gets}
      {outputs} = task.kernel @{name} on "fpga" stages ["relevancy"] {schedule} ({passed}) {{
      ^bb0({arguments}):
        {body}
        task.return {returned} : {", ".join(result_types)}
      }} : ({", ".join(types)}) -> ({", ".join(result_types)})
    }}
  }}
}}
"""


SCORES = """
    %s = mp.compute [#mp.range<b in B>, #mp.range<t in T per 0>] {
    ^bb0(%b: index, %t: index):
      %r = mp.reduce "sum" <h in 4> {
      ^bb0(%h: index):
        %d = mp.reduce "sum" <d in 32> {
        ^bb0(%d_: index):
          %x = mp.read %q[%b, %h, %d_] : !mp.tensor<[B, 4, 32], bf16> -> f32
          %y = mp.read %keys[%b, %t, %d_] : !mp.tensor<[B, T, 32], f8E4M3FN> -> f32
          %m = arith.mulf %x, %y : f32
          mp.yield %m : f32
        } : f32
        %zero = arith.constant 0.0 : f32
        %relu = arith.maximumf %d, %zero : f32
        %wv = mp.read %w[%b, %h] : !mp.tensor<[B, 4], f32> -> f32
        %e = arith.mulf %wv, %relu : f32
        mp.yield %e : f32
      } : f32
      %k = mp.read %scale[%b, %t] : !mp.tensor<[B, T], f32> -> f32
      %f = arith.mulf %k, %r : f32
      mp.yield %f : f32
    } : !mp.tensor<[B, T], f32>
    %i, %v = mp.topk 5 : i64 "ORDER" [#mp.range<b in B>, #mp.range<t in T per 0>] {
    ^bb0(%b2: index, %t2: index):
      %s2 = mp.read %s[%b2, %t2] : !mp.tensor<[B, T], f32> -> f32
      mp.yield %s2 : f32
    } : !mp.tensor<[B, 5], index>, !mp.tensor<[B, 5], f32>
"""
SCORE_OPERANDS = "q: [B, 4, 32], bf16; w: [B, 4], f32; keys: [B, T, 32], f8E4M3FN; scale: [B, T], f32"


def score_kernel(name: str, order: str = "any", plan: str = "") -> str:
    body = SCORES.replace("ORDER", order)
    return kernel(name, SCORE_OPERANDS, "[B, 5], index; [B, 5], f32", body, "%i, %v", plan=plan)


def score_operands(seed: int, capacity: int = 64, integers: bool = False):
    random = np.random.default_rng(seed)
    make = (lambda *shape: random.integers(-2, 3, shape).astype(float)) if integers else random.normal
    if not integers:
        make = lambda *shape: random.normal(size=shape)  # noqa: E731
    import ml_dtypes

    return [
        make(3, 4, 32).astype(ml_dtypes.bfloat16),
        make(3, 4).astype(np.float32),
        make(3, capacity, 32).astype(ml_dtypes.float8_e4m3fn),
        np.abs(make(3, capacity)).astype(np.float32),
    ]


TEXTS = [score_kernel("scores_any"), score_kernel("scores_by_score", "score"), score_kernel("scores_by_index", "index")]


@pytest.fixture(scope="module")
def bench(bench_of):
    return bench_of(TEXTS)


@pytest.mark.parametrize("name", ["scores_any", "scores_by_score", "scores_by_index"])
def test_scores_and_topk(bench, name):
    lengths = np.array([64, 3, 0])  # full, shorter than K, empty
    picked, best = bench.check(name, score_operands(1), {"B": 3, "T": lengths})
    assert (picked[1, 3:] == -1).all() and (picked[2] == -1).all() and (best[2] == -np.inf).all()
    bench.check(name, score_operands(2, integers=True), {"B": 3, "T": lengths}, exact=True)
