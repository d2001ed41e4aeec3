"""Scans of a whole memory: dense top-k in four dtypes, and many-headed scores of 8-bit keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from processor.work import Answer, Peer, Work, same_picks

DENSE = """
pipeline dense:
    dim T <= 1048576
    dim B <= 64
    dim D = 128
    dim K = 64
    input q: f32[B, D]
    memory keys: {dtype}[T, D]
    relevancy:
        s[b, t] = sum[d](q[b, d] * keys[t, d])
    retrieve:
        best[b, j], picked[b, j] = topk[t](s[b, t], K, order=score)
    output picked
"""
SCORES = """
pipeline scores:
    dim T <= 1048576
    dim H = 64
    dim D = 128
    dim K = 2048
    input q: fp8[H, D]
    input w: f32[H]
    memory keys: fp8[T, D]
    memory scale: f32[T]
    relevancy:
        s[t] = scale[t] * sum[h](w[h] * relu(sum[d](q[h, d] * keys[t, d])))
    retrieve:
        picked[j] = topk[t](s[t], K)
    output picked
"""
T, D, K = 262_144, 128, 64
QUANTIZERS = {"f32": "", "bf16": "QT_bf16", "f16": "QT_fp16", "i8": "QT_8bit_direct_signed"}
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16, "i8": torch.int8}


def dense(dtype: str, batch: int) -> Work:
    """Inner products with every row, the best 64."""
    random = torch.Generator().manual_seed(0)
    rows = torch.randn(T, D, generator=random)
    keys = (rows * 30).clamp(-127, 127).to(torch.int8) if dtype == "i8" else rows.to(DTYPES[dtype])
    q = torch.randn(batch, D, generator=random)
    same = same_picks
    peers = [
        Peer("torch", lambda threads: lambda: torch.topk(q @ keys.float().T, K).indices, same),
        Peer("torch.compile", lambda threads: compiled(_dense, keys, q), same),
        Peer("faiss", partial(_faiss, keys.float().numpy(), q.numpy(), QUANTIZERS[dtype]), same),
    ]
    if dtype == "f32":
        peers.insert(0, Peer("numpy", lambda threads: lambda: _numpy(keys.numpy(), q.numpy()), same))
    return Work(
        name=f"dense {dtype}" + (f", {batch} queries" if batch > 1 else ""),
        program=DENSE.format(dtype=dtype),
        dims={"T": T},
        memories={"keys": keys},
        tensors={"q": q},
        reads_bytes=keys.nbytes,
        flop=2 * T * D * batch,
        answer=lambda results: results["picked"],
        peers=tuple(peers),
        bound_by=(
            "lanes lie along the 128 elements of a row, and joining the lanes of a sum takes about as long as the sum"
        ),
        batch=batch,
    )


def scores() -> Work:
    """Scores of 8-bit keys in 64 heads, and the best 2048: the indexer of sparse attention."""
    random = torch.Generator().manual_seed(1)
    rows, heads, best = T // 2, 64, 2048
    keys = torch.randn(rows, D, generator=random).to(torch.float8_e4m3fn)
    q = torch.randn(heads, D, generator=random).to(torch.float8_e4m3fn)
    w, scale = torch.randn(heads, generator=random), torch.rand(rows, generator=random) + 0.5

    def in_torch(dtype: torch.dtype) -> Callable[[], Answer]:
        # An 8-bit float is exact in bf16; the sums of the product are then rounded to bf16 by torch.
        return lambda: (
            torch.topk(((keys.to(dtype) @ q.to(dtype).T).relu().float() @ w) * scale, best, sorted=False)
            .indices.sort()
            .values
        )

    return Work(
        name="scores fp8, 64 heads",
        program=SCORES,
        dims={"T": rows},
        memories={"keys": keys, "scale": scale},
        tensors={"q": q, "w": w},
        reads_bytes=keys.nbytes + scale.nbytes,
        flop=2 * rows * heads * (D + 1),
        answer=lambda results: results["picked"],
        peers=(
            Peer("torch f32", lambda threads: in_torch(torch.float32), same_picks),
            Peer("torch bf16", lambda threads: in_torch(torch.bfloat16), partial(same_picks, least=0.9)),
            Peer("torch.compile", lambda threads: compiled(_scores, keys, q, w, scale, best), same_picks),
            Peer("numba", partial(_numba_scores, keys, q, w, scale, best), same_picks),
        ),
    )


def works() -> Iterator[Callable[[], Work]]:
    """The rows of this file; making one draws its inputs."""
    for dtype in DTYPES:
        yield partial(dense, dtype, 1)
    yield partial(dense, "f32", 64)
    yield scores


def _numpy(keys: np.ndarray, q: np.ndarray) -> Answer:
    score = q @ keys.T
    found = np.argpartition(-score, K)[:, :K]
    return np.take_along_axis(found, np.argsort(-np.take_along_axis(score, found, 1)), 1)


def _dense(keys: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    return (
        torch.topk((keys.float()[None] * q[:, None]).sum(-1), K).indices
        if len(q) == 1
        else (torch.topk(q @ keys.float().T, K).indices)
    )


def _scores(keys: torch.Tensor, q: torch.Tensor, w: torch.Tensor, scale: torch.Tensor, best: int) -> torch.Tensor:
    score = ((keys.float() @ q.float().T).relu() * w).sum(-1) * scale
    return torch.topk(score, best, sorted=False).indices.sort().values


def compiled(function: Callable[..., Any], *tensors: Any) -> Callable[[], Answer]:
    compiled = torch.compile(function, dynamic=False)
    compiled(*tensors)
    return lambda: compiled(*tensors)


def _faiss(keys: np.ndarray, q: np.ndarray, quantizer: str, threads: int) -> Callable[[], Answer]:
    import faiss

    faiss.omp_set_num_threads(threads)
    if quantizer:
        kind = getattr(faiss.ScalarQuantizer, quantizer)
        index = faiss.IndexScalarQuantizer(D, kind, faiss.METRIC_INNER_PRODUCT)
        index.train(keys[:1000])
    else:
        index = faiss.IndexFlatIP(D)
    index.add(keys)
    return lambda: index.search(q, K)[1]


def _numba_scores(
    keys: torch.Tensor, q: torch.Tensor, w: torch.Tensor, scale: torch.Tensor, best: int, threads: int
) -> Callable[[], Answer]:
    import numba

    numba.set_num_threads(threads)
    table = torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn).float().numpy()
    codes, heads = keys.view(torch.uint8).numpy(), np.ascontiguousarray(q.float().numpy().T)
    weights, factors = w.numpy(), scale.numpy()

    @numba.njit(parallel=True, fastmath=True)
    def score(codes, table, heads, weights, factors):  # type: ignore[no-untyped-def]
        rows, size = codes.shape
        found = np.empty(rows, np.float32)
        for row in numba.prange(rows):
            sums = np.zeros(heads.shape[1], np.float32)
            for d in range(size):
                key = table[codes[row, d]]
                for h in range(heads.shape[1]):
                    sums[h] += key * heads[d, h]
            total = np.float32(0)
            for h in range(heads.shape[1]):
                total += weights[h] * max(sums[h], np.float32(0))
            found[row] = total * factors[row]
        return found

    def run() -> Answer:
        found = score(codes, table, heads, weights, factors)
        return np.sort(np.argpartition(-found, best)[:best])

    run()
    return run
