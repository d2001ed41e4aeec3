"""The layers of examples/decoder as the transformers library has them: DeepseekV32Model, a whole sequence at once."""
# ruff: noqa: E402

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from hetc.runtime.triton_interpreter import install

install()  # transformers imports Triton, which interprets kernels only if it was to from the beginning

from transformers import DeepseekV32Config, DeepseekV32Model

from tests.examples.dsa_reference import Array


def model_of(dims: Mapping[str, int], seed: int) -> DeepseekV32Model:
    """Layers of these sizes (the program's names) with random weights, and nothing behind them. In float32."""
    config = DeepseekV32Config(
        vocab_size=8, hidden_size=dims["E"], intermediate_size=dims["F"], num_hidden_layers=dims["L"],
        num_attention_heads=dims["G"], num_key_value_heads=dims["G"], q_lora_rank=dims["R"], kv_lora_rank=dims["C"],
        qk_nope_head_dim=dims["N"], qk_rope_head_dim=dims["P"], v_head_dim=dims["V"], index_topk=dims["K"],
        index_n_heads=dims["H"], index_head_dim=dims["D"], first_k_dense_replace=dims["L"],
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0}, rms_norm_eps=1e-6,
        attn_implementation="eager",
    )  # fmt: skip
    model = DeepseekV32Model(config).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            near = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            scale = 0.2 if weight.ndim == 1 else weight.shape[-1] ** -0.5
            weight.copy_(near + scale * torch.randn(weight.shape, generator=generator))
    model.norm = torch.nn.Identity()
    return model


def outputs(model: DeepseekV32Model, embeddings: Array) -> Array:
    """What the layers make of a sequence [tokens, hidden]: the same shape; each token sees those before it."""
    with torch.no_grad():
        given = torch.from_numpy(embeddings.astype(np.float32))[None]
        return np.asarray(model(inputs_embeds=given, use_cache=False).last_hidden_state[0])
