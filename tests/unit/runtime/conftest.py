"""A pipeline by hand on two device kinds whose kernels are Python functions: what generated programs do, in small."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hetc.runtime import program
from hetc.runtime.devices import ANY, HOST, Device, HostDevice, open_device
from hetc.runtime.errors import DeviceError
from hetc.runtime.host import Dim, HostProgram, Pipeline, PlanBuilder, State, Step, Tensor

KINDS = ("alpha", "beta")


class FunctionDevice(HostDevice):
    """Host memory as a device; `functions` are its kernels, `failing` the one that raises."""

    def __init__(self, kind: str) -> None:
        self.kind, self.backend = kind, "functions"
        self.functions: dict[str, Callable[..., None]] = {}
        self.failing = ""

    def load(self, directory: Path, kernels: Sequence[str]) -> None:
        assert all(name for name in kernels)

    def launch(self, kernel: str, arguments: Sequence[Any], options: Mapping[str, Any]) -> None:
        if kernel == self.failing:
            raise DeviceError(f"{kernel} failed")
        self.functions[kernel](*arguments)


def _scale(x: Any, weight: Any, rows: Any, length: Any) -> None:
    count = int(length[0])
    rows.reshape(-1, 3)[:count] = x.reshape(-1, 3)[:count] * weight


def _sum(keys: Any, total: Any, result: Any, rows: Any, lengths: Any, capacity: int) -> None:
    by_row = keys.reshape(-1, capacity, 3)
    for row in range(int(rows[0])):
        result[row] = total[row] + by_row[row, : lengths[row]].sum()


class Demo(HostProgram):
    """rows = x * W; append(keys, rows); total[b] = total[b] + sum(keys[b])."""

    PIPELINE = Pipeline(
        name="demo",
        source="demo.mp",
        dims={"B": Dim(bound=8), "T": Dim(bound=32, per="B")},
        tensors={
            "x": Tensor("input", ("B", 3), "f32"),
            "W": Tensor("weight", (3,), "f32"),
            "keys": Tensor("memory", ("B", "T", 3), "f32", home="alpha"),
            "total": Tensor("memory", ("B",), "f32", home="beta"),
        },
        steps={"decode": Step(grows={"T": 1}, takes=("x", "W"), gives=("total",))},
        devices=KINDS,
    )
    KERNELS = {"alpha": ("scale",), "beta": ("sum",)}
    METHODS = {"decode": "decode"}
    PLANS = {"decode": "_decode_plan"}

    def decode(self, state: State, lengths: Any = None, /, **tensors: Any) -> dict[str, Any]:
        return self.call("decode", state, lengths, tensors)

    def _decode_plan(self, plan: PlanBuilder) -> None:
        keys, total = plan.memory("keys"), plan.memory("total")
        x = plan.copy(plan.input("x"), "alpha", "x_alpha")
        weight = plan.copy(plan.input("W"), "alpha", "W_alpha")
        rows = plan.allocate("rows", "alpha", ("B", 3), "f32")
        with plan.kernel("scale", "alpha", [x, weight], [rows]):
            plan.launch("alpha", "scale", [x, weight, rows, plan.length("B", "alpha")])
        keys = plan.append(keys, rows, "T")
        there = plan.copy(keys, "beta", "keys_beta")
        result = plan.allocate("result", "beta", ("B",), "f32")
        numbers = [plan.length("B", "beta"), plan.length("T", "beta"), plan.capacity("T")]
        with plan.kernel("sum", "beta", [there, total], [result]):
            plan.launch("beta", "sum", [there, total, result, *numbers])
        plan.commit("keys", keys)
        plan.commit("total", result)
        plan.finish({"total": result})


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Demo:
    """The program with its devices opened."""

    def opened(kind: str = HOST, mode: str = ANY, **options: Any) -> Device:
        return FunctionDevice(kind) if kind in KINDS else open_device(kind, mode, **options)

    monkeypatch.setattr(program, "open_device", opened)
    made = Demo(tmp_path)
    for device in made.devices.values():
        if isinstance(device, FunctionDevice):
            device.functions = {"scale": _scale, "sum": _sum}
    return made


class Twin:
    """What the pipeline computes, in plain numpy."""

    def __init__(self, lengths: Sequence[int], keys: np.ndarray) -> None:
        self.keys = [list(keys[row, :length]) for row, length in enumerate(lengths)]
        self.total = np.zeros(len(lengths), np.float32)

    def decode(self, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        for row, values in enumerate(x):
            self.keys[row].append(values * weight)
            self.total[row] += np.sum(self.keys[row])
        return self.total[: len(x)]


@pytest.fixture
def twin() -> type[Twin]:
    return Twin
