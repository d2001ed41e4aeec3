"""The layer of examples/indexer_pooled as the transformers library has it: Glm5NextTextAttention, a whole sequence."""
# ruff: noqa: E402

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from hetc.runtime.triton_interpreter import install

install()  # transformers imports Triton, which interprets kernels only if it was to from the beginning

from transformers.models.glm5_next.configuration_glm5_next import Glm5NextTextConfig
from transformers.models.glm5_next.modeling_glm5_next import Glm5NextTextAttention

from tests.examples.dsa_reference import Array


def layer_of(dims: Mapping[str, int], seed: int) -> Glm5NextTextAttention:
    """The attention of these sizes (the program's names) with random weights, in float32."""
    config = Glm5NextTextConfig(
        vocab_size=8, hidden_size=dims["E"], num_hidden_layers=1, num_attention_heads=dims["G"],
        num_key_value_heads=dims["G"], q_lora_rank=dims["R"], kv_lora_rank=dims["C"], qk_nope_head_dim=dims["N"],
        qk_rope_head_dim=0, v_head_dim=dims["V"], index_n_heads=dims["H"], index_head_dim=dims["D"],
        index_topk=dims["K"] * dims["M"], index_kpool=dims["M"], indexer_types=["full"],
    )  # fmt: skip
    config._attn_implementation = "eager"
    layer = Glm5NextTextAttention(config, 0).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in layer.named_parameters():
            near = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            scale = 0.5 if tensor.ndim == 1 else 1.5 * tensor.shape[-1] ** -0.5
            tensor.copy_(near + scale * torch.randn(tensor.shape, generator=generator))
    return layer


def outputs(layer: Glm5NextTextAttention, rows: Array) -> Array:
    """What the layer makes of a sequence [tokens, hidden]: [tokens, hidden]. Each token sees those before."""
    with torch.no_grad():
        given = torch.from_numpy(rows.astype(np.float32))[None]
        mask = torch.ones(given.shape[:2], dtype=torch.bool)
        return np.asarray(layer(hidden_states=given, attention_mask=mask)[0][0])
