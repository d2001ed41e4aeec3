"""The attention of a GLM-5.3-Flash checkpoint's layer as the weights of indexer_pooled.mp."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

PLAIN = {
    "wqa": "q_a_proj.weight",
    "gain_q": "q_a_layernorm.weight",
    "wkv": "kv_a_proj_with_mqa.weight",
    "gain_kv": "kv_a_layernorm.weight",
    "wik": "indexer.wk.weight",
    "wiw": "indexer.weights_proj.weight",
    "gamma": "indexer.k_norm.weight",
    "beta": "indexer.k_norm.bias",
    "wg": "indexer.index_kpool_compress_gate",
    "place": "indexer.index_kpool_compress_ape",
}
"""What lies in the checkpoint as in the program."""


def from_checkpoint(tensors: Mapping[str, Any], dims: Mapping[str, int]) -> dict[str, Array]:
    """A layer's attention, by the names of indexer_pooled.mp.

    tensors: by the library's names behind `self_attn.`, torch's of any float dtype; the layer has an indexer. dims: the
    program's. Raises KeyError for a tensor that is missing."""

    def named(name: str, *shape: int) -> Array:
        values = np.asarray(tensors[name].detach().cpu().float())
        return values.reshape(shape) if shape else values

    heads, key, value, latent, width = (dims[name] for name in "GNVCE")
    made = {name: named(source) for name, source in PLAIN.items()}
    made["wqb"] = named("q_b_proj.weight", heads, key, dims["R"])
    expand = named("kv_b_proj.weight", heads, key + value, latent)
    made["wuk"], made["wuv"] = expand[:, :key], expand[:, key:]
    made["wo"] = named("o_proj.weight", width, heads, value)
    made["wiq"] = named("indexer.wq_b.weight", dims["H"], dims["D"], dims["R"])
    return {name: np.ascontiguousarray(array) for name, array in made.items()}
