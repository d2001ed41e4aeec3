"""The ops of a statement's region, emitted into the body of a linalg.generic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from xdsl.ir import Block, Operation, SSAValue

from hetc.dialects.mp import DimSizeOp, RangedOp, ReadOp, ReduceOp, TensorType, compute_type, extent_key
from hetc.passes.lower_linalg.access import Access
from hetc.passes.lower_linalg.elements import loaded
from hetc.passes.lower_linalg.reductions import Reduction
from hetc.passes.lower_linalg.scalars import lowered
from hetc.passes.lower_linalg.step import Step


@dataclass
class Region:
    """Emits what some values of a region need. values: what has been emitted. accesses, elements: the reads that are
    operands of the generic, and the element of each."""

    step: Step
    accesses: Mapping[ReadOp, Access]
    values: dict[SSAValue, SSAValue] = field(default_factory=dict)
    elements: dict[ReadOp, SSAValue] = field(default_factory=dict)

    def emit(self, blocks: Iterable[Block], wanted: Iterable[SSAValue]) -> None:
        """Emit the ops of these blocks that the wanted values need, in program order."""
        needed = needed_ops(wanted, self.values, self.accesses)
        for block in blocks:
            for op in block.ops:
                if op in needed:
                    with self.step.builder.at(op):
                        self._op(op)

    def _op(self, op: Operation) -> None:
        if isinstance(op, ReadOp):
            self.values[op.result] = self._operand(op) if op in self.elements else self._extract(op)
        elif isinstance(op, ReduceOp):
            carried = self.reduce(op)
            self.values[op.result] = Reduction.of(op).finished(self.step.builder, carried)
        elif isinstance(op, DimSizeOp):
            self.values[op.result] = self.length(op.dim.data, op.per)
        else:
            operands = [self.values[operand] for operand in op.operands]
            self.values[op.results[0]] = lowered(self.step.builder, op, operands)

    def length(self, key: int | str, row: SSAValue | None) -> SSAValue:
        """The live extent of a dim, of the row that is a value of the region where it is per another."""
        exists = row is not None and self._is_index_of_rows(row, key)
        return self.step.extents.length(key, None if row is None else self.values[row], exists=exists)

    def reduce(self, op: ReduceOp) -> list[SSAValue]:
        """A reduction as a loop; what it carried at the end."""
        reduction, builder = Reduction.of(op), self.step.builder
        first = [builder.constant(*pair) for pair in zip(reduction.first, reduction.types, strict=True)]
        upper = self.length(extent_key(op.range.extent), op.per)

        def body(at: SSAValue, carried: list[SSAValue]) -> list[SSAValue]:
            # What is emitted in the loop is not there after it.
            inner = Region(self.step, {}, {**self.values, op.body.block.args[0]: at})
            return inner.combined(op, [op.body.block], carried)

        return builder.loop(upper, first, body)

    def combined(self, op: ReduceOp, blocks: Iterable[Block], carried: list[SSAValue]) -> list[SSAValue]:
        """What a reduction carries after the element at its index; `blocks` hold what the element needs."""
        end = op.yielded
        self.emit(blocks, [value for value in (end.value, end.present) if value is not None])
        present = None if end.present is None else self.values[end.present]
        at = self.values[op.body.block.args[0]]
        with self.step.builder.at(op):
            return Reduction.of(op).combined(self.step.builder, carried, self.values[end.value], present, at)

    def _operand(self, op: ReadOp) -> SSAValue:
        type_ = op.tensor.type
        assert isinstance(type_, TensorType)
        value = loaded(self.step.builder, self.elements[op], type_.element)
        if op.present is None:
            return value
        return self.step.builder.select(self.values[op.present], value, 0)

    def _extract(self, op: ReadOp) -> SSAValue:
        """Where the condition is false nothing is read: the place may be outside of the tensor."""
        builder, type_ = self.step.builder, op.tensor.type
        assert isinstance(type_, TensorType)

        def read() -> list[SSAValue]:
            places = [self.values[index] for index in op.indices]
            return [loaded(builder, builder.extract(self.step.tensors[op.tensor], places), type_.element)]

        if op.present is None:
            return read()[0]
        computed = compute_type(type_.element)
        condition = self.values[op.present]
        return builder.choose(condition, [computed], read, lambda: [builder.constant(0, computed)])[0]

    def _is_index_of_rows(self, row: SSAValue, key: int | str) -> bool:
        """Whether the row is an index over the dim that `key` is per, which is then in range."""
        if not isinstance(row.owner, Block) or not isinstance(key, str):
            return False
        op = row.owner.parent_op()
        per = self.step.pipeline.dims[key].per
        if isinstance(op, ReduceOp):
            over = op.range
        elif isinstance(op, RangedOp):
            over = op.index_ranges[row.owner.args.index(row)]  # type: ignore[arg-type]
        else:
            return False
        return per is not None and extent_key(over.extent) == per.data


def needed_ops(
    wanted: Iterable[SSAValue], given: Mapping[SSAValue, object], accesses: Mapping[ReadOp, Access]
) -> set[Operation]:
    """The ops that the wanted values are computed from, up to the values that are given. Of a read that is an operand
    only the condition counts."""
    found: set[Operation] = set()
    pending = list(wanted)
    while pending:
        value = pending.pop()
        owner = value.owner
        if value in given or isinstance(owner, Block) or owner in found:
            continue
        found.add(owner)
        if isinstance(owner, ReadOp) and owner in accesses:
            pending += [owner.present] if owner.present is not None else []
        else:
            operands = [operand for nested in owner.walk() for operand in nested.operands]
            pending += [operand for operand in operands if not isinstance(operand.type, TensorType)]
    return found
