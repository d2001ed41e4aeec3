"""Names in C++: whatever the language lets a user call a tensor or a dim, the kernel compiles and is right."""

from __future__ import annotations

import pytest

from hetc.backends.cxx.names import Names
from hetc.compiler import verify
from hetc.compiler.driver import Options, compile_source_file
from hetc.source import SourceFile

WORDS = [
    *("new", "signed", "union", "and_eq", "NULL", "M_PI", "EOF", "INFINITY"),
    *("ap_uint", "half", "main", "errno", "j0", "std", "register_2", "short"),
]


@pytest.mark.parametrize("word", ["new", "M_PI", "half", "y0"])
def test_a_word_of_cpp_is_no_name(word):
    names = Names()
    first, second = names.new(word), names.new(word)
    assert len({word, first, second}) == 3
    assert not first.isupper()


def test_every_other_name_stays():
    names = Names()
    assert [names.new(name) for name in ("scores", "T", "scores")] == ["scores", "T", "scores_2"]


@pytest.mark.parametrize("at", [slice(0, 8), slice(8, 16)])
def test_kernels_whose_tensors_and_dims_have_such_names_compile(at):
    tensors, dims = WORDS[at], [f"{word}_d" for word in WORDS[at]]
    lines = [f"dim {dim} <= 5\n    input {word}: f32[{dim}, D]" for word, dim in zip(tensors, dims, strict=True)]
    made = [f"{word}_sum[i] = sum[d]({word}[i, d])" for word in tensors]
    text = (
        "pipeline p:\n    dim D = 3\n    " + "\n    ".join(lines) + "\n    prepare @fpga:\n        "
        "" + "\n        ".join(made) + "\n    output " + ", ".join(f"{word}_sum" for word in tensors) + "\n"
    )
    report = verify.run(compile_source_file(SourceFile("p.mp", text), Options()), calls=1)
    assert report.ok, report.rows
    assert report.rows[0].backend == "c-simulation"
