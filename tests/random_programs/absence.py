"""Whether a random program carries an absent element, through arithmetic, from one kernel into another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from xdsl.dialects.arith import CmpfOp, CmpiOp, ConstantOp, IndexCastOp, SelectOp
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, Operation, SSAValue

from hetc.backends.reference import StepResult, run_step
from hetc.compiler.driver import compile_source_file
from hetc.compiler.frontend import compile_source
from hetc.dialects.mp import ComputeOp
from hetc.dialects.task import KernelOp, TransferOp
from hetc.source import SourceFile
from random_programs.options import options_of
from random_programs.oracle import Given, judge_calls
from random_programs.program import Program
from random_programs.spell import spell

Statement = tuple[Attribute, str | None]
"""What tells a statement from others in every form of a program: its place in the source and its name."""


@dataclass(frozen=True)
class Crossings:
    """Whether an absent element that arithmetic gave passes from kernel to kernel, and from device to device."""

    kernels: bool
    devices: bool


def crossings(program: Program, pins: Mapping[str, str]) -> Crossings:
    """Where the oracle, on the program as the front end leaves it, has absent elements, and which kernels of the placed
    program read them. Raises DiagnosticError where the compiler refuses the program."""
    source = SourceFile(f"random_{program.seed}.mp", spell(program))
    missing = _missing(program, compile_source(source))
    placed = compile_source_file(source, options_of(program, pins, "mi210+u55c"), until="placed").placed
    found = list(_crossing(placed, missing))
    return Crossings(bool(found), any(source != target for source, target in found))


def _missing(program: Program, module: ModuleOp) -> set[Statement]:
    """The statements with arithmetic of which some call leaves an element absent."""
    missing: set[Statement] = set()

    def execute(step: str, given: Given, memories: Given, dims: Given) -> StepResult:
        result = run_step(module, step, given, memories, dims)
        for value, tensor in result.values.items():
            statement = value.owner
            if isinstance(statement, ComputeOp) and _calculates(statement):
                inside = getattr(tensor, "inside", None)
                if inside is not None and bool(np.any(inside & ~tensor.present)):
                    missing.add(_named(statement, value))
        return result

    judge_calls(program, module, execute)
    return missing


def _calculates(statement: ComputeOp) -> bool:
    others = ConstantOp | SelectOp | IndexCastOp | CmpiOp | CmpfOp
    return any(op.dialect_name() in ("arith", "math") and not isinstance(op, others) for op in statement.walk())


def _named(statement: Operation, value: SSAValue) -> Statement:
    return statement.location, value.name_hint


def _crossing(module: ModuleOp, missing: set[Statement]) -> Iterator[tuple[str, str]]:
    """The devices between which each of the statements' results passes from kernel to kernel."""
    for kernel in module.walk():
        if isinstance(kernel, KernelOp):
            for inside, outside in zip(kernel.returned.values, kernel.outputs, strict=True):
                owner = inside.owner
                if isinstance(owner, ComputeOp) and _named(owner, inside) in missing:
                    yield from ((kernel.device.data, reader.device.data) for reader in _readers(outside))


def _readers(value: SSAValue) -> Iterator[KernelOp]:
    """The kernels that read a value, or a copy of it on another device."""
    for use in value.uses:
        if isinstance(use.operation, KernelOp):
            yield use.operation
        elif isinstance(use.operation, TransferOp):
            yield from _readers(use.operation.result)
