"""Layers of a Hy4 checkpoint as the weights of indexer_shared.mp."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

PLAIN = {
    "gain_q": "self_attn.q_a_layernorm.weight",
    "gain_kv": "self_attn.kv_a_layernorm.weight",
    "wqa": "self_attn.q_a_proj.weight",
    "sink": "self_attn.sinks",
    "router": "mlp.gate.weight",
    "bias": "mlp.gate.e_score_correction_bias",
    "down": "mlp.experts.down_proj",
    "gate_all": "mlp.shared_experts.gate_proj.weight",
    "up_all": "mlp.shared_experts.up_proj.weight",
    "down_all": "mlp.shared_experts.down_proj.weight",
}
"""What lies in the checkpoint as in the program, a layer after another."""


def from_checkpoint(tensors: Mapping[str, Any], first: int, dims: Mapping[str, int]) -> dict[str, Array]:
    """L * M layers of a HYV4Model from layer `first` on, by the names of indexer_shared.mp.

    tensors: by the library's names, torch's of any float dtype. The first of each M layers has an indexer, all have
    experts. dims: the program's. Raises KeyError for a tensor that is missing."""
    groups, layers = dims["L"], dims["M"]
    heads, plain, turned, latent, width = (dims[name] for name in "GNPCE")

    def named(layer: int, name: str) -> Array:
        return np.asarray(tensors[f"layers.{first + layer}.{name}"].detach().cpu().float())

    def stacked(name: str, *shape: int) -> Array:
        rows = np.stack([named(layer, name) for layer in range(groups * layers)])
        return rows.reshape(groups, layers, *(shape or rows.shape[1:]))

    def both(attention: str, experts: str, *shape: int) -> Array:
        return np.stack([stacked(attention, *shape), stacked(experts, *shape)], axis=2)

    def of_indexers(name: str) -> Array:
        return np.stack([named(group * layers, f"self_attn.indexer.{name}") for group in range(groups)])

    made = {name: stacked(source) for name, source in PLAIN.items()}
    query = stacked("self_attn.q_b_proj.weight", heads, plain + turned, dims["R"])
    made["wqb"], made["wqr"] = query[:, :, :, :plain], query[:, :, :, plain:]
    key_value = stacked("self_attn.kv_a_proj_with_mqa.weight")
    made["wkv"], made["wkr"] = key_value[:, :, :latent], key_value[:, :, latent:]
    expand = stacked("self_attn.kv_b_proj.weight", heads, plain + dims["V"], latent)
    made["wuk"], made["wuv"] = expand[:, :, :, :plain], expand[:, :, :, plain:]
    made["wg"] = stacked("self_attn.gate_proj.weight", heads, dims["V"], width)
    made["wo"] = stacked("self_attn.o_proj.weight", width, heads, dims["V"])
    experts = stacked("mlp.experts.gate_up_proj")
    made["gate"], made["up"] = experts[:, :, :, : dims["F"]], experts[:, :, :, dims["F"] :]
    made["mix"] = both("attn_hc.fn", "ffn_hc.fn", 2 * dims["S"], dims["S"], width)
    made["base"] = both("attn_hc.base", "ffn_hc.base")
    made["scale"] = both("attn_hc.scale", "ffn_hc.scale")
    made["gain"] = both("input_layernorm.weight", "post_attention_layernorm.weight")
    # The indexer's channels with rotary position are its last in the checkpoint and its first in the program.
    made["wiq"] = np.roll(of_indexers("wq_b.weight").reshape(groups, dims["H"], dims["D"], dims["R"]), turned, 2)
    made["wik"] = np.roll(of_indexers("wk.weight"), turned, 1)
    made["wiw"] = of_indexers("weights_proj.weight")
    made["gamma"] = np.roll(of_indexers("k_norm.weight"), turned, 1)
    made["beta"] = np.roll(of_indexers("k_norm.bias"), turned, 1)
    return {name: np.ascontiguousarray(array) for name, array in made.items()}
