"""Expressions cloned from one region into another."""

from __future__ import annotations

from hetc.compiler.frontend import compile_source
from hetc.dialects.mp import ComputeOp, ReadOp
from hetc.passes.emission import index
from hetc.passes.rebuild import clone_expression
from hetc.source import SourceFile

COUNT = 12
NAMES = [f"x{number}" for number in range(3 * COUNT)]
CHOICES = [f"where({a}[d] > 0, {b}[d], {c}[d])" for a, b, c in zip(NAMES[::3], NAMES[1::3], NAMES[2::3], strict=True)]
PROGRAM = f"""pipeline p:
    dim D = 4
    {"; ".join(f"input {name}: f32[D]" for name in NAMES)}
    prepare:
        o[d] = {" + ".join(CHOICES)}
    output o
"""


def test_a_clone_reads_in_the_order_of_its_operands() -> None:
    """Whatever order the values happen to hash in: what is emitted must not depend on it."""
    for _ in range(5):
        module = compile_source(SourceFile("p.mp", PROGRAM))
        (statement,) = (op for op in module.walk() if isinstance(op, ComputeOp))
        block = statement.body.block
        before = len(list(block.ops))
        elsewhere = index(2, statement.yielded)
        clone_expression(statement.yielded.value, {block.args[0]: elsewhere}, statement.yielded)
        cloned = list(block.ops)[before - 1 : -1]
        assert [op.tensor.name_hint for op in cloned if isinstance(op, ReadOp)] == NAMES
