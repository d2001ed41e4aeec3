"""DRAGIN (arXiv 2403.10081), the same pipeline as rag_dragin.mp.

The body is read as equations, not executed: its indices are names that Python does not know.
"""
# ruff: noqa: F821

from hetc import bool, f32, hetero_pipeline, i32, le, memory, sparse, u8, weight


@hetero_pipeline(platform="mi210+u55c", grows={"N": "M"})
def rag_dragin(
    docs: i32["M", "L"],  # of this and the next two: -1 behind the last word
    context: i32["B", "C"],
    draft: i32["B", "S"],
    retrieved: bool["B"],  # the draft was written behind passages: its first sentence stays, as it is
    entropy: f32["B", "S"],  # of the distribution that a word of the draft was drawn from
    influence: f32["B", "S"],  # the most attention that a later word pays to it
    attention: f32["B", "S", "W"],  # paid to each word of context and draft where it was written
    content: weight(bool["V"]),  # words that mean something
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
    Q=35,  # words of a query
    K=3,  # passages that it gets
    W="C + S",
    P="K * L + W",  # longest prompt
):
    """When to retrieve and with what query, from entropy and attention; BM25; the prompt to go on from."""
    with prepare:
        new_length[m] = count[l](docs[m, l] >= 0)
        append(tf, docs)
        append(length, new_length)
        append(passages, docs)

        # When: the first sentence with a word whose entropy, times its share of attention, is high.
        at[b, i < S] = count[j < S](j < i and ends[draft[b, j]])
        total[b, i] = sum[j](where(draft[b, j] >= 0 and at[b, j] == at[b, i], influence[b, j]))
        words[b, i] = count[j](draft[b, j] >= 0 and at[b, j] == at[b, i])
        need[b, i] = influence[b, i] / total[b, i] * words[b, i] * entropy[b, i]
        hit[b, i] = need[b, i] > 0.8 and content[draft[b, i]] and not retrieved[b]
        first[b] = min[i](where(hit[b, i], at[b, i]))
        now[b, i] = hit[b, i] and at[b, i] == first[b]
        asks[b] = any[i](now[b, i])
        kept[b] = count[i](draft[b, i] >= 0 and at[b, i] < where(retrieved[b], 1, first[b]))

        # What: the content words that its hits attend to most, of all that is written up to its end.
        known[b, i] = where(at[b, i] <= first[b] and not now[b, i], draft[b, i], -1)
        word[b, p < W] = concat[p](context[b, p], known[b, p])
        focus[b, p] = mean[i](where(now[b, i], attention[b, i, p]))
        place[b, q] = topk[p](where(asks[b] and content[word[b, p]], focus[b, p]), Q, order=index)
        query[b, q] = coalesce(word[b, place[b, q]], -1)

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
