"""A memory in pages that is overwritten where it lies, and then goes through a loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hetc.compiler.driver import Options, compile_source_file, write_directory
from hetc.runtime.program import load_program
from hetc.source import SourceFile

SOURCE = """pipeline walk grows T by 1:
    dim B <= 4
    dim T <= 64 per B
    dim D = 2
    input x: {element}[B, D]
    memory keys: {element}[B, T, D] @paged(4)
    prepare:
        append(keys, x)
        keys[b, 0, d] = 2.0
    for l in 3:
        retrieve:
            keys[b, t, d] = keys[b, t, d] + 1.0
"""


@pytest.mark.parametrize("element", ["f32", "fp4"])
def test_a_loop_takes_it_on(element: str, tmp_path: Path) -> None:
    source = SourceFile("walk.mp", SOURCE.format(element=element))
    options = Options("cpu", passes={"scatter-update": {"least": -(2**62)}})
    write_directory(compile_source_file(source, options), tmp_path)
    program = load_program(tmp_path)
    state = program.new_state(B=2, T=8)
    state.load("keys", np.full((2, 3, 2), -3.0, np.float32), lengths=[3, 2])
    program.step("walk")(state, x=np.full((2, 2), 1.0, np.float32))
    # fp4 goes from 4 to 6: 2, 3, 4, and from 4 to 4 (5 is halfway, and 4 is the even one).
    first, last = (5, 4) if element == "f32" else (4, 4)
    want = [[first, 0, 0, last], [first, 0, last, 0]]
    np.testing.assert_array_equal(state.read("keys")[..., 0], want)
