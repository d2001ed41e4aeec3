"""What is said about names of other languages: each statement compiles, is what the name means, and is on the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hetc.compiler.frontend import check_source
from hetc.compiler.frontend.resolve.functions import DTYPES
from hetc.compiler.frontend.syntax.elsewhere import DTYPES_ELSEWHERE, HEAD, INSTEAD, TABLE, Instead
from hetc.compiler.vocabulary import FUNCTIONS
from hetc.source import SourceFile
from tests.language.running import session_of

PAGE = Path(__file__).parents[2] / "docs" / "elsewhere.md"
HEADER = """# What does not exist, and what to write instead

Written by `pytest tests/language/test_elsewhere.py --update-golden` from the table that the compiler's hints come from
too, in `compiler/frontend/syntax/elsewhere.py`. Each statement compiles beside these declarations:

```mp
{head}```

There are no slices (`y[i < 2] = x[i + 1]`), no indices from the end (`x[D - 1]`), no `a if c else b` or `c ? a : b`
(`where(c, a, b)`), no `if` and `while` (`when c:`, `repeat 5:`, `for l in L:`), no `&&`, `||`, `!` (`and`, `or`,
`not`), no `@` between tensors (`sum[k](a[i, k] * b[k, j])`), and no `x.f()` (`f(x)`).

| elsewhere | here |
|---|---|
"""


def written(row: Instead) -> str:
    """One line of the page."""
    names = ", ".join(f"`{name}`" for name in row.names)
    text = f"`{row.write}`" if row.write else row.why
    return f"| {names} | {text.replace('|', chr(92) + '|')} |\n"


def test_the_page_lists_the_table(update_golden: bool) -> None:
    declarations = HEAD + "    apply:\n        m[d] = x[d] + y[d] + a[0, d] + b[d, 0] + n[d] + f32(c[d])\n"
    text = HEADER.format(head=declarations) + "".join(map(written, TABLE))
    if update_golden:
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text


def test_no_name_is_one_of_the_language_or_there_twice() -> None:
    assert not INSTEAD.keys() & {*FUNCTIONS, *DTYPES}
    assert sum(len(row.names) for row in TABLE) == len(INSTEAD)
    assert set(DTYPES_ELSEWHERE.values()) <= set(DTYPES)


ROWS = [row for row in TABLE if row.write]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.names[0])
def test_a_statement_compiles(row: Instead) -> None:
    output = "m" if row.write.startswith("m[") else "z"
    text = f"{HEAD}    apply:\n        {row.write}\n    output {output}\n"
    assert [item for item in check_source(SourceFile("p.mp", text))[1] if item.code != "HET109"] == []


@pytest.mark.parametrize("name", INSTEAD)
def test_a_name_is_told(name: str) -> None:
    for value in (name, f"{name}(x[d])", f"{name}[e](x[e])"):
        text = f"{HEAD}    apply:\n        z[d] = x[d] + {value}\n    output z\n"
        errors = [item for item in check_source(SourceFile("p.mp", text))[1] if item.severity == "error"]
        assert [item.help for item in errors] == [INSTEAD[name].help], value


def softmax(x: np.ndarray) -> np.ndarray:
    return np.exp(x - x.max()) / np.exp(x - x.max()).sum()


MEANINGS = {
    "matmul": lambda x, y, a, b, n, c: a @ b,
    "outer": lambda x, y, a, b, n, c: np.outer(x, y),
    "cumsum": lambda x, y, a, b, n, c: np.cumsum(x),
    "cumprod": lambda x, y, a, b, n, c: np.cumprod(x),
    "cummax": lambda x, y, a, b, n, c: np.maximum.accumulate(x),
    "cummin": lambda x, y, a, b, n, c: np.minimum.accumulate(x),
    "norm": lambda x, y, a, b, n, c: np.linalg.norm(x),
    "variance": lambda x, y, a, b, n, c: x.var(),
    "std": lambda x, y, a, b, n, c: x.std(),
    "layer_norm": lambda x, y, a, b, n, c: (x - x.mean()) / np.sqrt(x.var() + 1e-5),
    "median": lambda x, y, a, b, n, c: np.sort(x)[4],
    "argsort": lambda x, y, a, b, n, c: np.argsort(x, kind="stable"),
    "searchsorted": lambda x, y, a, b, n, c: np.searchsorted(np.sort(x), y),
    "bincount": lambda x, y, a, b, n, c: np.bincount(n, minlength=8)[:4],
    "nonzero": lambda x, y, a, b, n, c: np.pad(np.flatnonzero(c), (0, 8 - c.sum()), constant_values=-1),
    "unique": lambda x, y, a, b, n, c: [item not in x[:at] for at, item in enumerate(x)],
    "log_softmax": lambda x, y, a, b, n, c: np.log(softmax(x)),
    "gather": lambda x, y, a, b, n, c: x[n],
    "one_hot": lambda x, y, a, b, n, c: np.eye(8)[n][:, :4],
    "reshape": lambda x, y, a, b, n, c: x.reshape(4, 2),
    "transpose": lambda x, y, a, b, n, c: a.T,
    "stack": lambda x, y, a, b, n, c: np.stack([x, y]),
    "cat": lambda x, y, a, b, n, c: np.concatenate([x, y]),
    "split": lambda x, y, a, b, n, c: np.split(x, 2)[1],
    "roll": lambda x, y, a, b, n, c: np.roll(x, -1),
    "flip": lambda x, y, a, b, n, c: x[::-1],
    "pad": lambda x, y, a, b, n, c: np.pad(x, (0, 2)),
    "tile": lambda x, y, a, b, n, c: np.tile(x, 2),
    "diag": lambda x, y, a, b, n, c: np.diag(a),
    "trace": lambda x, y, a, b, n, c: np.trace(a),
    "tril": lambda x, y, a, b, n, c: np.tril(a),
    "triu": lambda x, y, a, b, n, c: np.triu(a),
    "eye": lambda x, y, a, b, n, c: np.eye(8),
    "arange": lambda x, y, a, b, n, c: np.arange(8),
    "conv": lambda x, y, a, b, n, c: np.correlate(x, y[:3], "valid"),
    "max_pool": lambda x, y, a, b, n, c: x.reshape(4, 2).max(1),
    "avg_pool": lambda x, y, a, b, n, c: x.reshape(4, 2).mean(1),
    "clip": lambda x, y, a, b, n, c: np.clip(x, 0, 1),
    "exp2": lambda x, y, a, b, n, c: np.exp2(x),
    "log2": lambda x, y, a, b, n, c: np.log2(x),
    "log10": lambda x, y, a, b, n, c: np.log10(x),
    "tan": lambda x, y, a, b, n, c: np.tan(x),
    "atan": lambda x, y, a, b, n, c: np.arctan(x),
    "sinh": lambda x, y, a, b, n, c: np.sinh(x),
    "cosh": lambda x, y, a, b, n, c: np.cosh(x),
    "trunc": lambda x, y, a, b, n, c: np.trunc(x),
    "fmod": lambda x, y, a, b, n, c: np.fmod(x, y),
    "sinc": lambda x, y, a, b, n, c: np.sinc(x),
    "hypot": lambda x, y, a, b, n, c: np.hypot(x, y),
    "isnan": lambda x, y, a, b, n, c: np.isnan(x),
    "isinf": lambda x, y, a, b, n, c: np.isinf(x),
    "isfinite": lambda x, y, a, b, n, c: np.isfinite(x),
    "logical_xor": lambda x, y, a, b, n, c: np.logical_xor(c, x > 0),
    "pi": lambda x, y, a, b, n, c: np.pi * x,
}


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("name", MEANINGS)
def test_a_statement_is_what_the_name_means(name: str, tmp_path: Path) -> None:
    random = np.random.default_rng()
    x, y = random.normal(size=8).astype(np.float32), random.normal(size=8).astype(np.float32)
    if name == "unique":
        x = np.round(x)
    if name in ("isnan", "isinf", "isfinite"):
        x[[1, 2, 5]] = np.nan, np.inf, -np.inf
    if name in ("log2", "log10"):
        x = abs(x) + np.float32(0.1)
    a, b = random.normal(size=(4, 8)).astype(np.float32), random.normal(size=(8, 4)).astype(np.float32)
    n, c = random.integers(0, 8, 8).astype(np.int32), random.integers(0, 2, 8).astype(bool)
    given = {"x": x, "y": y, "a": a, "b": b, "n": n, "c": c}
    text = f"{HEAD}    apply:\n        {INSTEAD[name].write}\n    output z\n"
    session = session_of(text, "oracle", {}, {}, tmp_path)
    found = session.call(**given)["z"]
    exact = [item.astype(float) if item.dtype == np.float32 else item for item in given.values()]
    np.testing.assert_allclose(found.astype(float), np.asarray(MEANINGS[name](*exact), float), 1e-4, 1e-5)


def test_an_index_from_the_end_is_warned_of() -> None:
    text = (
        "pipeline p:\n    dim B <= 4; dim T <= 9 per B; dim D = 8\n    input x: f32[D]\n    input v: f32[B, T]\n"
        "    apply:\n        z = x[-1]\n        w[b] = v[b, -2]\n        u[d < D] = x[d - 1] + x[D - 1]\n"
        "    output z, w, u\n"
    )
    module, found = check_source(SourceFile("p.mp", text))
    assert module is not None
    assert [(item.code, item.help) for item in found] == [
        ("HET113", "counted from the end it is `8 - 1`"),
        ("HET113", "counted from the end it is `T[b] - 2`"),
    ]


@pytest.mark.parametrize(
    ("statement", "help"),
    [
        ("z[d] = c[d] ? x[d] : y[d]", "write `where(c, a, b)`"),
        ("z[i] = x[1:3]", "an index runs over its whole dim; a part is `y[i < 2] = x[i + 1]`"),
        ("z[i] = x[:]", "an index runs over its whole dim; a part is `y[i < 2] = x[i + 1]`"),
        ("z[i] = x[...]", "write an index for each dim"),
        ("z = a @ b", "write `sum[k](a[i, k] * b[k, j])`"),
        ("z[d] = !c[d]", "write `not`"),
        ("z[d] = c[d] && c[d]", "write `and`"),
        ("z[d] = c[d] || c[d]", "write `or`"),
        ("m[d]++", "write `m[d] += 1`, where `m` is a memory"),
        ("z = [1, 2]", "values come in an input or a weight"),
        ("z = x.cumsum()", INSTEAD["cumsum"].help),
        ("while c[0]: z = 1", "write `repeat 5:` or `for l in L:`"),
        ("if c[0]: z = 1", "write `where(c, a, b)` or `when c:`"),
        ("else: z = 1", "write `where(c, a, b)`"),
        ("print(x)", INSTEAD["print"].help),
        ("z[d] = sofmax[d](x[d])", "did you mean `softmax`?"),
        ("z[d] = rsqt(x[d])", "did you mean `rsqrt`?"),
        ("z[d] = qq(x[d])", None),
        ("z[d] = summary(x[d])", None),
        ("z[d] = float32(x[d])", INSTEAD["float32"].help),
        ("z[d] = NaN + x[d]", INSTEAD["nan"].help),
    ],
)
def test_what_is_said_of_a_statement(statement: str, help: str | None) -> None:
    found = check_source(SourceFile("p.mp", f"{HEAD}    apply:\n        {statement}\n"))[1]
    errors = [item for item in found if item.severity == "error"]
    assert [item.help for item in errors[:1]] == [help]


@pytest.mark.parametrize(("name", "dtype"), DTYPES_ELSEWHERE.items())
def test_a_dtype_of_elsewhere_is_told(name: str, dtype: str) -> None:
    text = f"pipeline p:\n    input x: {name}\n    apply:\n        z = x + 1\n    output z\n"
    errors = [item for item in check_source(SourceFile("p.mp", text))[1] if item.severity == "error"]
    assert [item.help for item in errors] == [f"did you mean `{dtype}`?"]
