"""The model of examples/memagent as the transformers library has it, Qwen2ForCausalLM, and the agent's loop over it.

A whole sequence goes through the model at once: there is no memory of keys and values here, and no step. Everything is
float64 (the library's norms and rotary angles are float32 otherwise); where asked, what the program rounds to bf16 is.
"""
# ruff: noqa: E402

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from hetc.runtime.triton_interpreter import install

install()  # transformers imports Triton, which interprets kernels only if it was to from the beginning

from transformers import AttentionInterface, AttentionMaskInterface, Qwen2Config, Qwen2ForCausalLM
from transformers.masking_utils import eager_mask
from transformers.models.qwen2.modeling_qwen2 import Qwen2RMSNorm, Qwen2RotaryEmbedding, repeat_kv

from tests.examples.dsa_reference import Array

Tokens = Sequence[int]


def to_bf16(x: torch.Tensor) -> torch.Tensor:
    """The nearest value of 8 significant bits, as float64. torch rounds twice on this way, to f32 first."""
    mantissa, exponent = torch.frexp(x)
    return torch.ldexp(torch.round(mantissa * 256) / 256, exponent)


class Norm(Qwen2RMSNorm):
    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        variance = hidden_states.pow(2).mean(-1, keepdim=True)
        return self.weight * hidden_states * torch.rsqrt(variance + self.variance_epsilon)


class Rotary(Qwen2RotaryEmbedding):
    def forward(self, x: torch.Tensor, position_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        size = 2 * self.inv_freq.shape[0]
        frequencies = self.config.rope_parameters["rope_theta"] ** (-torch.arange(0, size, 2, dtype=x.dtype) / size)
        angles = position_ids[..., None].to(x.dtype) * frequencies
        angles = torch.cat([angles, angles], -1)
        return angles.cos(), angles.sin()


def rounded_attention(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, scaling: float,
    **_: object,
) -> tuple[torch.Tensor, None]:  # fmt: skip
    """The library's eager attention with queries, keys, values, probabilities and outputs of bf16."""
    keys, values = (repeat_kv(to_bf16(x), module.num_key_value_groups) for x in (key, value))
    scores = to_bf16(query) @ keys.transpose(2, 3) * scaling + mask
    outputs = to_bf16(to_bf16(torch.softmax(scores, -1)) @ values)
    return outputs.transpose(1, 2).contiguous(), None


AttentionInterface.register("rounded", rounded_attention)
AttentionMaskInterface.register("rounded", eager_mask)


def model_of(dims: dict[str, int], state: dict[str, torch.Tensor], rounds: bool) -> Qwen2ForCausalLM:
    """A model of these sizes (the program's names) and weights. rounds: to bf16, where the program does."""
    config = Qwen2Config(
        vocab_size=dims["V"], hidden_size=dims["E"], intermediate_size=dims["F"], num_hidden_layers=dims["L"],
        num_attention_heads=dims["H"] * dims["G"], num_key_value_heads=dims["H"], head_dim=dims["D"],
        rope_parameters={"rope_type": "default", "rope_theta": 1e6}, rms_norm_eps=1e-6, tie_word_embeddings=False,
        attn_implementation="rounded" if rounds else "eager",
    )  # fmt: skip
    model = Qwen2ForCausalLM(config).double().eval()
    model.load_state_dict(state)
    return model


def in_double(model: Qwen2ForCausalLM, rounds: bool) -> Qwen2ForCausalLM:
    """The model with its norms and rotary angles in float64, and with the roundings that are not in its attention."""
    model.model.rotary_emb = Rotary(model.config)
    owners: list[tuple[torch.nn.Module, str]] = [(model.model, "norm")]
    for layer in model.model.layers:
        owners += [(layer, "input_layernorm"), (layer, "post_attention_layernorm")]
        if rounds:
            layer.mlp.down_proj.register_forward_pre_hook(lambda _, given: (to_bf16(given[0]),))
    for owner, name in owners:
        old = getattr(owner, name)
        norm = Norm(len(old.weight), old.variance_epsilon).double()
        norm.weight = old.weight
        if rounds:
            norm.register_forward_hook(lambda _, given, made: to_bf16(made))
        setattr(owner, name, norm)
    return model


@torch.no_grad()
def logits(model: Qwen2ForCausalLM, tokens: Tokens) -> Array:
    """[tokens, V]: the scores of what follows each token, by one run over all of them, at least one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # for matrices this small, several threads wait for each other
    try:
        return np.asarray(model(torch.tensor([list(tokens)]), use_cache=False).logits[0])
    finally:
        torch.set_num_threads(threads)


def written(model: Qwen2ForCausalLM, prompt: Tokens, limit: int, end: int, gaps: list[float]) -> list[int]:
    """What the model writes behind a prompt: the likeliest token each time, without the one that ends it. `gaps`
    collects by how much the likeliest scored more than the next one."""
    made: list[int] = []
    while len(made) < limit:
        scores = logits(model, [*prompt, *made])[-1]
        second, best = np.argsort(scores)[-2:]
        gaps.append(float(scores[best] - scores[second]))
        if best == end:
            break
        made.append(int(best))
    return made


def answer(
    model: Qwen2ForCausalLM,
    prompt: Callable[[Tokens, Tokens, Tokens | None], Tokens],
    problem: Tokens,
    text: Tokens,
    *,
    chunk: int,
    limit: int,
    end: int,
    gaps: list[float],
) -> list[int]:
    """The agent: read the text chunk by chunk, each time writing the memory anew, then answer from the memory."""
    memory: list[int] = []
    for start in range(0, len(text), chunk):
        memory = written(model, prompt(problem, memory, text[start : start + chunk]), limit, end, gaps)
    return written(model, prompt(problem, memory, None), limit, end, gaps)
