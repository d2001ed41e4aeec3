"""Between which integers the values of a region lie, whatever the data.

Index arithmetic is exact: an index that 64 bits do not hold is absent, so that those that are present lie within 64
bits. i32 and i64 arithmetic wraps. Both follow from the intervals of the operands, which follow from the bounds of the
dims, the element types, and what picks (results of mp.topk and mp.select) and argmax can be. An absent lane may hold
anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from xdsl.dialects import arith, math
from xdsl.dialects.builtin import IndexType, IntegerAttr, IntegerType, Signedness, i1
from xdsl.ir import Attribute, Block, Operation, SSAValue

from hetc.dialects.mp.compute import ComputeOp, RangedOp
from hetc.dialects.mp.elements import WideIndexType
from hetc.dialects.mp.irregular import SelectOp, TopkOp
from hetc.dialects.mp.loop import is_pass_number, loop_of
from hetc.dialects.mp.region import DimSizeOp, GuardOp, ModOp, ReadOp, ReadStoredOp, ReduceOp, RoundOp
from hetc.dialects.mp.structure import PipelineOp
from hetc.dialects.mp.types import TensorType, extent_key

ABSENT_INDEX = -1
"""What an absent index is stored as."""


@dataclass(frozen=True)
class Interval:
    """The integers from `low` to `high`, both included."""

    low: int
    high: int

    def __or__(self, other: Interval) -> Interval:
        return Interval(min(self.low, other.low), max(self.high, other.high))

    def fits(self, bits: int) -> bool:
        """Whether a signed integer of so many bits holds them all."""
        return -(1 << (bits - 1)) <= self.low and self.high < 1 << (bits - 1)

    def within(self, other: Interval) -> bool:
        return other.low <= self.low and self.high <= other.high


def signed(bits: int) -> Interval:
    """What a signed integer of so many bits can be."""
    return Interval(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def interval_of_type(type: Attribute) -> Interval:
    """What an integer, a condition (0 or 1) or an index of this type can be, whatever computed it: an element of type
    `index` takes 32 bits, a value of it in a region 64. KeyError for another type."""
    if isinstance(type, IndexType | WideIndexType):
        return signed(64)
    if not isinstance(type, IntegerType):
        raise KeyError(f"{type} is no type of integers")
    width = type.width.data
    if width == 1 or type.signedness.data is Signedness.UNSIGNED:
        return Interval(0, (1 << width) - 1)
    return signed(width)


def interval_of_element(element: Attribute) -> Interval:
    """What a stored element of this type can be."""
    return signed(32) if isinstance(element, IndexType) else interval_of_type(element)


class Intervals:
    """The intervals of one step's values, each worked out once.

    largest: the bound of a dim. known: of indices that no op owns yet (in a region under construction)."""

    def __init__(self, largest: Callable[[str], int], known: Mapping[SSAValue, Interval] | None = None):
        self.largest = largest
        self._of: dict[SSAValue, Interval] = dict(known or {})
        self._tensors: dict[SSAValue, Interval] = {}
        self._overflowing: dict[SSAValue, bool] = {}

    def extent(self, extent: Attribute) -> int:
        """The constant extent, or the bound."""
        key = extent_key(extent)
        return key if isinstance(key, int) else self.largest(key)

    def know(self, value: SSAValue, interval: Interval) -> None:
        """Note the interval of an index."""
        self._of[value] = interval

    def know_elements(self, tensor: SSAValue, interval: Interval) -> None:
        """Note between what the elements of a tensor lie."""
        self._tensors[tensor] = interval

    def note(self, statement: Operation) -> None:
        """Remember between what the elements of a statement lie, for those that read it; call it in program order."""
        if isinstance(statement, ComputeOp) and _is_integer(statement.yielded.value.type):
            stored = interval_of_element(statement.result.type.element)
            found = self.of(statement.yielded.value) | Interval(ABSENT_INDEX, 0)
            self._tensors[statement.result] = found if found.within(stored) else stored

    def of(self, value: SSAValue) -> Interval:
        """The interval of an integer, an index or a condition."""
        if value not in self._of:
            found, limit = self._exact(value), interval_of_type(value.type)
            # What wraps can be anything; an index beyond 64 bits is absent.
            wraps = not found.within(limit) and not isinstance(value.type, IndexType)
            self._of[value] = limit if wraps else Interval(max(found.low, limit.low), min(found.high, limit.high))
        return self._of[value]

    def wraps(self, value: SSAValue) -> bool:
        """Whether the op that computes an i32 or an i64 may give another number than over the integers. An index never
        does: where 64 bits do not hold it, it is absent."""
        return not isinstance(value.type, IndexType) and not self._exact(value).within(interval_of_type(value.type))

    def may_overflow(self, value: SSAValue) -> bool:
        """Whether an index may be beyond 64 bits for some data, and is absent then."""
        if not isinstance(value.type, IndexType):
            return False
        if value not in self._overflowing:
            owner = value.owner
            carries = isinstance(owner, _RING_OPS | arith.SelectOp | GuardOp)
            self._overflowing[value] = self.overflows(value) or (
                carries and any(self.may_overflow(operand) for operand in owner.operands)  # type: ignore[union-attr]
            )
        return self._overflowing[value]

    def overflows(self, value: SSAValue) -> bool:
        """Whether the op that computes an index may leave 64 bits itself, with operands that do not."""
        return (
            isinstance(value.type, IndexType) and isinstance(value.owner, _RING_OPS) and not self._exact(value).fits(64)
        )

    def _exact(self, value: SSAValue) -> Interval:
        """What the op that computes it gives over the integers."""
        owner = value.owner
        if isinstance(owner, Block):
            return self._argument(value, owner)
        if isinstance(owner, arith.ConstantOp) and isinstance(owner.value, IntegerAttr):
            number = int(owner.value.value.data)
            number = number & 1 if value.type == i1 else number
            return Interval(number, number)
        if isinstance(owner, ReadOp | ReadStoredOp):
            return self._read(owner, value)
        if isinstance(owner, ReduceOp):
            return self._reduction(owner)
        if isinstance(owner, DimSizeOp):
            return Interval(0, self.largest(owner.dim.data))
        if isinstance(owner, arith.ExtSIOp) and owner.input.type == i1:
            return signed(1)
        if isinstance(owner, RoundOp):
            return interval_of_element(owner.element) if _is_integer(owner.element) else interval_of_type(value.type)
        function = _FUNCTIONS.get(type(owner))
        if function is None or not all(_is_integer(operand.type) for operand in owner.operands):
            return interval_of_type(value.type)
        return function(*map(self.of, owner.operands))

    def _argument(self, value: SSAValue, block: Block) -> Interval:
        op = block.parent_op()
        if isinstance(op, ReduceOp):
            return below(self.extent(op.range.extent))
        if isinstance(op, RangedOp):
            return below(self.extent(op.index_ranges[list(block.args).index(value)].extent))  # type: ignore[arg-type]
        return interval_of_type(value.type)

    def _read(self, op: ReadOp | ReadStoredOp, value: SSAValue) -> Interval:
        """The element, or 0 where nothing is read; of mp.read_stored's second result, a condition."""
        if value is not op.results[0]:
            return Interval(0, 1)
        return self.of_tensor(op.tensor) | Interval(0, 0)

    def of_tensor(self, tensor: SSAValue) -> Interval:
        """Between what a tensor's elements lie, absent ones included."""
        owner = tensor.owner
        if isinstance(owner, TopkOp | SelectOp) and tensor is owner.indices:
            return Interval(ABSENT_INDEX, max(self.extent(owner.index_ranges[-1].extent) - 1, 0))
        if isinstance(owner, SelectOp):
            return Interval(0, self.extent(owner.index_ranges[-1].extent))
        if is_pass_number(tensor):
            loop = loop_of(tensor)
            assert loop is not None
            return below(loop.passes)
        type_ = tensor.type
        assert isinstance(type_, TensorType)
        return self._tensors.get(tensor) or interval_of_element(type_.element)

    def _reduction(self, op: ReduceOp) -> Interval:
        count, kind = self.extent(op.range.extent), op.kind.data
        if kind in ("argmax", "argmin"):
            return Interval(ABSENT_INDEX, max(count - 1, 0))
        if kind == "count":
            return Interval(0, count)
        element = op.yielded.value
        if not _is_integer(element.type):
            return interval_of_type(op.result.type)
        each = self.of(element)
        if kind == "sum":
            return Interval(min(0, each.low * count), max(0, each.high * count))
        return interval_of_type(op.result.type)


def intervals_of(pipeline: PipelineOp) -> Intervals:
    """The intervals of a pipeline's values."""
    dims = pipeline.dims
    return Intervals(lambda dim: dims[dim].largest)


def _is_integer(type: Attribute) -> bool:
    return isinstance(type, IntegerType | IndexType | WideIndexType)


def below(extent: int) -> Interval:
    """Of an index over an extent."""
    return Interval(0, max(extent - 1, 0))


_RING_OPS = arith.AddiOp | arith.SubiOp | arith.MuliOp


def _product(a: Interval, b: Interval) -> Interval:
    corners = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    return Interval(min(corners), max(corners))


def _quotient(a: Interval, b: Interval) -> Interval:
    """Floor division; 0 by 0."""
    divisors = {d for d in (b.low, b.high, -1, 1) if b.low <= d <= b.high and d}
    found = [x // d for x in (a.low, a.high) for d in divisors]
    return Interval(min([*found, 0]), max([*found, 0])) if b.low <= 0 <= b.high else Interval(min(found), max(found))


def _modulo(a: Interval, b: Interval) -> Interval:
    """With the sign of the divisor; 0 by 0."""
    if b.low > 0 and a.low >= 0 and a.high < b.low:
        return a
    return Interval(min(b.low + 1, 0), max(b.high - 1, 0))


def _shifted(a: Interval, by: Interval) -> Interval:
    """Shifted left; 0 where that is by less than none or more than all bits."""
    if not 0 <= by.low <= by.high < 64:
        return signed(128)
    return _product(a, Interval(1 << by.low, 1 << by.high)) | Interval(0, 0)


def _shifted_right(a: Interval, by: Interval) -> Interval:
    """Rounded down; the sign where that is by less than none or more than all bits."""
    if not 0 <= by.low <= by.high < 64:
        return a | Interval(-1 if a.low < 0 else 0, 0 if a.high >= 0 else -1)
    return Interval(min(a.low >> by.low, a.low >> by.high), max(a.high >> by.low, a.high >> by.high))


def _span(*sides: Interval) -> int:
    """The least power of two p so that -p .. p - 1 holds all of these."""
    return 1 << max(max(~side.low, side.high, 0).bit_length() for side in sides)


def _both_bits(a: Interval, b: Interval) -> Interval:
    if a.low >= 0 or b.low >= 0:
        return Interval(0, min(side.high for side in (a, b) if side.low >= 0))
    return Interval(-_span(a, b), max(a.high, b.high))


def _either_bit(a: Interval, b: Interval) -> Interval:
    """By De Morgan's law."""
    return _inverted(_both_bits(_inverted(a), _inverted(b)))


def _one_bit(a: Interval, b: Interval) -> Interval:
    for side, other in ((a, b), (b, a)):
        if other == Interval(-1, -1):
            return _inverted(side)
    span = _span(a, b)
    same = (a.low >= 0 and b.low >= 0) or (a.high < 0 and b.high < 0)
    differ = (a.low >= 0 and b.high < 0) or (a.high < 0 and b.low >= 0)
    return Interval(0 if same else -span, -1 if differ else span - 1)


def _inverted(a: Interval) -> Interval:
    return Interval(~a.high, ~a.low)


_FUNCTIONS: dict[type[Operation], Callable[..., Interval]] = {
    arith.AddiOp: lambda a, b: Interval(a.low + b.low, a.high + b.high),
    arith.SubiOp: lambda a, b: Interval(a.low - b.high, a.high - b.low),
    arith.MuliOp: _product,
    arith.FloorDivSIOp: _quotient,
    ModOp: _modulo,
    arith.MaxSIOp: lambda a, b: Interval(max(a.low, b.low), max(a.high, b.high)),
    arith.MinSIOp: lambda a, b: Interval(min(a.low, b.low), min(a.high, b.high)),
    arith.SelectOp: lambda condition, a, b: a | b,
    arith.ShLIOp: _shifted,
    arith.ShRSIOp: _shifted_right,
    arith.AndIOp: _both_bits,
    arith.OrIOp: _either_bit,
    arith.XOrIOp: _one_bit,
    arith.IndexCastOp: lambda a: a,
    arith.ExtSIOp: lambda a: a,
    arith.ExtUIOp: lambda a: a if a.low >= 0 else signed(64),
    arith.TruncIOp: lambda a: a,
    arith.CmpiOp: lambda a, b: Interval(0, 1),
    math.AbsIOp: lambda a: Interval(0, max(abs(a.low), abs(a.high))),
    GuardOp: lambda value, condition: value,
}
"""Over the integers; a result that its type does not hold has wrapped."""
