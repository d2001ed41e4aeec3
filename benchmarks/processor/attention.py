"""Attention to chosen entries of a memory, bounds of pages, and late interaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F

from processor.scans import compiled
from processor.work import Answer, Peer, Work, near

PAGES = """
pipeline pages:
    dim N <= 65536
    dim M = 4
    dim P = N // M
    dim H = 8
    dim G = 4
    dim D = 128
    input q: f32[H, G, D]
    memory high: bf16[N, H, D]
    memory low: bf16[N, H, D]
    relevancy:
        u[h, g, n] = sum[d](max(q[h, g, d] * high[n, h, d], q[h, g, d] * low[n, h, d]))
        s[h, g, p < P] = max[m < M](u[h, g, M * p + m])
    output s
"""
BLOCKS = """
pipeline blocks:
    dim T <= 1048576
    dim H = 8
    dim G = 4
    dim D = 128
    dim S = 64
    dim K = 64
    input q: f32[H, G, D]
    input kept: i32[H, K]
    memory keys: bf16[T, H, D]
    memory values: bf16[T, H, D]
    apply:
        at[h, r < K * S] = S * kept[h, r // S] + r % S
        a[h, g, r] = sum[d](q[h, g, d] * keys[at[h, r], h, d]) / sqrt(D)
        p[h, g, r] = softmax[r](a[h, g, r])
        o[h, g, d] = sum[r](p[h, g, r] * values[at[h, r], h, d])
    output o
"""
LATENT = """
pipeline latent:
    dim T <= 1048576
    dim G = 128
    dim V = 512
    dim C = 576
    dim K = 2048
    input q: f32[G, C]
    input picked: i32[K]
    memory kv: bf16[T, C]
    apply:
        a[g, j] = sum[c](q[g, c] * kv[picked[j], c]) / sqrt(C)
        p[g, j] = softmax[j](a[g, j])
        o[g, v < V] = sum[j](p[g, j] * kv[picked[j], v])
    output o
"""
MAXSIM = """
pipeline maxsim:
    dim N <= 65536
    dim L = 180
    dim Q = 32
    dim D = 128
    input q: bf16[Q, D]
    memory docs: bf16[N, L, D]
    relevancy:
        s[n] = sum[i](max[l](sum[d](q[i, d] * docs[n, l, d])))
    output s
"""
H, G, D = 8, 4, 128


def pages() -> Work:
    """The largest score that any token of a page can have, from bounds a channel."""
    random, count, group = torch.Generator().manual_seed(2), 8192, 4
    high = torch.randn(count, H, D, generator=random).bfloat16()
    low = (high - torch.rand(count, H, D, generator=random)).bfloat16()
    q = torch.randn(H, G, D, generator=random)

    def bounds(q: torch.Tensor, high: torch.Tensor, low: torch.Tensor) -> torch.Tensor:
        top, bottom = (q[:, :, None] * side.permute(1, 0, 2)[:, None].float() for side in (high, low))
        return torch.maximum(top, bottom).sum(-1).view(H, G, count // group, group).amax(-1)

    return Work(
        name="page bounds",
        program=PAGES,
        dims={"N": count},
        memories={"high": high, "low": low},
        tensors={"q": q},
        reads_bytes=high.nbytes + low.nbytes,
        flop=4 * count * H * G * D,
        bound_by="both bounds of a channel are widened for each of the four query heads",
        answer=lambda results: results["s"],
        peers=(
            Peer("torch", lambda threads: lambda: bounds(q, high, low), near),
            Peer("torch.compile", lambda threads: compiled(bounds, q, high, low), near),
        ),
    )


def blocks() -> Work:
    """Grouped-query attention to 64 blocks of 64 tokens a head, of 131,072."""
    random, count, size, chosen = torch.Generator().manual_seed(3), 131_072, 64, 64
    keys = torch.randn(count, H, D, generator=random).bfloat16()
    values = torch.randn(count, H, D, generator=random).bfloat16()
    q = torch.randn(H, G, D, generator=random)
    kept = torch.stack([torch.randperm(count // size, generator=random)[:chosen] for _ in range(H)]).int()

    def attend(q: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
        rows = (kept.long()[:, :, None] * size + torch.arange(size)).reshape(H, -1)
        heads = torch.arange(H)[:, None]
        k, v = keys[rows, heads].to(q.dtype), values[rows, heads].to(q.dtype)
        return F.scaled_dot_product_attention(q[None], k[None], v[None])[0]

    def rounded(q: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        return attend(q.bfloat16(), *others).float()

    return Work(
        name="block-sparse attention",
        program=BLOCKS,
        dims={"T": count},
        memories={"keys": keys, "values": values},
        tensors={"q": q, "kept": kept},
        reads_bytes=2 * H * chosen * size * D * 2,
        flop=4 * H * G * chosen * size * D,
        bound_by="rows are gathered one after the other, without a prefetch of those that come next",
        answer=lambda results: results["o"],
        peers=(
            Peer("torch bf16", lambda threads: lambda: rounded(q, keys, values, kept), near),
            Peer("torch.compile", lambda threads: compiled(attend, q, keys, values, kept), near),
            Peer("torch.compile bf16", lambda threads: compiled(rounded, q, keys, values, kept), near),
        ),
    )


def latent() -> Work:
    """128 heads attend to 2048 latents of 131,072."""
    random, count, heads, width, chosen = torch.Generator().manual_seed(4), 131_072, 128, 576, 2048
    kv = torch.randn(count, width, generator=random).bfloat16()
    q = torch.randn(heads, width, generator=random)
    picked = torch.randperm(count, generator=random)[:chosen].sort().values.int()

    def attend(q: torch.Tensor, kv: torch.Tensor, picked: torch.Tensor) -> torch.Tensor:
        rows = kv[picked.long()].to(q.dtype)
        return torch.softmax(q @ rows.T / width**0.5, -1) @ rows[:, :512]

    return Work(
        name="latent attention",
        program=LATENT,
        dims={"T": count},
        memories={"kv": kv},
        tensors={"q": q, "picked": picked},
        reads_bytes=chosen * width * 2,
        flop=2 * heads * chosen * (width + 512),
        bound_by="products are of f32 and not fused with their sums; torch in bf16 rounds both factors, for bf16 dots",
        answer=lambda results: results["o"],
        peers=(
            Peer("torch f32", lambda threads: lambda: attend(q, kv, picked), near),
            Peer("torch bf16", lambda threads: lambda: attend(q.bfloat16(), kv, picked).float(), near),
            Peer("torch.compile", lambda threads: compiled(attend, q, kv, picked), near),
        ),
    )


def maxsim() -> Work:
    """The best match of each of 32 query tokens among the 180 of a document, over 1000 documents."""
    random, count, length, tokens = torch.Generator().manual_seed(5), 1000, 180, 32
    docs = torch.randn(count, length, D, generator=random).bfloat16()
    q = torch.randn(tokens, D, generator=random).bfloat16()

    def best(q: torch.Tensor, docs: torch.Tensor) -> torch.Tensor:
        return (docs @ q.T).float().amax(1).sum(-1)

    def in_numpy(threads: int) -> Callable[[], Answer]:
        wide, rows = q.float().numpy(), docs.float().numpy().reshape(-1, D)
        return lambda: np.max((rows @ wide.T).reshape(count, length, tokens), 1).sum(-1)

    return Work(
        name="MaxSim",
        program=MAXSIM,
        dims={"N": count},
        memories={"docs": docs},
        tensors={"q": q},
        reads_bytes=docs.nbytes,
        flop=2 * count * length * tokens * D,
        bound_by="products are of f32 and not fused with their sums; torch uses bf16 dots, which are exact here",
        answer=lambda results: results["s"],
        peers=(
            Peer("numpy, f32 kept", in_numpy, near),
            Peer("torch f32", lambda threads: lambda: best(q.float(), docs.float()), near),
            Peer("torch bf16", lambda threads: lambda: best(q, docs), near),
            Peer("torch.compile bf16", lambda threads: compiled(best, q, docs), near),
        ),
    )


def works() -> Iterator[Callable[[], Work]]:
    """The rows of this file."""
    yield from (pages, blocks, latent, maxsim)
