"""Each spelling of a Python function beside its `.mp` spelling: the same syntax tree but for places."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from hetc.compiler.embedding.read import parse_source
from hetc.compiler.embedding.source import file_and_name, select_function
from hetc.compiler.frontend.syntax import ast
from hetc.diagnostics import DiagnosticError
from hetc.source import SourceFile, Span

MP = """\
pipeline p grows T by 1, N by M:
    \"\"\"What it is.\"\"\"
    dim B <= 4; dim T <= 2 ** 6 per B; dim M <= 8; dim N <= 99; dim D = 8; dim E = 2 * D - 1; dim C = ceildiv(T, 4)
    input x: bf16[B, D]
    input lr: f32
    weight W: bf16[D, 2 * E]
    memory keys: fp8[B, T, D]
    memory start: f32[D] = 1.5
    memory tf: sparse u8[D, N] stored <= 2e9
    memory bank: ring bf16[B, D]
    prepare:
        append(keys, x)
        k8[b, d], ks[b] = quantize[d](rope[d](x[b, d], at=T[b] - 1, layout=half), fp8, scale=pow2)
        start[d] += 1
        start[d] -= 1; start[d] *= 2; start[d] /= -2
        repeat 5:
            start[d] = +start[d] ** 2 // 3 % 4
            repeat D:
                start[d] = 0.5 * start[d]
    relevancy @fpga:
        s[b, t] = sum[d, i < 2](x[b, d] * keys[b, t, 2*d + i]) / sqrt(lr)
    retrieve:
        best[b, j], picked[b, j] = topk[t](s[b, t], K, order=score)
    apply:
        o[b, v < 3] = where(0 < v <= 2 and not (v == 1 or v != v - 0) and v >= 0, x[b, v], -x[b, 0])
    output o: bf16, picked
"""

PYTHON = '''\
@hetero_pipeline(platform="a100+u55c", grows={"T": 1, "N": "M"})
def p(
    x: bf16["B", "D"],
    lr: f32,
    W: weight(bf16["D", "2 * E"]),
    keys: memory(fp8["B", "T", "D"]),
    start: memory(f32["D"], initial=1.5),
    tf: memory(sparse(u8["D", "N"], stored=2e9)),
    bank: memory(ring(bf16["B", "D"])),
    *,
    B=le(4),
    T=le("2 ** 6", per="B"),
    M=le(8),
    N=le(99),
    D=8,
    E="2 * D - 1",
    C="ceildiv(T, 4)",
):
    """What it is."""
    with prepare:
        append(keys, x)
        k8[b, d], ks[b] = quantize[d](rope[d](x[b, d], at=T[b] - 1, layout=half), fp8, scale=pow2)
        start[d] += 1
        start[d] -= 1
        start[d] *= 2
        start[d] /= -2
        with repeat(5):
            start[d] = +(start[d] ** 2) // 3 % 4
            with repeat(D):
                start[d] = 0.5 * start[d]
    with relevancy(fpga):
        s[b, t] = sum[d, i < 2](x[b, d] * keys[b, t, 2 * d + i]) / sqrt(lr)
    with retrieve:
        best[b, j], picked[b, j] = topk[t](s[b, t], K, order=score)
    with apply:
        o[b, v < 3] = where(0 < v <= 2 and not (v == 1 or v != v - 0) and v >= 0, x[b, v], -x[b, 0])
    return bf16(o), picked
'''


STEPS_MP = """\
pipeline p:
    dim N <= 4; dim T <= 64; dim L = 3
    input x: f32[N]
    memory m: f32[L, N]
    memory log: f32[T, N]
    def twice(a, f): return f * a, a
    def share[i, j](a, e): return a / (sum[i, j](a) + e)
    def norm(a):
        s = sum[n](a[n])
        return a / s
    step decode(x) grows T by 1:
        prepare:
            append(log, x)
            when T % 4 == 0:
                for l in L:
                    repeat 2:
                        m[l, n] = m[l, n] + x[n]
        output m
    step reset():
        for l in L:
            prepare @gpu: m[l, n] = 0 * m[l, n]
            repeat 2:
                apply:
                    m[l, n] += 1
            when l > 0:
                relevancy:
                    m[l, n] += 1
    step peek:
        prepare:
            y[n] = sum[l](m[l, n])
        output y: bf16, x
"""

STEPS_PYTHON = """\
@hetero_pipeline
def p(x: f32["N"], m: memory(f32["L", "N"]), log: memory(f32["T", "N"]), *, N=le(4), T=le(64), L=3):
    def twice(a, f):
        return f * a, a
    def share(a, e, *, i, j):
        return a / (sum[i, j](a) + e)
    def norm(a):
        s = sum[n](a[n])
        return a / s
    with step.decode(x, grows={"T": 1}):
        with prepare:
            append(log, x)
            with when(T % 4 == 0):
                for l in L:
                    with repeat(2):
                        m[l, n] = m[l, n] + x[n]
        return m
    with step.reset():
        for l in L:
            with prepare("gpu"):
                m[l, n] = 0 * m[l, n]
            with repeat(2), apply:
                m[l, n] += 1
            with when(l > 0):
                with relevancy:
                    m[l, n] += 1
    with step.peek:
        with prepare:
            y[n] = sum[l](m[l, n])
        return bf16(y), x
"""


def bare(node: Any) -> Any:
    """A tree as plain data, without places."""
    if isinstance(node, tuple):
        return [bare(item) for item in node]
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        values = {item.name: getattr(node, item.name) for item in dataclasses.fields(node)}
        return type(node).__name__, {k: bare(v) for k, v in values.items() if not isinstance(v, Span | SourceFile)}
    return node


def read(text: str, name: str = "p.py") -> ast.Pipeline:
    return parse_source(SourceFile(name, text))


def test_every_spelling_gives_the_tree_of_the_mp_file() -> None:
    assert bare(read(PYTHON)) == bare(parse_source(SourceFile("p.mp", MP)))


def test_steps_functions_conditions_and_loops() -> None:
    assert bare(read(STEPS_PYTHON)) == bare(parse_source(SourceFile("p.mp", STEPS_MP)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('x: bf16["B", "D"]', "x: bf16[B, D]"),
        ('x: bf16["B", "D"]', 'x: "bf16[B, D]"'),
        ('x: bf16["B", "D"]', 'x: hetc.bf16["B", "D"]'),
        ('W: weight(bf16["D", "2 * E"])', 'W: "weight(bf16[D, 2 * E])"'),
        ('T=le("2 ** 6", per="B")', "T=le(2 ** 6, per=B)"),
        ('E="2 * D - 1"', "E=2 * D - 1"),
        ("@hetero_pipeline(", "@no_type_check\n@hetc.hetero_pipeline("),
        ("with repeat(5):\n", "with repeat(5):\n            pass\n"),
        ("relevancy(fpga)", 'relevancy("fpga")'),
        ("bf16(o), picked", "(bf16(o), picked)"),
    ],
)  # fmt: skip
def test_other_ways_to_write_it(old: str, new: str) -> None:
    assert old in PYTHON
    assert bare(read(PYTHON.replace(old, new))) == bare(read(PYTHON))


def test_several_items_of_a_with_nest() -> None:
    text = PYTHON.replace("with retrieve:", "with retrieve, repeat(2), repeat(3):")
    (statement,) = read(text).steps[0].statements[2].statements
    assert isinstance(statement, ast.Repeat) and bare(statement.count) == ("Number", {"value": 2})
    (inner,) = statement.statements
    assert isinstance(inner, ast.Repeat) and bare(inner.count) == ("Number", {"value": 3})


def spans(node: Any) -> list[Span]:
    if isinstance(node, Span):
        return [node]
    if isinstance(node, tuple):
        return [span for item in node for span in spans(item)]
    if dataclasses.is_dataclass(node) and not isinstance(node, type | SourceFile):
        return [span for item in dataclasses.fields(node) for span in spans(getattr(node, item.name))]
    return []


def test_every_place_is_in_the_function_and_names_cover_themselves() -> None:
    text = "# é\n\nif True:\n" + "".join(f"    {line}\n" for line in PYTHON.splitlines())
    pipeline = read(text)
    assert all(span.text for span in spans(pipeline))
    assert [dim.name_span.text for dim in pipeline.dims] == ["B", "T", "M", "N", "D", "E", "C"]
    assert [item.name_span.text for item in pipeline.declarations] == ["x", "lr", "W", "keys", "start", "tf", "bank"]
    assert pipeline.name_span.text == "p" and pipeline.name_span.line == 5
    size = pipeline.dims[5].size
    assert size is not None and size.span.text == "2 * D - 1"
    assert [output.span.text for output in pipeline.steps[0].outputs] == ["o", "picked"]
    assert pipeline.steps[0].grows[1].by.span.text == "M"


def test_one_pipeline_is_chosen_by_name_where_there_are_several() -> None:
    text = PYTHON + "\n\n" + PYTHON.replace("def p(", "def other(") + "\n\ndef helper():\n    pass\n"
    assert parse_source(select_function(SourceFile("f.py", text), "other")).name == "other"
    for name, words in ((None, "2 pipelines"), ("othr", "no pipeline `othr`"), ("helper", "no pipeline `helper`")):
        with pytest.raises(DiagnosticError, match=words):
            select_function(SourceFile("f.py", text), name)
    with pytest.raises(DiagnosticError, match="did you mean `other`"):
        select_function(SourceFile("f.py", text), "othr")


def test_text_that_is_no_python_or_holds_no_pipeline() -> None:
    with pytest.raises(DiagnosticError, match="HET012") as caught:
        read("def p(:\n    pass\n")
    assert caught.value.diagnostics[0].span is not None
    with pytest.raises(DiagnosticError, match="holds no function under @hetero_pipeline"):
        read("def p():\n    pass\n")
    with pytest.raises(DiagnosticError, match="HET002"):
        read("x = '\0'")


def test_a_name_behind_a_path() -> None:
    assert file_and_name("a/b.py:scan") == ("a/b.py", "scan")
    assert file_and_name("a/b.py") == ("a/b.py", None)
    assert file_and_name("a:b.mp") == ("a:b.mp", None)


def test_conditions_and_layers_are_read_as_in_a_file() -> None:
    statements = (
        ("with when(x[0] > 0):", "when x[0] > 0:"),
        ("    for l in L:", "    for l in L:"),
        ("        m[l] += x[l]", "        m[l] += x[l]"),
    )
    python = "@hetero_pipeline\ndef p(x: f32[4], m: memory(f32[4]), *, L=4):\n    with apply:\n"
    python += "".join(f"        {line}\n" for line, _ in statements) + "    return m\n"
    text = "pipeline p:\n    dim L = 4\n    input x: f32[4]\n    memory m: f32[4]\n    apply:\n"
    text += "".join(f"        {line}\n" for _, line in statements) + "    output m\n"
    (found,) = read(python).steps[0].statements[0].statements
    (expected,) = read(text, "p.mp").steps[0].statements[0].statements
    assert bare(found) == bare(expected)


@pytest.mark.parametrize(
    ("python", "plain"),
    [
        ("inf", "inf"),
        ("-inf", "-inf"),
        ("math.inf", "inf"),
        ('float("inf")', "inf"),
        ('float("-inf")', "-inf"),
        ("np.inf * x", "inf * x"),
        ("True", "true"),
        ("false or not True", "false or not true"),
    ],
)
def test_literals_as_python_spells_them(python: str, plain: str) -> None:
    frame = "@hetero_pipeline\ndef p(x: f32):\n    with apply:\n        y = {}\n    return y\n"
    text = "pipeline p:\n    input x: f32\n    apply:\n        y = {}\n    output y\n"
    expected = parse_source(SourceFile("p.mp", text.format(plain)))
    assert bare(read(frame.format(python))) == bare(expected)


def test_a_memory_begins_with_an_infinity() -> None:
    text = '@hetero_pipeline\ndef p(m: memory(f32["D"], initial={}), *, D=4):\n    with apply:\n        m[d] = 0\n'
    (memory,) = read(text.format('-float("inf")')).declarations
    assert bare(memory.initial) == ("Unary", {"operator": "-", "operand": ("Number", {"value": float("inf")})})
    assert bare(read(text.format('float("-inf")')).declarations[0].initial) == bare(memory.initial)
