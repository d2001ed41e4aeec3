"""The argument list of a generated kernel, and addresses of elements in its buffers.

Buffers are row-major with strides from capacities: a constant extent is its own, a run-time dim's is passed as a
scalar. Lengths of run-time dims are read from device buffers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from xdsl.dialects import arith
from xdsl.dialects.builtin import (
    Float8E4M3FNType,
    Float8E5M2Type,
    IndexType,
    IntegerType,
    Signedness,
    i32,
    i64,
)
from xdsl.ir import Attribute, Block, BlockArgument, SSAValue

from hetc.dialects import tile
from hetc.dialects.mp import DimOp, TensorType
from hetc.dialects.task import DIM_ROLES, ArgumentAttr
from hetc.dialects.tile import BYTE, SCALAR, PointerType, shape_of
from hetc.passes.lower_triton.builder import Mask, TileBuilder

PARTS = {"row_start": i64, "row_length": i32, "column": i32, "table": i32}
"""Elements of what an operand has besides its own elements: of a sparse tensor, and the page table of a paged one."""


def buffer_element(element: Attribute) -> Attribute:
    """The element type of a buffer as the kernel sees it: fp8 and bool are bytes, an index is an i32."""
    if isinstance(element, IndexType):
        return i32
    if isinstance(element, Float8E4M3FNType | Float8E5M2Type):
        return BYTE
    if isinstance(element, IntegerType):
        width = element.width.data
        if width == 1 or (width == 8 and element.signedness.data is Signedness.UNSIGNED):
            return BYTE
        return IntegerType(max(width, 8))
    return element


@dataclass(frozen=True)
class Buffer:
    """Where a tensor of the task kernel lives: the role and index of its argument, its type and name."""

    role: str
    index: int
    type: TensorType
    name: str


_ORDER = ("operand", "result", "constant", "scratch", *DIM_ROLES)


@dataclass
class Arguments:
    """The arguments of one launch, made as they are asked for and put in the conventional order at the end."""

    dims: Mapping[str, DimOp]
    block: Block = field(default_factory=Block)
    _made: dict[tuple[str, int, str], BlockArgument] = field(default_factory=dict)

    @property
    def dim_names(self) -> list[str]:
        """The run-time dims in declaration order: what the index of an argument of a dim counts in."""
        return [name for name, dim in self.dims.items() if not dim.is_static]

    def _argument(self, role: str, index: int, part: str, type: Attribute, name: str) -> SSAValue:
        key = (role, index, part)
        if key not in self._made:
            value = self.block.insert_arg(type, len(self.block.args))
            value.name_hint = name
            self._made[key] = value
        return self._made[key]

    def pointer(self, buffer: Buffer, part: str = "") -> SSAValue:
        """The argument of a buffer, or of one part of what is not dense."""
        element = PARTS.get(part) or buffer_element(buffer.type.element)
        name = f"{buffer.name}_{part}" if part else buffer.name
        return self._argument(buffer.role, buffer.index, part, PointerType(element), name)

    def length(self, dim: str) -> SSAValue:
        return self._argument("length", self.dim_names.index(dim), "", PointerType(i32), f"len_{dim}")

    def capacity(self, dim: str) -> SSAValue:
        return self._argument("capacity", self.dim_names.index(dim), "", i32, f"cap_{dim}")

    def longest(self, dim: str) -> SSAValue:
        return self._argument("longest", self.dim_names.index(dim), "", i32, f"longest_{dim}")

    def in_order(self) -> list[ArgumentAttr]:
        """The list for `tile.kernel`; permutes the block's arguments to match."""
        keys = sorted(self._made, key=lambda key: (_ORDER.index(key[0]), key[1], _part_rank(key[2])))
        values = [self._made[key] for key in keys]
        self.block._args = tuple(values)
        for position, value in enumerate(values):
            value.index = position
        return [ArgumentAttr(*key) for key in keys]


def _part_rank(part: str) -> int:
    return ("", *PARTS, "value").index(part)


def element_bound(type: TensorType, dims: Mapping[str, DimOp]) -> int:
    """The largest number of elements that a dense tensor can take."""
    total = 1
    for extent in type.shape if type.rows is None else type.shape[: type.row_axis]:
        total *= extent if isinstance(extent, int) else dims[extent].largest
    if type.rows is None:
        return total
    last = type.shape[type.row_axis]
    assert isinstance(last, str)
    count, rows = dims[last].largest, type.rows
    if rows.is_paged:
        return total * -(-count // rows.block.data) * rows.page.data
    return total * count * rows.row.data


def element_offset(
    builder: TileBuilder, arguments: Arguments, buffer: Buffer, indices: Sequence[SSAValue], mask: Mask
) -> SSAValue:
    """Where an element of an operand lies; a page is looked up where the mask holds."""
    type_, bound = buffer.type, element_bound(buffer.type, arguments.dims)
    if type_.rows is None:
        return flat_offset(builder, arguments, type_.shape, indices, bound)
    axis, rows = type_.row_axis, type_.rows
    wide = i64 if bound >= 2**31 or rows.is_paged else i32  # a pool may hold more than this memory's pages
    if rows.is_paged:
        offset = _paged_row(builder, arguments, buffer, indices, mask, wide)
    else:
        number = flat_offset(builder, arguments, type_.shape[: axis + 1], indices[: axis + 1], bound)
        offset = builder.multiply(builder.cast(number, wide), rows.row.data)
    inner = flat_offset(builder, arguments, type_.shape[axis + 1 :], indices[axis + 1 :], 0)
    offset = builder.add_(offset, rows.offset.data)
    return builder.add_(offset, builder.cast(inner, wide)) if type_.shape[axis + 1 :] else offset


def _paged_row(
    builder: TileBuilder,
    arguments: Arguments,
    buffer: Buffer,
    indices: Sequence[SSAValue],
    mask: Mask,
    wide: Attribute,
) -> SSAValue:
    """Where a row begins in the pool, by the table of its sequence."""
    type_, rows = buffer.type, buffer.type.rows
    assert rows is not None
    axis, block = type_.row_axis, rows.block.data
    dim, place = type_.shape[axis], indices[axis]
    assert isinstance(dim, str)
    entry = builder.binary(arith.DivSIOp, place, block)
    if axis:
        capacity = builder.add_(arguments.capacity(dim), block - 1)
        pages = builder.binary(arith.DivSIOp, capacity, block)
        entry = builder.add_(builder.multiply(indices[axis - 1], pages), entry)
    page = builder.load(arguments.pointer(buffer, "table"), entry, mask)
    page.name_hint = "page"
    slot = builder.binary(arith.RemSIOp, place, block)
    offset = builder.multiply(builder.cast(page, wide), rows.page.data)
    return builder.add_(offset, builder.multiply(builder.cast(slot, wide), rows.row.data))


def flat_offset(
    builder: TileBuilder, arguments: Arguments, shape: Sequence[int | str], indices: Sequence[SSAValue], bound: int
) -> SSAValue:
    """The row-major offset of an element. Where the buffer may hold 2^31 elements or more, the place at which a tile
    begins is a scalar of 64 bits; what lies between the tile's elements stays in 32 where that is enough, in half the
    registers."""
    if bound < 2**31:
        return _row_major(builder, arguments, shape, indices, i32)
    parts = [_begin_and_lane(index) for index in indices]
    lanes = [lane for _, lane in parts]
    begin = _row_major(builder, arguments, shape, [begin for begin, _ in parts], i64)
    if all(lane is None for lane in lanes):
        return begin
    within = _row_major(builder, arguments, shape, lanes, i32 if _reach(arguments, shape, lanes) < 2**31 else i64)
    return builder.binary(arith.AddiOp, begin, builder.cast(within, i64))


def _row_major(
    builder: TileBuilder,
    arguments: Arguments,
    shape: Sequence[int | str],
    indices: Sequence[SSAValue | None],
    wide: Attribute,
) -> SSAValue:
    """sum of index x stride; None stands for 0."""
    offset: SSAValue | None = None
    for extent, index in zip(shape, indices, strict=True):
        if offset is not None:
            size = extent if isinstance(extent, int) else builder.cast(arguments.capacity(extent), wide)
            offset = builder.multiply(offset, size)
        if index is not None:
            index = builder.cast(index, wide)
            offset = index if offset is None else builder.add_(offset, index)
    return offset if offset is not None else builder.constant(0, wide)


def _begin_and_lane(index: SSAValue) -> tuple[SSAValue | None, SSAValue | None]:
    """An index as the one that a tile begins at, and 0, 1, 2, ... along a dimension: None for a single element, and
    where the index is another tile."""
    if isinstance(index.owner, tile.RangeOp):
        return None, index
    if isinstance(index.owner, arith.AddiOp):
        for begin, lane in ((index.owner.lhs, index.owner.rhs), (index.owner.rhs, index.owner.lhs)):
            begin = begin.owner.value if isinstance(begin.owner, tile.BroadcastOp) else begin
            if shape_of(begin.type) == SCALAR and isinstance(lane.owner, tile.RangeOp):
                return begin, lane
    return index, None


def _reach(arguments: Arguments, shape: Sequence[int | str], lanes: Sequence[SSAValue | None]) -> int:
    """How far the last element of a tile may lie behind its first."""
    reach = 0
    for extent, lane in zip(shape, lanes, strict=True):
        size = extent if isinstance(extent, int) else arguments.dims[extent].largest
        reach = reach * size + (prod(shape_of(lane.type)) - 1 if lane is not None else 0)
    return reach


def live_extent(builder: TileBuilder, arguments: Arguments, dim: str, per: SSAValue | None, per_mask: Mask) -> SSAValue:
    """The live extent of a run-time dim, of row `per` where it is per a dim; 0 where `per_mask` is false."""
    offset = per if per is not None else builder.constant(0)
    length = builder.load(arguments.length(dim), offset, per_mask if per is not None else None)
    length.name_hint = f"live_{dim}"
    return length
