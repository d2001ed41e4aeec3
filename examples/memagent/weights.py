"""A Qwen2 checkpoint as the weights of memagent.mp: int8 with a scale for each output channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = dict[str, NDArray[Any]]


def from_checkpoint(tensors: Mapping[str, Any], head_size: int = 128) -> Weights:
    """Tensors of a Qwen2ForCausalLM by their names, torch's of any float dtype; what memagent.mp declares, by its own.

    A matrix [out, in] becomes int8 codes and float32 scales [out]; a layer's tensors are stacked. Raises KeyError for
    a tensor that is missing."""
    layers = 1 + max(int(name.split(".")[2]) for name in tensors if name.startswith("model.layers."))

    def stacked(name: str) -> list[NDArray[np.float32]]:
        return [_array(tensors[f"model.layers.{layer}.{name}"]) for layer in range(layers)]

    heads = stacked("self_attn.k_proj.weight")[0].shape[0] // head_size
    width = _array(tensors["model.norm.weight"]).size
    by_head = {"wq": ("q_proj", (heads, -1, head_size)), "wk": ("k_proj", (heads, head_size)),
               "wv": ("v_proj", (heads, head_size))}  # fmt: skip
    made: Weights = {
        "gain1": np.stack(stacked("input_layernorm.weight")),
        "gain2": np.stack(stacked("post_attention_layernorm.weight")),
        "gain3": _array(tensors["model.norm.weight"])[None],
    }
    for name, (source, shape) in by_head.items():
        codes, scales = _quantized(stacked(f"self_attn.{source}.weight"))
        made[name] = codes.reshape(layers, *shape, width)
        made[f"{name}_scale"] = scales.reshape(layers, *shape)
        made[f"{name}_bias"] = np.stack(stacked(f"self_attn.{source}.bias")).reshape(layers, *shape)
    codes, made["wo_scale"] = _quantized(stacked("self_attn.o_proj.weight"))
    made["wo"] = codes.reshape(layers, width, heads, -1, head_size)
    for name in ("gate", "up", "down"):
        made[name], made[f"{name}_scale"] = _quantized(stacked(f"mlp.{name}_proj.weight"))
    for name, source in {"embed": "model.embed_tokens.weight", "head": "lm_head.weight"}.items():
        codes, scales = _quantized([_array(tensors[source])])
        made[name], made[f"{name}_scale"] = codes[0], scales[0]
    return made


def _array(tensor: Any) -> NDArray[np.float32]:
    return np.asarray(tensor.detach().cpu().float())


def _quantized(matrices: list[NDArray[np.float32]]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 codes [layers, out, in] and scales [layers, out]: the largest of a row becomes 127."""
    codes, scales = [], []
    for matrix in matrices:
        scale = np.abs(matrix).max(1) / np.float32(127)
        safe = np.where(scale > 0, scale, np.float32(1))
        codes.append(np.rint(matrix / safe[:, None]).astype(np.int8))
        scales.append(scale)
    return np.stack(codes), np.stack(scales)
