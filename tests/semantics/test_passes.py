"""Every pass keeps the numbers: small programs, each about one rule, over plain, ragged, empty and wild inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from same_numbers import PARTITION, Case, assign_by_hand, same_numbers

from hetc.compiler.frontend import compile_source
from hetc.source import SourceFile, read_source

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

PROGRAMS = {
    "gather": """
pipeline p:
    dim B <= 4; dim T <= 8 per B; dim K <= 8; dim C = 3
    input x: f32[B, T, C]
    input picked: i32[B, K]
    relevancy:
        o[b, j] = sum[c](x[b, picked[b, j], c])
        m[j] = max[b](o[b, j])
        n[b] = count[j](o[b, j] > 0)
    output o, m, n
""",
    "causal": """
pipeline p:
    dim B <= 4; dim K <= 8; dim C = 3
    input q: f32[B, K, C]
    input v: f32[B, K, C]
    relevancy:
        s[b, i, j] = where(j <= i, sum[c](q[b, i, c] * v[b, j, c]))
        p[b, i, j] = softmax[j](s[b, i, j])
        o[b, i, c] = sum[j](p[b, i, j] * v[b, j, c])
        best[b, i] = argmax[j](s[b, i, j])
    output o, p, best
""",
    "pages": """
pipeline p grows T by 1:
    dim B <= 4; dim T <= 8 per B; dim NB = ceildiv(T, 3); dim C = 4
    input k: bf16[B, C]
    input q: f32[B, C]
    memory keys: bf16[B, T, C]
    prepare:
        append(keys, k)
    relevancy:
        high[b, n < NB, c] = max[i < 3](keys[b, 3*n + i, c])
        low[b, n < NB, c] = min[i < 3](keys[b, 3*n + i, c])
        s[b, n] = sum[c](max(q[b, c] * high[b, n, c], q[b, c] * low[b, n, c]))
    retrieve:
        picked[b, j] = topk[n](s[b, n], 2)
    apply:
        o[b, c] = mean[j < 2](keys[b, 3*picked[b, j], c])
    output o, picked
""",
    "threshold": """
pipeline p:
    dim B <= 4; dim K <= 8
    input s: f32[B, K]
    input tau: f32[B]
    retrieve:
        picked[b, j] = select[k](s[b, k] > tau[b], capacity=3)
        z[b, j] = where(s[b, picked[b, j]] > 0, s[b, picked[b, j]], -1.0)
        y[b] = any[j](s[b, picked[b, j]] > 1)
    output picked, z, y
""",
    "branches": """
pipeline p:
    dim B <= 4; dim K <= 8
    input x: f32[B, K]
    input at: i32[B, K]
    relevancy:
        a[b, k] = where(x[b, k] > 0, x[b, at[b, k]], x[b, k - 1])
        c[b, k] = where(a[b, k] > 0.5, a[b, k] / x[b, k])
        d[b] = sum[k](c[b, k])
        e[b] = min[k](a[b, k])
        f[b] = all[k](a[b, k] > 0 and x[b, k - 1] > 0)
        g[k] = prod[b](where(at[b, k] // 2 % 3 == 1, x[b, k]))
        h[b] = max[k](where(k > 0 and x[b, 0] > 0, x[b, k]))
        i[b] = max[k](where(k > 0, where(x[b, 0] > 0, x[b, k])))
    output a, c, d, e, f, g, h, i
""",
    "terms": """
pipeline p grows N by M:
    dim M <= 4; dim N <= 9; dim V = 5; dim L = 3; dim Q = 4
    input docs: i32[M, L]
    input query: i32[Q]
    input norm: f32[N]
    input idf: f32[V]
    memory tf: sparse u8[V, N] stored <= 1000
    prepare:
        append(tf, docs)
    relevancy:
        s[n] = sum[q](idf[query[q]] * tf[query[q], n] / (tf[query[q], n] + norm[n]))
        df[v] = count[n](tf[v, n] > 0)
        w[n] = sum[v](tf[v, n] * idf[v])
        u[v, n] = tf[v, n] * idf[v] / norm[n]
        z[n] = sum[q < Q](tf[query[0], n] * norm[n]) * idf[0]
    retrieve:
        best[j], picked[j] = topk[n](s[n], 3, order=score)
    output s, df, w, u, z, best, picked
""",
    "rotated": """
pipeline p grows T by 1:
    dim B <= 4; dim T <= 8 per B; dim D = 8
    input x: f32[B, D]
    memory keys: fp8[B, T, D]
    memory scale: f32[B, T]
    prepare:
        h[b, d] = rope[d](x[b, d], at=T[b]-1, dims=4, layout=half)
        i[b, d] = rope[d](x[b, d], at=T[b]+5, dims=6, layout=interleaved)
        k8[b, d], ks[b] = quantize[d](h[b, d], fp8, scale=pow2)
        q8[b, d], qs[b, n] = quantize[d](i[b, d], i8, block=4, scale=f32)
        append(keys, k8); append(scale, ks)
    relevancy:
        s[b, t] = scale[b, t] * sum[d](keys[b, t, d] * q8[b, d])
    output s, h, i, q8, qs
""",
    "update": """
pipeline p:
    dim B <= 4; dim K <= 8
    input x: f32[B, K]
    memory W: bf16[B, K]
    prepare:
        W[b, k] = W[b, k] * 0.5 + where(k > 0, x[b, k - 1], 0.0)
    apply:
        o[b] = sum[k](W[b, k] * x[b, k])
    output o
""",
}

PLAIN = {"B": 3, "K": 5, "M": 2, "N": 7, "T": np.array([4, 8, 1])}
EMPTY = {"B": 2, "K": 0, "M": 0, "N": 0, "T": np.array([1, 3])}
NOBODY = {"B": 0, "K": 2, "M": 1, "N": 1, "T": np.zeros(0, np.int64)}


def cases(names: set[str]) -> list[Case]:
    """Each set of extents, plain and wild."""
    found = []
    for seed, dims in enumerate((PLAIN, EMPTY, NOBODY)):
        kept = {name: value for name, value in dims.items() if name in names}
        found += [Case(kept, seed), Case(kept, seed + 10, wild=True), Case(kept, seed + 20, wild=True)]
    return found


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_pass_keeps_the_numbers(name: str) -> None:
    text = PROGRAMS[name]
    used = {dim for dim in PLAIN if f"dim {dim} <=" in text}
    same_numbers(compile_source(SourceFile(f"{name}.mp", text.lstrip())), cases(used))


@pytest.mark.parametrize("fpga", [("relevancy", "retrieve"), ("prepare", "apply"), ()])
@pytest.mark.parametrize("name", PROGRAMS)
def test_each_partition_keeps_the_numbers(name: str, fpga: tuple[str, ...]) -> None:
    text = PROGRAMS[name]
    used = {dim for dim in PLAIN if f"dim {dim} <=" in text}
    built = compile_source(SourceFile(f"{name}.mp", text.lstrip()))
    same_numbers(
        built, cases(used), then=PARTITION, prepare=lambda module: assign_by_hand(module, lambda stage: stage in fpga)
    )


SMALL = {
    "dsa": ({"E": 8, "R": 4, "H": 2, "LOG_D": 3, "K": 2, "G": 2, "N": 4, "P": 4, "V": 4},
            {"B": 2, "T": np.array([5, 1])}),
    "seerattention_topk": ({"H": 2, "G": 2, "D": 4, "C": 4, "S": 2, "K": 2}, {"B": 2, "T": np.array([6, 1])}),
    "seerattention_threshold": ({"H": 2, "G": 2, "D": 4, "C": 4, "S": 2, "M": 3}, {"B": 2, "T": np.array([6, 1])}),
    "lserve": ({"H": 1, "G": 2, "D": 4, "L": 2, "M": 2, "K": 3, "SINK": 2, "LOCAL": 2},
               {"B": 2, "T": np.array([13, 1])}),
    "nsa": ({"E": 3, "H": 2, "G": 2, "D": 2, "V": 3, "L": 2, "U": 1, "F": 2, "S": 2, "K": 4, "W": 3},
            {"B": 2, "T": np.array([11, 1])}),
    "moba": ({"H": 2, "G": 2, "D": 2, "S": 2, "K": 2}, {"B": 2, "M": 3, "T": np.array([8, 3])}),
    "csa": ({"E": 3, "R": 2, "H": 4, "D": 4, "P": 2, "W": 3, "M": 2, "I": 2, "F": 4, "K": 2, "G": 2, "Q": 2},
            {"B": 2, "T": np.array([8, 1])}),
    "bm25": ({"V": 9, "L": 5, "Q": 3, "K": 2}, {"M": 2, "N": 8, "B": 2}),
    "rag_dragin": ({"V": 9, "L": 4, "S": 5, "Q": 3, "K": 2}, {"M": 2, "N": 7, "B": 2, "C": 3}),
    "rag_flare": ({"V": 9, "L": 4, "S": 5, "Q": 3, "K": 2}, {"M": 2, "N": 7, "B": 2, "C": 3}),
    "rag_fs": ({"V": 9, "L": 4, "S": 5, "Q": 3, "K": 2}, {"M": 2, "N": 7, "B": 2, "C": 3}),
    "rag_two_stage": ({"Q": 2, "P": 3, "C": 2, "K": 2, "V": 104, "L": 2, "H": 4, "A": 2, "F": 3},
                      {"M": 2, "N": 5, "B": 2}),
    "hmt": ({"E": 4, "H": 3, "N": 3, "K": 2}, {"B": 2, "L": 5}),
    "titans": ({"P": 2, "E": 4, "H": 2, "F": 3}, {"B": 2, "L": 3}),
    "lact": ({"H": 2, "D": 4, "F": 3}, {"B": 2, "L": 5}),
    "decoder": ({"L": 2, "E": 5, "F": 3, "R": 4, "G": 2, "N": 2, "P": 2, "V": 2, "C": 3, "H": 2, "D": 4, "K": 2},
                {"B": 2, "T": np.array([6, 1])}),
    "indexer_shared": ({"L": 2, "M": 2, "S": 2, "E": 3, "R": 2, "C": 3, "G": 2, "N": 2, "P": 2, "V": 2, "H": 2, "D": 4,
                        "K": 2, "X": 3, "J": 2, "F": 2}, {"B": 2, "T": np.array([5, 1])}),
    "indexer_pooled": ({"E": 3, "R": 2, "C": 3, "G": 2, "N": 2, "V": 2, "H": 2, "D": 4, "M": 2, "K": 2},
                       {"B": 2, "T": np.array([5, 1])}),
    "indexer_two_level": ({"N": 2, "E": 3, "R": 2, "H": 4, "D": 4, "P": 2, "W": 3, "I": 2, "F": 4, "Z": 2, "C": 2,
                           "K": 3, "G": 2, "Q": 2}, {"B": 2, "T": np.array([7, 1])}),
    "memagent": ({"L": 2, "H": 2, "G": 2, "D": 4, "E": 6, "F": 5, "V": 9},
                 {"B": 2, "T": np.array([6, 3]), "C": np.array([2, 3]), "A": np.array([1, 0])}),
}  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("wild", [False, True])
def test_examples(name: str, wild: bool) -> None:
    overrides, dims = SMALL[name]
    built = compile_source(read_source(EXAMPLES / name / f"{name}.mp"), overrides)
    same_numbers(
        built,
        [Case(dims, 1, wild), Case(dims, 2, wild)],
        then=PARTITION,
        prepare=lambda module: assign_by_hand(module, lambda stage: stage in ("relevancy", "retrieve")),
    )
