"""Random programs placed on the GPU as a whole: each kernel on the oracle's operands, against the oracle's results."""

from __future__ import annotations

import numpy as np
import pytest
from random_programs.generate import generate
from random_programs.oracle import Given, judge_calls
from random_programs.spell import spell
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr

from hetc.backends.reference import StepResult, run_kernel, run_step
from hetc.backends.reference.environment import Environment, complete
from hetc.compiler.frontend import compile_source
from hetc.compiler.pipeline import flags_before
from hetc.dialects.mp import PipelineOp, TensorType, dtype_name
from hetc.dialects.task import KernelOp
from hetc.numerics import dtype_of
from hetc.numerics.tolerance import tolerance
from hetc.passes.partition.outline import statements_of
from hetc.passes.registry import load
from hetc.source import SourceFile

NORMALIZE = flags_before("assigned")
SPARE = 2
"""Capacity past the longest row, filled with what must not be read."""


def placed(seed: int, fuse: bool) -> ModuleOp:
    """A random program with every statement in GPU kernels."""
    module = compile_source(SourceFile(f"random_{seed}.mp", spell(generate(seed))))
    for flag in NORMALIZE:
        load(flag)().apply(Context(), module)
    (pipeline,) = (op for op in module.body.block.ops if isinstance(op, PipelineOp))
    for step in pipeline.steps.values():
        for op in statements_of(step):
            op.attributes["device"] = StringAttr("gpu")
    for flag in (*(("fuse-producers",) if fuse else ()), "cut-kernels"):
        load(flag)().apply(Context(), module)
    return module


def buffer_of(values: np.ndarray, type: TensorType, capacities: dict[str, int]) -> np.ndarray:
    """The values as a device buffer holds them, garbage past the live extents."""
    name = dtype_name(type.element)
    storage = np.dtype(np.int32) if name == "index" else dtype_of(name).storage
    shape = [extent if isinstance(extent, int) else capacities[extent] for extent in type.shape]
    buffer = np.empty(int(np.prod(shape)), storage)
    buffer.view(np.uint8).fill(0x5A)
    buffer = buffer.reshape(shape)
    common = tuple(slice(0, min(pair)) for pair in zip(values.shape, shape, strict=True))
    buffer[common] = values[common].astype(storage)
    return buffer


def agrees(got: np.ndarray, want: np.ndarray, magnitude: np.ndarray | None, name: str) -> np.ndarray:
    if name == "index" or not dtype_of(name).is_float:
        return got.astype(np.int64) == want.astype(np.int64)
    allowed = tolerance(name)
    actual, expected = got.astype(np.float64), want.astype(np.float64)
    size = np.abs(expected) if magnitude is None else magnitude
    with np.errstate(invalid="ignore"):
        near = np.abs(actual - expected) <= allowed.rtol * np.abs(expected) + allowed.atol * np.maximum(size, 1e-9)
    return near | (actual == expected) | (np.isnan(actual) & np.isnan(expected))


# Programs in which no selection may come in any order: results are compared place by place.
@pytest.mark.parametrize(("seed", "fuse"), [(0, False), (3, True), (5, False), (7, True), (11, True), (17, True)])
def test_kernels_of_a_random_program(machines, seed, fuse):
    program, module = generate(seed), placed(seed, fuse)
    (pipeline,) = (op for op in module.body.block.ops if isinstance(op, PipelineOp))
    run_time = [name for name, dim in pipeline.dims.items() if not dim.is_static]
    kernels = [op for op in module.walk() if isinstance(op, KernelOp)]
    ran = set()

    def execute(name: str, given: Given, memories: Given, dims: Given) -> StepResult:
        step = run_step(module, name, given, memories, dims, strict=True, magnitudes=True)
        dims = complete(Environment(dims), pipeline.steps[name]).dims
        for kernel in kernels:
            if kernel.outputs and kernel.outputs[0] in step.values:
                ran.add(kernel)
                check(kernel, step, {dim: dims[dim] for dim in run_time if dim in dims})
        return step

    def check(kernel: KernelOp, step: StepResult, dims: Given) -> None:
        capacities = {dim: int(np.max(size, initial=0)) + SPARE for dim, size in dims.items()}
        operands = [np.asarray(step.values[value].array) for value in kernel.arguments]
        types = [value.type for value in kernel.block.args]
        buffers = [buffer_of(values, type_, capacities) for values, type_ in zip(operands, types, strict=True)]
        machine = machines(module.clone())[kernel.sym_name.data]
        results = machine.run(buffers, dims, capacities)
        for number, (got, want) in enumerate(zip(results, run_kernel(kernel, operands, dims), strict=True)):
            live = tuple(slice(0, size) for size in want.array.shape)
            actual, expected = got[live], want.array
            if (kernel.returned.values[number].name_hint or "").startswith("any"):  # selected, in the device's order
                actual, expected = np.sort(actual), np.sort(expected)
            near = agrees(actual, expected, want.magnitude, dtype_name(want.type.element)) | ~want.inside
            assert near.all(), f"{kernel.sym_name.data}, result {number}, at {np.argwhere(~near)[0]}"

    assert judge_calls(program, module, execute) is None
    assert ran
