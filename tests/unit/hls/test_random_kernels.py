"""Random programs in FPGA kernels: each kernel gets the oracle's operands and must give its results.

Many kernels share one library, since each start of the C++ compiler costs over a second.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from random_programs.generate import generate
from random_programs.judge import expectations
from random_programs.oracle import Given, judge_calls
from random_programs.spell import spell
from xdsl.context import Context
from xdsl.dialects.builtin import DictionaryAttr, ModuleOp
from xdsl.ir import Block, Operation, Region

from hetc.backends.reference import SparseMatrix, StepResult, run_step
from hetc.backends.reference.compare_selection import compare_tensor
from hetc.backends.reference.environment import Environment, complete
from hetc.compiler.frontend import compile_source
from hetc.compiler.pipeline import flags_before
from hetc.compiler.report import pipeline_of
from hetc.dialects import mp, task
from hetc.dialects.locations import copy_location
from hetc.passes.lower_hls.lower_to_hls import LowerToHlsPass
from hetc.passes.registry import load
from hetc.passes.schedule.model import _dictionary
from hetc.source import SourceFile

SEEDS = range(*map(int, os.environ.get("HETC_HLS_SEEDS", "0:8").split(":")))
PLANS = [
    {},
    {"streaming": 0, "on_chip_bits": 0, "register_queue": 2},
    {"lanes": 3, "port_bits": 64, "fifo_depth": 1, "tile": 4},
]
STATEMENTS = (mp.ComputeOp, mp.TopkOp, mp.SelectOp, mp.ConstantOp)


def cut(module: ModuleOp, seed: int, plan: dict) -> None:
    """Every run of statements without another op in between becomes a kernel; loops stay as they are."""
    runs: list[list[Operation]] = []
    for step in [op for op in module.walk() if isinstance(op, mp.StepOp)]:
        runs.append([])
        for op in list(step.body.block.ops):
            if isinstance(op, STATEMENTS):
                runs[-1].append(op)
            elif runs[-1] and not isinstance(op, mp.GetOp):
                runs.append([])
    for number, run in enumerate(run for run in runs if run):
        _wrap(run, f"k{seed}_{number}", plan)


def _wrap(run: list[Operation], name: str, plan: dict) -> None:
    inside = {nested for op in run for nested in op.walk()}
    made = [result for op in run for result in op.results]
    operands = list(
        dict.fromkeys(
            value
            for op in inside
            for value in op.operands
            if isinstance(value.type, mp.TensorType) and value.owner not in inside
        )
    )
    returned = [value for value in made if any(use.operation not in inside for use in value.uses)]
    if not returned:
        return
    block = Block(arg_types=[value.type for value in operands])
    after = run[-1].next_op
    parent = run[0].parent_block()
    assert after is not None and parent is not None
    for argument, value in zip(block.args, operands, strict=True):
        argument.name_hint = value.name_hint
        value.replace_uses_with_if(argument, lambda use: use.operation in inside)
    for op in run:
        op.detach()
        block.add_op(op)
    schedule = DictionaryAttr({"plan": _dictionary(plan)}) if plan else None
    kernel = task.KernelOp(name, "fpga", ["all"], operands, Region(block), [v.type for v in returned], schedule)
    parent.insert_op_before(kernel, after)
    for value, result in zip(returned, kernel.outputs, strict=True):
        value.replace_uses_with_if(result, lambda use: use.operation not in inside)
    block.add_op(task.ReturnOp(returned))
    for op in kernel.walk():
        copy_location(run[0], op)


def program_module(seed: int, plan: dict) -> ModuleOp:
    module = compile_source(SourceFile(f"random_{seed}.mp", spell(generate(seed))))
    for flag in flags_before("assigned"):
        load(flag)().apply(Context(), module)
    cut(module, seed, plan)
    module.verify()
    LowerToHlsPass().apply(Context(), module)
    module.verify()
    return module


@pytest.fixture(scope="module")
def library(bench_of_modules):
    return bench_of_modules([program_module(seed, PLANS[seed % len(PLANS)]) for seed in SEEDS])


@pytest.mark.parametrize("seed", SEEDS)
def test_kernels_agree_with_the_oracle(library, seed):
    module = library.modules[seed - SEEDS.start]
    program, pipeline = generate(seed), pipeline_of(module)
    data, _ = expectations(program)
    capacity = {**data.capacity, "B": data.batch}

    def execute(step: str, given: Given, memories: Given, dims: Given) -> StepResult:
        result = run_step(module, step, given, memories, dims, strict=True, magnitudes=True)
        dims = complete(Environment(dims), next(iter(pipeline.steps.values()))).dims
        sizes = {**{name: int(np.max(size, initial=0)) for name, size in dims.items()}, **capacity}
        for op in module.walk():
            if isinstance(op, task.KernelOp) and op.outputs[0] in result.values:
                _check(library, op, result.values, dict(dims), sizes)
        return result

    assert judge_calls(program, module, execute) is None


def _check(library, op: task.KernelOp, values, dims, sizes) -> None:
    operands = [_padded(values[value], value.type, sizes) for value in op.arguments]
    got = library.run(op.sym_name.data, operands, dims, capacities=sizes)
    for number, (buffer, value) in enumerate(zip(got, op.outputs, strict=True)):
        verdict = compare_tensor(buffer, values[value])
        assert verdict.ok, f"{op.sym_name.data} result {number}: {verdict}\n{buffer}\n{values[value].array}"


def _padded(tensor, type_, sizes):
    if type_.is_sparse:
        assert isinstance(tensor.matrix, SparseMatrix)
        return tensor.matrix
    array = tensor.array
    missing = [(0, (sizes[key] if isinstance(key, str) else key) - array.shape[k]) for k, key in enumerate(type_.shape)]
    return np.pad(array, missing) if missing else array
