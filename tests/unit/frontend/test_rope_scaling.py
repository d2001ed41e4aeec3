"""Stretched rotary frequencies against those of the transformers library."""

from __future__ import annotations

import numpy as np
import pytest

from hetc.compiler.frontend import compile_source
from hetc.diagnostics import DiagnosticError
from hetc.dialects.mp import RopeOp
from hetc.source import SourceFile

CONTEXT = 8192
RULES = {
    "linear(4)": {"rope_type": "linear", "factor": 4.0},
    "yarn(factor=40, original=4096)": {
        "rope_type": "yarn", "factor": 40.0, "original_max_position_embeddings": 4096, "attention_factor": 1.0,
    },
    "yarn(8, 2048, beta_fast=16, beta_slow=2)": {
        "rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 2048, "attention_factor": 1.0,
        "beta_fast": 16.0, "beta_slow": 2.0,
    },
    "llama3(factor=8, original=CTX)": {
        "rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": CONTEXT, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
    },
}  # fmt: skip
PROGRAM = """
pipeline p:
    dim D = {dims}; dim CTX = 8192
    input x: f32[D]
    prepare:
        y[d] = rope[d](x[d], at=3, layout=half, base={base}, scaling={rule})
    output y
"""


def frequencies(rule: str, dims: int = 64, base: float = 10000.0) -> list[float]:
    module = compile_source(SourceFile("p.mp", PROGRAM.format(dims=dims, base=base, rule=rule)))
    (rope,) = (op for op in module.walk() if isinstance(op, RopeOp))
    return [item.value.data for item in rope.frequencies]


@pytest.mark.parametrize("base", [10000.0, 500000.0])
@pytest.mark.parametrize("dims", [64, 128])
@pytest.mark.parametrize("rule", RULES)
def test_frequencies(rule: str, dims: int, base: float) -> None:
    transformers = pytest.importorskip("transformers")
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    parameters = {**RULES[rule], "rope_theta": base}
    config = transformers.LlamaConfig(
        hidden_size=4 * dims, num_attention_heads=4, max_position_embeddings=131072, rope_parameters=parameters
    )
    expected, _ = ROPE_INIT_FUNCTIONS[parameters["rope_type"]](config, "cpu")
    np.testing.assert_allclose(frequencies(rule, dims, base), expected.numpy(), rtol=2e-6)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("2", "expected `scaling` to be a rule"),
        ("ntk(2)", "expected `scaling` to be a rule"),
        ("yarn(4)", "needs `original`"),
        ("linear(2, 3)", "takes 1 arguments"),
        ("linear(factor=0)", "must be above 0"),
        ("linear(2, factor=2)", "given twice"),
        ("linear(by=2)", "takes no argument `by`"),
        ("llama3(8, 100, low=4, high=2)", "`low` must be below `high`"),
        ("yarn(4, 100, beta_fast=1, beta_slow=32)", "`beta_slow` must be below `beta_fast`"),
    ],
)
def test_mistakes(rule: str, expected: str) -> None:
    with pytest.raises(DiagnosticError, match=expected):
        frequencies(rule)
