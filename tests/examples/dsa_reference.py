"""DeepSeek sparse attention, one decode step of one layer, in plain numpy float64: written from the published formula.

Shares nothing with the compiler: its own rounding (by table), rotation, Hadamard matrix (scipy's), scales and ties.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import ml_dtypes
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import hadamard

Array = NDArray[np.float64]
FP8_LARGEST = 448.0
LEAST_AMAX = 1e-4


def _positive_values(dtype: type, bits: type) -> Array:
    """The finite values of a float type from 0 upwards: its codes in order."""
    codes = np.arange(2 ** (np.dtype(bits).itemsize * 8 - 1), dtype=bits)
    with np.errstate(invalid="ignore"):  # signalling NaNs turn quiet
        values = codes.view(dtype).astype(np.float64)
    return values[np.isfinite(values)]


_FP8 = _positive_values(ml_dtypes.float8_e4m3fn, np.uint8)
_BF16 = _positive_values(ml_dtypes.bfloat16, np.uint16)


def _nearest(x: Array, table: Array) -> Array:
    """Each value's nearest entry of the table, ties to the even code; past its end the largest. NaN stays."""
    magnitude = np.minimum(np.nan_to_num(np.abs(x), nan=0.0, posinf=table[-1]), table[-1])
    above = np.clip(np.searchsorted(table, magnitude), 1, len(table) - 1)
    middle = (table[above - 1] + table[above]) / 2
    up = (magnitude > middle) | ((magnitude == middle) & (above % 2 == 0))
    return np.where(np.isnan(x), np.nan, np.copysign(table[np.where(up, above, above - 1)], x))


def to_fp8(x: Array) -> Array:
    """The nearest e4m3fn values, saturating."""
    return _nearest(np.asarray(x, np.float64), _FP8)


def to_bf16(x: Array) -> Array:
    """The nearest bf16 values of finite numbers."""
    return _nearest(np.asarray(x, np.float64), _BF16)


def layer_norm(x: Array, gain: Array, bias: Array, epsilon: float) -> Array:
    """LayerNorm over the last axis, with the biased variance."""
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon) * gain + bias


def rotate_half(x: Array, position: int, frequencies: Array) -> Array:
    """RoPE on the first 2 * len(frequencies) channels, channel i paired with i + len(frequencies)."""
    pairs = len(frequencies)
    first, second, rest = x[..., :pairs], x[..., pairs : 2 * pairs], x[..., 2 * pairs :]
    cosine, sine = np.cos(position * frequencies), np.sin(position * frequencies)
    return np.concatenate([first * cosine - second * sine, second * cosine + first * sine, rest], axis=-1)


def rope_frequencies(dims: int, base: float = 10_000.0) -> Array:
    """Radians a position of each pair of channels."""
    return base ** (-np.arange(0, dims, 2) / dims)


def yarn_frequencies(
    dims: int, base: float, factor: float, original: int, beta_fast: float = 32.0, beta_slow: float = 1.0
) -> Array:
    """YaRN: pairs that turn fewer than beta_slow times in `original` positions are slowed by `factor`, those that
    turn more than beta_fast times are left, with a ramp between (arXiv 2309.00071)."""

    def pair_of(turns: float) -> float:
        return dims * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(base))

    low, high = max(math.floor(pair_of(beta_fast)), 0), min(math.ceil(pair_of(beta_slow)), dims - 1)
    ramp = np.clip((np.arange(dims // 2) - low) / (max(high - low, 0.001)), 0, 1)
    plain = rope_frequencies(dims, base)
    return plain / factor * ramp + plain * (1 - ramp)


def hadamard_rotation(dims: int) -> Array:
    """The orthonormal Hadamard matrix of a power of two."""
    return hadamard(dims).astype(np.float64) / math.sqrt(dims)


def quantize(x: Array) -> tuple[Array, Array]:
    """fp8 values and one scale for the last axis: the least power of two that holds max(amax, 1e-4) within 448."""
    largest = np.maximum(np.abs(x).max(-1), LEAST_AMAX)
    scale = 2.0 ** np.ceil(np.log2(largest / FP8_LARGEST))
    scale = np.where(scale * FP8_LARGEST < largest, 2 * scale, scale)  # where the logarithm was rounded down
    return to_fp8(x / scale[..., None]), scale


def best(scores: Array, count: int) -> NDArray[np.int64]:
    """Positions of the highest scores, equal ones by lower position, ascending; never NaN or -inf."""
    candidates = [t for t in range(len(scores)) if scores[t] > -np.inf]
    return np.array(sorted(sorted(candidates, key=lambda t: (-scores[t], t))[:count]), np.int64)


def softmax(x: Array) -> Array:
    """Over the last axis; of nothing, nothing."""
    if x.shape[-1] == 0:
        return x
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def attention_scale(head_dims: int, context: int, factor: float = 40.0, original: int = 4096) -> float:
    """head_dims^-0.5, times the square of mscale = 0.1 ln(factor) + 1 beyond the original context."""
    mscale = 0.1 * math.log(factor) + 1 if context > original else 1.0
    return head_dims**-0.5 * mscale**2


@dataclass
class Layer:
    """Weights and constants of one layer.

    wk [E, D], wq [R, H, D], ww [E, H]; gain, bias [D]; wuk [G, N, V] and wuv [G, V, N] expand a latent to keys and
    values. rotation: the Hadamard matrix [D, D]. frequencies: of the indexer's RoPE. count: tokens attended to.
    """

    wk: Array
    gain: Array
    bias: Array
    wq: Array
    ww: Array
    wuk: Array
    wuv: Array
    rotation: Array
    frequencies: Array
    count: int
    score_scale: float
    epsilon: float = 1e-6


@dataclass
class Sequence:
    """What one sequence remembers, a row a token: keys [T, D], scales [T], latents [T, C]."""

    keys: Array
    scales: Array
    latents: Array


@dataclass
class Token:
    """What a step computed for one sequence: index scores [T], the picked positions, the output [G, N]."""

    scores: Array
    picked: NDArray[np.int64]
    output: Array


def append_key(layer: Layer, memory: Sequence, x: Array, latent: Array) -> Sequence:
    """The memory with one more token: x [E], latent [C]."""
    position = len(memory.keys)
    key = layer_norm(x @ layer.wk, layer.gain, layer.bias, layer.epsilon)
    key, scale = quantize(rotate_half(key, position, layer.frequencies) @ layer.rotation)
    return Sequence(
        np.concatenate([memory.keys, key[None]]),
        np.concatenate([memory.scales, scale[None]]),
        np.concatenate([memory.latents, to_bf16(latent)[None]]),
    )


def index_scores(layer: Layer, memory: Sequence, x: Array, qr: Array) -> Array:
    """[T]: the lightning indexer. Head weights may be negative: they stand outside of the ReLU."""
    heads, dims = layer.wq.shape[1:]
    position = len(memory.keys) - 1
    query = np.einsum("r,rhd->hd", qr, layer.wq)
    query, query_scale = quantize(rotate_half(query, position, layer.frequencies) @ layer.rotation)
    weight = (x @ layer.ww) * heads**-0.5 * query_scale * dims**-0.5
    with np.errstate(invalid="ignore"):  # a planted infinity or NaN among the keys
        products = memory.keys @ query.T
        return memory.scales * (np.maximum(products, 0) * weight).sum(-1)


def attend(layer: Layer, memory: Sequence, picked: NDArray[np.int64], plain: Array, rotary: Array) -> Array:
    """[G, N]: latent attention over the picked tokens, head by head: keys and values are expanded, not absorbed.

    plain [G, N] and rotary [G, P] are the query's parts without and with position; a latent's last P channels are
    the token's rotary key."""
    heads, _, latent = layer.wuk.shape
    rows = memory.latents[picked]
    output = np.zeros((heads, layer.wuv.shape[2]))
    for head in range(heads):
        keys = np.concatenate([rows[:, :latent] @ layer.wuk[head].T, rows[:, latent:]], axis=1)
        query = np.concatenate([plain[head], rotary[head]])
        output[head] = softmax(keys @ query * layer.score_scale) @ (rows[:, :latent] @ layer.wuv[head])
    return output


def step(
    layer: Layer, memory: Sequence, x: Array, qr: Array, plain: Array, rotary: Array, latent: Array
) -> tuple[Sequence, Token]:
    """One decode step of one sequence: x [E], qr [R], plain [G, N], rotary [G, P], latent [V + P]."""
    memory = append_key(layer, memory, x, latent)
    scores = index_scores(layer, memory, x, qr)
    picked = best(scores, layer.count)
    return memory, Token(scores, picked, attend(layer, memory, picked, plain, rotary))
