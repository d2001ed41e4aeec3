"""Regions of statements as straight code and loops: reads become reads and loads, reductions become folds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xdsl.ir import Block, Operation, Region, SSAValue

from hetc.dialects import nest
from hetc.dialects.mp import (
    DimAttr,
    DimSizeOp,
    ReadOp,
    ReadStoredOp,
    ReduceOp,
    TensorType,
    YieldOp,
    compute_type,
)
from hetc.passes.analysis.stored_entries import stored_only, varying_in
from hetc.passes.nest.building import Builder
from hetc.passes.refusal import refuse

NUMBERS = ("arith", "math", "mp")


@dataclass
class RegionLowering:
    """Lowers regions at the end of a builder's block. `homes`: where each tensor lies, an operand or a buffer. The
    values of the builder hold what mp values became."""

    builder: Builder
    homes: Mapping[SSAValue, SSAValue]

    def value(self, value: SSAValue) -> SSAValue:
        return self.builder.values[value]

    def optional(self, value: SSAValue | None) -> SSAValue | None:
        return None if value is None else self.value(value)

    def lower(self, block: Block) -> tuple[SSAValue, SSAValue | None]:
        """The ops of a region; gives the yielded value and the condition under which it is present."""
        for op in block.ops:
            if isinstance(op, YieldOp):
                return self.value(op.value), self.optional(op.present)
            self.lower_op(op)
        raise refuse("a region without mp.yield", block.parent_op(), "device")

    def lower_op(self, op: Operation) -> None:
        outer, self.builder.source = self.builder.source, op
        made = self._made(op)
        for old, new in zip(op.results, made, strict=True):
            self.builder.values[old] = new
            new.name_hint = new.name_hint or old.name_hint
        self.builder.source = outer

    def _made(self, op: Operation) -> list[SSAValue]:
        match op:
            case ReadOp():
                return [self._read(op)]
            case ReadStoredOp():
                indices = [self.value(index) for index in op.indices]
                found = nest.FindOp(self.homes[op.tensor], indices, self.optional(op.present))
                return list(self.builder.add(found).results)
            case DimSizeOp():
                return [self.builder.size(DimAttr(op.dim), self.optional(op.per))]
            case ReduceOp():
                return [self._reduce(op)]
        if op.regions or op.name.split(".")[0] not in NUMBERS:
            raise refuse(f"{op.name} is not an operation of a statement", op, "device")
        copied = op.clone(value_mapper={operand: self.value(operand) for operand in op.operands})
        return list(self.builder.add(copied).results)

    def _read(self, op: ReadOp) -> SSAValue:
        home, indices = self.homes[op.tensor], [self.value(index) for index in op.indices]
        kind = nest.ReadOp if isinstance(home.type, TensorType) else nest.LoadOp
        return self.builder.value(kind(home, indices, self.optional(op.present)))

    def _reduce(self, op: ReduceOp) -> SSAValue:
        kind, result = op.kind.data, op.result.type
        combined = result if kind == "count" else op.yielded.value.type
        type_ = nest.AccType([], nest.CombinerAttr(kind, combined))
        states = self.builder.value(nest.AccOp(f"{kind}_{op.range.index.data}", type_))
        read = stored_only(op)
        if read is not None:
            self._over_entries(op, read, states)
        else:
            with self.builder.loop(op.range.index.data, op.range.extent, self.optional(op.per)) as index:
                self._fold(op, states, index)
        return self.builder.value(nest.FinishOp(states))

    def _fold(self, op: ReduceOp, states: SSAValue, index: SSAValue) -> None:
        self.builder.values[op.body.block.args[0]] = index
        value, present = self.lower(op.body.block)
        self._add(op, states, value, present, index)

    def _add(self, op: ReduceOp, states: SSAValue, value: SSAValue, present: SSAValue | None, index: SSAValue) -> None:
        """A fold; a place is folded with its index."""
        values = [value, index] if op.kind.data in ("argmax", "argmin") else [value]
        self.builder.add(nest.FoldOp(values, states, [], present))

    def _over_entries(self, op: ReduceOp, read: ReadStoredOp, states: SSAValue) -> None:
        """A loop over the stored entries of a row: no other element can count."""
        body, varying, builder = op.body.block, varying_in(op.body.block), self.builder
        fixed = [item for item in body.ops if item is not read and not varying.intersection(item.results)]
        for item in fixed:
            if not isinstance(item, YieldOp):
                self.lower_op(item)
        type_ = read.tensor.type
        assert isinstance(type_, TensorType)
        upper = builder.size(op.range.extent, self.optional(op.per))
        row, present = self.value(read.indices[0]), self.optional(read.present)
        inner = Block(arg_types=[upper.type, compute_type(type_.element)])
        inner.args[0].name_hint = op.range.index.data
        inner.args[1].name_hint = f"{read.tensor.name_hint or 'entry'}_value"
        home, most = self.homes[read.tensor], builder.most(op.range.extent)
        builder.add(nest.EntriesOp(home, row, builder.index(0), upper, most, Region(inner), present))
        with builder.inside(inner):
            builder.values[body.args[0]], builder.values[read.result] = inner.args
            builder.values[read.stored] = builder.true()
            for item in body.ops:
                if item is not read and item not in fixed and not isinstance(item, YieldOp):
                    self.lower_op(item)
            self._add(op, states, self.value(op.yielded.value), self.optional(op.yielded.present), inner.args[0])
