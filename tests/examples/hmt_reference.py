"""Hierarchical memory transformer, what surrounds the backbone for one sequence, in plain numpy float64.

Written from the paper (arXiv 2405.06067): memory retrieval by cross attention from a segment's summary to the
embeddings of earlier segments, and the prompt that the backbone reads. Shares nothing with the compiler.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from tests.examples.dsa_reference import Array, softmax, to_bf16


@dataclass
class Sequence:
    """What one sequence remembers.

    bank: (embedding [E], key [H]) of earlier segments, oldest first, at most as many as it has slots. sensory
    [K, E]: the last embeddings of the previous segment; those that it did not have are 0.
    """

    bank: deque[tuple[Array, Array]]
    sensory: Array


def empty(slots: int, kept: int, width: int) -> Sequence:
    """Before the first segment."""
    return Sequence(deque(maxlen=slots), np.zeros((kept, width)))


def retrieve(memory: Sequence, summary: Array, wq: Array) -> Array:
    """[E]: softmax(q K^T / sqrt h) M with q = summary Wq; summary [E], wq [E, H]. Of an empty bank 0."""
    if not memory.bank:
        return np.zeros(len(summary))
    embeddings, keys = (np.stack(items) for items in zip(*memory.bank, strict=True))
    return softmax(keys @ (summary @ wq) / math.sqrt(wq.shape[1])) @ embeddings


def prompt(memory: Sequence, retrieved: Array, segment: Array) -> Array:
    """[1 + K + L + 1, E]: what is retrieved, the end of the previous segment, this one [L, E], what is retrieved."""
    return np.concatenate([retrieved[None], memory.sensory, segment, retrieved[None]])


def see(memory: Sequence, segment: Array) -> None:
    """The end of the segment is what the next one sees again."""
    kept = len(memory.sensory)
    padded = np.concatenate([np.zeros_like(memory.sensory), segment])
    memory.sensory = padded[-kept:]


def push(memory: Sequence, hidden: Array, wk: Array) -> None:
    """The backbone's hidden state [E] becomes the newest embedding, with its key hidden Wk [H]; the oldest goes."""
    memory.bank.append((to_bf16(hidden), to_bf16(hidden @ wk)))
