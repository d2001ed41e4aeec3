"""Runs a task.kernel, given as text, through the lowering, the emitter and the corrected Triton interpreter."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from hetc.backends.triton.emit import check, emit
from hetc.dialects.mp import ConstantOp, TensorType, dtype_name
from hetc.dialects.registry import new_context
from hetc.dialects.task import KernelOp
from hetc.dialects.tile import KernelOp as KernelLaunch
from hetc.numerics.dtypes import dtype_of
from hetc.passes.lower_triton.lower_to_triton import LowerToTritonPass

sys.path.insert(0, str(Path(__file__).parent))  # for kernel_texts


def storage(name: str) -> np.dtype:
    return np.dtype(np.int32) if name == "index" else dtype_of(name).storage


@dataclass
class Lowered:
    """A module after lower-to-triton, and what the backend printed for it."""

    module: ModuleOp
    files: dict[str, str]

    @property
    def text(self) -> str:
        return self.files["gpu/kernels.py"]

    @property
    def kernels(self) -> dict[str, Any]:
        return json.loads(self.files["gpu/kernels.json"])["kernels"]


def lower(text: str) -> Lowered:
    """Parse, verify, lower, verify, print."""
    context = new_context()
    module = Parser(context, text).parse_module()
    module.verify()
    return lower_module(module)


def lower_module(module: ModuleOp) -> Lowered:
    """Lower the kernels of a placed module, verify, print."""
    context = new_context()
    LowerToTritonPass().apply(context, module)
    module.verify()
    assert check(module) == []
    return Lowered(module, emit(module))


def _parts(argument: Any) -> dict[str, np.ndarray]:
    """A sparse operand given as a dense array and the mask of its stored entries."""
    values, stored = argument
    length = stored.sum(1).astype(np.int32)
    start = (np.concatenate([[0], np.cumsum(length)[:-1]]) + 0).astype(np.int64)
    column = np.concatenate([np.flatnonzero(row) for row in stored] + [np.zeros(1, int)]).astype(np.int32)
    pool = np.concatenate([v[s] for v, s in zip(values, stored, strict=True)] + [np.zeros(1, values.dtype)])
    return {"row_start": start, "row_length": length, "column": column, "value": pool}


class Machine:
    """Buffers of one call of a task kernel, and its launches on the interpreter."""

    def __init__(self, lowered: Lowered, folder: Path, task: str = "k"):
        from hetc.runtime.triton_interpreter import install

        install()
        path = folder / "kernels.py"
        path.write_text(lowered.text)
        spec = importlib.util.spec_from_file_location("kernels", path)
        assert spec is not None and spec.loader is not None
        self.functions = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.functions)
        self.lowered = lowered
        tasks = {op.sym_name.data: op for op in lowered.module.walk() if isinstance(op, KernelOp)}
        self.task = tasks[task]

    def run(
        self,
        operands: Sequence[Any],
        lengths: Mapping[str, Any],
        capacities: Mapping[str, int],
        native_fp8: bool = False,
    ) -> list[np.ndarray]:
        import torch

        def tensor(array: np.ndarray) -> Any:
            if array.dtype.name == "bfloat16":
                return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
            is_byte = array.dtype.itemsize == 1 and array.dtype.kind not in "iu"  # fp8 and bool
            return torch.from_numpy(array.view(np.uint8) if is_byte else array)

        def allocated(type: TensorType) -> np.ndarray:
            shape = [extent if isinstance(extent, int) else capacities[extent] for extent in type.shape]
            blank = np.empty(int(np.prod(shape)), storage(dtype_name(type.element)))
            blank.view(np.uint8).fill(0x5A)
            return blank.reshape(shape)

        results = [allocated(item.type) for item in self.task.outputs]
        constants = [
            np.array(op.value.get_values(), storage(dtype_name(op.result.type.element))).reshape(op.result.type.shape)
            for op in self.task.block.ops
            if isinstance(op, ConstantOp)
        ]
        name = self.task.sym_name.data
        launches = [op for op in self.lowered.module.ops if isinstance(op, KernelLaunch) and op.task.data == name]
        scratch = [allocated(item) for item in launches[0].scratch] if launches else []
        held = {
            "operand": [
                tensor(item) if isinstance(item, np.ndarray) else {k: tensor(v) for k, v in _parts(item).items()}
                for item in operands
            ],
            "result": [tensor(item) for item in results],
            "constant": [tensor(item) for item in constants],
            "scratch": [tensor(item) for item in scratch],
        }
        longest = {name: max(int(np.max(v, initial=0)), 1) for name, v in lengths.items()}
        device_lengths = {name: tensor(np.atleast_1d(np.array(v, np.int32))) for name, v in lengths.items()}
        for launch in sorted(launches, key=lambda item: item.order.value.data):
            name = launch.sym_name.data
            entry = self.lowered.kernels[name]
            arguments = []
            for item in entry["arguments"]:
                if item["role"] == "capacity":
                    arguments.append(capacities[item["dim"]])
                elif item["role"] == "longest":
                    arguments.append(longest[item["dim"]])
                elif item["role"] == "length":
                    arguments.append(device_lengths[item["dim"]])
                else:
                    buffer = held[item["role"]][item["index"]]
                    arguments.append(buffer[item["part"]] if "part" in item else buffer)
            programs = 1
            for axis in entry["grid"]:
                extent = axis["extent"] if isinstance(axis["extent"], int) else longest[axis["extent"]]
                programs *= -(-extent // axis["tile"])
            named = dict.fromkeys(entry["constexprs"], native_fp8)
            getattr(self.functions, name)[(programs,)](*arguments, **named, num_warps=entry["num_warps"])
        return results


@pytest.fixture
def machine(tmp_path: Path) -> Any:
    """`machine(text)`: lowered and ready to run."""
    return lambda text: Machine(lower(text), tmp_path)


@pytest.fixture(name="lower")
def lower_fixture() -> Any:
    """`lower(text)`: lowered and printed."""
    return lower


@pytest.fixture
def machines(tmp_path: Path) -> Any:
    """`machines(module)`: of a placed module, a machine for each task kernel by its name."""

    def make(module: ModuleOp) -> dict[str, Machine]:
        names = [op.sym_name.data for op in module.walk() if isinstance(op, KernelOp)]
        lowered = lower_module(module)
        return {name: Machine(lowered, tmp_path, name) for name in names}

    return make
