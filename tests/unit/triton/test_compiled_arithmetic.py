"""What Triton compiles emitted functions to: the language's rules hold on a GPU, not under the interpreter alone."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from kernel_texts import compute, kernel_module, read

from hetc.runtime.triton_compile import KernelBuild, KernelSpec, compile_kernels, violations

LIMITS = {"sm_90": 232_448, "gfx90a": 65_536}
VECTOR = "[N], f32"


def builds(lower, functions: Sequence[str]) -> list[KernelBuild]:
    """For each target the kernel that adds up the functions, operations on %a and %b."""
    body = read("a", "x", "n", VECTOR) + read("b", "y", "n", VECTOR) + "%sum = arith.constant 0.0 : f32\n"
    total = "sum"
    for number, function in enumerate(functions):
        body += f"%f{number} = {function} : f32\n%s{number} = arith.addf %{total}, %f{number} : f32\n"
        total = f"s{number}"
    lowered = lower(
        kernel_module({"x": VECTOR, "y": VECTOR}, compute("z", "n in N", body, total, VECTOR), [("z", VECTOR)])
    )
    ((name, entry),) = json.loads(lowered.files["gpu/kernels.json"])["kernels"].items()
    signature = {item["name"]: item["type"] for item in entry["arguments"]}
    spec = KernelSpec(name, signature, num_warps=entry["num_warps"])
    return compile_kernels(lowered.text, [spec], list(LIMITS), shared_limit_bytes=LIMITS)


def test_division_and_roots_are_exact_and_subnormals_stay(lower):
    functions = ["arith.divf %a, %b", "math.sqrt %a", "math.exp %b", "arith.maximumf %a, %b", "arith.mulf %a, %b"]
    nvidia, amd = builds(lower, functions)
    assert violations(nvidia) == violations(amd) == []
    ptx = nvidia.artifacts["ptx"].decode()
    assert {"div.rn.f32", "sqrt.rn.f32", "ex2.approx.f32", "max.NaN.f32"} <= set(re.findall(r"[\w.]+\.f32", ptx))
    assert ".ftz" not in ptx
    assembly = amd.artifacts["amdgcn"].decode()
    assert "v_div_fixup_f32" in assembly  # ends a division that is rounded as IEEE 754 asks
    assert re.search(r"float_denorm_mode_32 3\b", assembly)  # kept, in operands and in results


def test_functions_with_special_values_need_no_stack(lower):
    """A library's sine keeps a table on the stack for large arguments."""
    unary = ["sin", "cos", "tanh", "roundeven", "erf", "log", "rsqrt", "floor", "ceil"]
    functions = [*(f"math.{name} %a" for name in unary), "math.powf %a, %b", "math.atan2 %a, %b"]
    assert [problem for build in builds(lower, functions) for problem in violations(build)] == []
