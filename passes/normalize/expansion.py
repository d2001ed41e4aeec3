"""Writing statements in index notation, for the passes that expand an irregular op into several.

The statements are written with implicit presence; `insert` makes it explicit in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType, IntegerType, ModuleOp, f32
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from hetc.dialects.locations import copy_location
from hetc.dialects.mp import (
    ComputeOp,
    ConstantOp,
    DimAttr,
    GuardOp,
    PipelineOp,
    RangeAttr,
    RangedOp,
    ReadOp,
    ReduceOp,
    StepOp,
    TensorType,
    YieldOp,
    dim_of,
    extent_key,
    index_block,
)
from hetc.passes.emission import constant
from hetc.passes.normalize.explicit_presence import StepPresence
from hetc.passes.rebuild import inline_region


class Body:
    """A region under construction. `like` is the op that it is made for: its location is given to every op."""

    def __init__(self, ranges: Sequence[RangeAttr], like: Operation):
        self.ranges = tuple(ranges)
        self.like = like
        self.block: Block = index_block(self.ranges)
        self._constants: dict[tuple[float, Attribute], SSAValue] = {}

    @property
    def indices(self) -> tuple[SSAValue, ...]:
        """The values of the indices, one a range."""
        return tuple(self.block.args)

    def add(self, op: Operation) -> SSAValue:
        """Append `op`; returns its result."""
        self.block.add_op(copy_location(self.like, op))
        return op.results[0]

    def number(self, value: bool | int | float, type: Attribute = f32) -> SSAValue:
        """A constant, f32 unless said; equal ones are one."""
        key = (value, type)
        if key not in self._constants:
            self._constants[key] = self.add(constant(value, type))
        return self._constants[key]

    def index(self, value: int) -> SSAValue:
        """A constant index."""
        return self.number(value, IndexType())

    def read(self, tensor: SSAValue, indices: Sequence[SSAValue]) -> SSAValue:
        """An element, as f32 where it is an integer."""
        value = self.add(ReadOp(tensor, indices))
        return self.add(arith.SIToFPOp(value, f32)) if isinstance(value.type, IntegerType) else value

    def inline(self, op: RangedOp) -> SSAValue:
        """The value of `op`'s region at these indices; absent where that is."""
        values = inline_region(op.body.block, dict(zip(op.body.block.args, self.indices, strict=True)), self.block)
        end = op.yielded
        value = values.get(end.value, end.value)
        return value if end.present is None else self.add(GuardOp(value, values.get(end.present, end.present)))

    def reduce(
        self, kind: str, over: RangeAttr, per: SSAValue | None, term: Callable[[Body, SSAValue], SSAValue]
    ) -> SSAValue:
        """A reduction over f32; `term` writes the value at an index. `over` names no `per` position: `per` is the
        index itself."""
        inner = Body([over], self.like)
        inner.add_yield(term(inner, inner.indices[0]))
        return self.add(ReduceOp(kind, over, Region(inner.block), f32, per))

    def add_yield(self, value: SSAValue) -> None:
        """End the region."""
        self.block.add_op(copy_location(self.like, YieldOp(value)))

    def compute(self, value: SSAValue, element: Attribute) -> ComputeOp:
        """The statement whose elements are `value`."""
        self.add_yield(value)
        type_ = TensorType([item.extent for item in self.ranges], element)  # type: ignore[misc]
        made = ComputeOp(self.ranges, Region(self.block), type_)
        made.attributes.update(self.like.attributes)
        return copy_location(self.like, made)


def without_ranges(ranges: Sequence[RangeAttr], positions: Sequence[int]) -> tuple[RangeAttr, ...]:
    """The ranges without some of them, on which no other may depend."""
    return tuple(
        RangeAttr(item.index, item.extent, None if per is None else per - sum(per > other for other in positions))
        for place, item in enumerate(ranges)
        for per in [item.per_position]
        if place not in positions
    )


def ranges_over(op: Operation, tensor: SSAValue, taken: Sequence[str] = ()) -> tuple[RangeAttr, ...]:
    """One range for each dim of `tensor`, named as in the statement that defines it, if one does."""
    type_ = tensor.type
    assert isinstance(type_, TensorType)
    owner = tensor.owner
    named = owner.index_names if isinstance(owner, RangedOp) else ()
    names = named if len(named) == type_.rank else tuple(f"i{position}" for position in range(type_.rank))
    found: list[RangeAttr] = []
    for position, size in enumerate(type_.extents):
        per = dim_of(op, size).per if isinstance(size, DimAttr) else None
        places = [place for place in range(position) if per is not None and type_.shape[place] == per.data]
        name = names[position] + ("_" if names[position] in taken else "")
        found.append(RangeAttr(name, extent_key(size), places[-1] if places else None))
    return tuple(found)


def insert(op: Operation, statements: Sequence[ComputeOp], presence: StepPresence) -> None:
    """Put the statements before `op`, in order, their presence made explicit."""
    block = op.parent
    assert block is not None
    for statement in statements:
        block.insert_op_before(statement, op)
        presence.visit(statement)


def table(op: Operation, value: ConstantOp) -> SSAValue:
    """The result of an mp.constant equal to `value` that stands before `op`: one found there, or `value`, put there."""
    block = op.parent
    assert block is not None
    for other in block.ops:
        if other is op:
            break
        if isinstance(other, ConstantOp) and other.properties == value.properties:
            return other.result
    value.attributes.update(op.attributes)
    block.insert_op_before(copy_location(op, value), op)
    return value.result


def steps(module: ModuleOp) -> Iterator[tuple[StepOp, StepPresence]]:
    """Every step of the module, with what makes presence explicit in it."""
    for pipeline in module.walk():
        if isinstance(pipeline, PipelineOp):
            for step in pipeline.steps.values():
                yield step, StepPresence(step)
