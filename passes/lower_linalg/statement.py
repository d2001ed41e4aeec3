"""A statement as linalg.generic ops over its indices.

Each reduction that stands directly in the statement's region becomes a generic of its own, with the reduction as its
last loop, or with a loop in its body where rows differ in length; reductions inside of reductions become loops. What is
left is one generic of parallel loops, which reads the reductions' results element by element.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from xdsl.dialects.builtin import f32
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import Attribute, Block, SSAValue
from xdsl.ir.affine import AffineExpr, AffineMap
from xdsl.rewriter import Rewriter

from hetc.dialects.mp import ComputeOp, RangedOp, ReadOp, ReduceOp, TensorType, extent_key
from hetc.passes.lower_linalg.access import Access, Loops, access_of, lacks_extent
from hetc.passes.lower_linalg.builder import Operand, element_of, leading
from hetc.passes.lower_linalg.elements import fill_of, storage_type, stored
from hetc.passes.lower_linalg.reductions import Reduction
from hetc.passes.lower_linalg.region import Region, needed_ops
from hetc.passes.lower_linalg.step import Step

Elements = list[SSAValue]
Body = Callable[[Region, Elements], Sequence[SSAValue]]
"""(the region so far, the elements of the outputs as they were) -> the new elements of the outputs."""


def lower_compute(step: Step, op: ComputeOp) -> SSAValue:
    """The statement's tensor."""
    type_ = op.result.type
    assert isinstance(type_, TensorType)
    element, storage = type_.element, storage_type(type_.element)
    statement = Statement(step, op)
    value = op.yielded.value
    carried = statement.reduced.get(value, [])
    if not statement.loops().ragged and [element_of(tensor) for tensor in carried] == [storage]:
        return carried[0]  # a reduction and nothing else
    builder = step.builder
    return statement.elementwise(
        [value], [storage], lambda values: [stored(builder, values[0], element)], [fill_of(element)]
    )[0]


@dataclass
class Statement:
    """One statement. reduced: the result of each reduction of its region -> what it carried at the end, tensors over
    the statement's indices."""

    step: Step
    op: RangedOp
    reduced: dict[SSAValue, list[SSAValue]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for op in self.op.body.block.ops:
            if isinstance(op, ReduceOp):
                with self.step.builder.at(op):
                    self.reduced[op.result] = self._in_loop(op) if op.per is not None else self._as_loop(op)

    def elementwise(
        self,
        wanted: Sequence[SSAValue],
        elements: Sequence[Attribute],
        finish: Callable[[Elements], Sequence[SSAValue]],
        outside: Sequence[int | float],
    ) -> list[SSAValue]:
        """Tensors over the statement's indices of these element types: what `finish` makes of the wanted values, and
        `outside` past the end of a row."""

        def body(region: Region, _: Elements) -> Sequence[SSAValue]:
            region.emit([self.op.body.block], wanted)
            return finish([region.values[value] for value in wanted])

        outs = [self.step.builder.empty(self.sizes, element) for element in elements]
        return self._generic(None, wanted, outs, body, outside)

    def loops(self, reduce: ReduceOp | None = None) -> Loops:
        """The statement's indices as loops, and that of a reduction."""
        own = self.op.index_ranges
        ragged = any(self.step.extents.is_per_row(extent_key(item.extent)) for item in own)
        if reduce is None:
            return Loops(tuple(self.op.body.block.args), own, ragged)
        return Loops((*self.op.body.block.args, *reduce.body.block.args), (*own, reduce.range), ragged)

    @property
    def sizes(self) -> list[int | SSAValue]:
        """The extents of a tensor over the statement's indices."""
        return self.step.extents.sizes([extent_key(item.extent) for item in self.op.index_ranges])

    def _as_loop(self, op: ReduceOp) -> list[SSAValue]:
        """A generic with the reduction as its last loop."""
        reduction, builder = Reduction.of(op), self.step.builder
        carried = zip(reduction.types, reduction.first, strict=True)
        outs = [builder.filled(self.sizes, type, first) for type, first in carried]

        def body(region: Region, so_far: Elements) -> Sequence[SSAValue]:
            return region.combined(op, [self.op.body.block, op.body.block], so_far)

        return self._generic(op, _ended(op), outs, body, None)

    def _in_loop(self, op: ReduceOp) -> list[SSAValue]:
        """A generic of parallel loops with the reduction as a loop in its body."""
        reduction, builder = Reduction.of(op), self.step.builder
        outs = [builder.empty(self.sizes, type) for type in reduction.types]
        operands = [value for nested in op.walk() for value in nested.operands]
        wanted = [value for value in operands if not isinstance(value.type, TensorType)]

        def body(region: Region, _: Elements) -> Sequence[SSAValue]:
            region.emit([self.op.body.block], wanted)
            return region.reduce(op)

        return self._generic(None, wanted, outs, body, reduction.first)

    def _generic(
        self,
        reduce: ReduceOp | None,
        wanted: Sequence[SSAValue],
        outs: Sequence[SSAValue],
        body: Body,
        outside: Sequence[int | float] | None,
    ) -> list[SSAValue]:
        """A generic over the statement's indices, and that of a reduction. `body` makes of the wanted values the new
        elements of `outs`; past the end of a row they are `outside` (None: as they were)."""
        loops, builder = self.loops(reduce), self.step.builder
        free, count = len(self.op.index_ranges), len(loops.ranges)
        blocks = [self.op.body.block] + ([] if reduce is None else [reduce.body.block])
        inputs = self._inputs(blocks, wanted, loops)
        if reduce is not None and lacks_extent(count - 1, [operand.map for operand in inputs.operands]):
            # A shape operand: nothing of it is read, it says how far the loop runs.
            shape = builder.empty([self.step.extents.size(loops.keys[-1])], f32)
            inputs.add(Operand(shape, AffineMap(count, 0, (AffineExpr.dimension(count - 1),))))

        def elements(given: Elements, so_far: Elements) -> Sequence[SSAValue]:
            region = inputs.region(self.step, given)
            indices = [linalg.IndexOp(position) for position in range(count)]
            region.values.update(zip(loops.arguments, map(builder.add, indices), strict=True))

            def inside() -> Sequence[SSAValue]:
                inputs.finish(region, given)
                return body(region, so_far)

            made = self._where_inside(region, inside, so_far, outside)
            for op in indices:
                if not op.result.uses:
                    Rewriter.erase_op(op)
            return made

        results = [Operand(out, leading(count, free)) for out in outs]
        return builder.generic(inputs.operands, results, count - free, elements)

    def _inputs(self, blocks: Iterable[Block], wanted: Sequence[SSAValue], loops: Loops) -> _Inputs:
        """The operands that the wanted values are computed from."""
        reads = [op for block in blocks for op in block.ops if isinstance(op, ReadOp)]
        found = {read: access_of(read, loops, self.step.pipeline) for read in reads}
        accesses = {read: access for read, access in found.items() if access is not None}
        needed = needed_ops(wanted, self.reduced, accesses)
        inputs = _Inputs({read: access for read, access in accesses.items() if read in needed})
        for read, access in inputs.accesses.items():
            tensor = self.step.cut(read.tensor, access.keys)
            inputs.reads[read] = inputs.add(Operand(tensor, access.map))
        used = {*wanted, *(value for op in needed for nested in op.walk() for value in nested.operands)}
        over_indices = leading(len(loops.ranges), len(self.op.index_ranges))
        for value, carried in self.reduced.items():
            if value in used:
                inputs.reduced[value] = [inputs.add(Operand(tensor, over_indices)) for tensor in carried]
        return inputs

    def _where_inside(
        self,
        region: Region,
        inside: Callable[[], Sequence[SSAValue]],
        so_far: Elements,
        outside: Sequence[int | float] | None,
    ) -> Sequence[SSAValue]:
        """`inside()` where every index is within its own row."""
        builder, arguments = self.step.builder, self.op.body.block.args
        conditions = []
        for argument, item in zip(arguments, self.op.index_ranges, strict=True):
            if item.per_position is not None:
                row = region.values[arguments[item.per_position]]
                length = self.step.extents.length(extent_key(item.extent), row, exists=True)
                conditions.append(builder.less(region.values[argument], length))
        condition = builder.both(*conditions)
        if condition is None:
            return inside()
        types = [element.type for element in so_far]

        def past_the_end() -> Sequence[SSAValue]:
            return so_far if outside is None else list(map(builder.constant, outside, types))

        return builder.choose(condition, types, inside, past_the_end)


@dataclass
class _Inputs:
    """The operands that a generic reads: the reads' tensors, and the results of reductions."""

    accesses: dict[ReadOp, Access]
    operands: list[Operand] = field(default_factory=list)
    reads: dict[ReadOp, int] = field(default_factory=dict)
    reduced: dict[SSAValue, list[int]] = field(default_factory=dict)

    def add(self, operand: Operand) -> int:
        """The operand's position; an equal one is there once."""
        if operand not in self.operands:
            self.operands.append(operand)
        return self.operands.index(operand)

    def region(self, step: Step, given: Elements) -> Region:
        return Region(step, self.accesses, {}, {read: given[position] for read, position in self.reads.items()})

    def finish(self, region: Region, given: Elements) -> None:
        """Give the region the reductions' results."""
        for value, positions in self.reduced.items():
            assert isinstance(value.owner, ReduceOp)
            carried = [given[position] for position in positions]
            region.values[value] = Reduction.of(value.owner).finished(region.step.builder, carried)


def _ended(op: ReduceOp) -> list[SSAValue]:
    """What a reduction takes of its element."""
    end = op.yielded
    return [value for value in (end.value, end.present) if value is not None]
