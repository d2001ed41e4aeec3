"""Scans as dataflows: striped, batched, ragged, with ties and odd values, beside the oracle."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from hetc.dialects import fpga

DENSE = """
pipeline {name}:
    dim B <= 4
    dim T <= 5000 per B
    dim H = {heads}; dim D = {width}; dim K = {k}
    input q: bf16[B, H, D]
    input w: f32[B, H]
    input keys: {key}[B, T, D]
    input scale: f32[B, T]
    relevancy:
        s[b, t] = scale[b, t] * sum[h](w[b, h] * relu(sum[d](q[b, h, d] * keys[b, t, d])))
    retrieve:
        best[b, j], picked[b, j] = topk[t](s[b, t], K{order})
    output best, picked
"""


def dense(name, heads=4, width=64, k=5, key="fp8", order=""):
    return DENSE.format(name=name, heads=heads, width=width, k=k, key=key, order=order)


MIXED = """
pipeline mixed:
    dim B <= 4
    dim T <= 2000 per B
    dim H = 2; dim D = 24; dim C = 40
    input q: f32[B, H, D]
    input kraw: i8[B, T, H, D]
    input keep: bool[B, T]
    input bias: f32[B, T]
    input floor: f32[B]
    relevancy:
        u[b, h, t] = max[d](q[b, h, d] * kraw[b, t, h, d])
        m[b, t] = max[h](u[b, h, t]) + bias[b, t]
        near[b, j] = select[t](where(keep[b, t], m[b, t]) > floor[b], capacity=C)
        top[b, h, j] = topk[t](where(t % 3 != 1, u[b, h, t]), 70, order=score)
        e[b, h, t] = exp(u[b, h, t] / 100 - T[b])
    output near, top, u, e
"""

BLOCKED = """
pipeline blocked:
    dim B <= 2
    dim T <= 600 per B
    dim P = ceildiv(T, 8)
    dim D = 16
    input q: f32[B, D]
    input keys: f32[B, T, D]
    relevancy:
        high[b, p < P, d] = max[i < 8](keys[b, 8*p + i, d])
        s[b, p] = sum[d](q[b, d] * high[b, p, d])
        picked[b, j] = topk[p](s[b, p], 4)
        total[b] = sum[t](keys[b, t, 0])
    output picked, total
"""

STRIPED = {"stripes": 3, "striped": (2, 3), "lanes": 16}


@pytest.fixture(scope="module")
def bench(bench_of_sources):
    sources = [
        dense("plain"),
        dense("large_k", k=100, order=", order=index"),
        dense("odd_width", width=20, key="bf16"),
        MIXED,
        BLOCKED,
    ]
    return bench_of_sources(sources)


@pytest.fixture(scope="module")
def dealt(bench_of_sources):
    """Keys striped; the scales, which are narrow, whole and dealt out by one reader."""
    return bench_of_sources([dense("dealt")], {"stripes": 3, "striped": (2,), "lanes": 64})


@pytest.fixture(scope="module")
def striped(bench_of_sources):
    return bench_of_sources(
        [dense("striped"), dense("striped_large", k=100, order=", order=score"), dense("wide", heads=16, width=100)],
        STRIPED,
    )


def operands(bench, name: str, seed: int, capacity: int, integers: bool = False, rows: int = 3):
    random = np.random.default_rng(seed)
    task = bench.task(name)

    def made(shape):
        return random.integers(-2, 3, shape).astype(float) if integers else random.normal(size=shape)

    found = []
    types = {"fp8": ml_dtypes.float8_e4m3fn, "bf16": ml_dtypes.bfloat16}
    for argument in task.block.args:
        shape = [{"B": rows, "T": capacity}.get(extent, extent) for extent in argument.type.shape]
        name = bench_name(argument.type.element)
        found.append(made(shape).astype(types.get(name, name)))
    return found


def bench_name(element) -> str:
    from hetc.dialects.mp import dtype_name

    return {"f32": "float32", "i8": "int8", "bool": "bool"}.get(dtype_name(element), dtype_name(element))


def is_dataflow(bench, name: str) -> bool:
    return any(isinstance(op, fpga.DataflowOp) for op in bench.kernel(name).walk())


LENGTHS = ([64, 3, 0], [1, 64, 2], [63, 62, 61])


@pytest.mark.parametrize("name", ["plain", "large_k", "odd_width"])
def test_dense_scan(bench, name):
    assert is_dataflow(bench, f"{name}_kernel")
    for lengths in LENGTHS:
        given = operands(bench, f"{name}_kernel", 1, 64)
        bench.check(f"{name}_kernel", given, {"B": 3, "T": np.array(lengths)})
    given = operands(bench, f"{name}_kernel", 2, 64, integers=True)
    bench.check(f"{name}_kernel", given, {"B": 3, "T": np.array([64, 60, 2])}, exact=True)


@pytest.mark.parametrize("name", ["striped", "striped_large", "wide"])
def test_striped_scan(striped, name):
    parts = [item.part.data for item in striped.kernel(f"{name}_kernel").arguments if item.index.data == 2]
    assert "stripe:2:1" in parts
    for lengths in LENGTHS:
        given = operands(striped, f"{name}_kernel", 3, 64)
        striped.check(f"{name}_kernel", given, {"B": 3, "T": np.array(lengths)})
    given = operands(striped, f"{name}_kernel", 4, 64, integers=True)
    striped.check(f"{name}_kernel", given, {"B": 3, "T": np.array([64, 60, 2])}, exact=True)


def test_rows_dealt_by_one_reader(dealt):
    parts = [item.part.data for item in dealt.kernel("dealt_kernel").arguments if item.role.data == "operand"]
    assert parts == ["", "", "stripe:0:1", "stripe:1:1", "stripe:2:1", ""]
    for lengths in LENGTHS:
        dealt.check("dealt_kernel", operands(dealt, "dealt_kernel", 3, 64), {"B": 3, "T": np.array(lengths)})


def test_what_is_never_taken(bench):
    given = operands(bench, "plain_kernel", 5, 64)
    given[3][0, :40] = np.nan
    given[3][1, :] = -np.inf
    given[3][2, ::2] = np.inf
    bench.check("plain_kernel", given, {"B": 3, "T": np.array([50, 64, 64])})


def test_several_scans_of_one_tensor(bench):
    random = np.random.default_rng(6)
    q = random.normal(size=(3, 2, 24)).astype(np.float32)
    given = {
        "q": q, "kraw": random.integers(-100, 100, (3, 90, 2, 24)).astype(np.int8),
        "keep": random.random((3, 90)) < 0.7, "bias": random.normal(size=(3, 90)).astype(np.float32),
        "floor": np.array([150.0, 0.0, 250.0], np.float32),
    }  # fmt: skip
    order = [given[argument.name_hint] for argument in bench.task("mixed_kernel").block.args]
    bench.check("mixed_kernel", order, {"B": 3, "T": np.array([90, 2, 33])})


def test_blocks_of_rows(bench):
    random = np.random.default_rng(7)
    given = [random.normal(size=(2, 16)).astype(np.float32), random.normal(size=(2, 100, 16)).astype(np.float32)]
    lengths = np.array([100, 9])
    dims = {"B": 2, "T": lengths, "P": -(-lengths // 8)}
    bench.check("blocked_kernel", given, dims, capacities={"P": 13})


SPARSE = """
pipeline postings:
    dim V = 40
    dim N <= 3000
    dim Q <= 12
    dim K = 5
    memory tf: sparse u8[V, N] stored <= 20000
    input terms: i32[Q]
    input idf: f32[V]
    input length: f32[N]
    relevancy:
        s[n] = sum[q](idf[terms[q]] * tf[terms[q], n] / (tf[terms[q], n] + length[n]))
        best[j], picked[j] = topk[n](s[n] * 2, K)
        hits[n] = count[q](tf[terms[q], n] > 1)
        chosen[j] = select[n](hits[n] > 0, capacity=20)
        r[n] = sum[q](idf[terms[q]] * tf[terms[q], n])
        some[j] = select[n](r[n] > 0.9, capacity=20)
        df[q] = count[n](tf[terms[q], n] > 1)
        weight[q] = sum[n](idf[terms[q]] * tf[terms[q], n] / length[n])
    output picked, best, hits, chosen, some, df, weight
"""


@pytest.mark.parametrize("tile", [64, 1 << 16])
def test_sparse_scan(bench_of_sources, tile):
    from hetc.backends.reference import SparseMatrix

    bench = bench_of_sources([SPARSE], {"tile": tile})
    assert "tile_sums" in bench.source("postings_kernel")
    assert "find" not in bench.source("postings_kernel") and bench.source("postings_kernel").count("lower_bound") == 6
    random = np.random.default_rng(8)
    for n in (700, 64, 3):
        tf = np.where(random.random((40, n)) < 0.05, random.integers(1, 9, (40, n)), 0)
        tf[7] = 0
        given = {
            "tf": SparseMatrix.from_dense(tf), "terms": np.array([3, 5, 3, 7, -1, 40, 12], np.int32),
            "idf": random.random(40).astype(np.float32), "length": (random.random(n) + 0.5).astype(np.float32),
        }  # fmt: skip
        order = [given[argument.name_hint] for argument in bench.task("postings_kernel").block.args]
        bench.check("postings_kernel", order, {"N": n, "Q": 7})


def test_channels_are_instances_of_one_process(striped):
    """Three stripes: what every channel does is defined once, and there two more times."""
    (flow,) = [op for op in striped.kernel("striped_kernel").walk() if isinstance(op, fpga.DataflowOp)]
    names = [op.sym_name.data for op in flow.block.ops if isinstance(op, fpga.ProcessOp)]
    assert len(set(names)) == len(names)
    again = [op.process.data for op in flow.block.ops if isinstance(op, fpga.InstanceOp)]
    assert {name: again.count(name) for name in again} == dict.fromkeys(
        ["read_keys", "read_scale", "evaluate", "select"], 2
    )
    assert striped.source("striped_kernel").count("void evaluate") == 1
