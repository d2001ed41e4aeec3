"""Every example refuses what it cannot take, naming the tensor or the limit, and leaves the state as it was.

What is refused is refused before a kernel runs, so that one placement stands for all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from hetc.compiler.cli.dims_file import read_dims_file
from hetc.compiler.driver import Options, front_end
from hetc.compiler.report import pipeline_of
from hetc.compiler.verify.draw import Draw, draw
from hetc.compiler.verify.run import prepare_state
from hetc.runtime.errors import CapacityError, InputError, PipelineError, StateError
from hetc.runtime.program import HostProgram
from hetc.runtime.state import State
from hetc.source import read_source
from tests.examples.placements import compiled
from tests.executors import ROOT, all_on, module_of

EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*/*.mp"))
Lengths = dict[str, np.ndarray]
WRONG = {"f": np.float64, "i": np.float32, "u": np.float32, "b": np.float32}
"""By the kind of a drawn array, a dtype that its tensor does not take."""


@dataclass(frozen=True)
class Example:
    program: HostProgram
    drawn: Draw

    def state(self) -> State:
        return prepare_state(self.program, self.drawn)

    def tensors(self, step: str) -> dict[str, np.ndarray]:
        given = self.drawn.weights | self.drawn.inputs[0]
        return {name: given[name] for name in self.program.PIPELINE.steps[step].takes}

    def lengths(self) -> Lengths:
        """Live extents of the dims that do not grow, the longest that the drawn tensors hold."""
        drawn, dims = self.drawn, self.program.PIPELINE.dims
        names = [name for name, dim in dims.items() if dim.derived is None and name not in drawn.lengths]
        rows = {name: 1 if (per := dims[name].per) is None else drawn.capacities[per] for name in names}
        return {name: np.full(rows[name], drawn.capacities[name], np.int32) for name in names}


def built(path: str, dims: dict[str, int], folders: pytest.TempPathFactory) -> Example:
    pipeline = pipeline_of(front_end(read_source(ROOT / path), Options(dims=dims)))
    program = compiled(path, folders.mktemp("misuse") / "out", dims, all_on("gpu", path))
    return Example(program, draw(pipeline, np.random.default_rng(0), largest=12))


@pytest.fixture(scope="module", params=EXAMPLES)
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Example:
    dims, _ = read_dims_file(str(ROOT / "examples" / request.param / "small.toml"))
    return built(f"examples/{request.param}/{request.param}.mp", dims, tmp_path_factory)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Example:
    return built("tests/pipelines/decay.mp", {}, tmp_path_factory)


def refused(
    example: Example, state: State, step: str, tensors: dict[str, np.ndarray], error: type[PipelineError], words: str
) -> None:
    """The call raises the error with these words, and calls, lengths and memories are what they were."""

    def held() -> dict[str, np.ndarray]:
        found = {f"calls of {name}": np.array(count) for name, count in state.calls.items()}
        found |= {f"length of {name}": value.copy() for name, value in state.lengths.items()}
        return found | {name: state.read(name) for name in state.pipeline.memories}

    before = held()
    with pytest.raises(error, match=words):
        example.program.step(step)(state, example.lengths(), **tensors)
    after = held()
    assert after.keys() == before.keys()
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)


def test_wrong_tensors_are_refused_by_name(example: Example) -> None:
    """Each tensor of each step: of another dtype, with a dim too many, missing."""
    state = example.state()
    for step in example.program.PIPELINE.steps:
        tensors = example.tensors(step)
        for name, value in tensors.items():
            wrong = value.astype(WRONG[value.dtype.kind])
            refused(
                example, state, step, {**tensors, name: wrong}, InputError, rf"tensor '{name}': expected .*, got float"
            )
            count = rf"tensor '{name}': expected {value.ndim} dims .*, got {value.ndim + 1} "
            refused(example, state, step, {**tensors, name: value[None]}, InputError, count)
            others = {other: tensors[other] for other in tensors if other != name}
            refused(example, state, step, others, InputError, f"tensor '{name}' is missing")


def test_a_state_of_another_pipeline_is_refused(example: Example, other: Example) -> None:
    words = f"the state belongs to pipeline '{other.program.PIPELINE.name}'"
    for step in example.program.PIPELINE.steps:
        refused(example, other.state(), step, example.tensors(step), StateError, words)


def test_growth_past_the_capacity_is_refused(example: Example) -> None:
    """Where a state is full, a step that appends says which dim, how long it would be, what holds it, and changes
    nothing."""
    pipeline = example.program.PIPELINE
    for step, declared in pipeline.steps.items():
        for dim in declared.grows:
            state = example.state()
            capacity = state.capacities[dim]
            state.set_lengths(**{dim: np.full(len(state.lengths[dim]), capacity)})
            memories = [name for name, tensor in pipeline.memories.items() if dim in tensor.dims]
            words = rf"dim {dim}.* would be \d+ long, past .* {capacity} \(memory {', '.join(memories)}\)"
            refused(example, state, step, example.tensors(step), CapacityError, words)


def test_every_example_that_remembers_rows_is_asked_to_grow() -> None:
    """The test above would pass over a pipeline whose steps append nothing."""
    growing = {
        name
        for name in EXAMPLES
        if any(step.grows.data for step in pipeline_of(module_of(f"examples/{name}/{name}.mp")).steps.values())
    }
    assert set(EXAMPLES) - growing == {"hmt", "lact", "titans"}  # a ring, and memories that are as large as they are
