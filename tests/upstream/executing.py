"""A pipeline's steps as upstream compiles them, behind the interface of a session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from xdsl.dialects.builtin import DYNAMIC_INDEX, ModuleOp

from hetc.backends.reference import StepResult, run_step
from hetc.backends.reference.tensors import values_of
from hetc.compiler.driver import Options, front_end
from hetc.compiler.pipeline import run_stages
from hetc.compiler.report import pipeline_of
from hetc.compiler.upstream import lower, verify
from hetc.dialects.mp import dtype_name
from hetc.numerics.packing import as_bytes
from hetc.passes.lower_linalg.limits import left_out
from hetc.passes.lower_linalg.signature import arguments_of, results_of, upstream_type
from hetc.source import SourceFile
from tests.executors import OracleSession, Session, extents_during
from tests.upstream.jit import Function

Extents = Mapping[str, int | np.ndarray]


def expanded(source: SourceFile, in_place: bool = False) -> ModuleOp:
    """The module after the stage `expanded`; with `in_place` every update as a scatter, however small its memory."""
    module = front_end(source, Options())
    run_stages(module, "expanded", {"scatter-update": {"least": -(2**62)}} if in_place else {})
    return module


class UpstreamProgram:
    """The steps of a module after the stage `expanded`: lowered, canonicalised by upstream, and compiled."""

    def __init__(self, expanded: ModuleOp):
        self.module, self.pipeline = expanded, pipeline_of(expanded)
        verdict = verify(lower(expanded), SourceFile("none.mp", ""))
        assert not verdict.errors, verdict.errors
        self.functions = {name: Function(verdict.canonical, name) for name in self.pipeline.steps}
        self.omitted = {item.statement for item in left_out(expanded)}

    def call(self, name: str, given: Mapping[str, Any], extents: Extents) -> StepResult:
        """One step: outputs and committed memories, floats as float64, integers as int64. given: each declared tensor,
        of its capacity. extents: as run_step takes them. Where upstream cannot express a statement, what it makes,
        commits and empties is the oracle's."""
        step = self.pipeline.steps[name]
        oracle = run_step(self.module, name, given, {}, extents, strict=True) if self.omitted else StepResult()
        arguments: list[int | np.ndarray] = []
        for argument in arguments_of(step, self.omitted):
            if argument.value is not None:
                arguments.append(_with_spare(np.asarray(oracle.values[argument.value].array), argument.type))
            elif argument.kind == "dim":
                arguments.append(int(np.asarray(extents[argument.name])))
            elif argument.kind == "lengths":
                arguments.append(np.asarray(extents[argument.name], np.int32))
            else:
                arguments.append(_with_spare(self._as_declared(argument.name, given), argument.type))
        made: dict[str, dict[str, np.ndarray]] = {"output": {}, "memory": {}}
        results = results_of(step, self.omitted)
        for result, array in zip(results, self.functions[name](*arguments), strict=True):
            if result.kind == "memory":  # of its capacity, spare places included
                before = self._as_declared(result.name, given)
                assert array.shape == _with_spare(before, upstream_type(result.op.value.type)).shape  # type: ignore[arg-type]
                array = array[tuple(slice(extent) for extent in before.shape)]
            type_ = result.op.value.type  # type: ignore[union-attr]
            made[result.kind][result.name] = values_of(plain(array, dtype_name(type_.element)), type_)  # type: ignore[assignment]
        memories = {**oracle.memories, **made["memory"]}
        return StepResult(outputs=made["output"], memories=memories, cleared=oracle.cleared)

    def _as_declared(self, name: str, given: Mapping[str, Any]) -> np.ndarray:
        """A tensor's values, or the bytes that they are kept in."""
        coded, array = self.pipeline.declarations[name].type.coded, np.asarray(given[name])
        return array if coded is None else as_bytes(array, dtype_name(coded.element), coded.count.data)


class UpstreamSession(Session):
    """Calls of an upstream program on one state."""

    def __init__(self, expanded: ModuleOp, capacities: Mapping[str, int], lengths: Mapping[str, Any]):
        super().__init__()
        self.program = UpstreamProgram(expanded)
        self.state = OracleSession(expanded, capacities, lengths)
        self.step, self.lengths = self.state.step, self.state.lengths

    def load(self, name: str, array: np.ndarray) -> None:
        self.state.load(name, array)

    def call(self, **tensors: np.ndarray) -> dict[str, np.ndarray]:
        self.state.step, self.state.extents = self.step, self.extents
        during = extents_during(self.state, tensors)
        memories = self.state.memories
        result = self.program.call(self.step, {**memories, **tensors}, during)
        memories.update(result.memories)
        self.lengths.update({name: np.atleast_1d(during[name]) for name in self.lengths if name in during})
        return result.outputs

    def memory(self, name: str) -> np.ndarray:
        return self.state.memory(name)


def _with_spare(array: np.ndarray, type: Any) -> np.ndarray:
    """The array with one more place along every run-time dim, of what must not be looked at."""
    grown = np.full(
        [n + (m == DYNAMIC_INDEX) for n, m in zip(array.shape, type.get_shape(), strict=True)], 77, array.dtype
    )
    if array.dtype.kind not in "biu":
        grown[...] = np.nan
    grown[tuple(slice(extent) for extent in array.shape)] = array
    return grown


def plain(array: np.ndarray, element: str) -> np.ndarray:
    """An array of the function as the oracle has it: float64, int64 or bool. An unsigned type is one upstream too
    late: its arrays are signless."""
    if array.dtype == np.bool_:
        return array
    if array.dtype.kind == "i":
        return array.view(np.uint8).astype(np.int64) if element == "u8" else array.astype(np.int64)
    return array.astype(np.float64)
