"""A DeepSeek-V3.2 checkpoint as the weights of decoder.mp."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = dict[str, NDArray[np.float32]]

PLAIN = {
    "gain": "input_layernorm.weight",
    "gain_mlp": "post_attention_layernorm.weight",
    "gain_q": "self_attn.q_a_layernorm.weight",
    "gain_kv": "self_attn.kv_a_layernorm.weight",
    "wqa": "self_attn.q_a_proj.weight",
    "wik": "self_attn.indexer.wk.weight",
    "wiw": "self_attn.indexer.weights_proj.weight",
    "gamma": "self_attn.indexer.k_norm.weight",
    "beta": "self_attn.indexer.k_norm.bias",
    "gate": "mlp.gate_proj.weight",
    "up": "mlp.up_proj.weight",
    "down": "mlp.down_proj.weight",
}
"""What lies in the checkpoint as in the program: [out, in], a layer after another."""


def from_checkpoint(tensors: Mapping[str, Any], layers: int, dims: Mapping[str, int]) -> Weights:
    """The first layers of a DeepseekV32Model, whose MLPs must be dense, by the names of decoder.mp.

    tensors: by the library's names, torch's of any float dtype. dims: the program's. Raises KeyError for a tensor that
    is missing."""

    def stacked(name: str) -> NDArray[np.float32]:
        return np.stack([_array(tensors[f"layers.{layer}.{name}"]) for layer in range(layers)])

    made = {name: stacked(source) for name, source in PLAIN.items()}
    heads, plain, latent, width = dims["G"], dims["N"], dims["C"], dims["E"]
    query = stacked("self_attn.q_b_proj.weight").reshape(layers, heads, plain + dims["P"], dims["R"])
    made["wqb"], made["wqr"] = query[:, :, :plain], query[:, :, plain:]
    key_value = stacked("self_attn.kv_a_proj_with_mqa.weight")
    made["wkv"], made["wkr"] = key_value[:, :latent], key_value[:, latent:]
    expand = stacked("self_attn.kv_b_proj.weight").reshape(layers, heads, plain + dims["V"], latent)
    made["wuk"], made["wuv"] = expand[:, :, :plain], expand[:, :, plain:]
    made["wo"] = stacked("self_attn.o_proj.weight").reshape(layers, width, heads, dims["V"])
    made["wiq"] = stacked("self_attn.indexer.wq_b.weight").reshape(layers, dims["H"], dims["D"], dims["R"])
    return {name: np.ascontiguousarray(array) for name, array in made.items()}


def _array(tensor: Any) -> NDArray[np.float32]:
    return np.asarray(tensor.detach().cpu().float())
