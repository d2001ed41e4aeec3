"""The frame of a pipeline: what is declared, and the steps that use it.

mp.pipeline   a symbol table of dims, declarations and steps
mp.dim        a dim: constant, bounded at run time, or derived from others
mp.declare    an input, a weight or a memory
mp.step       one callable step; its ops are statements in program order
mp.get        the value of a declared tensor at the start of the step
mp.constant   a table known at compile time
mp.commit     the memory's new value, made visible when the step completes
mp.output     a value handed to the caller
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from xdsl.dialects.builtin import (
    AffineMapAttr,
    ArrayAttr,
    DenseIntOrFPElementsAttr,
    DictionaryAttr,
    IntegerAttr,
    StringAttr,
    SymbolNameConstraint,
)
from xdsl.ir import Attribute, Operation, Region, SSAValue
from xdsl.ir.affine import AffineMap
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
)
from xdsl.traits import NoTerminator, SymbolOpInterface, SymbolTable
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.mp.derived import Groups, grouped
from hetc.dialects.mp.types import DimAttr, TensorType

ROLES = ("input", "weight", "memory")
Frame = TypeVar("Frame", bound=IRDLOperation)


@irdl_op_definition
class PipelineOp(IRDLOperation):
    """`mp.pipeline @p { ... }`: dims, declarations and steps, in source order."""

    name = "mp.pipeline"
    sym_name = prop_def(SymbolNameConstraint())
    body = region_def("single_block")
    traits = traits_def(SymbolOpInterface(), SymbolTable(), NoTerminator())
    assembly_format = "$sym_name $body attr-dict"

    def __init__(self, sym_name: str, body: Region):
        super().__init__(properties={"sym_name": StringAttr(sym_name)}, regions=[body])

    @property
    def dims(self) -> dict[str, DimOp]:
        return {op.sym_name.data: op for op in self.body.ops if isinstance(op, DimOp)}

    @property
    def declarations(self) -> dict[str, DeclareOp]:
        return {op.sym_name.data: op for op in self.body.ops if isinstance(op, DeclareOp)}

    @property
    def steps(self) -> dict[str, StepOp]:
        return {op.sym_name.data: op for op in self.body.ops if isinstance(op, StepOp)}


@irdl_op_definition
class DimOp(IRDLOperation):
    """A dim. Exactly one of `size` (constant), `bound` (known at run time, at most this) or `derived`
    (an affine function of the dims in `of`, e.g. `affine_map<(d0) -> (d0 floordiv 64)>`, or with `groups` the
    largest of the least of several, see `derived.py`). `per` names the dim that gives each row its own length;
    `bound` is kept for a derived run-time dim too.

    `mp.dim @T {bound = 1048576 : i64, per = "B"}`"""

    name = "mp.dim"
    sym_name = prop_def(SymbolNameConstraint())
    size = opt_prop_def(IntegerAttr)
    bound = opt_prop_def(IntegerAttr)
    per = opt_prop_def(StringAttr)
    derived = opt_prop_def(AffineMapAttr)
    of = opt_prop_def(ArrayAttr[StringAttr])
    groups = opt_prop_def(ArrayAttr[IntegerAttr])
    traits = traits_def(SymbolOpInterface())
    assembly_format = (
        "$sym_name (`size` $size^)? (`bound` $bound^)? (`per` $per^)? (`derived` $derived^ `of` $of)? "
        "(`groups` $groups^)? attr-dict"
    )

    def __init__(
        self,
        sym_name: str,
        *,
        size: int | None = None,
        bound: int | None = None,
        per: str | None = None,
        derived: Groups = (),
        of: tuple[str, ...] = (),
    ):
        functions = tuple(item for group in derived for item in group)
        sizes = [IntegerAttr(len(group), 64) for group in derived]
        super().__init__(
            properties={
                "sym_name": StringAttr(sym_name),
                "size": None if size is None else IntegerAttr(size, 64),
                "bound": None if bound is None else IntegerAttr(bound, 64),
                "per": None if per is None else StringAttr(per),
                "derived": AffineMapAttr(AffineMap(len(of), 0, functions)) if derived else None,
                "of": ArrayAttr([StringAttr(name) for name in of]) if derived else None,
                "groups": ArrayAttr(sizes) if len(functions) > 1 else None,
            }
        )

    @property
    def is_static(self) -> bool:
        return self.size is not None

    @property
    def functions(self) -> Groups:
        """What a derived dim is of the dims in `of`: the largest of the least of each group."""
        assert self.derived is not None
        results = self.derived.data.results
        return grouped(results, [len(results)] if self.groups is None else [item.value.data for item in self.groups])

    @property
    def largest(self) -> int:
        """The constant extent, or the bound."""
        chosen = self.size if self.size is not None else self.bound
        assert chosen is not None
        return chosen.value.data

    def verify_(self) -> None:
        if (self.size is None) == (self.bound is None):
            raise VerifyException("mp.dim expects exactly one of size and bound")
        if self.derived is not None:
            sizes = [1] if self.groups is None else [item.value.data for item in self.groups]
            if min(sizes, default=0) < 1 or sum(sizes) != len(self.derived.data.results):
                raise VerifyException("mp.dim expects groups of all results of its map")


@irdl_op_definition
class DeclareOp(IRDLOperation):
    """A declared tensor: `mp.declare @keys "memory" : !mp.tensor<...>`. `init` is the value that a memory's
    elements have before they are written (default 0). `ring` is for a memory of which one dim counts slots that are
    written in turn: that dim's position; `counter` names the memory that counts the writes, kept below twice the
    slots."""

    name = "mp.declare"
    sym_name = prop_def(SymbolNameConstraint())
    role = prop_def(StringAttr)
    type = prop_def(TensorType)
    init = opt_prop_def(Attribute)
    ring = opt_prop_def(IntegerAttr)
    counter = opt_prop_def(StringAttr)
    traits = traits_def(SymbolOpInterface())
    assembly_format = "$sym_name $role (`init` $init^)? (`ring` $ring^ `counter` $counter)? `:` $type attr-dict"

    def __init__(
        self,
        sym_name: str,
        role: str,
        type: TensorType,
        init: Attribute | None = None,
        ring: tuple[int, str] | None = None,
    ):
        place, counter = ring or (None, None)
        super().__init__(
            properties={
                "sym_name": StringAttr(sym_name),
                "role": StringAttr(role),
                "type": type,
                "init": init,
                "ring": None if place is None else IntegerAttr(place, 64),
                "counter": None if counter is None else StringAttr(counter),
            }
        )

    def verify_(self) -> None:
        if self.role.data not in ROLES:
            raise VerifyException(f"mp.declare: role is one of {', '.join(ROLES)}, got {self.role.data}")
        if self.ring is None:
            return
        place = self.ring.value.data
        if self.role.data != "memory" or not 0 <= place < self.type.rank or isinstance(self.type.shape[place], str):
            raise VerifyException("mp.declare: ring names a dim of constant extent of a memory")


@irdl_op_definition
class StepOp(IRDLOperation):
    """One callable step. `grows` maps a dim to the number of rows that the step appends (a constant or a
    run-time dim); `pins` maps a stage to a device kind. Statements carry their stage in the attribute `stage`."""

    name = "mp.step"
    sym_name = prop_def(SymbolNameConstraint())
    grows = prop_def(DictionaryAttr)
    pins = prop_def(DictionaryAttr)
    body = region_def("single_block")
    traits = traits_def(SymbolOpInterface(), NoTerminator())
    assembly_format = "$sym_name `grows` $grows `pins` $pins $body attr-dict"

    def __init__(self, sym_name: str, grows: Mapping[str, Attribute], pins: Mapping[str, str], body: Region):
        super().__init__(
            properties={
                "sym_name": StringAttr(sym_name),
                "grows": DictionaryAttr(grows),
                "pins": DictionaryAttr({stage: StringAttr(kind) for stage, kind in pins.items()}),
            },
            regions=[body],
        )


@irdl_op_definition
class GetOp(IRDLOperation):
    """`%x = mp.get "x" : !mp.tensor<...>`: a declared tensor as it is when the step starts. The live extents
    already count the rows that the step appends."""

    name = "mp.get"
    declared = prop_def(StringAttr)
    result = result_def(TensorType)
    assembly_format = "$declared attr-dict `:` type($result)"

    def __init__(self, declared: str, type: TensorType):
        super().__init__(properties={"declared": StringAttr(declared)}, result_types=[type])
        self.result.name_hint = declared


@irdl_op_definition
class ConstantOp(IRDLOperation):
    """A table known at compile time: `mp.constant dense<[1, 2]> : tensor<2xi64> -> !mp.tensor<[2 : i64], i64>`."""

    name = "mp.constant"
    value = prop_def(DenseIntOrFPElementsAttr)
    result = result_def(TensorType)
    assembly_format = "$value `->` type($result) attr-dict"

    def __init__(self, value: DenseIntOrFPElementsAttr, type: TensorType):
        super().__init__(properties={"value": value}, result_types=[type])


@irdl_op_definition
class CommitOp(IRDLOperation):
    """`mp.commit "keys", %keys_1 : type`: what the memory holds once the step has completed."""

    name = "mp.commit"
    declared = prop_def(StringAttr)
    value = operand_def(TensorType)
    assembly_format = "$declared `,` $value attr-dict `:` type($value)"

    def __init__(self, declared: str, value: SSAValue):
        super().__init__(operands=[value], properties={"declared": StringAttr(declared)})


@irdl_op_definition
class OutputOp(IRDLOperation):
    """`mp.output "o", %o as bf16 : type`: a value handed to the caller, converted to `element`."""

    name = "mp.output"
    output = prop_def(StringAttr)
    element = prop_def(Attribute)
    value = operand_def(TensorType)
    assembly_format = "$output `,` $value `as` $element attr-dict `:` type($value)"

    def __init__(self, output: str, value: SSAValue, element: Attribute):
        super().__init__(operands=[value], properties={"output": StringAttr(output), "element": element})


def enclosing_pipeline(op: Operation) -> PipelineOp:
    """The pipeline that `op` belongs to. Raises VerifyException outside one."""
    return _enclosing(op, PipelineOp)


def enclosing_step(op: Operation) -> StepOp:
    """The step that `op` belongs to. Raises VerifyException outside one."""
    return _enclosing(op, StepOp)


def _enclosing(op: Operation, kind: type[Frame]) -> Frame:
    current: Operation | None = op
    while current is not None and not isinstance(current, kind):
        current = current.parent_op()
    if current is None:
        raise VerifyException(f"{op.name} must stand inside {kind.name}")
    return current


def dim_of(op: Operation, dim: DimAttr) -> DimOp:
    """The declaration of a run-time dim. Raises VerifyException where there is none."""
    for found in enclosing_pipeline(op).body.ops:
        if isinstance(found, DimOp) and found.sym_name.data == dim.symbol.data:
            return found
    raise VerifyException(f"unknown dim {dim.symbol.data}")
