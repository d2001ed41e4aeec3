"""Runs a random program compiled, under emulation, and compares every call with the twin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from hetc.compiler.driver import compile_source_file, write_directory
from hetc.runtime.program import HostProgram, load_program
from hetc.runtime.state import State
from hetc.source import SourceFile
from random_programs.data import Data
from random_programs.judge import Mismatch, compare_call, expectations
from random_programs.options import options_of
from random_programs.program import Program
from random_programs.spell import spell
from random_programs.tree import PACKED

THREADS = (1, 2, 5)
"""How many a processor runs, by the seed: fewer than its cores, as many, more."""
CODED = (*PACKED, "e8m0")
FP4 = [sign * value for sign in (1.0, -1.0) for value in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)]


def judge_on_devices(
    program: Program,
    pins: Mapping[str, str],
    directory: Path,
    platform: str = "mi210+u55c",
    calls: int | None = None,
) -> Mismatch | None:
    """Compile with these stages pinned, run every call on one state; the first difference from the twin.

    Raises DiagnosticError where the compiler refuses the program on these devices.
    """
    options = options_of(program, pins, platform)
    compilation = compile_source_file(SourceFile(f"random_{program.seed}.mp", spell(program)), options)
    write_directory(compilation, directory)
    data, expected = expectations(program, calls)
    threads = {"threads": THREADS[program.seed % len(THREADS)]}
    compiled = load_program(directory, "emulation", {"cpu": threads})
    state = _state(compiled, program, data)
    weights = {name: _stored(array) for name, array in data.weights.items()}
    for number, (call, twin) in enumerate(zip(data.calls, expected, strict=True)):
        given = {name: _stored(array) for name, array in call.inputs.items()}
        sizes = {name: size for name, size in call.sizes.items() if name in compiled.PIPELINE.dims}
        results = compiled.step(call.step.name)(state, sizes, **weights, **given)
        outputs = {name: _plain(results[name], program, name) for name in call.step.outputs}
        memories = {
            tensor.name: _values(state.read(tensor.name, as_stored=tensor.dtype in CODED), program, tensor.name)
            for tensor in program.memories
            if not tensor.dtype.startswith("sparse")
        }
        found = compare_call(program, number, twin, outputs, memories, state.lengths)
        if found is not None:
            return found
    return None


def _state(compiled: HostProgram, program: Program, data: Data) -> State:
    known = compiled.PIPELINE.state_dims
    state = compiled.new_state(
        **{dim: size for dim, size in {"B": data.batch, **data.capacity}.items() if dim in known}
    )
    for name, array in data.memories.items():
        dims = program.tensors[name].dims
        along = next((dim for dim in dims if dim in data.lengths), None)
        if along is None:
            state.load(name, _stored(array))
            continue
        lengths = np.array(data.lengths[along], np.int32)
        rows = np.take(array, range(int(lengths.max())), axis=dims.index(along))
        state.load(name, _stored(rows), lengths)
    state.set_lengths(**{dim: np.array(length, np.int32) for dim, length in data.lengths.items()})
    return state


def _plain(result: torch.Tensor, program: Program, name: str) -> np.ndarray:
    """numpy has no narrow floats: f32 holds them all."""
    return _values((result.float() if result.is_floating_point() else result).numpy(), program, name)


def _values(array: np.ndarray, program: Program, name: str) -> np.ndarray:
    """The values that bytes hold, the first of a byte's in its low bits; of what is no such bytes the array."""
    tensor = program.tensors[name]
    if tensor.dtype not in CODED:
        return array
    if tensor.dtype == "e8m0":
        return np.where(array == 255, np.nan, 2.0 ** (array.astype(float) - 127))
    bits = 4 if tensor.dtype in ("fp4", "i4", "u4") else 2
    size = program.dims[tensor.dims[-1]].size if tensor.dims else None
    places = 8 // bits if size else 1
    digits = np.stack([array // 2 ** (bits * place) % 2**bits for place in range(places)], axis=-1)
    flat = digits.reshape(*array.shape[:-1], array.shape[-1] * places)[..., :size] if size else digits[..., 0]
    if tensor.dtype == "fp4":
        return np.array(FP4)[flat]
    wide = flat.astype(np.int64)
    return wide - 2**bits * (wide >= 2 ** (bits - 1)) if tensor.dtype[0] == "i" else wide


def _stored(array: np.ndarray) -> np.ndarray:
    """As a caller would hand it over: f32, bool, i64 where the values need it, else i32."""
    if array.dtype.kind == "b":
        return array
    limits = np.iinfo(np.int32)
    wide = array.dtype.kind == "i" and array.size > 0 and (array.min() < limits.min or array.max() > limits.max)
    return array.astype(np.float32 if array.dtype.kind == "f" else np.int64 if wide else np.int32)
