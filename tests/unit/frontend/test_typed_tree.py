"""What resolving makes of a statement's expressions, before any operation is made."""

from __future__ import annotations

import pytest

from hetc.compiler.frontend import parse
from hetc.compiler.frontend.constructs.along import ALONG
from hetc.compiler.frontend.resolve import typed, walk
from hetc.compiler.frontend.resolve.declare import declare_tensors
from hetc.compiler.frontend.resolve.declare_dims import declare_dims
from hetc.compiler.frontend.resolve.environment import Environment, Refused
from hetc.compiler.frontend.resolve.expressions import resolve
from hetc.compiler.frontend.resolve.symbols import Tensor
from hetc.compiler.frontend.syntax import ast
from hetc.diagnostics import Diagnostics
from hetc.dialects.mp import GetOp
from hetc.source import SourceFile
from tests.unit.frontend.support import program


def resolved(
    statement: str, diagnostics: Diagnostics | None = None
) -> tuple[list[typed.Axis], typed.Expr, Environment]:
    """The indices of a statement and its value. Raises Refused."""
    pipeline = parse(SourceFile("test.mp", program(statement, "s")))
    environment = Environment(diagnostics if diagnostics is not None else Diagnostics(), along=ALONG)
    declare_dims(pipeline, {}, environment)
    declare_tensors(pipeline, environment)
    for name, declared in environment.declared.items():
        environment.tensors[name] = Tensor(name, declared.span, GetOp(name, declared.type).result)
    (define,) = ast.simple_statements(pipeline.steps[0].statements)
    assert isinstance(define, ast.Define)
    indices = [index for index in define.targets[0].indices if isinstance(index, ast.Index)]
    axes, (value,) = resolve(environment, indices, [define.value])
    return axes, value, environment


def test_an_index_carries_its_extent_and_its_row() -> None:
    axes, value, _ = resolved("s[b, t] = sum[d](keys[b, t, d] * x[b, d])")
    assert [(axis.name, axis.key, axis.per) for axis in axes] == [("b", "B", None), ("t", "T", "b")]
    assert isinstance(value, typed.Reduction) and value.kind == "sum"
    assert [(axis.name, axis.key, axis.per) for axis in value.axes] == [("d", 4, None)]
    assert value.axes[0].span.text == "d"


def test_an_access_has_its_tensor_and_its_places() -> None:
    _, value, environment = resolved("s[d] = x[n[d], d]")
    assert isinstance(value, typed.Read) and value.tensor is environment.tensors["x"]
    place, index = value.places
    assert isinstance(place, typed.Read) and place.tensor is environment.tensors["n"]
    assert isinstance(index, typed.IndexValue) and index.name == "d"


def test_constants_are_folded_and_dims_have_their_row() -> None:
    _, value, _ = resolved("s[b < B] = lr * (D + 2 ** 3) + f32(T)")
    assert isinstance(value, typed.Binary) and isinstance(value.left, typed.Binary)
    assert isinstance(value.left.right, typed.Literal) and value.left.right.value == 12
    assert isinstance(value.right, typed.Cast) and isinstance(value.right.operand, typed.DimSize)
    row = value.right.operand.row
    assert row is not None and row.name == "b"


def test_a_call_has_its_row_of_the_table() -> None:
    _, value, _ = resolved("s[d] = exp(n[d])")
    assert isinstance(value, typed.Apply) and value.function.name == "exp"
    assert value.function.fold is not None and value.function.fold(0) == 1


def test_indices_that_an_expression_hangs_on_include_rows() -> None:
    axes, value, _ = resolved("s[b, t] = sum[d](keys[b, t, d]) + lr")
    assert isinstance(value, typed.Binary)
    assert walk.free_axes(value.left, axes) == axes
    assert walk.free_axes(value.right, axes) == []
    assert [axis.name for axis in walk.with_rows({"t"}, axes)] == ["b", "t"]


def test_what_says_the_same_is_the_same_whatever_its_indices_are_called() -> None:
    _, value, _ = resolved("s[b] = sum[d](x[b, d]) + sum[e < D](x[b, e]) + sum[e < 3](x[b, e])")
    assert isinstance(value, typed.Binary) and isinstance(value.left, typed.Binary)
    first, second, third = (walk.bare(item) for item in (value.left.left, value.left.right, value.right))
    assert first == second
    assert first != third


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("s[d < D] = 1 // 0", "HET102"),
        ("s[d < D] = 1.5 & 2", "HET106"),
        ("s[d] = x", "HET103"),
        ("s[d] = n[d] + x", "HET105"),
        ("s = sum[t, b](keys[b, t, 0])", "HET107"),
        ("s[d] = softmax[d, d](n[d])", "HET108"),
    ],
)
def test_mistakes_are_told_without_an_operation(statement: str, code: str) -> None:
    diagnostics = Diagnostics()
    with pytest.raises(Refused):
        resolved(statement, diagnostics)
    assert [item.code for item in diagnostics] == [code]
