"""LServe, one decode step of one layer, in plain numpy float64: written from the paper's description of its pages.

Shares nothing with the compiler. Attention to the rows of the chosen pages is compared with torch's elsewhere. Each
query head chooses pages for itself, as in the published kernels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.examples.dsa_reference import Array, best, rope_frequencies, rotate_half, to_bf16
from tests.examples.seerattention_reference import attention, tokens_of

ROPE_BASE = 5e5  # of Llama 3.1; its stretched frequencies are left out
LEAST_AMAX = 1e-4


@dataclass
class Layer:
    """logical: tokens of a page that has bounds. page: tokens of a page that is attended to. count: pages of the token
    budget, the last one among them. interval: steps that share a choice. sink, local: tokens of a streaming head."""

    logical: int
    page: int
    count: int
    interval: int
    sink: int
    local: int


@dataclass
class Cache:
    """int8 codes [T, H, D] of keys (rotated) and values, each with a scale a token and head [T, H]."""

    keys: Array
    key_scale: Array
    values: Array
    value_scale: Array

    def __len__(self) -> int:
        return len(self.keys)

    def rows(self, tokens: NDArray[np.int64], head: int) -> tuple[Array, Array]:
        """Keys and values [n, D] of one head."""
        keys = self.keys[tokens, head] * self.key_scale[tokens, head, None]
        return keys, self.values[tokens, head] * self.value_scale[tokens, head, None]


@dataclass
class Sequence:
    """What one sequence remembers: the caches of its retrieval and its streaming heads, the bounds of each logical
    page (bf16) [ceil(T / logical), H, D], and the pages that each query head chose [H][G], of those before `since`."""

    retrieval: Cache
    streaming: Cache
    high: Array
    low: Array
    chosen: list[list[NDArray[np.int64]]]
    since: int

    def __len__(self) -> int:
        return len(self.retrieval)


@dataclass
class Token:
    """A token's queries [H, G, D], keys and values [H, D] in both kinds of heads, before the rotary embedding."""

    q: Array
    k: Array
    v: Array
    qs: Array
    ks: Array
    vs: Array


def rotate(x: Array, position: int) -> Array:
    """RoPE over all channels of the last axis."""
    return rotate_half(x, position, rope_frequencies(x.shape[-1], ROPE_BASE))


def quantize(x: Array) -> tuple[Array, Array]:
    """int8 codes and one scale for the last axis, symmetric: the largest magnitude becomes 127. The scale is kept in
    f32, and codes are of what is kept."""
    scale = (np.maximum(np.abs(x).max(-1), LEAST_AMAX) / 127).astype(np.float32).astype(np.float64)
    return np.clip(np.rint(x / scale[..., None]), -128, 127), scale


def stored(cache: Cache, k: Array, v: Array, position: int) -> Cache:
    """The cache with one more token."""
    (keys, key_scale), (values, value_scale) = quantize(rotate(k, position)), quantize(v)
    return Cache(
        np.concatenate([cache.keys, keys[None]]),
        np.concatenate([cache.key_scale, key_scale[None]]),
        np.concatenate([cache.values, values[None]]),
        np.concatenate([cache.value_scale, value_scale[None]]),
    )


def append(layer: Layer, memory: Sequence, token: Token) -> Sequence:
    """The memory with one more token; the choice of pages stays."""
    position = len(memory)
    key = to_bf16(rotate(token.k, position))
    high, low = memory.high, memory.low
    if position % layer.logical == 0:
        high, low = np.concatenate([high, key[None]]), np.concatenate([low, key[None]])
    else:
        high, low = high.copy(), low.copy()
        high[-1], low[-1] = np.maximum(high[-1], key), np.minimum(low[-1], key)
    retrieval = stored(memory.retrieval, token.k, token.v, position)
    streaming = stored(memory.streaming, token.ks, token.vs, position)
    return Sequence(retrieval, streaming, high, low, memory.chosen, memory.since)


def page_scores(layer: Layer, memory: Sequence, q: Array) -> Array:
    """[H, G, pages]: the best of a page's logical pages, each by the most that a key within its bounds can score."""
    query = rotate(q, len(memory) - 1)[:, :, None]
    bounds = [np.moveaxis(bound, 0, 1)[:, None] for bound in (memory.high, memory.low)]
    scores = np.maximum(query * bounds[0], query * bounds[1]).sum(-1)
    starts = np.arange(0, scores.shape[-1], layer.page // layer.logical)
    return np.maximum.reduceat(scores, starts, axis=-1)


def choose(layer: Layer, memory: Sequence, q: Array) -> None:
    """Choose pages anew, of those before the last one."""
    memory.since = (len(memory) - 1) // layer.page
    scores = page_scores(layer, memory, q)[..., : memory.since]
    memory.chosen = [[best(own, layer.count - 1) for own in of_head] for of_head in scores]


def pages_of(layer: Layer, memory: Sequence, head: int, query: int) -> NDArray[np.int64]:
    """What a query head attends to: its choice, the page that was the last one then, and those opened since."""
    last = (len(memory) - 1) // layer.page
    return np.concatenate([memory.chosen[head][query], np.arange(memory.since, last + 1)])


def attend(layer: Layer, memory: Sequence, pages: list[list[NDArray[np.int64]]], q: Array) -> Array:
    """[H, G, D]: each query of a retrieval head over the tokens of its own pages; pages [H][G]."""
    output, query = np.zeros(q.shape), rotate(q, len(memory) - 1)
    for head, g in np.ndindex(*q.shape[:2]):
        rows = memory.retrieval.rows(tokens_of(pages[head][g], layer.page, len(memory)), head)
        output[head, g] = attention(query[head, g, None], *rows)[0]
    return output


def attend_streaming(layer: Layer, memory: Sequence, q: Array) -> Array:
    """[H, G, D]: the queries of streaming heads over the first and the last tokens."""
    length, output = len(memory), np.zeros(q.shape)
    seen = np.union1d(np.arange(min(layer.sink, length)), np.arange(max(length - layer.local, 0), length))
    query = rotate(q, length - 1)
    for head in range(len(q)):
        output[head] = attention(query[head], *memory.streaming.rows(seen, head))
    return output


def step(layer: Layer, memory: Sequence, token: Token, calls: int) -> tuple[Sequence, list, Array, Array]:
    """One decode step of one sequence, after `calls` others: the memory, the pages [H][G], both kinds' outputs."""
    memory = append(layer, memory, token)
    if calls % layer.interval == 0:
        choose(layer, memory, token.q)
    heads, group = token.q.shape[:2]
    pages = [[pages_of(layer, memory, head, g) for g in range(group)] for head in range(heads)]
    return memory, pages, attend(layer, memory, pages, token.q), attend_streaming(layer, memory, token.qs)
