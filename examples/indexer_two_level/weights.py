"""Attention layers of a DeepSeek-V4.1 checkpoint as the weights of indexer_two_level.mp."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def from_checkpoint(layers: Sequence[Mapping[str, Any]], dims: Mapping[str, int]) -> dict[str, Array]:
    """The layers by the names of indexer_two_level.mp.

    layers: first the one that makes the keys and finds the candidates, then those that look in them, in their order. Of
    each its `attn_norm.weight` and its attention's tensors by the names of NeMo AutoModel's DeepseekV41Attention, those
    of torch of any float dtype. dims: the program's.
    A head's channels with rotary position are its last in the checkpoint and its first in the program. Raises KeyError
    for a tensor that is missing."""

    def named(layer: Mapping[str, Any], name: str) -> Array:
        return np.asarray(layer[name].detach().cpu().float())

    def each(name: str, *shape: int) -> Array:
        """Of all layers; the one that finds the candidates is the last in the program."""
        arrays = np.stack([named(layer, name) for layer in (*layers[1:], layers[0])])
        return arrays.reshape(len(layers), *shape) if shape else arrays

    def turned(array: Array, axis: int) -> Array:
        return np.roll(array, dims["P"], axis)

    width, rank, heads, size, groups = (dims[name] for name in "ERHDG")
    made = {
        "gain": each("attn_norm.weight"),
        "wqa": each("wq_a.weight"),
        "gain_q": each("q_norm.weight"),
        "wqb": turned(each("wq_b.weight", heads, size, rank), 2),
        "wkv": turned(each("wkv.weight"), 1),
        "gain_kv": turned(each("kv_norm.weight"), 1),
        "sink": each("attn_sink"),
        "woa": turned(each("wo_a.weight", groups, dims["Q"], heads // groups, size), 4),
        "wob": each("wo_b.weight", width, groups, dims["Q"]),
        "wiq": turned(each("indexer.wq_b.weight", dims["I"], dims["F"], rank), 2),
        "wiw": each("indexer.weights_proj.weight"),
        "wc": turned(named(layers[0], "compressor.wkv.weight"), 0),
        "gain_c": turned(named(layers[0], "compressor.norm.weight"), 0),
        "wik": turned(turned(named(layers[0], "indexer.wk.weight"), 0), 1),
        "gain_k": turned(named(layers[0], "indexer.k_norm.weight"), 0),
    }
    return {name: np.ascontiguousarray(array) for name, array in made.items()}
