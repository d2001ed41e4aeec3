"""Kernels written as text, lowered, emitted, compiled into one library and run beside the oracle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from xdsl.dialects.builtin import DictionaryAttr, ModuleOp
from xdsl.ir import Block, Region
from xdsl.parser import Parser

from hetc.backends.hls.project import check, emit
from hetc.backends.reference import SparseMatrix, run_kernel
from hetc.backends.reference.compare_selection import compare_tensor
from hetc.compiler.frontend import compile_source
from hetc.compiler.pipeline import flags_before
from hetc.dialects import fpga, mp, task
from hetc.dialects.locations import copy_location
from hetc.dialects.mp import TensorType, dtype_name, enclosing_pipeline
from hetc.dialects.registry import new_context
from hetc.numerics import dtype_of
from hetc.passes.lower_hls.lower_to_hls import LowerToHlsPass
from hetc.passes.registry import load
from hetc.passes.schedule.model import _dictionary
from hetc.runtime.csim import CsimKernel, CsimReport, build_many
from hetc.source import SourceFile

SPARE = 0x5A  # what spare capacity and results hold beforehand


def storage(element) -> np.dtype:
    name = dtype_name(element)
    return np.dtype(np.int32) if name == "index" else dtype_of(name).storage


@dataclass
class Bench:
    """The kernels of several modules in one library."""

    modules: list[ModuleOp]
    texts: dict[str, str] = field(default_factory=dict)
    compiled: dict[str, CsimKernel] = field(default_factory=dict)
    report: CsimReport | None = None

    @classmethod
    def of(cls, texts: Sequence[str], **options) -> Bench:
        return cls.of_modules([lowered(text) for text in texts], **options)

    @classmethod
    def of_modules(cls, modules: Sequence[ModuleOp], **options) -> Bench:
        bench = cls(list(modules))
        for module in bench.modules:
            assert check(module) == []
            bench.texts |= emit(module)
        names = [op.sym_name.data for module in bench.modules for op in module.ops if isinstance(op, fpga.KernelOp)]
        together = "".join(f'#include "fpga/{name}/{name}.cpp"\n' for name in names)
        sources = {path: text for path, text in bench.texts.items() if not path.endswith(".cpp")}
        parts = {path.replace(".cpp", ".cc.h"): text for path, text in bench.texts.items() if path.endswith(".cpp")}
        together = together.replace(".cpp", ".cc.h")
        bench.compiled = build_many({**sources, **parts, "together.cpp": together}, names, **options)
        return bench

    def kernel(self, name: str) -> fpga.KernelOp:
        return self._find(fpga.KernelOp, name)

    def task(self, name: str) -> task.KernelOp:
        return self._find(task.KernelOp, name)

    def _find(self, kind, name):
        for module in self.modules:
            for op in module.walk():
                if isinstance(op, kind) and op.sym_name.data == name:
                    return op
        raise KeyError(name)

    def source(self, name: str) -> str:
        return self.texts[f"fpga/{name}/{name}.cpp"]

    def run(self, name: str, operands: Sequence, dims: Mapping, capacities: Mapping[str, int] | None = None) -> list:
        """The results' buffers, of the capacities' shapes."""
        kernel, source = self.kernel(name), self.task(name)
        sizes = {**_capacities(source, operands), **(capacities or {})}
        results = [_buffer(value.type, sizes) for value in source.returned.values]
        scratch = [_buffer(type_, sizes) for type_ in kernel.scratch]
        arguments = [
            _argument(kernel, item, operands, results, scratch, dims, sizes, source) for item in kernel.arguments
        ]
        self.report = self.compiled[name].run(*arguments)
        return results

    def check(self, name: str, operands: Sequence, dims: Mapping, *, exact: bool = False, **options) -> list:
        """Run and compare every result with the oracle's; returns the buffers."""
        source = self.task(name)
        got = self.run(name, operands, dims, **options)
        expected = run_kernel(source, operands, dims)
        for number, (buffer, value) in enumerate(zip(got, expected, strict=True)):
            verdict = compare_tensor(buffer, value, exact=exact)
            assert verdict.ok, f"{name} result {number}: {verdict}\ngot {buffer}\nexpected {value.array}"
        return got


def lowered(text: str) -> ModuleOp:
    module = Parser(new_context(), text).parse_module()
    module.verify()
    LowerToHlsPass().apply(new_context(), module)
    module.verify()
    return module


def _capacities(source: task.KernelOp, operands: Sequence) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for argument, given in zip(source.block.args, operands, strict=True):
        for extent, size in zip(argument.type.shape, given.shape, strict=True):
            if isinstance(extent, str):
                assert sizes.setdefault(extent, size) == size
    return sizes


def _buffer(type_: TensorType, sizes: Mapping[str, int]) -> np.ndarray:
    shape = [sizes[extent] if isinstance(extent, str) else extent for extent in type_.shape]
    made = np.zeros(shape, storage(type_.element))
    made.reshape(-1).view(np.uint8)[:] = SPARE
    return made


def _argument(kernel, item, operands, results, scratch, dims, sizes, source):
    role, number, part = item.role.data, item.index.data, item.part.data
    match role:
        case "operand":
            return operand_part(source.block.args[number].type, operands[number], part, _stripes(kernel, number))
        case "result":
            return results[number]
        case "scratch":
            return scratch[number]
        case "constant":
            constants = [op for op in source.block.ops if op.name == "mp.constant"]
            type_ = constants[number].result.type
            return np.array(list(constants[number].value.get_values())).astype(storage(type_.element))
        case "length":
            per = enclosing_pipeline(source).dims[part].per
            lengths = np.zeros(1 if per is None else max(sizes[per.data], 1), np.int32)
            given = np.atleast_1d(np.asarray(dims[part], np.int32))
            lengths[: len(given)] = given
            return lengths
        case "capacity":
            return sizes[part]
    raise AssertionError(role)


def _stripes(kernel: fpga.KernelOp, number: int) -> int:
    return sum(
        item.role.data == "operand" and item.index.data == number and item.stripe is not None
        for item in kernel.arguments
    )


def operand_part(type_: TensorType, given, part: str, stripes: int) -> np.ndarray:
    """One of the buffers that an operand is passed in."""
    if part.startswith("stripe:"):
        channel, axis = map(int, part.split(":")[1:])
        array = np.ascontiguousarray(given).astype(storage(type_.element))
        rows = -(-array.shape[axis] // stripes)
        mine = np.take(array, range(channel, array.shape[axis], stripes), axis=axis)
        missing = [(0, rows - mine.shape[axis] if dim == axis else 0) for dim in range(array.ndim)]
        return np.ascontiguousarray(np.pad(mine, missing))
    if not type_.is_sparse:
        return np.ascontiguousarray(given).astype(storage(type_.element))
    assert isinstance(given, SparseMatrix)
    length = np.bincount(given.row, minlength=given.rows).astype(np.int32)
    gaps = np.arange(given.rows) % 3  # rows need not touch each other in the pool
    start = (np.cumsum(length + gaps) - (length + gaps)).astype(np.int64)
    place = np.arange(len(given.row)) + np.repeat(start - (np.cumsum(length) - length), length)
    pool = int(start[-1] + length[-1] + 8)
    column = np.full(pool, -7, np.int32)
    value = np.full(pool, 7).astype(storage(type_.element))
    column[place], value[place] = given.column, given.value
    return {"row_start": start, "row_length": length, "column": column, "value": value}[part]


@pytest.fixture(scope="session")
def csim_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HETC_CACHE_DIR", str(tmp_path_factory.mktemp("csim")))
        yield


@pytest.fixture(scope="session")
def bench_of(csim_cache):
    """texts -> Bench."""
    return Bench.of


def one_kernel(source: str, plan: Mapping[str, int | tuple[int, ...]] | None = None) -> ModuleOp:
    """A pipeline of inputs only, in its explicit form, with all its statements in one task.kernel on the FPGA that
    is called as the pipeline is."""
    context = new_context()
    module = compile_source(SourceFile("test.mp", source))
    for flag in flags_before("assigned"):
        load(flag)().apply(context, module)
    (step,) = [op for op in module.walk() if isinstance(op, mp.StepOp)]
    ops = list(step.body.block.ops)
    outside = (mp.GetOp, mp.OutputOp, mp.CommitOp)
    statements = [op for op in ops if not isinstance(op, outside)]
    gets = [op for op in ops if isinstance(op, mp.GetOp)]
    outputs = [op for op in ops if isinstance(op, mp.OutputOp)]
    block = Block(arg_types=[op.result.type for op in gets])
    for argument, op in zip(block.args, gets, strict=True):
        argument.name_hint = op.declared.data
        op.result.replace_all_uses_with(argument)
    for op in statements:
        op.detach()
        block.add_op(op)
    returned = [op.value for op in outputs]
    block.add_op(task.ReturnOp(returned))
    schedule = DictionaryAttr({"plan": _dictionary(plan)}) if plan else None
    name = f"{step.sym_name.data}_kernel"
    made = task.KernelOp(
        name, "fpga", ["all"], [op.result for op in gets], Region(block), [v.type for v in returned], schedule
    )
    step.body.block.insert_op_before(made, outputs[0])
    for op, result in zip(outputs, made.outputs, strict=True):
        op.operands[0] = result
    for op in made.walk():
        copy_location(statements[0], op)
    module.verify()
    LowerToHlsPass().apply(context, module)
    module.verify()
    return module


@pytest.fixture(scope="session")
def bench_of_sources(csim_cache):
    """Pipelines as text -> Bench."""
    return lambda sources, plan=None, **options: Bench.of_modules(
        [one_kernel(source, plan) for source in sources], **options
    )


@pytest.fixture(scope="session")
def one_kernel_of():
    """A pipeline as text, and a plan -> the lowered module."""
    return one_kernel


@pytest.fixture(scope="session")
def bench_of_modules(csim_cache):
    """Lowered modules -> Bench."""
    return Bench.of_modules
