"""Runs a random program on the oracle, before or after passes, and compares every call's outputs with the twin."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from hetc.backends.reference import SparseMatrix, run_step
from hetc.compiler.driver import compile_source_file
from hetc.compiler.frontend import compile_source
from hetc.compiler.pipeline import flags_before
from hetc.compiler.report import pipeline_of
from hetc.passes.registry import load
from hetc.source import SourceFile
from random_programs.data import Data, Sizes
from random_programs.judge import Mismatch, compare_call, expectations
from random_programs.options import options_of
from random_programs.program import Program
from random_programs.spell import spell
from random_programs.tree import Tensor

Given = Mapping[str, Any]


class Result(Protocol):
    """What a call gives: outputs, memories as they are then, and whether it empties the rows along a growing dim."""

    outputs: Mapping[str, Any]
    memories: Mapping[str, Any]
    cleared: Mapping[str, Any]


Execute = Callable[[str, Given, Given, Given], Result]
"""A step's name, inputs and weights, memories, and live extents."""

NORMALIZE = flags_before("assigned")


def judge_with_oracle(program: Program, passes: Sequence[str] = (), calls: int | None = None) -> Mismatch | None:
    """The first difference between the oracle on the module after `passes` and the twin, over all calls.

    After explicit-presence no read may fall outside of its tensor: the oracle is strict then.
    Raises DiagnosticError where the front end refuses the program.
    """
    module = compile_source(SourceFile(f"random_{program.seed}.mp", spell(program)))
    for flag in passes:
        load(flag)().apply(Context(), module)
    module.verify()
    return judge_calls(program, module, _oracle(module, strict=bool(passes)), calls)


def judge_when_placed(program: Program, pins: Mapping[str, str], calls: int | None = None) -> Mismatch | None:
    """The same on the module whose statements are fused and cut into kernels for devices.

    Raises DiagnosticError where the compiler refuses the program on these devices."""
    source = SourceFile(f"random_{program.seed}.mp", spell(program))
    module = compile_source_file(source, options_of(program, pins, "mi210+u55c"), until="placed").placed
    return judge_calls(program, module, _oracle(module, strict=True), calls)


def _oracle(module: ModuleOp, strict: bool) -> Execute:
    """strict: no read may be out of range."""
    return lambda step, given, memories, dims: run_step(module, step, given, memories, dims, strict=strict)


def judge_calls(program: Program, module: ModuleOp, execute: Execute, calls: int | None = None) -> Mismatch | None:
    """The first difference between the twin and what `execute` gives of a step of the module, over all calls."""
    data, expected = expectations(program, calls)
    memories = _memories(program, data, module)
    lengths: dict[str, Any] = {dim: np.array(length) for dim, length in data.lengths.items()}
    for number, (call, twin) in enumerate(zip(data.calls, expected, strict=True)):
        rows = call.batch
        dims = {name: np.array(size[:rows]) if isinstance(size, list) else size for name, size in twin.extents.items()}
        result = execute(call.step.name, {**data.weights, **call.inputs}, memories, dims)
        memories.update(result.memories)
        lengths.update({dim: np.array(twin.extents[dim]) for dim in lengths})
        for dim, gone in result.cleared.items():
            live = lengths[dim][: gone.size] if gone.ndim else lengths[dim]
            rest = lengths[dim][gone.size :] if gone.ndim else lengths[dim][:0] if lengths[dim].ndim else None
            kept = np.where(gone, 0, live)
            lengths[dim] = kept if rest is None else np.concatenate([kept, rest])
            for tensor in program.memories:
                if tensor.dtype.startswith("sparse") and dim in tensor.dims and not lengths[dim].any():
                    memories[tensor.name] = _sparse(np.zeros(memories[tensor.name].shape, int), 0)
        dense = {tensor.name: np.asarray(memories[tensor.name]) for tensor in _dense(program)}
        found = compare_call(program, number, twin, result.outputs, dense, lengths)
        if found is not None:
            return found
    return None


def _dense(program: Program) -> list[Tensor]:
    return [tensor for tensor in program.memories if not tensor.dtype.startswith("sparse")]


def _memories(program: Program, data: Data, module: ModuleOp) -> dict[str, Any]:
    """What every memory of the module begins with, those that the front end adds included."""
    found: dict[str, Any] = {}
    sizes: Sizes = {**data.capacity, "B": data.batch}
    for name, declaration in pipeline_of(module).declarations.items():
        if declaration.role.data != "memory":
            continue
        tensor = program.tensors.get(name)
        if name in data.memories and tensor is not None:
            array = data.memories[name]
            sparse = tensor.dtype.startswith("sparse")
            found[name] = _sparse(array, data.lengths[tensor.dims[1]]) if sparse else array
            continue
        shape = [size if isinstance(size, int) else sizes[size] for size in declaration.type.decoded.shape]  # type: ignore[union-attr]
        start = 0 if tensor is None or isinstance(tensor.initial, str) else tensor.initial or 0
        found[name] = np.full(shape, start, float if tensor is not None and tensor.kind == "f" else int)
    return found


def _sparse(array: np.ndarray, length: int | list[int]) -> SparseMatrix:
    """A sparse memory as the oracle takes it: it stores nothing past its live columns."""
    assert isinstance(length, int)
    rows, columns = np.nonzero(array[:, :length])
    return SparseMatrix(len(array), array.shape[1], rows, columns, array[rows, columns])
