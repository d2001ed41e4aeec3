"""Runs a module before and after a pass on the same random input, and compares every output and memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from xdsl.dialects.builtin import ModuleOp, StringAttr

from hetc.backends.reference import SparseMatrix, StepResult, run_step
from hetc.backends.reference.compare import compare_values
from hetc.compiler.pipeline import PIPELINE, run_pass
from hetc.dialects.mp import AppendOp, DeclareOp, OutputOp, PipelineOp, RopeOp, dtype_name
from hetc.dialects.registry import new_context
from hetc.numerics import dtype_of
from hetc.numerics.rounding import round_to
from hetc.passes.registry import load
from tests.executors import with_derived

Array = np.ndarray | SparseMatrix


@dataclass
class Case:
    """One call: live extents during the step, arrays of the declared tensors, and what differs from plain numbers.

    wild: some floats are NaN, infinite or 0, and integers reach past the extents that they may index."""

    dims: Mapping[str, int | np.ndarray]
    seed: int = 0
    wild: bool = False
    arrays: dict[str, Array] = field(default_factory=dict)


def passes(until: str) -> list[str]:
    """The flag of each pass up to a stage of the compiler; presence is explicit from the first one on."""
    found: list[str] = []
    for stage in PIPELINE:
        found.extend(stage.passes)
        if stage.name == until:
            break
    return found


PARTITION = ("fuse-producers", "cut-kernels", "insert-transfers")


def assign_by_hand(module: ModuleOp, on_fpga: Callable[[str], bool]) -> None:
    """What assign-devices decides, decided by the stage's name: device of each statement, home of each memory."""
    for op in module.walk():
        stage = op.attributes.get("stage")
        if isinstance(stage, StringAttr) and not isinstance(op, AppendOp):
            op.attributes["device"] = StringAttr("fpga" if on_fpga(stage.data) else "gpu")
        if isinstance(op, DeclareOp) and op.role.data == "memory":
            op.attributes["home"] = StringAttr("fpga" if on_fpga("relevancy") else "gpu")


def same_numbers(
    module: ModuleOp,
    cases: Iterable[Case],
    until: str = "expanded",
    then: Sequence[str] = (),
    prepare: Callable[[ModuleOp], None] = lambda module: None,
) -> None:
    """Apply the compiler's passes up to the stage `until`, then `prepare`, then the passes `then`, one after the other
    to a clone of `module`; after each, every step must give in every case what the module as the front end made it
    gives."""
    prepared = [(case, step, arrays) for case in cases for step, arrays in _arguments(module, case)]
    expected = [_run(module, case, arrays, step, strict=False) for case, step, arrays in prepared]
    changed = module.clone()
    context = new_context()
    first = passes(until)
    for position, flag in enumerate([*first, *then]):
        if position == len(first):
            prepare(changed)
        run_pass(load(flag)(), context, changed)
        changed.verify()
        for (case, step, arrays), before in zip(prepared, expected, strict=True):
            _compare(module, flag, case, before, _run(changed, case, arrays, step, strict=True))


def _run(module: ModuleOp, case: Case, arrays: Mapping[str, Array], step: str, strict: bool) -> StepResult:
    return run_step(module, step, arrays, {}, case.dims, strict=strict)


def _arguments(module: ModuleOp, case: Case) -> list[tuple[str, dict[str, Array]]]:
    """Each step, and the tensors that it is called with."""
    pipeline = next(op for op in module.walk() if isinstance(op, PipelineOp))
    random = np.random.default_rng(case.seed)
    arrays = {
        name: case.arrays[name] if name in case.arrays else _random(random, declared, pipeline, case)
        for name, declared in pipeline.declarations.items()
    }
    return [(step, arrays) for step in pipeline.steps]


def _random(random: np.random.Generator, declared: DeclareOp, pipeline: PipelineOp, case: Case) -> Array:
    """An array of the declared type with one element of spare capacity along every run-time dim."""
    sizes = with_derived(pipeline, {name: int(np.max(value, initial=0)) for name, value in case.dims.items()})
    for name, dim in pipeline.dims.items():
        sizes.setdefault(name, dim.largest)
    shape = [key if isinstance(key, int) else sizes[key] + 1 for key in declared.type.shape]
    name = dtype_name(declared.type.element)
    if declared.type.is_sparse:
        dense = random.integers(0, 3, size=shape) * (random.random(shape) < 0.5)
        return SparseMatrix.from_dense(dense.astype(np.int64))
    if name == "bool":
        return random.random(shape) < 0.5
    if name == "index" or not dtype_of(name).is_float:
        top = max(sizes.values(), default=3)
        return random.integers(-2 if case.wild else 0, top + 2 if case.wild else max(min(top, 3), 1), size=shape)
    values = round_to(random.normal(size=shape), name)
    if case.wild:
        special = random.choice([np.nan, np.inf, -np.inf, 0.0], size=shape)
        values = np.where(random.random(shape) < 0.1, special, values)
    return values


def _compare(module: ModuleOp, flag: str, case: Case, before: StepResult, after: StepResult) -> None:
    """Equal but for the order of sums; where angles are reduced in fixed point, within the types' tolerances."""
    assert before.outputs.keys() == after.outputs.keys()
    assert before.memories.keys() == after.memories.keys()
    rotates = any(isinstance(op, RopeOp) for op in module.walk())
    types = _elements(module)
    for name, value in [*before.outputs.items(), *before.memories.items()]:
        other = after.outputs[name] if name in after.outputs else after.memories[name]
        label = f"{name} after {flag} (seed {case.seed}, dims {dict(case.dims)}{', wild' if case.wild else ''})"
        expected = value.to_dense() if isinstance(value, SparseMatrix) else np.asarray(value)
        got = other.to_dense() if isinstance(other, SparseMatrix) else np.asarray(other)
        if rotates:
            verdict = compare_values(got, expected, None, types[name])
            assert verdict.ok, f"{label}: {verdict.note}"
        elif expected.dtype.kind in "iub":
            np.testing.assert_array_equal(got, expected, err_msg=label)
        else:
            np.testing.assert_allclose(
                got.astype(np.float64), expected.astype(np.float64), rtol=1e-9, atol=1e-9, err_msg=label
            )


def _elements(module: ModuleOp) -> dict[str, str]:
    """The element type of each declared tensor and output, by name."""
    found: dict[str, str] = {}
    for op in module.walk():
        if isinstance(op, DeclareOp):
            found[op.sym_name.data] = dtype_name(op.type.element)
        elif isinstance(op, OutputOp):
            found[op.output.data] = dtype_name(op.element)
    return found
