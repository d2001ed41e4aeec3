"""Regions of statements inside a process: reads become loads from where the tensor lives, reductions become loops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from xdsl.dialects import arith
from xdsl.ir import Attribute, Block, Operation, SSAValue

from hetc.dialects import fpga
from hetc.dialects.locations import copy_location
from hetc.dialects.mp import (
    ComputeOp,
    DimAttr,
    DimSizeOp,
    GuardOp,
    ReadOp,
    ReadStoredOp,
    ReduceOp,
    YieldOp,
    extent_key,
)
from hetc.passes.lower_hls.builder import Body
from hetc.passes.lower_hls.memory import Dense, Sparse, Window
from hetc.passes.lower_hls.refusal import refuse

if TYPE_CHECKING:
    from hetc.passes.lower_hls.products import ExactProduct
    from hetc.passes.lower_hls.rounds import RoundLoop

Home = Dense | Sparse


@dataclass
class RegionLowering:
    """Lowers the ops of mp regions into the region of one process.

    homes: where each tensor lives, as the process sees it.
    values: what mp values became; loop indices are entered by whoever opens the loops.
    lengths: the kernel's pointers to the lengths of run-time dims; `per` maps such a dim to the one it is per.
    safe: indices that are known to lie inside the extent of their dim (loop indices), with that dim.
    stored: reads of sparse entries that a surrounding loop over entries has already made.
    lanes: reductions (by op) that are laid out as so many lanes side by side.
    accumulators: partial results that a running float reduction is split over.
    given: ops whose result is known already.
    rounds: the loop that a reduction takes several iterations of.
    exact: sums of products that are formed from the codes of stored elements.
    fused: tensors that are not kept anywhere: a read evaluates the statement that defines them.
    """

    homes: Mapping[SSAValue, Home]
    lengths: Mapping[str, SSAValue]
    per: Mapping[str, str | None]
    values: dict[SSAValue, SSAValue] = field(default_factory=dict)
    safe: dict[SSAValue, str | int] = field(default_factory=dict)
    stored: dict[Operation, tuple[SSAValue, SSAValue]] = field(default_factory=dict)
    lanes: dict[ReduceOp, int] = field(default_factory=dict)
    accumulators: int = 1
    fused: dict[SSAValue, ComputeOp] = field(default_factory=dict)
    rounds: RoundLoop | None = None
    exact: Mapping[ReduceOp, ExactProduct] = field(default_factory=dict)
    given: dict[Operation, SSAValue] = field(default_factory=dict)

    def value(self, value: SSAValue) -> SSAValue:
        return self.values[value]

    def extent(self, body: Body, extent: Attribute, per: SSAValue | None) -> SSAValue:
        """The (live) extent of a dim, as an index; 0 for a row that does not exist."""
        key = extent_key(extent)
        if isinstance(key, int):
            return body.index(key)
        length = body.once(("extent", key, per), lambda: self._length(body, key, per))
        length.name_hint = f"live_{key}"
        return length

    def _length(self, body: Body, dim: str, per: SSAValue | None) -> SSAValue:
        pointer = body.use(self.lengths[dim])
        if per is None:
            return body.add(fpga.LoadOp(pointer, [body.index(0)])).result
        rows = self.per[dim]
        inside: SSAValue | None = None
        if rows is not None and self.safe.get(per) != rows:
            count = self.extent(body, DimAttr(rows), None)
            inside = body.both(body.compare("sge", per, body.index(0)), body.compare("slt", per, count))
        return body.add(fpga.LoadOp(pointer, [per], (), inside)).result

    def lower(self, block: Block, body: Body) -> tuple[SSAValue, SSAValue | None]:
        """The ops of a region; returns the yielded value and the condition under which it is present."""
        for op in block.ops:
            if isinstance(op, YieldOp):
                return self.value(op.value), None if op.present is None else self.value(op.present)
            self.lower_op(op, body)
        raise refuse("a region without mp.yield", block.parent_op())

    def lower_op(self, op: Operation, body: Body) -> None:
        """One op of a region, at the end of `body`."""
        from hetc.passes.lower_hls.reductions import lower_reduce

        before = body.block.last_op
        if op in self.given:
            self.values[op.results[0]] = self.given[op]
        else:
            match op:
                case ReadOp():
                    self.values[op.result] = self._read(body, op)
                case ReadStoredOp():
                    self.values[op.result], self.values[op.stored] = self._read_stored(body, op)
                case DimSizeOp():
                    per = None if op.per is None else self.value(op.per)
                    self.values[op.result] = self.extent(body, DimAttr(op.dim), per)
                case ReduceOp():
                    self.values[op.result] = lower_reduce(self, body, op)
                case GuardOp():
                    raise refuse("absent values must be explicit here (run explicit-presence first)", op)
                case _:
                    self._scalar(body, op)
        locate(body.block, before, op)

    def _scalar(self, body: Body, op: Operation) -> None:
        """An op on numbers, kept as it is."""
        if isinstance(op, arith.ConstantOp):
            self.values[op.result] = self._constant(body, op)
            return
        if op.regions or op.name.split(".")[0] not in ("arith", "math", "mp"):
            raise refuse(f"{op.name} is not an operation of a statement", op)
        copied = op.clone(value_mapper=self._mapper(op))
        body.add(copied)
        for old, new in zip(op.results, copied.results, strict=True):
            self.values[old] = new

    def _mapper(self, op: Operation) -> dict[SSAValue, SSAValue]:
        return {operand: self.value(operand) for operand in op.operands}

    def _constant(self, body: Body, op: arith.ConstantOp) -> SSAValue:
        def make() -> SSAValue:
            return body.add(op.clone()).result

        return body.once(("constant", str(op.value), op.result.type), make)

    def _fused(self, body: Body, op: ReadOp, statement: ComputeOp) -> SSAValue:
        for argument, index in zip(statement.body.block.args, op.indices, strict=True):
            self.values[argument] = self.value(index)
        value, _ = self.lower(statement.body.block, body)
        if op.present is None:
            return value
        return body.select(self.value(op.present), value, body.constant(0, value.type))

    def _read(self, body: Body, op: ReadOp) -> SSAValue:
        if op.tensor in self.fused:
            return self._fused(body, op, self.fused[op.tensor])
        home = self.home(op.tensor, op)
        indices = [self.value(index) for index in op.indices]
        present = None if op.present is None else self.value(op.present)
        if isinstance(home, Sparse):
            return home.find(body, indices[0], indices[1], present)[0]
        return home.load(body, indices, present)

    def load_code(self, body: Body, op: ReadOp) -> SSAValue:
        """The code of the element read, which is held on chip as one."""
        home = self.home(op.tensor, op)
        assert isinstance(home, Window)
        return home.load_code(body, [self.value(index) for index in op.indices])

    def _read_stored(self, body: Body, op: ReadStoredOp) -> tuple[SSAValue, SSAValue]:
        if op in self.stored:
            return self.stored[op]
        home = self.home(op.tensor, op)
        indices = [self.value(index) for index in op.indices]
        present = None if op.present is None else self.value(op.present)
        if isinstance(home, Sparse):
            return home.find(body, indices[0], indices[1], present)
        raise refuse("mp.read_stored of a dense tensor", op)

    def home(self, tensor: SSAValue, op: Operation) -> Home:
        if tensor not in self.homes:
            raise refuse("a read of a tensor that this kernel neither receives nor makes", op)
        return self.homes[tensor]


def locate(block: Block, before: Operation | None, source: Operation) -> None:
    """Give the ops added after `before` the location of `source`."""
    op = block.first_op if before is None else before.next_op
    while op is not None:
        copy_location(source, op)
        op = op.next_op
