"""Types and attributes of the tile dialect.

!tile.pointer<bf16>        an argument: a buffer in the GPU's memory (fp8 and bool buffers are bytes, ui8)
#tile.grid<"T", 64>        how many programs run along one index: its longest extent divided by the tile, rounded up
#tile.constant<"FP8", ...> a compile-time parameter (see KernelOp)

A tile is a builtin tensor of static shape, or a scalar. All tensors of one statement have one rank: dimension n
belongs to the same loop or grid index everywhere in it, and is 1 where a value does not depend on it.
"""

from __future__ import annotations

from functools import lru_cache

from xdsl.dialects.builtin import IntAttr, IntegerAttr, StringAttr, TensorType, i64
from xdsl.ir import Attribute, ParametrizedAttribute, TypeAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.utils.exceptions import VerifyException


@irdl_attr_definition
class PointerType(ParametrizedAttribute, TypeAttribute):
    """A buffer of elements in the GPU's memory."""

    name = "tile.pointer"
    element: Attribute


@irdl_attr_definition
class GridAttr(ParametrizedAttribute):
    """Programs along one index: ceil(extent / tile). `extent` is a constant or a run-time dim's name, for which
    the capacity counts."""

    name = "tile.grid"
    extent: Attribute
    tile: IntAttr

    def __init__(self, extent: int | str | Attribute, tile: int | IntAttr):
        if isinstance(extent, int):
            extent = IntegerAttr(extent, i64)
        elif isinstance(extent, str):
            extent = StringAttr(extent)
        super().__init__(extent, IntAttr(tile) if isinstance(tile, int) else tile)

    @property
    def size(self) -> int | str:
        """The constant extent, or the run-time dim's name."""
        if isinstance(self.extent, StringAttr):
            return self.extent.data
        assert isinstance(self.extent, IntegerAttr)
        return self.extent.value.data

    def verify(self) -> None:
        if not isinstance(self.extent, StringAttr | IntegerAttr):
            raise VerifyException(f"tile.grid: expected a constant or a dim's name, got {self.extent}")
        if self.tile.data < 1:
            raise VerifyException(f"tile.grid: expected a tile of at least 1, got {self.tile.data}")


Shape = tuple[int, ...]
SCALAR: Shape = ()


@lru_cache(maxsize=1024)
def tile_type(shape: Shape, element: Attribute) -> Attribute:
    """The type of a tile: the element itself for `()`, else a tensor."""
    return TensorType(element, list(shape)) if shape else element


def shape_of(type: Attribute) -> Shape:
    """`()` for a scalar."""
    return tuple(type.get_shape()) if isinstance(type, TensorType) else SCALAR


def element_of(type: Attribute) -> Attribute:
    """The element of a tile type; a scalar is its own."""
    return type.element_type if isinstance(type, TensorType) else type


def join_shapes(*shapes: Shape) -> Shape:
    """The shape that tiles broadcast to. Raises ValueError where they do not agree."""
    tensors = [shape for shape in shapes if shape]
    if not tensors:
        return SCALAR
    joined = []
    for sizes in zip(*tensors, strict=True):
        wide = {size for size in sizes if size != 1}
        if len(wide) > 1:
            raise ValueError(f"tiles of shapes {', '.join(map(str, tensors))} do not broadcast")
        joined.append(wide.pop() if wide else 1)
    return tuple(joined)
