"""The attention of examples/csa as the transformers library has it: DeepseekV4Attention, a whole sequence at once."""
# ruff: noqa: E402

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from hetc.runtime.triton_interpreter import install

install()  # transformers imports Triton, which interprets kernels only if it was to from the beginning

from transformers.models.deepseek_v4.configuration_deepseek_v4 import DeepseekV4Config
from transformers.models.deepseek_v4.modeling_deepseek_v4 import DeepseekV4Attention, DeepseekV4RotaryEmbedding

from tests.examples.dsa_reference import Array


def layer_of(dims: Mapping[str, int], seed: int) -> DeepseekV4Attention:
    """A layer of these sizes (the program's names) with random weights, in float32."""
    config = DeepseekV4Config(
        hidden_size=dims["E"], num_hidden_layers=1, num_attention_heads=dims["H"], head_dim=dims["D"],
        q_lora_rank=dims["R"], qk_rope_head_dim=dims["P"], sliding_window=dims["W"],
        layer_types=["compressed_sparse_attention"],
        compress_rates={"compressed_sparse_attention": dims["M"], "heavily_compressed_attention": 128},
        index_n_heads=dims["I"], index_head_dim=dims["F"], index_topk=dims["K"], o_groups=dims["G"],
        o_lora_rank=dims["Q"], attn_implementation="eager",
        rope_parameters={
            "rope_type": "yarn", "factor": 16.0, "original_max_position_embeddings": 65536, "beta_fast": 32.0,
            "beta_slow": 1.0,
        },
    )  # fmt: skip
    layer = DeepseekV4Attention(config, 0).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in layer.named_parameters():
            near = 1.0 if name.endswith("norm.weight") else 0.0
            scale = 0.3 if weight.ndim == 1 or name.endswith("bias") else 1.5 * weight.shape[-1] ** -0.5
            weight.copy_(near + scale * torch.randn(weight.shape, generator=generator))
    return layer


def outputs(layer: DeepseekV4Attention, x: Array) -> Array:
    """What the layer makes of a sequence [tokens, hidden]: the same shape; each token sees those before it."""
    tokens = len(x)
    with torch.no_grad():
        given = torch.from_numpy(x.astype(np.float32))[None]
        at = torch.arange(tokens)
        rotary = DeepseekV4RotaryEmbedding(layer.config)
        turned = {kind: rotary(given, position_ids=at[None], layer_type=kind) for kind in ("main", "compress")}
        seen = (at[None] <= at[:, None]) & (at[None] > at[:, None] - layer.sliding_window)
        mask = torch.zeros(tokens, tokens).masked_fill(~seen, float("-inf"))[None, None]
        return np.asarray(layer(given, turned, at[None], mask)[0][0])
