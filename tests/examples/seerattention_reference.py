"""SeerAttention-R, one decode step of one layer, in plain numpy float64: written from the paper's equations 1a to 1c.

Shares nothing with the compiler. Attention to the rows of the chosen blocks is compared with torch's elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.examples.dsa_reference import Array, best, rope_frequencies, rotate_half, softmax, to_bf16

ROPE_BASE = 1e6  # of Qwen3, in attention and in the gate


@dataclass
class Layer:
    """wq [H, G, D, C] and wk [H, 3 D, C]: the gate's projections for H key-value heads of G query heads. block: its
    tokens. count: blocks of the token budget, or None where a threshold decides."""

    wq: Array
    wk: Array
    block: int
    count: int | None
    threshold: float = 0.0


@dataclass
class Sequence:
    """What one sequence remembers: keys before the rotary embedding, keys after it and values [T, H, D], and the
    gate's key of each complete block [T // block, H, C]; all bf16."""

    plain: Array
    keys: Array
    values: Array
    gate: Array

    def __len__(self) -> int:
        return len(self.keys)


def rotate(x: Array, position: int) -> Array:
    """RoPE over all channels of the last axis."""
    return rotate_half(x, position, rope_frequencies(x.shape[-1], ROPE_BASE))


def gate_key(layer: Layer, plain: Array, first: int) -> Array:
    """[H, C] of one block, plain [block, H, D]: pooled, projected, rotated to the block's first position (1b)."""
    pooled = np.concatenate([plain.max(0), plain.min(0), plain.mean(0)], axis=-1)
    return rotate(np.einsum("hi,hic->hc", pooled, layer.wk), first)


def append(layer: Layer, memory: Sequence, k: Array, v: Array) -> Sequence:
    """The memory with one more token, k and v [H, D], and with the gate's key of the block that it completes."""
    plain = np.concatenate([memory.plain, to_bf16(k)[None]])
    keys = np.concatenate([memory.keys, to_bf16(rotate(k, len(memory)))[None]])
    values = np.concatenate([memory.values, to_bf16(v)[None]])
    gate = memory.gate
    if len(keys) % layer.block == 0:
        made = gate_key(layer, plain[-layer.block :], len(keys) - layer.block)
        gate = np.concatenate([gate, to_bf16(made)[None]])
    return Sequence(plain, keys, values, gate)


def gate_query(layer: Layer, q: Array, position: int) -> Array:
    """[H, C]: one query for the G heads of each group, q [H, G, D] before the rotary embedding (1a)."""
    return rotate(np.einsum("hgd,hgdc->hc", q, layer.wq), position)


def logits(layer: Layer, memory: Sequence, q: Array) -> Array:
    """[H, complete blocks]: what the softmax is taken of (1c)."""
    query = gate_query(layer, q, len(memory) - 1)
    return np.einsum("hc,nhc->hn", query, memory.gate) / np.sqrt(query.shape[-1])


def scores(layer: Layer, memory: Sequence, q: Array) -> Array:
    """[H, complete blocks]: the gate's output S, which sums to 1 in each head (1c)."""
    return softmax(logits(layer, memory, q))


def chosen(layer: Layer, of_head: Array) -> NDArray[np.int64]:
    """The blocks that a head's scores choose, ascending (section 3.1)."""
    if layer.count is not None:
        return best(of_head, layer.count)
    return np.flatnonzero(of_head > layer.threshold)


def attend(layer: Layer, memory: Sequence, blocks: list[NDArray[np.int64]], q: Array) -> Array:
    """[H, G, D]: each group's heads attend to the tokens of its blocks; q [H, G, D] before the rotary embedding."""
    output = np.zeros(q.shape)
    rotated = rotate(q, len(memory) - 1)
    for head, own in enumerate(blocks):
        rows = tokens_of(own, layer.block, len(memory))
        output[head] = attention(rotated[head], memory.keys[rows, head], memory.values[rows, head])
    return output


def step(layer: Layer, memory: Sequence, q: Array, k: Array, v: Array) -> tuple[Sequence, list, Array]:
    """One decode step of one sequence: the memory, each head's blocks (the last one among them), the output."""
    memory = append(layer, memory, k, v)
    last = (len(memory) - 1) // layer.block
    blocks = [np.union1d(chosen(layer, of_head), [last]) for of_head in scores(layer, memory, q)]
    return memory, blocks, attend(layer, memory, blocks, q)


def tokens_of(blocks: NDArray[np.int64], size: int, length: int) -> NDArray[np.int64]:
    """Positions below `length` of the tokens of these blocks."""
    tokens = (np.asarray(blocks)[:, None] * size + np.arange(size)).reshape(-1)
    return tokens[tokens < length]


def attention(q: Array, keys: Array, values: Array) -> Array:
    """[G, D]: queries [G, D] attend to rows [n, D]."""
    return softmax(q @ keys.T / np.sqrt(q.shape[-1])) @ values
