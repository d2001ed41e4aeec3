"""The layers of examples/indexer_shared as the transformers library has them: HYV4Model, a whole sequence at once."""
# ruff: noqa: E402

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from hetc.runtime.triton_interpreter import install

install()  # transformers imports Triton, which interprets kernels only if it was to from the beginning

from transformers.models.hy_v4.configuration_hy_v4 import HYV4Config
from transformers.models.hy_v4.modeling_hy_v4 import HYV4Model

from tests.examples.dsa_reference import Array


def model_of(dims: Mapping[str, int], seed: int) -> HYV4Model:
    """Layers of these sizes (the program's names) with random weights, and nothing behind them. In float32."""
    layers = dims["L"] * dims["M"]
    config = HYV4Config(
        vocab_size=8, pad_token_id=0, bos_token_id=1, eos_token_id=2, hidden_size=dims["E"], num_hidden_layers=layers,
        moe_intermediate_size=dims["F"], num_attention_heads=dims["G"], q_lora_rank=dims["R"],
        kv_lora_rank=dims["C"], qk_nope_head_dim=dims["N"], qk_rope_head_dim=dims["P"], v_head_dim=dims["V"],
        n_routed_experts=dims["X"], num_experts_per_tok=dims["J"], hc_mult=dims["S"], index_topk=dims["K"],
        index_n_heads=dims["H"], index_head_dim=dims["D"], mlp_layer_types=["sparse"] * layers,
        indexer_types=["shared" if layer % dims["M"] else "full" for layer in range(layers)],
        attn_implementation="eager",
        experts_implementation="eager",
    )  # fmt: skip
    model = HYV4Model(config).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            if "inv_freq" in name:
                continue
            near = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            scale = 0.5 if tensor.ndim == 1 else tensor.shape[-1] ** -0.5
            # The experts' limit of 10 is met, and what they give stays near 1.
            scale *= {"gate_up_proj": 6.0, "down_proj": 0.05}.get(name.split("mlp.experts.")[-1], 1.0)
            tensor.copy_(near + scale * torch.randn(tensor.shape, generator=generator))
    model.norm, model.hc_head = torch.nn.Identity(), torch.nn.Identity()
    return model


def outputs(model: HYV4Model, embeddings: Array) -> Array:
    """What the layers make of a sequence [tokens, hidden]: [tokens, streams, hidden]. Each token sees those before."""
    with torch.no_grad():
        given = torch.from_numpy(embeddings.astype(np.float32))[None]
        return np.asarray(model(inputs_embeds=given, use_cache=False).last_hidden_state[0])
