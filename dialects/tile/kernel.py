"""The frame of a generated GPU kernel.

tile.kernel      one launch of a task kernel: arguments, grid, body
tile.program_id  the number of the running program
tile.barrier     between two statements of one launch
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, StringAttr, SymbolNameConstraint, i32, i64
from xdsl.ir import Region
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    prop_def,
    region_def,
    result_def,
    traits_def,
)
from xdsl.traits import IsolatedFromAbove, NoTerminator, Pure, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.mp import TensorType
from hetc.dialects.task import ArgumentAttr
from hetc.dialects.tile.types import GridAttr, PointerType


@irdl_op_definition
class KernelOp(IRDLOperation):
    """One launch. The launches of one task run in the order `order`, each after the one before.

    The block's arguments are what `arguments` lists, in that order: pointers and i32 scalars. `grid`: the number of
    programs is the product of its entries; the last index runs fastest. `scratch` is the task's list of temporary
    buffers, the same on each of its launches. `constexprs` are compile-time parameters by name; the one that exists
    is `NATIVE_FP8`: whether the target converts fp8 in hardware.

    `tile.kernel @scan_0 of "scan" order 0 : i64 arguments [...] grid [#tile.grid<...>] warps 4 : i64 stages 2 : i64
    scratch [] constexprs [] { ^bb0(%q: !tile.pointer<f32>, %cap_B: i32): ... }`"""

    name = "tile.kernel"
    sym_name = prop_def(SymbolNameConstraint())
    task = prop_def(StringAttr)
    order = prop_def(IntegerAttr)
    arguments = prop_def(ArrayAttr[ArgumentAttr])
    grid = prop_def(ArrayAttr[GridAttr])
    num_warps = prop_def(IntegerAttr)
    num_stages = prop_def(IntegerAttr)
    scratch = prop_def(ArrayAttr[TensorType])
    constexprs = prop_def(ArrayAttr[StringAttr])
    dims = prop_def(ArrayAttr[StringAttr])
    body = region_def("single_block")
    traits = traits_def(SymbolOpInterface(), IsolatedFromAbove(), NoTerminator())
    assembly_format = (
        "$sym_name `of` $task `order` $order `arguments` $arguments `grid` $grid `warps` $num_warps "
        "`stages` $num_stages `scratch` $scratch `constexprs` $constexprs `dims` $dims $body attr-dict"
    )

    def __init__(
        self,
        sym_name: str,
        task: str,
        order: int,
        arguments: Sequence[ArgumentAttr],
        grid: Sequence[GridAttr],
        body: Region,
        *,
        num_warps: int = 4,
        num_stages: int = 2,
        scratch: Sequence[TensorType] = (),
        constexprs: Sequence[str] = (),
        dims: Sequence[str] = (),
    ):
        super().__init__(
            properties={
                "sym_name": StringAttr(sym_name),
                "task": StringAttr(task),
                "order": IntegerAttr(order, i64),
                "arguments": ArrayAttr(arguments),
                "grid": ArrayAttr(grid),
                "num_warps": IntegerAttr(num_warps, i64),
                "num_stages": IntegerAttr(num_stages, i64),
                "scratch": ArrayAttr(scratch),
                "constexprs": ArrayAttr([StringAttr(name) for name in constexprs]),
                "dims": ArrayAttr([StringAttr(name) for name in dims]),
            },
            regions=[body],
        )

    @property
    def dim_names(self) -> tuple[str, ...]:
        """The run-time dims that the indices of arguments of dims refer to."""
        return tuple(item.data for item in self.dims)

    def set_scratch(self, scratch: Sequence[TensorType]) -> None:
        """Set the task's list of temporary buffers, once all of its launches are known."""
        self.scratch = ArrayAttr(scratch)

    def verify_(self) -> None:
        arguments = self.body.block.args
        if len(arguments) != len(self.arguments):
            raise VerifyException(
                f"tile.kernel: {len(self.arguments)} arguments are listed, the block has {len(arguments)}"
            )
        for item, value in zip(self.arguments, arguments, strict=True):
            expected_scalar = item.by_value
            if expected_scalar != (value.type == i32) or (not expected_scalar) != isinstance(value.type, PointerType):
                wanted = "i32" if expected_scalar else "a pointer"
                raise VerifyException(f"tile.kernel: a {item.role.data} is {wanted}, got {value.type}")
            known = len(self.dims) if item.of_dim else len(self.scratch) if item.role.data == "scratch" else None
            if known is not None and item.index.data >= known:
                raise VerifyException(f"tile.kernel: there is no {item.role.data} {item.index.data}")


@irdl_op_definition
class ProgramIdOp(IRDLOperation):
    """`%p = tile.program_id : i32`: the number of the running program in the grid, from 0."""

    name = "tile.program_id"
    result = result_def(i32)
    traits = traits_def(Pure())
    assembly_format = "attr-dict `:` type($result)"

    def __init__(self) -> None:
        super().__init__(result_types=[i32])


@irdl_op_definition
class BarrierOp(IRDLOperation):
    """`tile.barrier`: what the program stored before it is what the program loads after it, whichever of its threads
    did so. Its location is that of the statement that begins here."""

    name = "tile.barrier"
    assembly_format = "attr-dict"


__all__ = ["BarrierOp", "KernelOp", "ProgramIdOp"]
