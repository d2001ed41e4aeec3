"""Building upstream ops: each gets the location of the mp op that is being lowered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.dialects import arith, scf, tensor
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    AffineMapAttr,
    AnyFloat,
    DenseArrayBase,
    FloatAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    TensorType,
    i64,
)
from xdsl.dialects.linalg import ops as linalg
from xdsl.dialects.linalg.attrs import IteratorTypeAttr
from xdsl.dialects.utils import split_dynamic_index_list
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.ir.affine import AffineMap

from hetc.passes.block_builder import BlockBuilder

Size = int | SSAValue
"""An extent, an offset or a size: constant, or an index."""


@dataclass(frozen=True)
class Operand:
    """A tensor that a linalg.generic reads or writes, and which element an iteration takes."""

    tensor: SSAValue
    map: AffineMap


class Builder(BlockBuilder):
    """Upstream ops at the end of a block."""

    # scalars

    def constant(self, value: bool | int | float, type: Attribute) -> SSAValue:
        """A constant of a float, integer or index type."""
        if isinstance(type, AnyFloat):
            return self.add(arith.ConstantOp(FloatAttr(float(value), type)))
        assert isinstance(type, IntegerType | IndexType)
        return self.add(arith.ConstantOp(IntegerAttr(int(value), type)))

    def index(self, value: Size) -> SSAValue:
        return self.constant(value, IndexType()) if isinstance(value, int) else value

    def cast(self, value: SSAValue, type: Attribute) -> SSAValue:
        """An integer or index that the other integer type, or index, holds."""
        if value.type == type:
            return value
        if not isinstance(value.type, IntegerType) or not isinstance(type, IntegerType):
            return self.add(arith.IndexCastOp(value, type))  # type: ignore[arg-type]
        return self.add((arith.ExtSIOp if type.width.data > value.type.width.data else arith.TruncIOp)(value, type))

    def select(self, condition: SSAValue | None, value: SSAValue, otherwise: bool | int | float) -> SSAValue:
        """The value where the condition holds (None: everywhere), else a constant."""
        if condition is None:
            return value
        return self.add(arith.SelectOp(condition, value, self.constant(otherwise, value.type)))

    def both(self, *conditions: SSAValue | None) -> SSAValue | None:
        """The conjunction of what is not None."""
        result: SSAValue | None = None
        for condition in conditions:
            if condition is not None:
                result = condition if result is None else self.add(arith.AndIOp(result, condition))
        return result

    def less(self, left: SSAValue, right: Size, predicate: str = "slt") -> SSAValue:
        return self.add(arith.CmpiOp(left, self.index(right), predicate))

    # control

    def loop(
        self,
        upper: Size,
        carried: Sequence[SSAValue],
        body: Callable[[SSAValue, list[SSAValue]], Sequence[SSAValue]],
    ) -> list[SSAValue]:
        """`for i in 0 .. upper`: `body(i, carried)` gives the carried values of the next turn."""
        block = Block(arg_types=[IndexType(), *(value.type for value in carried)])
        lower, bound, one = self.index(0), self.index(upper), self.index(1)
        with self.inside(block):
            self.add_all(scf.YieldOp(*body(block.args[0], list(block.args[1:]))))
        return list(self.add_all(scf.ForOp(lower, bound, one, carried, Region(block))))

    def choose(
        self,
        condition: SSAValue,
        types: Sequence[Attribute],
        then: Callable[[], Sequence[SSAValue]],
        otherwise: Callable[[], Sequence[SSAValue]],
    ) -> list[SSAValue]:
        """`if condition`: only the side that is chosen is computed."""

        def region(side: Callable[[], Sequence[SSAValue]]) -> Region:
            block = Block()
            with self.inside(block):
                self.add_all(scf.YieldOp(*side()))
            return Region(block)

        return list(self.add_all(scf.IfOp(condition, types, region(then), region(otherwise))))

    # tensors

    def empty(self, sizes: Sequence[Size], element: Attribute) -> SSAValue:
        """A tensor of these extents whose elements are not set yet."""
        dynamic = [size for size in sizes if not isinstance(size, int)]
        return self.add(tensor.EmptyOp(dynamic, tensor_of(sizes, element)))

    def filled(self, sizes: Sequence[Size], element: Attribute, value: bool | int | float) -> SSAValue:
        made = self.empty(sizes, element)
        return self.add(linalg.FillOp([self.constant(value, element)], [made]))

    def extract(self, source: SSAValue, indices: Sequence[SSAValue]) -> SSAValue:
        return self.add(tensor.ExtractOp(source, indices, element_of(source)))

    def sliced(
        self,
        source: SSAValue,
        offsets: Sequence[Size],
        sizes: Sequence[Size],
        kept: Sequence[Size] | None = None,
    ) -> SSAValue:
        """The part of a tensor that begins at `offsets`; the tensor itself where that is all of it for certain.
        kept: the extents of the result, of `sizes` some without dims of size 1."""
        if kept is None and list(sizes) == list(shape_of(source)) and all(offset == 0 for offset in offsets):
            return source
        result = tensor_of(sizes if kept is None else kept, element_of(source))
        return self.add(tensor.ExtractSliceOp(source, offsets, sizes, [1] * len(sizes), result))

    def inserted(self, part: SSAValue, whole: SSAValue, offsets: Sequence[Size], sizes: Sequence[Size]) -> SSAValue:
        """`whole` with `part` written at `offsets`; dims of size 1 may be missing from `part`."""
        fixed_offsets, given_offsets = split_dynamic_index_list(offsets, DYNAMIC_INDEX)
        fixed_sizes, given_sizes = split_dynamic_index_list(sizes, DYNAMIC_INDEX)
        return self.add(
            tensor.InsertSliceOp.build(
                operands=[part, whole, given_offsets, given_sizes, []],
                result_types=[whole.type],
                properties={
                    "static_offsets": DenseArrayBase.from_list(i64, fixed_offsets),
                    "static_sizes": DenseArrayBase.from_list(i64, fixed_sizes),
                    "static_strides": DenseArrayBase.from_list(i64, [1] * len(sizes)),
                },
            )
        )

    def generic(
        self,
        inputs: Sequence[Operand],
        outputs: Sequence[Operand],
        reduced: int,
        body: Callable[[list[SSAValue], list[SSAValue]], Sequence[SSAValue]],
    ) -> list[SSAValue]:
        """A linalg.generic whose last `reduced` loops are reductions. `body(inputs, outputs)` gives, from the elements
        of an iteration, the new elements of the outputs."""
        block = Block(arg_types=[element_of(operand.tensor) for operand in (*inputs, *outputs)])
        arguments: list[SSAValue] = list(block.args)
        with self.inside(block):
            made = body(arguments[: len(inputs)], arguments[len(inputs) :])
            self.add_all(linalg.YieldOp(*made))
        loops = outputs[0].map.num_dims
        kinds = [IteratorTypeAttr.parallel()] * (loops - reduced)
        return list(
            self.add_all(
                linalg.GenericOp(
                    [operand.tensor for operand in inputs],
                    [operand.tensor for operand in outputs],
                    Region(block),
                    [AffineMapAttr(operand.map) for operand in (*inputs, *outputs)],
                    [*kinds, *([IteratorTypeAttr.reduction()] * reduced)],
                    [operand.tensor.type for operand in outputs],
                )
            )
        )


def tensor_of(sizes: Sequence[Size], element: Attribute) -> TensorType:
    """The tensor type of these extents, `?` where one is known at run time only."""
    return TensorType(element, [size if isinstance(size, int) else DYNAMIC_INDEX for size in sizes])


def element_of(value: SSAValue) -> Attribute:
    """The element type of a tensor."""
    assert isinstance(value.type, TensorType)
    return value.type.element_type


def shape_of(value: SSAValue) -> tuple[int, ...]:
    """A tensor's extents, DYNAMIC_INDEX where one is known at run time only."""
    assert isinstance(value.type, TensorType)
    return value.type.get_shape()


def leading(loops: int, kept: int) -> AffineMap:
    """`(d0, .., dn) -> (d0, .., dk)`: the first `kept` of `loops` dims."""
    return AffineMap.identity(loops) if kept == loops else AffineMap(loops, 0, AffineMap.identity(loops).results[:kept])
