"""The normalising passes keep the numbers: the oracle executes each module before and after each of them."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from xdsl.context import Context
from xdsl.dialects import arith, builtin, math
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser
from xdsl.printer import Printer

from hetc.backends.reference import SparseMatrix, StepResult, run_step
from hetc.compiler.frontend import compile_source
from hetc.compiler.verify.draw import Draw, draw
from hetc.dialects.locations import without_location
from hetc.dialects.mp import GuardOp, PipelineOp, QuantizeOp, RopeOp, SoftmaxOp, UpdateOp
from hetc.dialects.registry import all_dialects
from hetc.passes.normalize.scatter_update import ScatterUpdatePass
from hetc.passes.registry import load
from hetc.source import SourceFile

FLAGS = ("explicit-presence", "expand-rope", "expand-quantize", "expand-softmax", "expand-update")
GONE = {
    "explicit-presence": GuardOp,
    "expand-rope": RopeOp,
    "expand-quantize": QuantizeOp,
    "expand-softmax": SoftmaxOp,
    "expand-update": UpdateOp,
}
PROGRAMS = sorted((Path(__file__).parent / "normalize").glob("*.mp"))


def text_of(module: ModuleOp) -> str:
    stream = StringIO()
    Printer(stream, print_debuginfo=True).print_op(module)
    return stream.getvalue()


def pipeline_of(module: ModuleOp) -> PipelineOp:
    return next(op for op in module.walk() if isinstance(op, PipelineOp))


def sparse(columns: np.ndarray, rows: int, capacity: int) -> SparseMatrix:
    """Counts of the row numbers of each column."""
    dense = np.zeros((rows, capacity), np.int64)
    for column, numbers in enumerate(columns):
        np.add.at(dense, (numbers[numbers >= 0], column), 1)
    return SparseMatrix.from_dense(dense)


def execute(module: ModuleOp, drawn: Draw, strict: bool) -> StepResult:
    pipeline = pipeline_of(module)
    (step,) = pipeline.steps.values()
    dims: dict[str, int | np.ndarray] = dict(drawn.capacities)
    for name, dim in pipeline.dims.items():
        if dim.per is not None and name in dims:  # rows of their own lengths, the capacity at most
            lengths = np.random.default_rng(len(name)).integers(0, dims[name], drawn.capacities[dim.per.data])
            dims[name] = lengths
    for name, before in drawn.lengths.items():
        size = step.grows.data[name]
        grown = before + (drawn.capacities[size.symbol.data] if hasattr(size, "symbol") else size.value.data)  # type: ignore[attr-defined]
        dims[name] = grown if pipeline.dims[name].per is not None else int(grown[0])
    memories: dict[str, np.ndarray | SparseMatrix] = {}
    for name, declared in pipeline.declarations.items():
        if declared.role.data == "memory":
            held = drawn.memories[name]
            type_ = declared.type
            if type_.is_sparse:
                rows, columns = type_.shape
                memories[name] = sparse(held, int(rows), drawn.capacities[str(columns)])
            else:
                memories[name] = held
    inputs = {**drawn.weights, **(drawn.inputs[0] if drawn.inputs else {})}
    return run_step(module, step.sym_name.data, inputs, memories, dims, strict=strict)


def agree(before: StepResult, after: StepResult, flag: str) -> None:
    for name, expected in before.outputs.items():
        compare(after.outputs[name], expected, f"{name} after {flag}")
    for name, kept in before.memories.items():
        got = after.memories[name]
        if isinstance(kept, SparseMatrix):
            assert isinstance(got, SparseMatrix)
            kept, got = kept.to_dense(), got.to_dense()
        assert isinstance(got, np.ndarray)
        compare(got, kept, f"memory {name} after {flag}")


def compare(got: np.ndarray, expected: np.ndarray, what: str) -> None:
    # The oracle computes in float64, but an expansion's f32 constants and the angle's 24 bits are what they are.
    wide = np.asarray(expected).dtype.kind == "f" or np.asarray(expected).dtype.name.startswith(("bf", "float"))
    if wide:
        np.testing.assert_allclose(
            np.asarray(got, np.float64), np.asarray(expected, np.float64), rtol=2e-6, atol=2e-6, err_msg=what
        )
    else:
        np.testing.assert_array_equal(got, expected, err_msg=what)


def check_form(module: ModuleOp, flag: str) -> ModuleOp:
    """Verifies, prints and parses back the same, lost no location, and applying the pass again changes nothing."""
    module.verify()
    # The module itself is made by no line of the source.
    assert [op.name for op in without_location(module) if not isinstance(op, ModuleOp)] == []
    assert not any(isinstance(op, GONE[flag]) for op in module.walk())
    text = text_of(module)
    context = Context()
    for name, factory in all_dialects().items():
        context.register_dialect(name, factory)
    for dialect in (builtin.Builtin, arith.Arith, math.Math):
        context.load_dialect(dialect)
    parsed = Parser(context, text).parse_module()
    assert text_of(parsed) == text
    load(flag)().apply(Context(), module)
    assert text_of(module) == text
    return parsed


@pytest.mark.parametrize("style", ["normal", "integers", "nonfinite"])
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_numbers_stay(path: Path, style: str) -> None:
    for seed in range(3):
        module = compile_source(SourceFile(path.name, path.read_text()))
        drawn = draw(pipeline_of(module), np.random.default_rng(seed), style=style, largest=24)
        before = execute(module, drawn, strict=False)
        for flag in FLAGS:
            load(flag)().apply(Context(), module)
            module = check_form(module, flag)
            agree(before, execute(module, drawn, strict=True), f"{flag} (seed {seed})")


@pytest.mark.parametrize("style", ["normal", "integers", "nonfinite"])
@pytest.mark.parametrize("name", ["updates"])
def test_updates_in_place(name: str, style: str) -> None:
    """Every update as a scatter, however little of its memory it leaves as it is."""
    for seed in range(3):
        path = PROGRAMS[0].with_name(f"{name}.mp")
        module = compile_source(SourceFile(path.name, path.read_text()))
        drawn = draw(pipeline_of(module), np.random.default_rng(seed), style=style, largest=24)
        before = execute(module, drawn, strict=False)
        assert any(isinstance(op, UpdateOp) for op in module.walk())
        for flag in FLAGS[:-1]:
            load(flag)().apply(Context(), module)
        ScatterUpdatePass(least=-(2**62)).apply(Context(), module)
        assert not any(isinstance(op, UpdateOp) for op in module.walk())
        module.verify()
        agree(before, execute(module, drawn, strict=True), f"scatter-update (seed {seed})")


def test_there_are_programs() -> None:
    assert len(PROGRAMS) >= 6
