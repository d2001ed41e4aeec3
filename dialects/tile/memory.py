"""Masked access to buffers.

tile.load   elements of a buffer at a tile of offsets
tile.store  the reverse
tile.atomic_add  adds to elements of a buffer (integers: the order of additions does not show)
"""

from __future__ import annotations

from xdsl.dialects.builtin import IntegerType, i1
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    result_def,
)
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.tile.types import PointerType, element_of, join_shapes, shape_of, tile_type


def _verify_access(op: _AccessOp, element: Attribute) -> None:
    pointer = op.pointer.type
    assert isinstance(pointer, PointerType)
    if element != pointer.element:
        raise VerifyException(f"{op.name}: expected elements of type {pointer.element}, got {element}")
    offset = element_of(op.offset.type)
    if not isinstance(offset, IntegerType) or offset.width.data not in (32, 64):
        raise VerifyException(f"{op.name}: expected i32 or i64 offsets, got {op.offset.type}")
    if op.mask is not None:
        if element_of(op.mask.type) != i1:
            raise VerifyException(f"{op.name}: expected a mask of i1, got {op.mask.type}")
        if join_shapes(shape_of(op.mask.type), shape_of(op.offset.type)) != shape_of(op.offset.type):
            raise VerifyException(f"{op.name}: the mask {op.mask.type} is larger than the offsets {op.offset.type}")


class _AccessOp(IRDLOperation):
    pointer = operand_def(PointerType)
    offset = operand_def(Attribute)
    mask = opt_operand_def(Attribute)
    irdl_options = (AttrSizedOperandSegments(as_property=True),)


@irdl_op_definition
class LoadOp(_AccessOp):
    """`%v = tile.load %x[%offset] if %mask : types`: the elements; 0 where the mask is false, which loads nothing."""

    name = "tile.load"
    result = result_def(Attribute)
    assembly_format = (
        "$pointer `[` $offset `]` (`if` $mask^ `:` type($mask))? attr-dict `:` type($pointer) `,` type($offset) "
        "`->` type($result)"
    )

    def __init__(self, pointer: SSAValue, offset: SSAValue, mask: SSAValue | None = None):
        assert isinstance(pointer.type, PointerType)
        result = tile_type(shape_of(offset.type), pointer.type.element)
        super().__init__(operands=[[pointer], [offset], [mask] if mask is not None else []], result_types=[result])

    def verify_(self) -> None:
        _verify_access(self, element_of(self.result.type))
        if shape_of(self.result.type) != shape_of(self.offset.type):
            raise VerifyException(f"tile.load: offsets {self.offset.type} do not give {self.result.type}")


class _WriteOp(_AccessOp):
    value = operand_def(Attribute)

    def __init__(self, pointer: SSAValue, offset: SSAValue, value: SSAValue, mask: SSAValue | None = None):
        # A subclass's operands come before those it inherits.
        super().__init__(operands=[[value], [pointer], [offset], [mask] if mask is not None else []])

    def verify_(self) -> None:
        _verify_access(self, element_of(self.value.type))
        if shape_of(self.value.type) != shape_of(self.offset.type):
            raise VerifyException(f"{self.name}: offsets {self.offset.type} do not fit {self.value.type}")


@irdl_op_definition
class StoreOp(_WriteOp):
    """`tile.store %v, %x[%offset] if %mask : types`: writes the elements where the mask is true."""

    name = "tile.store"
    assembly_format = (
        "$value `,` $pointer `[` $offset `]` (`if` $mask^ `:` type($mask))? attr-dict `:` type($value) `,` "
        "type($pointer) `,` type($offset)"
    )


@irdl_op_definition
class AtomicAddOp(_WriteOp):
    """`tile.atomic_add %v, %x[%offset] if %mask : types`: adds integers to elements that other programs add to."""

    name = "tile.atomic_add"
    assembly_format = (
        "$value `,` $pointer `[` $offset `]` (`if` $mask^ `:` type($mask))? attr-dict `:` type($value) `,` "
        "type($pointer) `,` type($offset)"
    )

    def verify_(self) -> None:
        super().verify_()
        if not isinstance(element_of(self.value.type), IntegerType):
            raise VerifyException(f"tile.atomic_add: expected integers, got {self.value.type}")
