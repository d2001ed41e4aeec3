"""Runs a random program on the oracle, before or after passes, and compares every call's outputs with the twin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.context import Context

from hetc.backends.reference import SparseMatrix, run_step
from hetc.compiler.frontend import compile_source
from hetc.passes.registry import load
from hetc.source import SourceFile
from random_programs.judge import Data, Mismatch, compare, draw_data, twin_outputs
from random_programs.spell import spell
from random_programs.tree import Program

NORMALIZE = ("explicit-presence", "expand-rope", "expand-quantize", "expand-softmax", "expand-update")


def judge_with_oracle(program: Program, passes: Sequence[str] = (), calls: int | None = None) -> Mismatch | None:
    """The first difference between the oracle on the module after `passes` and the twin, over all calls.

    After explicit-presence no read may fall outside of its tensor: the oracle is strict then.
    Raises DiagnosticError where the front end refuses the program.
    """
    module = compile_source(SourceFile(f"random_{program.seed}.mp", spell(program)))
    for flag in passes:
        load(flag)().apply(Context(), module)
    module.verify()
    data = draw_data(program, program.seed, calls)
    expected = twin_outputs(program, data)
    memories = {name: oracle_memory(program, data, name, array) for name, array in data.memories.items()}
    for call, inputs in enumerate(data.calls):
        extents = data.extents(program, call)
        dims = {name: np.array(size) if isinstance(size, list) else size for name, size in extents.items()}
        given = {**data.weights, **inputs}
        result = run_step(module, f"random_{program.seed}", given, memories, dims, strict=bool(passes))
        memories.update(result.memories)  # type: ignore[arg-type]
        for name in program.outputs:
            found = compare(program, call, name, expected[call][name], result.outputs[name], extents)
            if found is not None:
                return found
    return None


def oracle_memory(program: Program, data: Data, name: str, array: np.ndarray) -> np.ndarray | SparseMatrix:
    """A memory's contents as the oracle takes them. A sparse memory stores nothing past its live columns."""
    if not program.tensors[name].dtype.startswith("sparse"):
        return array
    length = array.shape[1]
    rows, columns = np.nonzero(array[:, : data.lengths[program.tensors[name].dims[1]]])
    return SparseMatrix(len(array), length, rows, columns, array[rows, columns])
