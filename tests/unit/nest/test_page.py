"""docs/nest.md: its examples are verified, and it leaves out no op and no combiner."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from nest_kernels import parsed
from xdsl.dialects.builtin import f32, i1, i32
from xdsl.utils.exceptions import VerifyException

from hetc.dialects import nest
from hetc.dialects.nest.combiners.registry import COMBINERS

PAGE = (Path(__file__).parents[3] / "docs" / "nest.md").read_text()
BLOCKS = re.findall(r"(?ms)^```mlir( \w+)?\n(.*?)^```", PAGE)
(FRAME,) = (text for kind, text in BLOCKS if kind.strip() == "frame")
EXAMPLES = [text for kind, text in BLOCKS if not kind]
REFUSED = [text for kind, text in BLOCKS if kind.strip() == "refused"]


def framed(example: str) -> str:
    return FRAME.replace("// example", example)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_is_verified(example: str) -> None:
    parsed(framed(example))


@pytest.mark.parametrize("example", REFUSED, ids=range(len(REFUSED)))
def test_what_is_refused_is_refused_for_that(example: str) -> None:
    """The first line of the example is what the verifier says."""
    message = example.splitlines()[0].removeprefix("// ")
    with pytest.raises(VerifyException, match=re.escape(message)):
        parsed(framed(example))


def test_every_op_has_an_example() -> None:
    shown = {op.name for example in EXAMPLES for op in parsed(framed(example)).walk()}
    assert {op.name for op in nest.NEST.operations} <= shown
    for op in nest.NEST.operations:
        assert f"**`{op.name}`**" in PAGE


def test_every_combiner_has_a_row_with_its_state() -> None:
    rows = dict(re.findall(r"(?m)^\| `(\w+)` \| \(([\w, ]+)\) \|", PAGE))
    assert rows == {name: ", ".join(field.name for field in _one(kind).state) for name, kind in COMBINERS.items()}


def _one(kind: type[nest.Combiner]) -> nest.Combiner:
    """The combiner over the first type here that it combines."""
    for element in (f32, i32, i1):
        try:
            return kind(element, 4 if kind.SIZED else 0)
        except ValueError:
            pass
    raise AssertionError(kind)
