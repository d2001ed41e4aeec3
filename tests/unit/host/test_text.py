"""The text of host programs: complete, the same each time, and safe whatever tensors and steps are called."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir.affine import AffineExpr
from xdsl.parser import Parser

from hetc.backends import host
from hetc.backends.host.names import RESERVED_METHODS, Names, method_name
from hetc.backends.host.values import affine
from hetc.dialects.locations import without_location
from hetc.dialects.registry import new_context
from hetc.passes.lower_host.lower_to_host import LowerToHostPass
from hetc.runtime.program import HostProgram

FOLDER = Path(__file__).parents[2] / "filecheck"


def lowered(text: str) -> ModuleOp:
    context = new_context()
    module = Parser(context, text).parse_module()
    LowerToHostPass().apply(context, module)
    module.verify()
    return module


MOVES = """
mp.pipeline @moves {
  mp.dim @B bound 8 : i64
  mp.dim @T bound 64 : i64 per "B"
  mp.dim @N bound 9 : i64 per "B" derived affine_map<(d0) -> ((d0 + 7) floordiv 8)> of ["T"]
  mp.dim @D size 4 : i64
  mp.declare @lambda "input" : <[B, 4], f32>
  mp.declare @plan "memory" init -1.0 : f32 : <[B, T, 4], bf16> {home = "gpu"}
  mp.declare @tf "memory" : <[9, T], ui8, #mp.sparse<#builtin.int<100>>> {home = "fpga"}
  mp.step @call grows {T = 1 : i64} pins {} {
    %m = mp.get "plan" : !mp.tensor<[B, T, 4], bf16>
    %x = mp.get "lambda" : !mp.tensor<[B, 4], f32>
    %y = task.transfer %m from "gpu" to "fpga" : !mp.tensor<[B, T, 4], bf16> -> !mp.tensor<[B, T, 4], bf16>
    mp.output "class", %y as bf16 : !mp.tensor<[B, T, 4], bf16>
    mp.output "state", %x as f32 : !mp.tensor<[B, 4], f32>
    mp.commit "plan", %m : !mp.tensor<[B, T, 4], bf16>
  }
}
"""


def test_the_text_is_python_and_the_same_each_time() -> None:
    text = (FOLDER / "lower-to-host.mlir").read_text()
    first, second = (host.emit(lowered(text)) for _ in range(2))
    assert first == second and list(first) == ["host/tiny_host.py"]
    ast.parse(first["host/tiny_host.py"])
    assert "plan.stripe(keys_2, 1)" in first["host/tiny_host.py"]
    assert max(len(line) for line in first["host/tiny_host.py"].splitlines()) <= 120


def test_names_that_python_or_the_program_owns() -> None:
    text = host.emit(lowered(MOVES))["host/moves_host.py"]
    tree = ast.parse(text)
    methods = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert methods == ["call_", "_call_plan"]
    assert 'lambda_ = plan.input("lambda")' in text
    assert 'plan_2 = plan.memory("plan")' in text
    assert 'plan.finish({"class": plan_fpga, "state": lambda_})' in text


def test_derived_dims_initial_values_and_sparse_bounds() -> None:
    text = host.emit(lowered(MOVES))["host/moves_host.py"]
    assert '"N": Dim(bound=9, per="B", of=("T",), derived=lambda T: ((T + 7) // 8)),' in text
    assert '"plan": Tensor("memory", ("B", "T", 4), "bf16", home="gpu", init=-1.0),' in text
    assert '"tf": Tensor("memory", (9, "T"), "u8", home="fpga", stored_bound=100),' in text


def test_affine_expressions_work_on_arrays() -> None:
    expression = (AffineExpr.dimension(0) * 3 + 5).ceil_div(4) + AffineExpr.dimension(1) % 7
    values = np.arange(20)
    text = affine(expression, ["T", "S"])
    np.testing.assert_array_equal(eval(text, {"T": values, "S": 9}), -(-(values * 3 + 5) // 4) + 2)


def test_no_step_hides_what_a_program_has() -> None:
    own = {name for name in vars(HostProgram) if not name.startswith("_")}
    own |= {"on_kernel", "on_transfer", "devices", "frozen_weights", "directory", "PIPELINE", "KERNELS"}
    own |= {"METHODS", "PLANS"}
    assert own == set(RESERVED_METHODS)
    assert method_name("decode") == "decode" and method_name("step") == "step_"


def test_names_are_unique() -> None:
    names = Names()
    assert [names.new(text) for text in ("k", "k", "2x", "plan", "a.b", "for")] == [
        "k", "k_2", "v2x", "plan_2", "a_b", "for_",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["lower-to-host"])
def test_every_op_keeps_its_location(name: str) -> None:
    lines = (FOLDER / f"{name}.mlir").read_text()
    context = new_context()
    module = Parser(context, lines).parse_module()
    from hetc.dialects.locations import file_location

    for op in module.walk():
        op.location = file_location("score.mp", 3, 1)
    LowerToHostPass().apply(context, module)
    assert not without_location(module)
    assert "# score.mp:3" in next(iter(host.emit(module).values()))
