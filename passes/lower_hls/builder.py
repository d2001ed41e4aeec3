"""Building the region of a process: what it uses from outside, constants once each, loops, locations."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import Float32Type, FloatAttr, IndexType, IntegerAttr, IntegerType
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from hetc.dialects import fpga
from hetc.dialects.locations import copy_location

OperationT = TypeVar("OperationT", bound=Operation)
FLOAT_INFINITY = float("inf")


class Frame:
    """The process (or dataflow) under construction: values from outside become its operands when first used."""

    def __init__(self, name: str, source: Operation, kind: type[fpga.IsolatedOp] = fpga.ProcessOp):
        self.name = name
        self.source = source
        self.kind = kind
        self.block = Block()
        self.operands: list[SSAValue] = []
        self._inside: dict[SSAValue, SSAValue] = {}

    def use(self, value: SSAValue) -> SSAValue:
        """The value as the region sees it: itself if it is the region's own."""
        owner = value.owner
        if (owner if isinstance(owner, Block) else owner.parent_block()) is self.block:
            return value
        if value not in self._inside:
            argument = self.block.insert_arg(value.type, len(self.block.args))
            argument.name_hint = value.name_hint
            self._inside[value] = argument
            self.operands.append(value)
        return self._inside[value]

    def body(self) -> Body:
        return Body(self.block, self)

    def finish(self, outer: Body) -> fpga.IsolatedOp:
        """Close the region and insert the op into `outer`, which makes its operands outer's."""
        for argument in list(self.block.args):
            if not any(True for _ in argument.uses):
                del self.operands[argument.index]
                self.block.erase_arg(argument)
        operands = [outer.use(value) for value in self.operands]
        op = outer.add(self.kind(self.name, operands, Region(self.block)))
        return copy_location(self.source, op)

    def repeat(self, outer: Body, instead: Mapping[SSAValue, SSAValue]) -> fpga.InstanceOp:
        """The finished process once more, with other values for some of those from outside."""
        operands = [outer.use(instead.get(value, value)) for value in self.operands]
        return copy_location(self.source, outer.add(fpga.InstanceOp(self.name, operands)))


class Body:
    """An insertion point at the end of a block, inside a frame (or at the top of the kernel, without one)."""

    def __init__(self, block: Block, frame: Frame | None, cache: ChainMap[Hashable, SSAValue] | None = None):
        self.block = block
        self.frame = frame
        self.cache: ChainMap[Hashable, SSAValue] = cache if cache is not None else ChainMap()

    def add(self, op: OperationT) -> OperationT:
        self.block.add_op(op)
        return op

    def use(self, value: SSAValue) -> SSAValue:
        """A value of the kernel's body, as seen here."""
        return value if self.frame is None else self.frame.use(value)

    def once(self, key: Hashable, make: Callable[[], SSAValue]) -> SSAValue:
        """The value made for `key` here or in an enclosing block, so that nothing is computed twice."""
        if key not in self.cache:
            self.cache[key] = make()
        return self.cache[key]

    def constant(self, value: int | float | bool, type: Attribute) -> SSAValue:
        """A number of type f32, i1, i32, i64 or index."""

        def make() -> SSAValue:
            if isinstance(type, IndexType | IntegerType):
                return self.add(arith.ConstantOp(IntegerAttr(int(value), type))).result
            assert isinstance(type, Float32Type)
            return self.add(arith.ConstantOp(FloatAttr(float(value), type))).result

        return self.once(("constant", repr(value), type), make)

    def index(self, value: int) -> SSAValue:
        return self.constant(value, IndexType())

    def compare(self, predicate: str, lhs: SSAValue, rhs: SSAValue) -> SSAValue:
        """`predicate` as arith spells it: slt, sge, eq, ... for integers, olt, ogt, une, ... for floats."""
        operation = arith.CmpfOp if predicate[0] in "ou" else arith.CmpiOp
        return self.add(operation(lhs, rhs, predicate)).result

    def both(self, lhs: SSAValue | None, rhs: SSAValue | None) -> SSAValue | None:
        """The conjunction of two conditions, None standing for true."""
        if lhs is None or _is_true(lhs):
            return rhs if rhs is not None else lhs
        if rhs is None or _is_true(rhs):
            return lhs
        return self.add(arith.AndIOp(lhs, rhs)).result

    def select(self, condition: SSAValue | None, then: SSAValue, otherwise: SSAValue) -> SSAValue:
        return then if condition is None else self.add(arith.SelectOp(condition, then, otherwise)).result

    def inner(self, block: Block) -> Body:
        """An insertion point in a block nested here."""
        return Body(block, self.frame, self.cache.new_child())

    def loop(
        self,
        name: str,
        upper: SSAValue,
        carried: Sequence[SSAValue] = (),
        *,
        lower: SSAValue | None = None,
        ii: int | None = None,
        unroll: int | None = None,
        apart: int | None = None,
        most: int | None = None,
    ) -> Loop:
        """Open a loop over [lower, upper); `close` it with the values that the next iteration gets."""
        options = {"ii": ii, "unroll": unroll, "apart": apart, "most": most}
        return Loop(self, name, lower if lower is not None else self.index(0), upper, carried, options)

    def when(self, condition: SSAValue) -> Body:
        """The inside of an `scf.if` without results or else."""
        block = Block()
        op = scf.IfOp(condition, [], Region(block))
        self.add(op)
        return self.inner(block)


def _is_true(condition: SSAValue) -> bool:
    owner = condition.owner
    return isinstance(owner, arith.ConstantOp) and owner.value == IntegerAttr(1, 1)


class Loop:
    """A loop under construction."""

    def __init__(
        self,
        outer: Body,
        name: str,
        lower: SSAValue,
        upper: SSAValue,
        carried: Sequence[SSAValue],
        options: dict[str, int | None],
    ):
        self.outer, self.name, self.lower, self.upper = outer, name, lower, upper
        self.initial, self.options = list(carried), options
        block = Block(arg_types=[IndexType(), *(value.type for value in carried)])
        block.args[0].name_hint = name
        for argument, value in zip(block.args[1:], carried, strict=True):
            argument.name_hint = value.name_hint
        self.body = outer.inner(block)

    @property
    def index(self) -> SSAValue:
        return self.body.block.args[0]

    @property
    def carried(self) -> tuple[SSAValue, ...]:
        return tuple(self.body.block.args[1:])

    def close(self, values: Sequence[SSAValue] = ()) -> tuple[SSAValue, ...]:
        self.body.add(fpga.YieldOp(values))
        region = Region(self.body.block)
        op = fpga.LoopOp(self.name, self.lower, self.upper, self.initial, region, **self.options)
        return tuple(self.outer.add(op).results)


def close_conditions(body_block: Block) -> None:
    """Ends every `scf.if` region that was opened with `Body.when` (they carry nothing)."""
    for op in body_block.walk():
        if isinstance(op, scf.IfOp):
            for region in op.regions:
                if region.blocks and not isinstance(region.block.last_op, scf.YieldOp):
                    region.block.add_op(copy_location(op, scf.YieldOp()))


__all__ = ["FLOAT_INFINITY", "Body", "Frame", "Loop", "close_conditions"]
