"""BM25 over postings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from processor.work import Answer, Peer, Work, same_picks

BM25 = """
pipeline bm25:
    dim N <= 1048576
    dim B <= 64
    dim V = 30522
    dim Q = 8
    dim K = 16
    input query: i32[B, Q]
    memory tf: sparse u8[V, N] stored <= 100000000
    memory length: i32[N]
    relevancy:
        avgdl = mean[n](length[n])
        df[b, q] = count[n](tf[query[b, q], n] > 0)
        idf[b, q] = log(1 + (N - df[b, q] + 0.5) / (df[b, q] + 0.5))
        s[b, n] = sum[q](idf[b, q] * tf[query[b, q], n]
                         / (tf[query[b, q], n] + 1.2 * (1 - 0.75 + 0.75 * length[n] / avgdl)))
    retrieve:
        best[b, j], picked[b, j] = topk[n](s[b, n], K, order=score)
    output picked
"""
DOCUMENTS, TERMS, BEST, ASKED = 200_000, 30_522, 16, 8


def bm25(batch: int) -> Work:
    """Queries of 8 terms over 200,000 documents whose terms follow Zipf's law."""
    random = np.random.default_rng(6)
    lengths = np.clip(random.lognormal(4.2, 0.5, DOCUMENTS).astype(int), 10, 128)
    share = 1 / np.arange(1, TERMS + 1) ** 1.07
    words = random.choice(TERMS, lengths.sum(), p=share / share.sum())
    owner = np.repeat(np.arange(DOCUMENTS), lengths)
    cells, count = np.unique(words.astype(np.int64) * DOCUMENTS + owner, return_counts=True)
    terms, docs = cells // DOCUMENTS, cells % DOCUMENTS
    asked = [random.choice(np.arange(30, 5000), ASKED, replace=False) for _ in range(batch)]
    queries = np.stack(asked).astype(np.int32)
    entries = int(np.bincount(terms, minlength=TERMS)[queries].sum())
    return Work(
        name="BM25" + (f", {batch} queries" if batch > 1 else ""),
        program=BM25,
        dims={"N": DOCUMENTS},
        memories={"tf": (terms, docs, np.minimum(count, 255).astype(np.uint8)), "length": lengths.astype(np.int32)},
        tensors={"query": queries},
        reads_bytes=entries * 5,
        flop=entries * 6,
        bound_by=(
            "scores are worked out at query time, so that an index can grow by appends (bm25s works them out while it "
            "indexes), and each block of 32,768 documents has a queue of its own"
        ),
        answer=lambda results: results["picked"],
        peers=(
            Peer("numpy", partial(_numpy, terms, docs, count, lengths, queries), partial(same_picks, least=0.9)),
            Peer("bm25s numba", partial(_bm25s, words, lengths, queries), partial(same_picks, least=0.9)),
        ),
        batch=batch,
        lengths={"tf": DOCUMENTS},
    )


def works() -> Iterator[Callable[[], Work]]:
    """The rows of this file."""
    yield partial(bm25, 1)
    yield partial(bm25, 64)


def _numpy(
    terms: np.ndarray, docs: np.ndarray, count: np.ndarray, lengths: np.ndarray, queries: np.ndarray, threads: int
) -> Callable[[], Answer]:
    starts = np.searchsorted(terms, np.arange(TERMS + 1))
    frequency, length = count.astype(np.float32), lengths.astype(np.float32)

    def one(query: np.ndarray) -> np.ndarray:
        score, mean = np.zeros(DOCUMENTS, np.float32), length.mean()
        for term in query:
            begin, end = starts[term], starts[term + 1]
            found, tf, df = docs[begin:end], frequency[begin:end], end - begin
            idf = np.log(1 + (DOCUMENTS - df + 0.5) / (df + 0.5))
            score[found] += idf * tf / (tf + 1.2 * (1 - 0.75 + 0.75 * length[found] / mean))
        best = np.argpartition(-score, BEST)[:BEST]
        return best[np.argsort(-score[best])]

    return lambda: np.stack([one(query) for query in queries])


def _bm25s(words: np.ndarray, lengths: np.ndarray, queries: np.ndarray, threads: int) -> Callable[[], Answer]:
    import bm25s
    import numba

    numba.set_num_threads(threads)
    index = bm25s.BM25(method="lucene", k1=1.2, b=0.75, backend="numba")
    rows = [row.tolist() for row in np.split(words, np.cumsum(lengths)[:-1])]
    index.index((rows, {str(term): term for term in range(TERMS)}), show_progress=False)
    index.activate_numba_scorer()
    asked = [[int(term) for term in query] for query in queries]
    return lambda: index.retrieve(asked, k=BEST, show_progress=False, n_threads=threads)[0]
