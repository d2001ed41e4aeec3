"""Rewrites of loops keep every bit: each case of their filecheck files, and statements as they are lowered, run before
and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from nest_kernels import parsed, run
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Region

from hetc.backends.cpu.device import DEVICE
from hetc.compiler.driver import Options, compile_source_file
from hetc.dialects import nest
from hetc.dialects.locations import without_location
from hetc.dialects.mp import DimOp, PipelineOp, TensorType, dtype_name
from hetc.dialects.task import KernelOp
from hetc.numerics.dtypes import dtype_of
from hetc.numerics.rounding import round_to
from hetc.passes.nest.building import Builder, dims_of
from hetc.passes.nest.lower_to_nest import lower_kernel
from hetc.passes.nest.rewrites import REWRITES, Rewrite, rewrite
from hetc.passes.nest.unroll_and_jam import jam, not_jammed
from hetc.source import SourceFile

FILECHECK = Path(__file__).parents[2] / "filecheck"
IN_ANOTHER_ORDER = ("split-fold", "bind-vector")
"""What changes the order of folds, and so the rounding of their sums."""
KEEP_BITS = {flag: apply for flag, apply in REWRITES.items() if flag not in IN_ANOTHER_ORDER}
CASES = [
    pytest.param(flag, text, id=f"{name}-{number}")
    for flag in KEEP_BITS
    for name in (flag, f"{flag}-rejects")
    for number, text in enumerate((FILECHECK / f"{name}.mlir").read_text().split("\n// -----\n"))
]


def operands_of(
    kernel: nest.KernelOp, dims: Mapping[str, Sequence[int]], seed: int
) -> list[NDArray | Mapping[str, NDArray]]:
    """Random operands as they are stored; integers reach below 0 and past what they may index."""
    random = np.random.default_rng(seed)
    found: list[NDArray | Mapping[str, NDArray]] = []
    for argument in kernel.operand_arguments:
        type_ = argument.type
        assert isinstance(type_, TensorType)
        shape = [max(dims[extent]) if isinstance(extent, str) else extent for extent in type_.shape]
        name = dtype_name(type_.element)
        if type_.is_sparse:
            found.append(_sparse(random, *shape))
            continue
        if name.startswith("index"):
            found.append(random.integers(-1, 4, shape).astype(np.int32 if name == "index" else np.int64))
        elif dtype_of(name).is_float:
            values = random.normal(size=shape)
            values[random.random(shape) < 0.1] = 0.0
            found.append(np.ascontiguousarray(round_to(values, dtype_of(name)).astype(dtype_of(name).storage)))
        else:
            found.append(random.integers(-2, 12, shape).astype(dtype_of(name).storage))
    return found


def _sparse(random: np.random.Generator, rows: int, columns: int) -> dict[str, NDArray]:
    """Rows of u8, about a third of the columns stored."""
    held = random.random((rows, columns)) < 0.3
    lengths = held.sum(1)
    return {
        "row_start": (np.cumsum(lengths) - lengths).astype(np.int64),
        "row_length": lengths.astype(np.int32),
        "column": np.nonzero(held)[1].astype(np.int32),
        "value": random.integers(0, 9, lengths.sum()).astype(np.uint8),
    }


def lengths_of(module: ModuleOp, seed: int) -> dict[str, list[int]]:
    """Lengths of the module's run-time dims, of some rows none."""
    random = np.random.default_rng(seed)
    dims = [op for op in module.walk() if isinstance(op, DimOp) and not op.is_static]
    rows = 3
    return {
        op.sym_name.data: [rows] if op.per is None else [int(item) for item in random.choice([0, 1, 7, 12], rows)]
        for op in dims
    }


def same_bits(text: str, rewrites: Sequence[Rewrite], seed: int) -> None:
    module = parsed(text)
    (kernel,) = (op for op in module.walk() if isinstance(op, nest.KernelOp))
    lengths = lengths_of(module, seed)
    operands = operands_of(kernel, lengths, seed)
    before, after = run(text, operands, lengths), run(text, operands, lengths, rewrites)
    for one, other in zip(before, after, strict=True):
        assert one.tobytes() == other.tobytes()


def test_what_is_priced_is_what_is_printed() -> None:
    """The passes between the naive form and the expansion, and the rewrites of a plan."""
    flags = list(DEVICE.passes)
    assert flags == ["lower-to-nest", *REWRITES, "expand-lanes", "expand-combiners", "bind-arguments"]


@pytest.mark.parametrize(("flag", "text"), CASES)
def test_a_case_gives_the_same_bits(flag: str, text: str) -> None:
    same_bits(text, [REWRITES[flag]], seed=0)


STATEMENTS = {
    "softmax over picks": """
    input s: f32[B, 12]
    input x: f32[B, 12, 4]
    relevancy:
        p[b, j] = topk[i](where(s[b, i] < 1, s[b, i]), 5)
        a[b, j] = softmax[j](bf16(x[b, p[b, j], 0]))
        o[b, d] = sum[j](a[b, j] * x[b, p[b, j], d])
    output o, p
""",
    "limits": """
    input s: f32[B, 12]
    input n: i32[B]
    relevancy:
        q[b, i < 6, j < 6] = where(j <= i, s[b, i] * s[b, j])
        m[b, i] = max[j](q[b, i, j])
        c[b] = sum[i < 12](where(i + 2 < n[b] and i >= 3, s[b, i]))
        d[b, j < 4] = sum[k < 3](where(4 * j + k < n[b], s[b, 3 * j + k]))
    output m, c, d
""",
    "narrow intermediates": """
    input s: f32[B, 12]
    relevancy:
        h[b, i] = fp8(s[b, i] * 3)
        k[b, i] = i8(s[b, i] * 100)
        o[b] = sum[i](h[b, i] * k[b, i])
        r[b, i < 12] = h[b, 11 - i] + o[b]
    output o, r
""",
    "bounds of pages": """
    input s: f32[B, 12]
    relevancy:
        u[b, n < 12] = s[b, n] * s[b, 11 - n]
        w[b, p < 3] = max[m < 4](u[b, 4 * p + m])
        q[b, j] = topk[p](w[b, p], 2)
    output q
""",
    "repeated": """
    input s: f32[B, 12]
    relevancy:
        a[b, i] = s[b, i] / sum[j](s[b, j] ** 2) + sum[j](s[b, j] ** 2)
        m[b] = mean[i](a[b, i])
        v[b] = mean[i]((a[b, i] - m[b]) ** 2)
    output a, v
""",
}


def naive(statements: str) -> list[ModuleOp]:
    """Each kernel of a program, in the naive form, in a module of its own."""
    text = f"pipeline p:\n    dim B <= 4\n{statements}"
    placed = compile_source_file(SourceFile("p.mp", text), Options("cpu")).placed
    dims = [op.clone() for op in placed.walk() if isinstance(op, DimOp)]
    tasks = [op for op in placed.walk() if isinstance(op, KernelOp)]
    return [
        ModuleOp([PipelineOp("p", Region(Block([item.clone() for item in dims]))), lower_kernel(task)])
        for task in tasks
    ]


def rewritten(module: ModuleOp) -> nest.KernelOp:
    (kernel,) = (op for op in module.walk() if isinstance(op, nest.KernelOp))
    rewrite(kernel, dims_of(module))
    return kernel


JAMMED = (FILECHECK / "unroll-and-jam.mlir").read_text().split("\n// -----\n")


def _jam_each(by: int) -> Rewrite:
    """Every loop that can be, the inner ones first."""

    def apply(kernel: nest.KernelOp, dims: Mapping[str, DimOp]) -> None:
        for loop in reversed([op for op in kernel.walk() if isinstance(op, nest.ForOp)]):
            if not_jammed(loop) is None:
                jam(loop, by, Builder(dims, Block(), loop))

    return apply


@pytest.mark.parametrize("by", [2, 3, 5])
def test_loops_unrolled_and_jammed_give_the_same_bits(by: int) -> None:
    for text in JAMMED:
        same_bits(text, [_jam_each(by)], seed=by)
    for statements in STATEMENTS.values():
        for module in naive(statements):
            same_bits(str(module), [_jam_each(by)], seed=by)
            same_bits(str(module), [*KEEP_BITS.values(), _jam_each(by)], seed=by)


@pytest.mark.parametrize("name", STATEMENTS)
def test_statements_give_the_same_bits(name: str) -> None:
    for module in naive(STATEMENTS[name]):
        for seed in range(3):
            same_bits(str(module), list(KEEP_BITS.values()), seed)


@pytest.mark.parametrize("name", STATEMENTS)
def test_locations_are_kept(name: str) -> None:
    for module in naive(STATEMENTS[name]):
        assert without_location(rewritten(module)) == []


@pytest.mark.parametrize("name", STATEMENTS)
def test_what_is_rewritten_stays_as_it_is(name: str) -> None:
    for module in naive(STATEMENTS[name]):
        kernel = rewritten(module)
        once = str(module)
        for flag in ("share-values", "hoist-invariants", "simplify-presence", "limit-loops"):
            REWRITES[flag](kernel, dims_of(module))
        assert str(module) == once
