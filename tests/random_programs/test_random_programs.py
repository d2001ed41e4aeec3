"""Random programs: the front end, each normalising pass and the oracle against the printed twin."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from hetc.backends.reference import run_step
from hetc.compiler.frontend import compile_source
from hetc.passes.registry import load
from hetc.source import SourceFile
from random_programs.generate import generate
from random_programs.judge import Mismatch, compare, draw_data, twin_outputs
from random_programs.spell import spell
from random_programs.tree import Program

SEEDS = range(40)
NORMALIZE = ("explicit-presence", "expand-rope", "expand-quantize", "expand-softmax")


def judge_with_oracle(program: Program, seed: int, change: Callable[[ModuleOp], None], strict: bool) -> Mismatch | None:
    """The first difference between the oracle on the changed module and the twin, over all calls."""
    module = compile_source(SourceFile(f"random_{seed}.mp", spell(program)))
    change(module)
    module.verify()
    data = draw_data(program, seed)
    expected = twin_outputs(program, data)
    memories = dict(data.memories)
    for call, inputs in enumerate(data.calls):
        extents = data.extents(program, call)
        dims = {name: np.array(size) if isinstance(size, list) else size for name, size in extents.items()}
        result = run_step(module, f"random_{program.seed}", {**data.weights, **inputs}, memories, dims, strict=strict)
        memories.update(result.memories)  # type: ignore[arg-type]
        for name in program.outputs:
            found = compare(program, call, name, expected[call][name], result.outputs[name], extents)
            if found is not None:
                return found
    return None


@pytest.mark.parametrize("seed", SEEDS)
def test_the_oracle_agrees_with_the_twin(seed: int) -> None:
    assert judge_with_oracle(generate(seed), seed, lambda module: None, strict=False) is None


@pytest.mark.parametrize("seed", SEEDS)
def test_explicit_presence_and_expansions_keep_the_numbers(seed: int) -> None:
    """`strict`: after explicit-presence no read may fall outside of its tensor."""

    def normalize(module: ModuleOp) -> None:
        for flag in NORMALIZE:
            load(flag)().apply(Context(), module)

    assert judge_with_oracle(generate(seed), seed, normalize, strict=True) is None
