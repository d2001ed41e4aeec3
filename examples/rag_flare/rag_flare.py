"""FLARE (arXiv 2305.06983), the same pipeline as rag_flare.mp.

The body is read as equations, not executed: its indices are names that Python does not know.
"""
# ruff: noqa: F821

from hetc import bool, f32, hetero_pipeline, i32, le, memory, sparse, u8, weight


@hetero_pipeline(platform="mi210+u55c", grows={"N": "M"})
def rag_flare(
    docs: i32["M", "L"],  # of this and the next two: -1 behind the last word
    context: i32["B", "C"],
    draft: i32["B", "S"],
    retrieved: bool["B"],  # the draft was written behind passages: its first sentence stays, as it is
    probability: f32["B", "S"],  # that a word of the draft was drawn with
    ends: weight(bool["V"]),  # words that end a sentence
    tf: memory(sparse(u8["V", "N"], stored=2e9)),
    length: memory(i32["N"]),
    passages: memory(i32["N", "L"]),
    *,
    B=le(64),  # texts, each written by itself
    M=le(8192),  # passages that this call adds
    N=le(21_015_324),  # passages, this call's included
    C=le(2048),  # longest context: the question and what is written of the answer
    V=32_000,  # words, the same for the model and the passages
    L=128,  # longest passage
    S=100,  # longest draft
    Q=64,  # words of a query
    K=3,  # passages that it gets
    P="K * L + C + S",  # longest prompt
):
    """When to retrieve and with what query, from probabilities; BM25; the prompt to go on from."""
    with prepare:
        new_length[m] = count[l](docs[m, l] >= 0)
        append(tf, docs)
        append(length, new_length)
        append(passages, docs)

        # When: the first sentence whose words were drawn with a low probability, on average.
        at[b, i < S] = count[j < S](j < i and ends[draft[b, j]])
        doubt[b, i] = mean[j](where(draft[b, j] >= 0 and at[b, j] == at[b, i], 1 - probability[b, j]))
        unsure[b, i] = doubt[b, i] > 0.08 and draft[b, i] >= 0 and not retrieved[b]
        first[b] = min[i](where(unsure[b, i], at[b, i]))
        asks[b] = any[i](unsure[b, i])
        kept[b] = count[i](draft[b, i] >= 0 and at[b, i] < where(retrieved[b], 1, first[b]))

        # What: its certain words, the last of them if they are too many.
        sure[b, i] = unsure[b, i] and at[b, i] == first[b] and 1 - probability[b, i] <= 0.08
        place[b, q] = select[i](i >= 0 and sure[b, i], capacity=Q)
        query[b, q] = coalesce(draft[b, place[b, q]], -1)

    with relevancy:
        k1 = 1.2
        b0 = 0.75
        avgdl = mean[n](length[n])
        df[b, q] = count[n](tf[query[b, q], n] > 0)
        idf[b, q] = log(1 + (N - df[b, q] + 0.5) / (df[b, q] + 0.5))
        s[b, n] = sum[q](idf[b, q] * tf[query[b, q], n] / (tf[query[b, q], n] + k1 * (1 - b0 + b0 * length[n] / avgdl)))

    with retrieve:
        best[b, k], picked[b, k] = topk[n](where(s[b, n] > 0, s[b, n]), K, order=score)

    with apply:
        # The prompt: passages, context, what is kept of the draft.
        size[b, k] = count[l](passages[picked[b, k], l] >= 0)
        start[b, k < K] = sum[j < K](where(j < k, size[b, j]))
        found[b] = sum[k](size[b, k])
        told[b] = found[b] + count[p](context[b, p] >= 0)
        prompt[b, p < P] = where(
            p < found[b],
            sum[k](where(p - start[b, k] < size[b, k], passages[picked[b, k], p - start[b, k]])),
            where(p < told[b], context[b, p - found[b]], where(p < told[b] + kept[b], draft[b, p - told[b]], -1)),
        )

    return asks, kept, query, best, picked, prompt
