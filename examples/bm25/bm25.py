"""BM25 in Lucene's form over a growing collection, the same pipeline as bm25.mp.

The body is read as equations, not executed: its indices are names that Python does not know.
"""
# ruff: noqa: F821

from hetc import hetero_pipeline, i32, le, memory, sparse, u8


@hetero_pipeline(platform="mi210+u55c", grows={"N": "M"})
def bm25(
    docs: i32["M", "L"],
    query: i32["B", "Q"],
    tf: memory(sparse(u8["V", "N"], stored=2e9)),  # how often a term stands in a document
    length: memory(i32["N"]),  # terms of a document
    *,
    M=le(8192),  # documents that this call adds
    N=le(21_015_324),  # documents, this call's included
    B=le(64),  # queries
    V=30_522,  # terms
    L=128,  # longest document, in terms
    Q=32,  # longest query
    K=16,  # documents that a query gets
):
    """BM25 over postings by term, top-k documents."""
    with prepare:
        new_length[m] = count[l](docs[m, l] >= 0)
        append(tf, docs)
        append(length, new_length)

    with relevancy:
        k1 = 1.2
        b0 = 0.75
        avgdl = mean[n](length[n])
        df[b, q] = count[n](tf[query[b, q], n] > 0)
        idf[b, q] = log(1 + (N - df[b, q] + 0.5) / (df[b, q] + 0.5))
        s[b, n] = sum[q](idf[b, q] * tf[query[b, q], n] / (tf[query[b, q], n] + k1 * (1 - b0 + b0 * length[n] / avgdl)))

    with retrieve:
        best[b, j], picked[b, j] = topk[n](s[b, n], K, order=score)

    return best, picked
