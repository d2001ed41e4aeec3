"""Building tile ops: operands are broadcast as needed, so the lowering writes arithmetic as it would in numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import (
    AnyFloat,
    FloatAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    f32,
    i1,
    i32,
    i64,
)
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from hetc.dialects import tile
from hetc.dialects.tile import SCALAR, Shape, element_of, join_shapes, shape_of, tile_type
from hetc.passes.block_builder import BlockBuilder

Mask = SSAValue | None
"""A condition on lanes; None holds everywhere."""


class TileBuilder(BlockBuilder):
    """Tile ops at the end of a block."""

    # constants and shapes

    def constant(self, value: int | float | bool, element: Attribute = i32) -> SSAValue:
        """A scalar constant of type `element` (f32, i1, i32, i64)."""
        if isinstance(element, AnyFloat):
            return self.add(arith.ConstantOp(FloatAttr(float(value), element)))
        assert isinstance(element, IntegerType)
        return self.add(arith.ConstantOp(IntegerAttr(int(value), element)))

    def broadcast(self, value: SSAValue, shape: Shape) -> SSAValue:
        if shape_of(value.type) == shape:
            return value
        return self.add(tile.BroadcastOp(value, tile_type(shape, element_of(value.type))))

    def together(self, *values: SSAValue) -> list[SSAValue]:
        """The values, broadcast to their common shape."""
        shape = join_shapes(*(shape_of(value.type) for value in values))
        return [self.broadcast(value, shape) for value in values]

    # arithmetic

    def binary(self, op: Callable[..., Operation], left: SSAValue, right: SSAValue | int) -> SSAValue:
        """An element-wise op of two operands; an int stands for a constant of the other's type."""
        if isinstance(right, int):
            right = self.constant(right, element_of(left.type))
        left, right = self.together(left, right)
        return self.add(op(left, right))

    def add_(self, left: SSAValue, right: SSAValue | int) -> SSAValue:
        if isinstance(right, int) and right == 0:
            return left
        return self.binary(arith.AddiOp, left, right)

    def multiply(self, left: SSAValue, right: SSAValue | int) -> SSAValue:
        if isinstance(right, int) and right == 1:
            return left
        return self.binary(arith.MuliOp, left, right)

    def compare(self, predicate: str, left: SSAValue, right: SSAValue | int | float) -> SSAValue:
        """eq, ne, lt, le, gt or ge, as tile.compare."""
        if isinstance(right, int | float):
            right = self.constant(right, element_of(left.type))
        left, right = self.together(left, right)
        return self.add(tile.CompareOp(predicate, left, right))

    def where(self, condition: SSAValue, if_true: SSAValue, if_false: SSAValue | int | float) -> SSAValue:
        if isinstance(if_false, int | float):
            if_false = self.constant(if_false, element_of(if_true.type))
        return self.add(tile.WhereOp(*self.together(condition, if_true, if_false)))

    def cast(self, value: SSAValue, element: Attribute) -> SSAValue:
        """Another element type (see tile.cast)."""
        if element_of(value.type) == element:
            return value
        return self.add(tile.CastOp(value, tile_type(shape_of(value.type), element)))

    def bitcast(self, value: SSAValue, element: Attribute) -> SSAValue:
        return self.add(arith.BitcastOp(value, tile_type(shape_of(value.type), element)))

    # masks

    def both(self, *masks: Mask) -> Mask:
        """The conjunction; masks that hold everywhere drop out, as do repetitions."""
        result: Mask = None
        for mask in dict.fromkeys(masks):
            if mask is not None:
                result = mask if result is None else self.binary(arith.AndIOp, result, mask)
        return result

    def selected(self, mask: Mask, value: SSAValue, otherwise: int | float) -> SSAValue:
        return value if mask is None else self.where(mask, value, otherwise)

    # memory

    def load(self, pointer: SSAValue, offset: SSAValue, mask: Mask) -> SSAValue:
        """The elements in the buffer's own type; 0 where the mask is false."""
        if mask is not None:
            offset, mask = self.together(offset, mask)
        return self.add(tile.LoadOp(pointer, offset, mask))

    def store(self, pointer: SSAValue, offset: SSAValue, value: SSAValue, mask: Mask) -> None:
        if mask is None:
            offset, value = self.together(offset, value)
        else:
            offset, value, mask = self.together(offset, value, mask)
        self.add(tile.StoreOp(pointer, offset, value, mask))

    # control

    def loop(
        self,
        upper: SSAValue,
        step: int,
        carried: Sequence[SSAValue],
        body: Callable[[SSAValue, list[SSAValue]], Sequence[SSAValue]],
        name: str | None = None,
    ) -> list[SSAValue]:
        """`for i in range(0, upper, step)`: `body(i, carried)` gives the carried values of the next turn."""
        block = Block(arg_types=[i32, *(value.type for value in carried)])
        block.args[0].name_hint = name
        for argument, value in zip(block.args[1:], carried, strict=True):
            argument.name_hint = value.name_hint
        lower, step_value = self.constant(0), self.constant(step)
        with self.inside(block):
            self.add(scf.YieldOp(*body(block.args[0], list(block.args[1:]))))
        loop = scf.ForOp(lower, upper, step_value, carried, Region(block))
        self.add(loop)
        return list(loop.results)

    def when(self, condition: Mask, body: Callable[[], None]) -> None:
        """Run the body where a scalar condition holds."""
        if condition is None:
            body()
            return
        block = Block()
        with self.inside(block):
            body()
            self.add(scf.YieldOp())
        self.add(scf.IfOp(condition, [], Region(block), Region()))


def zero_of(element: Attribute) -> int | float:
    return 0.0 if isinstance(element, AnyFloat) else 0


def tile_element(element: Attribute) -> Attribute:
    """The type of a region's value in a kernel: an index is an i32."""
    return i32 if isinstance(element, IndexType) else element


def named(value: SSAValue, name: str | None) -> SSAValue:
    """The value with a name for the emitted text, where it has none."""
    if value.name_hint is None and name:
        value.name_hint = name
    return value


__all__ = ["SCALAR", "Mask", "TileBuilder", "f32", "i1", "i32", "i64", "named", "tile_element", "zero_of"]
