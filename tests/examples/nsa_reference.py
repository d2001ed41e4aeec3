"""Native sparse attention in plain numpy, from the formulas of arXiv 2502.11089: a whole sequence, token by token.

Its loops follow the paper: blocks and tokens are Python lists, and nothing is kept from one token to the next but the
branches' keys and values of all tokens.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def weights_of(dims: Mapping[str, int], seed: int) -> dict[str, Array]:
    """Random weights by the names and shapes of nsa.mp, of float32 values, at which the numbers stay near 1."""
    rng = np.random.default_rng(seed)
    e, h, g, d, v, length, f = (dims[name] for name in "EHGDVLF")
    shapes = {
        "wq": ((h, g, d, e), e), "wo": ((e, h, g, v), h * g * v), "wk": ((3, h, d, e), e), "wv": ((3, h, v, e), e),
        "wg": ((3, h, g, e), e), "bg": ((3, h, g), 1), "place_k": ((h, length, d), 1), "place_v": ((h, length, v), 1),
        "k1": ((h, f, length, d), length * d), "k2": ((h, d, f), f),
        "v1": ((h, f, length, v), length * v), "v2": ((h, v, f), f),
    }  # fmt: skip
    return {
        name: (rng.normal(size=shape) * (2.0 / inputs) ** 0.5).astype(np.float32).astype(np.float64)
        for name, (shape, inputs) in shapes.items()
    }


def rotated(x: Array, position: int) -> Array:
    """Rotary position of the last axis: channel i is paired with channel i + half."""
    half = x.shape[-1] // 2
    angle = position * 10000.0 ** (-np.arange(half) / half)
    first, second = x[..., :half], x[..., half:]
    return np.concatenate([first * np.cos(angle) - second * np.sin(angle),
                           second * np.cos(angle) + first * np.sin(angle)], axis=-1)  # fmt: skip


def softmax(x: Array) -> Array:
    """Of a vector; of none, none."""
    powers = np.exp(x - x.max(initial=-np.inf))
    return np.asarray(powers / powers.sum())


def attention(query: Array, keys: Array, values: Array) -> tuple[Array, Array]:
    """What a query [D] sees of keys [n, D] and values [n, V], and by which weights [n]."""
    weights = softmax(keys @ query / np.sqrt(len(query)))
    return weights @ values, weights


def compressed(block: Array, place: Array, first: Array, second: Array) -> Array:
    """Equation 7: a block [L, D] with its places by two layers."""
    return np.asarray(second @ np.maximum(np.einsum("fld,ld->f", first, block + place), 0.0))


def importance(weights: Array, blocks: int, dims: Mapping[str, int]) -> Array:
    """Equation 9, with the paper's indices, which count from 1: of the blocks to select from, by a head's weights."""
    ratio, overlap = dims["S"] // dims["U"], dims["L"] // dims["U"]
    found = np.zeros(blocks)
    for j in range(1, blocks + 1):
        for m in range(ratio):
            for n in range(overlap):
                at = ratio * j - m - n
                if 1 <= at <= len(weights):
                    found[j - 1] += weights[at - 1]
    return found


def outputs(x: Array, weights: Mapping[str, Array], dims: Mapping[str, int]) -> tuple[Array, list[list[set[int]]]]:
    """Of a sequence [tokens, E]: what the layer gives [tokens, E], and the blocks selected by token and group."""
    heads, group = dims["H"], dims["G"]
    given, selected = [], []
    queries = np.einsum("te,hgde->thgd", x, weights["wq"])
    keys = np.einsum("te,ihde->ithd", x, weights["wk"])
    values = np.einsum("te,ihve->ithv", x, weights["wv"])
    gates = 1 / (1 + np.exp(-np.einsum("te,ihge->tihg", x, weights["wg"]) - weights["bg"]))
    turned = np.stack([rotated(keys[:, t], t) for t in range(len(x))], axis=1)
    for t in range(len(x)):
        o = np.zeros((heads, group, dims["V"]))
        picks = []
        for h in range(heads):
            starts = range(0, t + 1 - dims["L"] + 1, dims["U"])
            short_keys, short_values = (
                np.stack([
                    compressed(of[0, start : start + dims["L"], h], weights[place][h], weights[one][h], weights[two][h])
                    for start in starts
                ]) if len(starts) else np.zeros((0, of.shape[-1]))
                for of, place, one, two in ((keys, "place_k", "k1", "k2"), (values, "place_v", "v1", "v2"))
            )  # fmt: skip
            blocks = t // dims["S"] + 1
            scores = np.zeros(blocks)
            for g in range(group):
                seen, by = attention(queries[t, h, g], short_keys, short_values)
                o[h, g] += gates[t, 0, h, g] * seen
                scores += importance(by, blocks, dims)  # equation 10
            forced = {0, blocks - 1, max(blocks - 2, 0)}
            others = sorted(set(range(blocks)) - forced, key=lambda block: (-scores[block], block))
            kept = forced | set(others[: dims["K"] - len(forced)])
            tokens = [token for token in range(t + 1) if token // dims["S"] in kept]
            last = range(max(0, t + 1 - dims["W"]), t + 1)
            for g in range(group):
                query = rotated(queries[t, h, g], t)
                o[h, g] += gates[t, 1, h, g] * attention(query, turned[1, tokens, h], values[1, tokens, h])[0]
                o[h, g] += gates[t, 2, h, g] * attention(query, turned[2, last, h], values[2, last, h])[0]
            picks.append(kept)
        given.append(np.einsum("hgv,ehgv->e", o, weights["wo"]))
        selected.append(picks)
    return np.stack(given), selected
