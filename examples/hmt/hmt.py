"""Hierarchical memory transformer (arXiv 2405.06067), the same pipeline as hmt.mp.

The body is read as equations, not executed: its indices are names that Python does not know.
"""
# ruff: noqa: F821

from hetc import bf16, hetero_pipeline, le, memory, ring, weight


@hetero_pipeline(platform="mi210+u55c")
def hmt(
    q: bf16["B", "E"],  # the segment's summary, by the backbone
    segment: bf16["B", "L", "E"],  # its token embeddings
    m: bf16["B", "E"],  # the backbone's hidden state at the last position of the prompt
    Wq: weight(bf16["E", "H"]),
    Wk: weight(bf16["E", "H"]),
    bank: memory(ring(bf16["B", "N", "E"])),
    keys: memory(ring(bf16["B", "N", "H"])),  # of the embeddings in the bank, made once
    last: memory(bf16["B", "K", "E"]),
    *,
    B=le(64),  # sequences, a segment of each at a time
    L=le(1024),  # tokens of a segment
    E=4096,  # hidden size
    H=4096,  # size of a query and of a key
    N=300,  # embeddings in memory, the oldest go first
    K=32,  # tokens of the previous segment that are seen again
    S="L + K + 2",  # the prompt: retrieved, previous, segment, retrieved
):
    """Memory retrieval over a bank of segment embeddings; the prompt of the next segment."""
    with step.recall(q, segment):
        with prepare:
            x[b, h] = sum[e](q[b, e] * Wq[e, h])

        with relevancy:
            s[b, n] = sum[h](x[b, h] * keys[b, n, h]) / sqrt(H)

        with retrieve:
            a[b, n] = softmax[n](s[b, n])
            p[b, e] = sum[n](a[b, n] * bank[b, n, e])

        with apply:
            around[b, i < 1, e] = p[b, e]
            prompt[b, i < S, e] = concat[i](around[b, i, e], last[b, i, e], segment[b, i, e], around[b, i, e])
            last[b, i, e] = segment[b, L - K + i, e]

        return bf16(prompt)

    with step.push(m), prepare:
        k[b, h] = sum[e](m[b, e] * Wk[e, h])
        append(bank, m)
        append(keys, k)
