"""Mixture of block attention in plain numpy, from equations 2 to 6 of arXiv 2502.13189: a sequence, query by query.

A query's own block takes one of the `K` places, with a score above all; blocks after it are not to choose from.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def rotated(x: Array, position: int) -> Array:
    """Rotary position of the last axis, of base 500,000: channel i is paired with channel i + half."""
    half = x.shape[-1] // 2
    angle = position * 5e5 ** (-np.arange(half) / half)
    first, second = x[..., :half], x[..., half:]
    return np.concatenate([first * np.cos(angle) - second * np.sin(angle),
                           second * np.cos(angle) + first * np.sin(angle)], axis=-1)  # fmt: skip


def attend(q: Array, k: Array, v: Array, dims: Mapping[str, int]) -> tuple[Array, dict[tuple[int, int, int], set[int]]]:
    """Of a sequence, q [tokens, H, G, D] and k, v [tokens, H, D]: what each query gives, of q's shape, and the blocks
    that each attends to, by token, key-value head and query head in it."""
    size, tokens = dims["S"], len(q)
    turned = np.stack([rotated(k[t], t) for t in range(tokens)])
    given, kept = np.zeros(q.shape), {}
    for t in range(tokens):
        for h in range(dims["H"]):
            for g in range(dims["G"]):
                query = rotated(q[t, h, g], t)
                own = t // size
                gate = [query @ turned[b * size : (b + 1) * size, h].mean(axis=0) for b in range(own)] + [np.inf]
                blocks = set(np.argsort(-np.array(gate), kind="stable")[: dims["K"]].tolist())
                seen = [at for at in range(t + 1) if at // size in blocks]
                powers = np.exp(turned[seen, h] @ query / np.sqrt(len(query)))
                given[t, h, g] = powers / powers.sum() @ v[seen, h]
                kept[t, h, g] = blocks
    return given, kept
