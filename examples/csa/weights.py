"""An attention layer of a DeepSeek-V4 checkpoint as the weights of csa.mp."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def from_checkpoint(tensors: Mapping[str, Any], dims: Mapping[str, int]) -> dict[str, Array]:
    """A layer of compressed sparse attention by the names of csa.mp.

    tensors: by the library's names in a DeepseekV4Attention, torch's of any float dtype. dims: the program's.
    A head's channels with rotary position are its last in the checkpoint and its first in the program. Raises KeyError
    for a tensor that is missing."""

    def named(name: str) -> Array:
        return np.asarray(tensors[name].detach().cpu().float())

    def turned(array: Array, axis: int) -> Array:
        return np.roll(array, dims["P"], axis)

    width, rank, heads, size = dims["E"], dims["R"], dims["H"], dims["D"]
    made = {
        "wqa": named("q_a_proj.weight"),
        "gain_q": named("q_a_norm.weight"),
        "wqb": turned(named("q_b_proj.weight").reshape(heads, size, rank), 1),
        "wkv": turned(named("kv_proj.weight"), 0),
        "gain_kv": turned(named("kv_norm.weight"), 0),
        "wiq": turned(named("compressor.indexer.q_b_proj.weight").reshape(dims["I"], dims["F"], rank), 1),
        "wiw": named("compressor.indexer.scorer.weights_proj.weight"),
        "sink": named("sinks"),
        "woa": turned(named("o_a_proj.weight").reshape(dims["G"], dims["Q"], heads // dims["G"], size), 3),
        "wob": named("o_b_proj.weight").reshape(width, dims["G"], dims["Q"]),
    }
    for of, channels, values, logits, bias, gain in (
        ("compressor", size, "wc", "wz", "bias", "gain"),
        ("compressor.indexer", dims["F"], "wic", "wiz", "bias_i", "gain_i"),
    ):
        made[values] = turned(named(f"{of}.kv_proj.weight").reshape(2, channels, width), 1)
        made[logits] = turned(named(f"{of}.gate_proj.weight").reshape(2, channels, width), 1)
        made[bias] = turned(named(f"{of}.position_bias").reshape(dims["M"], 2, channels), 2)
        made[gain] = turned(named(f"{of}.kv_norm.weight"), 0)
    return {name: np.ascontiguousarray(array) for name, array in made.items()}
