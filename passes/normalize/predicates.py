"""The conditions under which the elements of a step's tensors are present, and their cloning into consumers."""

from __future__ import annotations

from xdsl.dialects import arith
from xdsl.dialects.builtin import i1
from xdsl.ir import Operation, Region, SSAValue
from xdsl.rewriter import Rewriter

from hetc.dialects.locations import copy_location
from hetc.dialects.mp import (
    ComputeOp,
    ModOp,
    QuantizeOp,
    RangeAttr,
    RangedOp,
    ReadOp,
    RopeOp,
    TensorType,
    YieldOp,
    index_block,
)
from hetc.passes.emission import constant, emit, index
from hetc.passes.rebuild import Confinement, arguments_of, clone_expression, contains_reduction, erase_unused, mentions

Conditions = tuple[SSAValue, ...]


class Predicates:
    """Maps each statement whose elements may be absent to its conditions, which stand in its region."""

    def __init__(self) -> None:
        self._conditions: dict[Operation, Conditions] = {}

    def note(self, statement: RangedOp, conditions: Conditions) -> None:
        """Remember the conditions of a statement's elements."""
        if conditions:
            self._conditions[statement] = conditions

    def at(self, tensor: SSAValue, indices: tuple[SSAValue, ...], before: Operation, bounds: Confinement) -> Conditions:
        """The conditions of the tensor's element at `indices`, cloned before `before`. They dereference only where
        the `bounds` of the indices hold."""
        arguments, conditions = self._source(tensor)
        if not conditions:
            return ()
        mapping = dict(zip(arguments, indices, strict=True))
        return tuple(dict.fromkeys(clone_expression(condition, mapping, before, bounds) for condition in conditions))

    def vary_along(self, tensor: SSAValue, position: int) -> bool:
        """Whether some condition of the tensor's elements mentions the index at `position`."""
        arguments, conditions = self._source(tensor)
        return bool(arguments) and any(mentions(condition, arguments[position]) for condition in conditions)

    def _source(self, tensor: SSAValue) -> tuple[tuple[SSAValue, ...], Conditions]:
        """The tensor's conditions, and the value that stands in them for the index at each of its positions."""
        owner = tensor.owner
        if isinstance(owner, QuantizeOp):
            return self._quantized(owner, tensor)
        if isinstance(owner, RangedOp) and owner in self._conditions:
            conditions = tuple(
                self._materialised(owner, condition) if contains_reduction(condition) else condition
                for condition in self._conditions[owner]
            )
            self._conditions[owner] = conditions
            return tuple(owner.body.block.args), conditions
        return (), ()

    def _quantized(self, op: QuantizeOp, result: SSAValue) -> tuple[tuple[SSAValue, ...], Conditions]:
        """Values are present where x is; a scale, a reduction over the axis, consumes what mentions it."""
        arguments, conditions = self._source(op.x)
        if result == op.values or not arguments:
            return arguments, conditions
        axis = op.axis.value.data
        passed = tuple(condition for condition in conditions if not mentions(condition, arguments[axis]))
        type_ = op.scale.type
        assert isinstance(type_, TensorType)
        dropped = type_.rank < len(arguments)
        return (arguments[:axis] + arguments[axis + 1 :] if dropped else arguments), passed

    def _materialised(self, owner: RangedOp, condition: SSAValue) -> SSAValue:
        """Compute the condition once, as a statement before its owner, and read it in the owner's region."""
        block = owner.body.block
        wanted = arguments_of(condition)
        ranges = owner.index_ranges
        positions = [place for place, argument in enumerate(block.args) if argument in wanted]
        positions = sorted({*positions, *(p for place in positions if (p := ranges[place].per_position) is not None)})
        kept = [
            RangeAttr(
                item.index, item.extent, None if item.per_position is None else positions.index(item.per_position)
            )
            for item in (ranges[place] for place in positions)
        ]
        body = index_block(kept)
        placeholder = constant(True, i1)
        end = YieldOp(placeholder.result)
        body.add_ops([placeholder, end])
        source = condition.owner
        assert isinstance(source, Operation)
        mapping: dict[SSAValue, SSAValue] = {
            block.args[place]: body.args[number] for number, place in enumerate(positions)
        }
        copy_location(source, end)
        end.operands[0] = clone_expression(condition, dict(mapping), end)
        if not placeholder.result.uses:  # the clone may have found it equal to a constant of its own
            Rewriter.erase_op(placeholder)
        made = ComputeOp(kept, Region(body), TensorType([item.extent for item in kept], i1))  # type: ignore[misc]
        made.attributes.update(owner.attributes)
        assert owner.parent is not None
        owner.parent.insert_op_before(copy_location(source, made), owner)
        read = copy_location(source, ReadOp(made.result, [block.args[place] for place in positions]))
        first = block.first_op
        assert first is not None
        block.insert_op_before(read, first)
        condition.replace_all_uses_with(read.result)
        erase_unused(block)
        return read.result


def rope_partner(op: RopeOp, before: Operation) -> SSAValue:
    """The channel that the rotation pairs with each channel; a channel past `dims` is its own. In range by
    construction, in a form that the proof of bounds accepts."""
    axis, dims = op.axis.value.data, op.dims.value.data
    channel = op.body.block.args[axis]
    if op.layout.data == "half":
        shifted = emit(arith.AddiOp(channel, index(dims // 2, before)), before)
        partner = emit(ModOp(shifted, index(dims, before)), before)
    else:
        two = index(2, before)
        even = emit(arith.MuliOp(emit(arith.FloorDivSIOp(channel, two), before), two), before)
        other = emit(arith.SubiOp(index(1, before), emit(ModOp(channel, two), before)), before)
        partner = emit(arith.AddiOp(even, other), before)
        partner = emit(arith.MinSIOp(partner, index(dims - 1, before)), before)
    rotated = emit(arith.CmpiOp(channel, index(dims, before), "slt"), before)
    return emit(arith.SelectOp(rotated, partner, channel), before)
