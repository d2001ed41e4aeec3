"""Expands element types that take less than a byte, and scales without sign and fraction, into bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects.builtin import FloatAttr, IntegerAttr, ModuleOp, i32
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from hetc.dialects.locations import copy_location
from hetc.dialects.mp import (
    ELEMENT_TYPES,
    CodesAttr,
    ComputeOp,
    DeclareOp,
    ModOp,
    OutputOp,
    PipelineOp,
    RangeAttr,
    ReadOp,
    ReduceOp,
    RoundOp,
    ScatterOp,
    TensorType,
    compute_type,
    dtype_name,
    extent_key,
    is_coded,
    values_a_byte,
)
from hetc.numerics import DType, dtype_of
from hetc.passes.emission import CONVERSION, HOLDS, constant, emit, index, marked
from hetc.passes.normalize.codes import decoded, encoded, rounded
from hetc.passes.normalize.expansion import Body
from hetc.passes.normalize.rejection import rejected
from hetc.passes.rebuild import inline_region, merge_equal

BYTE = ELEMENT_TYPES["u8"]


@dataclass(frozen=True)
class ExpandCodesPass(ModulePass):
    """Rewrites tensors of i2, u2, i4, u4, fp4 and e8m0 as tensors of bytes: who reads one takes its byte apart, who
    defines one puts its bytes together.

    Before: presence is explicit, composite ops are expanded, and mp.scatter writes whole rows.
    After: no element of these types is left, nor an mp.round to one; the bytes' types say what they hold. Along the
    last extent, where that is a constant, a byte holds as many values as it has room for; else (of what a step keeps
    for itself) one. What takes a reduction is computed before it is put into bytes, once for each value.

    Example: `%q = mp.compute [d in 63] { mp.yield %v } : si4`, read at %i, becomes

        %q = mp.compute [d in 32] { %v at 2 %d, and at min(2 %d + 1, 62) where 2 %d + 1 < 63, else 0: 4 bits of each }
        ... ((mp.read %q[%i floordiv 2] >> 4 (%i mod 2)) & 15 ^ 8) - 8
    """

    name = "expand-codes"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for pipeline in op.body.block.ops:
            if isinstance(pipeline, PipelineOp):
                _expand(pipeline)


def _expand(pipeline: PipelineOp) -> None:
    ops = list(pipeline.walk())
    held = {value: dtype for op in ops for value in _values(op) if (dtype := _dtype(value.type)) is not None}
    for op in ops:
        if isinstance(op, ReadOp) and op.tensor in held:
            _take_apart(op, held[op.tensor])
        elif isinstance(op, RoundOp) and is_coded(op.element):
            dtype = dtype_of(dtype_name(op.element))
            add = partial(_conversion, op)
            op.result.replace_all_uses_with(rounded(op.value, dtype, add))
            Rewriter.erase_op(op)
        elif isinstance(op, OutputOp) and is_coded(op.element):
            op.properties["element"] = BYTE
        elif isinstance(op, ScatterOp) and op.memory in held and not op.piece_rank and _shared(op.memory.type):
            raise rejected(op, "expand-codes", "a part of a byte is not written in place")
        elif isinstance(op, DeclareOp) and (dtype := _dtype(op.type)) is not None:
            _declare(op, dtype)
    for op in ops:
        if isinstance(op, ComputeOp) and op.result in held:
            _put_together(op, held[op.result])
    for value in held:
        if _dtype(value.type) is not None and not (isinstance(value.owner, Operation) and value.owner.parent is None):
            assert isinstance(value.type, TensorType)
            Rewriter.replace_value_with_new_type(value, in_bytes(value.type))


def _conversion(before: Operation, made: Operation) -> SSAValue:
    return emit(marked(made, CONVERSION), before)


def _values(op: Operation) -> list[SSAValue]:
    return [*op.results, *(argument for region in op.regions for block in region.blocks for argument in block.args)]


def _dtype(type: object) -> DType | None:
    """The number type of a tensor whose elements are to be codes."""
    return dtype_of(dtype_name(type.element)) if isinstance(type, TensorType) and is_coded(type.element) else None


def in_bytes(type: TensorType) -> TensorType:
    """The tensor as bytes. Distances between rows are counted in bytes from the beginning."""
    per_byte, last = values_a_byte(type), type.shape[-1] if type.rank else ""
    if per_byte == 1 or not isinstance(last, int):
        return TensorType(type.extents, BYTE, type.storage, CodesAttr(type.element))
    extents = [*(extent_key(item) for item in type.extents.data[:-1]), -(-last // per_byte)]
    return TensorType(extents, BYTE, type.storage, CodesAttr(type.element, last))


def _shared(type: Attribute) -> bool:
    """Whether values share a byte."""
    return isinstance(type, TensorType) and values_a_byte(type) > 1


def _declare(op: DeclareOp, dtype: DType) -> None:
    """The declaration, and a byte of which each value is what the memory begins with."""
    if isinstance(op.init, FloatAttr | IntegerAttr):
        from hetc.numerics.packing import pack  # numpy takes longer to import than the compiler runs

        count = values_a_byte(op.type)
        byte = int(pack([op.init.value.data] * count, dtype)[0])
        op.properties["init"] = IntegerAttr(byte, i32)
    op.properties["type"] = in_bytes(op.type)


def _take_apart(op: ReadOp, dtype: DType) -> None:
    """A read of a value as one of its byte."""
    add, type_ = partial(_conversion, op), op.tensor.type
    assert isinstance(type_, TensorType)
    at, shift = list(op.indices), None
    count = values_a_byte(type_) if type_.rank and isinstance(type_.shape[-1], int) else 1
    if count > 1:
        size = index(count, op)
        place = add(arith.IndexCastOp(add(ModOp(at[-1], size)), i32))
        shift = add(arith.MuliOp(place, add(constant(dtype.bits, i32))))
        at[-1] = add(arith.FloorDivSIOp(at[-1], size))
    read = ReadOp(op.tensor, at, op.present)
    Rewriter.replace_value_with_new_type(read.result, i32)  # as of the bytes that the tensor is about to be
    code = emit(read, op)
    if shift is not None:
        code = add(arith.AndIOp(add(arith.ShRSIOp(code, shift)), add(constant(2**dtype.bits - 1, i32))))
    value = decoded(code, dtype, add)
    assert isinstance(value.owner, Operation)
    value.owner.attributes[HOLDS] = type_.element
    if dtype.is_scale and op.present is not None:  # what is not there reads as 0, which no code stands for
        value = add(arith.SelectOp(op.present, value, add(constant(0.0, value.type))))
    op.result.replace_all_uses_with(value)
    Rewriter.erase_op(op)


def _put_together(op: ComputeOp, dtype: DType) -> None:
    """A statement as one that gives bytes, in its place."""
    type_ = op.result.type
    assert isinstance(type_, TensorType)
    source = op
    if any(isinstance(inner, ReduceOp) for inner in op.walk()):
        source = _computed(op)
    made = _bytes(op, source, in_bytes(type_), dtype)
    made.result.name_hint = op.result.name_hint
    if source is not op:
        source.erase()
    block = op.parent
    assert block is not None
    block.insert_op_before(made, op)
    op.result.replace_all_uses_with(made.result)
    Rewriter.erase_op(op)


def _computed(op: ComputeOp) -> ComputeOp:
    """The statement with the values as they are computed, before `op`, whose region becomes a read of it."""
    type_ = op.result.type
    assert isinstance(type_, TensorType)
    held = TensorType(type_.extents, compute_type(type_.element))
    first = ComputeOp(op.index_ranges, op.detach_region(op.body), held)
    first.attributes.update(op.attributes)
    first.result.name_hint = f"{op.result.name_hint or 'value'}_values"
    block = op.parent
    assert block is not None
    block.insert_op_before(copy_location(op, first), op)
    body = Body(op.index_ranges, op)
    return body.compute(body.add(ReadOp(first.result, body.indices)), type_.element)


def _bytes(like: ComputeOp, source: ComputeOp, type: TensorType, dtype: DType) -> ComputeOp:
    """The statement that gives the bytes of what `source` gives."""
    coded = type.coded
    assert coded is not None
    length = coded.count.data
    ranges = list(source.index_ranges)
    if length:
        last = ranges[-1]
        ranges[-1] = RangeAttr(last.index, type.shape[-1], None)
    body = Body(ranges, like)

    def add(made: Operation) -> SSAValue:
        return body.add(marked(made, CONVERSION))

    byte: SSAValue | None = None
    for place in range(dtype.per_byte if length else 1):
        value, conditions = _value(source, body, length, dtype.per_byte, place)
        code = encoded(value, dtype, add)
        for condition in conditions:
            code = add(arith.SelectOp(condition, code, body.number(0, i32)))
        if place:
            code = add(arith.ShLIOp(code, body.number(place * dtype.bits, i32)))
        byte = code if byte is None else add(arith.OrIOp(byte, code))
    assert byte is not None
    made = body.compute(byte, BYTE)
    merge_equal(made.body.block)
    Rewriter.replace_value_with_new_type(made.result, type)
    return made


def _value(
    source: ComputeOp, body: Body, length: int, per_byte: int, place: int
) -> tuple[SSAValue, tuple[SSAValue, ...]]:
    """One of a byte's values, and the conditions under which there is one."""
    indices: list[SSAValue] = list(body.indices)
    inside: SSAValue | None = None
    if length:
        at = body.add(arith.MuliOp(indices[-1], body.index(per_byte)))
        at = body.add(arith.AddiOp(at, body.index(place))) if place else at
        if length % per_byte and place:
            inside = body.add(arith.CmpiOp(at, body.index(length), "slt"))
            at = body.add(arith.MinSIOp(at, body.index(length - 1)))
        indices[-1] = at
    mapping: Mapping[SSAValue, SSAValue] = dict(zip(source.body.block.args, indices, strict=True))
    values = inline_region(source.body.block, mapping, body.block)
    end = source.yielded
    present = None if end.present is None else values.get(end.present, end.present)
    conditions = tuple(condition for condition in (present, inside) if condition is not None)
    return values.get(end.value, end.value), conditions
