"""Lines, blocks and the syntax tree."""

from __future__ import annotations

import time
from math import inf

import pytest

from hetc.compiler.frontend import parse
from hetc.compiler.frontend.syntax import ast
from hetc.compiler.frontend.syntax.build import MAX_NAME_CHARACTERS
from hetc.compiler.frontend.syntax.lines import MAX_LINE_ERRORS, MAX_SOURCE_CHARACTERS
from hetc.diagnostics import DiagnosticError
from hetc.source import SourceFile


def parsed(body: str) -> ast.Pipeline:
    return parse(SourceFile("t.mp", "pipeline p:\n" + body))


def value_of(expression: str) -> ast.Expr:
    pipeline = parsed(f"    apply:\n        a[i] = {expression}\n")
    (statement,) = pipeline.steps[0].statements[0].statements
    assert isinstance(statement, ast.Define)
    return statement.value


def shape(expr: ast.Expr) -> object:
    """An expression as nested tuples, without spans."""
    match expr:
        case ast.Number(value=value) | ast.Boolean(value=value):
            return value
        case ast.Name(name=name):
            return name
        case ast.Access(name=name, indices=indices):
            return (name, *map(shape, indices))
        case ast.Unary(operator=operator, operand=operand):
            return (operator, shape(operand))
        case ast.Binary(operator=operator, left=left, right=right):
            return (operator, shape(left), shape(right))
        case ast.Call(function=function, indices=indices, arguments=arguments, keywords=keywords):
            bound = [(index.name, shape(index.bound)) if index.bound else index.name for index in indices]
            named = {keyword.name: shape(keyword.value) for keyword in keywords}
            return (function, bound, [shape(item) for item in arguments], named)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", ("+", 1, ("*", 2, 3))),
        ("1 - 2 - 3", ("-", ("-", 1, 2), 3)),
        ("-2 ** 2", ("-", ("**", 2, 2))),
        ("2 ** -1", ("**", 2, ("-", 1))),
        ("2 ** 3 ** 2", ("**", 2, ("**", 3, 2))),
        ("a // 2 % 3", ("%", ("//", "a", 2), 3)),
        ("not a == b", ("not", ("==", "a", "b"))),
        ("a or b and c", ("or", "a", ("and", "b", "c"))),
        ("0 <= a < 5", ("and", ("<=", 0, "a"), ("<", "a", 5))),
        ("(a + b) * c", ("*", ("+", "a", "b"), "c")),
        ("kv[b, picked[b, j], V + r]", ("kv", "b", ("picked", "b", "j"), ("+", "V", "r"))),
        ("sum[i, j < 64](x[i, j])", ("sum", ["i", ("j", 64)], [("x", "i", "j")], {})),
        ("rope[d](k[d], at=T[b]-1)", ("rope", ["d"], [("k", "d")], {"at": ("-", ("T", "b"), 1)})),
        ("1_048_576", 1048576),
        ("1e-6", 1e-6),
        (".5", 0.5),
        ("2e9", 2e9),
        ("a | b ^ c & d << 1 + 2", ("|", "a", ("^", "b", ("&", "c", ("<<", "d", ("+", 1, 2)))))),
        ("a & 1 == b | 2", ("==", ("&", "a", 1), ("|", "b", 2))),
        ("a >> b << c", ("<<", (">>", "a", "b"), "c")),
        ("~a ** -~b", ("~", ("**", "a", ("-", ("~", "b"))))),
        ("-inf ** 2", ("-", ("**", inf, 2))),
        ("true and not false", ("and", True, ("not", False))),
        ("infinity < trueish", ("<", "infinity", "trueish")),
    ],
)
def test_expression(text: str, expected: object) -> None:
    assert shape(value_of(text)) == expected


def test_the_frame() -> None:
    pipeline = parse(
        SourceFile(
            "t.mp",
            '''# a comment
pipeline dsa grows T by 1, S by C:
    """One line
    and another."""
    dim B <= 64; dim T <= 1_024 per B   # with a comment
    dim E = 2 * 8
    memory tf: sparse u8[V, N] stored <= 2e9
    memory m: i32[E] = -1
    weight scalar: f32

    relevancy @fpga:
        best[b, j], picked[b, j] = topk[t](s[b, t],
                                           K)   # over two lines

        append(keys, k); append(kv, c)
    apply: o[b, v < V] = x[b, v]
    relevancy:
        z = 1
    output o: bf16, picked
''',
        )
    )
    assert (pipeline.name, pipeline.doc) == ("dsa", "One line\n    and another.")
    assert [growth.dim.name for growth in pipeline.steps[0].grows] == ["T", "S"]
    assert [dim.name for dim in pipeline.dims] == ["B", "T", "E"]
    assert pipeline.dims[1].per is not None and pipeline.dims[1].per.name == "B"
    tf, m, scalar = pipeline.declarations
    assert tf.sparse and tf.stored_bound is not None and not m.sparse and m.initial is not None
    assert scalar.extents == ()
    assert [(stage.name, len(stage.statements)) for stage in pipeline.steps[0].statements] == [
        ("relevancy", 3), ("apply", 1), ("relevancy", 1)
    ]  # fmt: skip
    assert pipeline.steps[0].statements[0].pin is not None and pipeline.steps[0].statements[0].pin.name == "fpga"
    assert [(output.name, output.dtype and output.dtype.name) for output in pipeline.steps[0].outputs] == [
        ("o", "bf16"), ("picked", None)
    ]  # fmt: skip


def test_spans_are_those_of_the_text() -> None:
    value = value_of("x[i] + sum[j](y[j])")
    assert isinstance(value, ast.Binary)
    assert value.span.text == "x[i] + sum[j](y[j])"
    assert value.right.span.text == "sum[j](y[j])"
    assert (value.span.line, value.span.column) == (3, 16)


def test_words_of_the_grammar_are_names_elsewhere() -> None:
    pipeline = parsed(
        "    input per: f32\n    input scale: f32\n    apply:\n        by = per + scale\n        grows = by\n"
    )
    assert [item.name for item in pipeline.declarations] == ["per", "scale"]


def test_windows_line_ends() -> None:
    pipeline = parsed("    dim D = 4\r\n    input x: f32[D]\r\n    output x\r\n")
    assert [dim.name for dim in pipeline.dims] == ["D"]


def errors(text: str) -> list[str]:
    with pytest.raises(DiagnosticError) as caught:
        parse(SourceFile("t.mp", text))
    return [item.message for item in caught.value.diagnostics]


def test_each_line_has_its_own_error() -> None:
    found = errors(
        "pipeline p:\n    dim = 4\n    dim D 4\n    input x f32\n    apply:\n        a[d] =\n        b = )\n"
    )
    assert len(found) == 5


def test_a_long_line_is_answered_at_once() -> None:
    start = time.perf_counter()
    text = "pipeline p:\n    apply:\n        y = x" + " + x" * 200_000
    assert "the limit is 1000" in errors(text)[0]
    assert "characters; the limit" in errors("x" * (MAX_SOURCE_CHARACTERS + 1))[0]
    assert time.perf_counter() - start < 5


def test_junk_gives_few_errors() -> None:
    assert len(errors("pipeline p:\n" + "    )\n" * 500)) <= MAX_LINE_ERRORS
    assert errors("\x01\x02\x03")


def test_limits_on_names_and_numbers() -> None:
    long_name = "a" * (MAX_NAME_CHARACTERS + 1)
    assert "characters; the limit" in errors(f"pipeline p:\n    input {long_name}: f32\n")[0]
    assert "64 bits" in errors("pipeline p:\n    dim D = 9223372036854775808\n")[0]


@pytest.mark.parametrize("text", ["(" * 5000, "a[" * 5000, "-" * 900, "not " * 200 + "x", "1" + "**1" * 300])
def test_deep_expressions_end_in_a_diagnostic(text: str) -> None:
    assert errors(f"pipeline p:\n    apply:\n        y = {text}\n")


@pytest.mark.parametrize(
    "between", ["  # a note\r        ", "\r        ", " # one\u2028        ", "\x0c        ", " # \u202e"]
)
def test_no_statement_is_lost_behind_another_kind_of_line_break(between: str) -> None:
    text = (
        f"    dim D = 4\n    input x: f32[D]\n    apply:\n        y[d] = x[d]{between}y[d] = 2 * y[d]\n    output y\n"
    )
    with pytest.raises(DiagnosticError, match="HET004"):
        parsed(text)
