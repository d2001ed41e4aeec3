"""Programs that nest deeply or expand far: each works or is refused at once, and none ends in a RecursionError."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest

from hetc.compiler.embedding.read import parse_source
from hetc.compiler.frontend import check_source, compile_pipeline
from hetc.compiler.frontend.expand.inline import MAX_CALLS_OF_A_STATEMENT
from hetc.compiler.frontend.syntax.depth import MAX_BLOCK_DEPTH
from hetc.diagnostics import Diagnostic, DiagnosticError, Diagnostics
from hetc.source import SourceFile

SECONDS = 10  # each takes well under one; generous, for a loaded machine
SUM = "1" + " + 1" * 90


def pipeline(statement: str, functions: str = "", head: str = "pipeline p:", memory: str = "memory m: f32[D]") -> str:
    return (
        f"{head}\n    dim D = 8\n    dim T <= 99\n    input x: f32[D]\n    {memory}\n{functions}"
        f"    apply:\n        {statement}\n        m[d] = x[d]\n    output m\n"
    )


def chain(count: int, result: str) -> str:
    """Functions f0, f1, ... of one expression: `result` is that of each, `before` the one that it calls."""
    later = (
        f"    def g{number}(v): return {result.replace('before', f'g{number - 1}')}\n" for number in range(1, count)
    )
    return "    def g0(v): return v + 1\n" + "".join(later)


def chain_of_statements(count: int, statements: Iterable[str]) -> str:
    text = "    def g0(v):\n        y[d] = v[d] + 1\n        return y\n"
    for number in range(1, count):
        body = "".join(f"        {item.replace('before', f'g{number - 1}')}\n" for item in statements)
        text += f"    def g{number}(v):\n{body}        return y\n"
    return text


def errors_of(text: str) -> list[Diagnostic]:
    start = time.perf_counter()
    _, found = check_source(SourceFile("p.mp", text))
    assert time.perf_counter() - start < SECONDS
    return [item for item in found if item.severity == "error"]


@pytest.mark.parametrize(
    "text",
    [
        pipeline("m[d] = " + "-" * 900 + "x[d]"),
        pipeline("m[d] = (" + "-\n" * 9_000 + "x[d])"),
        pipeline("m[d] = (" + "\n+ ".join(["x[d]"] * 2_000) + ")"),
        pipeline("m[d] = (" + "\nand ".join(["x[d] > 0"] * 900) + ")"),
        pipeline("m[d] = x[d]" + " ** x[d]" * 90),
        pipeline("m[d] = " + "where(\n" * 55 + "x[d] > 0" + ",\n x[d], 1) > 0" * 54 + ", x[d], 1)"),
        pipeline(f"m[d] = sum[i < {SUM}](x[i])"),
        pipeline(f"m[{SUM}] = x[0]"),
        pipeline(f"when x[0] > {SUM}:\n            m[d] = x[d]"),
        pipeline(f"repeat {SUM}:\n            m[d] = x[d]"),
        pipeline(f"for l in {SUM}:\n            m[d] = x[d]"),
        pipeline("m[d] = x[d]", head=f"pipeline p grows T by {SUM}:"),
        pipeline("m[d] = x[d]", memory=f"memory m: f32[D] @paged({SUM})"),
        pipeline("m[d] = x[d]", memory=f"memory m: f32[D] = {SUM}"),
        pipeline("m[d] = x[d]", f"    def f(v): return {SUM}\n"),
    ],
    ids=range(15),
)
def test_a_deep_expression_wherever_it_stands(text: str) -> None:
    assert [(item.code, "more than 80 operations deep" in item.message) for item in errors_of(text)] == [
        ("HET013", True)
    ]


@pytest.mark.parametrize(
    ("functions", "count", "words"),
    [
        # 2 ** 9 calls, inside of each other, beside each other, and statement by statement
        (chain(10, "before(before(v))"), 10, "more than 64 calls"),
        (chain(10, "before(v) + before(v)"), 10, "more than 64 calls"),
        (chain(500, "before(v)"), 500, "more than 64 calls"),
        (chain_of_statements(500, ["y = before(v)"]), 500, "more than 64 calls"),
        pytest.param(
            chain_of_statements(14, ["y = before(v)", "y = before(y)"]),
            14,
            "more than 20,000 operations in all",
            marks=pytest.mark.full,  # the statements before the limit are made: 3 s
        ),
        # one call each, but a parameter that is used twice
        (chain(30, "before(v + v)"), 30, "more than 20,000 operations in all"),
        (chain(30, "before(v * v) + v"), 30, "more than 20,000 operations in all"),
        (chain(40, "1 + (1 + (1 + before(v)))"), 40, "more than 80 operations deep once"),
    ],
)
def test_functions_that_expand_too_far(functions: str, count: int, words: str) -> None:
    call = f"y = g{count - 1}(x)" if "return y" in functions else f"y[d] = g{count - 1}(x[d])"
    (error,) = errors_of(pipeline(call, functions))
    assert error.code == "HET013"
    assert words in error.message
    assert error.span is not None
    assert f"g{count - 1}(x" in error.span.text, "the call in the program, not the last of the chain"


def test_what_is_below_the_limits_works() -> None:
    last = MAX_CALLS_OF_A_STATEMENT - 1
    assert not errors_of(pipeline(f"y[d] = g{last}(x[d])", chain(last + 1, "before(v)")))
    assert not errors_of(pipeline(f"y = g{last}(x)", chain_of_statements(last + 1, ["y = before(v)"])))
    assert not errors_of(pipeline("y = g8(x)", chain_of_statements(9, ["y = before(v)", "y = before(y)"])))
    assert not errors_of(pipeline("y[d] = " + "where(x[d] > 0,\n" * 50 + "x[d]" + ",\n 1)" * 50))
    assert not errors_of(pipeline("\n        ".join(f"y{number}[d] = x[d] + {number}" for number in range(500))))


def test_a_line_that_is_too_long_is_told_once() -> None:
    (error,) = errors_of(pipeline("m[d] = (" + "\n+ ".join(["x[d]"] * 9_000) + ")"))
    assert (error.code, "the limit is 20000" in error.message) == ("HET010", True)


# The Python form


def python_errors(body: str, decorator: str = "@hetero_pipeline", default: str = "8") -> list[Diagnostic]:
    text = f'{decorator}\ndef p(x: f32["D"], *, D={default}):\n{body}\n    return z\n'
    found = Diagnostics()
    start = time.perf_counter()
    try:
        found = compile_pipeline(parse_source(SourceFile("p.py", text)))[1]
    except DiagnosticError as error:
        found.extend(error.diagnostics)
    assert time.perf_counter() - start < SECONDS
    return [item for item in found if item.severity == "error"]


def nested(count: int) -> str:
    heads = "".join(f"{'    ' * (2 + depth)}with repeat(2):\n" for depth in range(count))
    return f"    with apply:\n        z[d] = x[d]\n{heads}{'    ' * (2 + count)}z[d] = 2 * z[d]"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("    with apply:\n        z[d] = " + "-" * 50_000 + "x[d]", "HET013"),
        ("    with apply:\n        z[d] = " + "x[d] + " * 5_000 + "x[d]", "HET013"),
        ("    with apply:\n        z[d] = x" + ".a" * 5_000, "HET013"),
        ("    with apply:\n        z[d] = x[d]" + " < x[d]" * 2_000, "HET013"),
        ("    with apply:\n        z[d] = " + "(" * 500 + "x[d]" + ")" * 500, "HET012"),
        (nested(MAX_BLOCK_DEPTH + 1), "HET011"),
        (nested(95), "HET011"),
        (f"    with apply, {', '.join(['repeat(2)'] * 2_000)}:\n        z[d] = x[d]", "HET011"),
    ],
    ids=range(8),
)
def test_what_nests_deeply_in_python(body: str, code: str) -> None:
    assert [item.code for item in python_errors(body)] == [code]


def test_a_string_and_an_option_that_nest_deeply() -> None:
    body = "    with apply:\n        z[d] = x[d]"
    assert [item.code for item in python_errors(body, default=f'"{"-" * 5_000}8"')] == ["HET012"]
    assert [item.code for item in python_errors(body, f"@hetero_pipeline(grows={{'T': {'-' * 5_000}1}})")] == ["HET013"]
    assert not python_errors(nested(MAX_BLOCK_DEPTH))
