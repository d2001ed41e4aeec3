"""The step under construction: its block, its stage, and tensors defined by a region over named indices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from xdsl.dialects.builtin import IndexType, StringAttr, f32
from xdsl.ir import Attribute, Block, Operation, SSAValue

from hetc.compiler.frontend.arithmetic.operations import Value, index, type_name, type_of, widens
from hetc.compiler.frontend.lower.expressions import ExpressionEmitter, location_of
from hetc.compiler.frontend.resolve import typed
from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.resolve.names import is_named, plain_name, written_name
from hetc.compiler.frontend.resolve.symbols import Tensor
from hetc.compiler.frontend.resolve.typed import Axis
from hetc.dialects.mp import (
    ELEMENT_TYPES,
    ComputeOp,
    GuardOp,
    RangeAttr,
    ReadOp,
    TensorType,
    TopkOp,
    WideIndexType,
    compute_type,
    dtype_name,
    index_block,
    is_index,
)
from hetc.source import Span


class StepEmitter:
    """Appends statements to the step's block. `stage` is the stage that they belong to; `pins` says on which kind of
    device stages stay."""

    def __init__(self, environment: Environment, block: Block):
        self.environment = environment
        self.block = block
        self.stage = ""
        self.pins: dict[str, str] = {}
        self._fresh = 0

    @contextmanager
    def in_stage(self, name: str) -> Iterator[None]:
        """What is added belongs to that stage."""
        outer, self.stage = self.stage, name
        try:
            yield
        finally:
            self.stage = outer

    def add(self, op: Operation, span: Span, name: str | None = None) -> Operation:
        """Inserts a statement at the end of the step, with its place and its stage."""
        op.location = location_of(span)
        if self.stage:
            op.attributes["stage"] = StringAttr(self.stage)
        if name is not None and is_named(name):
            op.results[0].name_hint = plain_name(name)
        self.block.add_op(op)
        self.environment.intervals.note(op)
        return op

    def region(self, axes: Sequence[Axis], span: Span) -> tuple[list[RangeAttr], ExpressionEmitter]:
        """The ranges of an op over these indices, and an emitter into the block of its region."""
        ranges = make_ranges(axes, self.environment)
        emitter = ExpressionEmitter(self.environment, span)
        emitter.bind(axes, index_block(ranges))
        return ranges, emitter

    def compute(
        self,
        axes: Sequence[Axis],
        value: typed.Expr,
        span: Span,
        name: str,
        type_: TensorType | None = None,
        is_memory: bool = False,
    ) -> SSAValue:
        """A tensor defined element by element; its element type is the value's, a cast's, or that of `type_`. Of a
        memory no element is absent."""
        ranges, emitter = self.region(axes, span)
        if type_ is not None:
            kept = self.stored(emitter, value, type_, name, keep_absence=not is_memory)
        else:
            is_cast = isinstance(value, typed.Cast)
            emitted = emitter.emit(value.operand if isinstance(value, typed.Cast) else value)
            emitter.span = value.span
            element = ELEMENT_TYPES[value.dtype] if isinstance(value, typed.Cast) else self._element_of(emitted)
            type_ = TensorType([axis.key for axis in axes], element)
            kept = self._converted(emitter, emitted, type_, is_cast, value, name)
        return self.add(ComputeOp(ranges, emitter.finish(kept), type_), span, name).results[0]

    def _element_of(self, value: Value) -> Attribute:
        """The element of a tensor that holds the value as it is: an index takes 64 bits where 32 may not do."""
        wide = isinstance(value, SSAValue) and value.type == index and not self.environment.intervals.of(value).fits(32)
        return WideIndexType() if wide else type_of(value)

    def stored(
        self, emitter: ExpressionEmitter, value: typed.Expr, type_: TensorType, name: str, *, keep_absence: bool = False
    ) -> SSAValue:
        """An expression in the compute type of a tensor's element, for a memory: an absent value is 0, -1 (an index)
        or false, unless its absence is to be kept. Raises Refused where it does not fit."""
        emitted = emitter.emit(value)
        emitter.span = value.span
        plain = emitter.arithmetic.materialize(emitted)
        if not keep_absence:
            plain = emitter.arithmetic.coalesce(plain, emitter.arithmetic.absent(plain.type))
        return self._converted(emitter, plain, type_, isinstance(value, typed.Cast), value, name)

    def _converted(
        self, emitter: ExpressionEmitter, value: Value, type_: TensorType, is_cast: bool, expr: typed.Expr, name: str
    ) -> SSAValue:
        """The value in the compute type of the element; floats become integers only by a cast."""
        expected = compute_type(type_.element)
        plain = emitter.arithmetic.materialize(value)
        if is_cast or widens(plain.type, expected):
            return emitter.arithmetic.convert(plain, expected)
        held = dtype_name(type_.element)
        message = f"`{name}` holds {held}, but the value is {type_name(plain.type)}"
        raise self.environment.refuse("HET106", message, expr.span, help=f"cast it: `{held}(...)`")

    def fresh(self, kind: str) -> str:
        """A name that the program does not have."""
        self._fresh += 1
        return f"%{kind}.{self._fresh}"

    def temporary(self, kind: str, value: SSAValue, span: Span) -> Tensor:
        """A tensor under a fresh name."""
        name = self.fresh(kind)
        self.environment.tensors[name] = Tensor(name, span, value)
        return self.environment.tensors[name]

    def copy(self, value: SSAValue, element: Attribute, span: Span, absent: Value | None = None) -> SSAValue:
        """The tensor converted to another element type, by a statement of the same stage as its producer; `absent` in
        the place of absent elements, where it is given."""
        type_ = value.type
        assert isinstance(type_, TensorType)
        axes = axes_of(type_.shape, self.environment, span)
        ranges, emitter = self.region(axes, span)
        read: SSAValue = emitter.add(ReadOp(value, [emitter.indices[axis.name] for axis in axes])).results[0]
        absent = _absent_element(value) if absent is None else absent
        if isinstance(element, IndexType):
            read = self._where_32_bits_hold(emitter, read)
        elif absent is not None:
            read = emitter.arithmetic.coalesce(read, absent)
        converted = emitter.arithmetic.convert(read, compute_type(element))
        target = TensorType(type_.extents, element)
        return self.add(ComputeOp(ranges, emitter.finish(converted), target), span, value.name_hint).results[0]

    @staticmethod
    def _where_32_bits_hold(emitter: ExpressionEmitter, value: SSAValue) -> SSAValue:
        """An index, absent where it needs more than 32 bits."""
        build = emitter.arithmetic
        inside = build.both(build.compare(">=", value, -(2**31)), build.compare("<", value, 2**31))
        return emitter.add(GuardOp(value, inside)).results[0]

    def retype(self, value: SSAValue, element: Attribute) -> SSAValue | None:
        """Makes the statement that produces `value` store another element type, or gives None where it is no
        statement, has other users, or computes in another type."""
        producer = value.owner
        if not isinstance(producer, ComputeOp) or value.first_use is not None:
            return None
        type_ = producer.result.type
        assert isinstance(type_, TensorType)
        if compute_type(type_.element) != compute_type(element):
            return None
        ranges, region = tuple(producer.ranges), producer.detach_region(producer.body)
        replaced = ComputeOp(ranges, region, TensorType(type_.extents, element))
        replaced.attributes.update(producer.attributes)
        replaced.location = producer.location
        replaced.results[0].name_hint = value.name_hint
        self.block.insert_op_after(replaced, producer)
        producer.detach()
        producer.erase()
        return replaced.results[0]

    def materialized(self, expr: typed.Expr, axes: Sequence[Axis]) -> SSAValue:
        """A tensor of f32 over exactly the indices `axes`: the one that `expr` reads as it is, else a new one."""
        shape = tuple(axis.key for axis in axes)
        if isinstance(expr, typed.Read):
            names = [place.name if isinstance(place, typed.IndexValue) else "" for place in expr.places]
            type_ = expr.tensor.type
            is_whole = names == [axis.name for axis in axes] and type_.shape == shape
            if is_whole and type_.element == f32 and not type_.is_sparse and expr.tensor.value is not None:
                return expr.tensor.value
        return self.compute(axes, expr, expr.span, "%argument", TensorType(shape, f32))

    def define(self, name: str, span: Span, value: SSAValue | None) -> Tensor:
        """Makes `name` stand for `value` from here on."""
        declared = self.environment.declared.get(name)
        self.environment.tensors[name] = Tensor(name, span, value, declared=declared)
        self.environment.later.pop(name, None)
        return self.environment.tensors[name]


def _absent_element(tensor: SSAValue) -> Value | None:
    """What stands for an absent element of a tensor wherever it is copied to: -1 for an index, and what top-k gives as
    the score of nothing; None where it is what the copy's own type has."""
    type_, owner = tensor.type, tensor.owner
    assert isinstance(type_, TensorType)
    if is_index(type_.element):
        return -1
    if isinstance(owner, TopkOp) and tensor is owner.scores:
        return float("-inf") if compute_type(type_.element) == f32 else -(2**31)
    return None


def make_ranges(axes: Sequence[Axis], environment: Environment) -> list[RangeAttr]:
    """Range attributes in order; a row index must stand before the index that depends on it. Raises Refused for a
    statement taken out of a selection over several indices, which may stand in any order."""
    names = [axis.name for axis in axes]
    ranges = []
    for position, axis in enumerate(axes):
        if axis.per is not None and axis.per not in names[:position]:
            message = f"`{axis.name}` has one length for each `{axis.per}`, which must stand before it"
            raise environment.refuse("HET107", message, axis.span)
        ranges.append(
            RangeAttr(written_name(axis.name), axis.key, names.index(axis.per) if axis.per is not None else None)
        )
    return ranges


def axes_of(shape: Iterable[int | str], environment: Environment, span: Span) -> list[Axis]:
    """Fresh indices over the extents of a tensor."""
    axes: list[Axis] = []
    for position, key in enumerate(shape):
        dim = environment.dim_of_extent(key)
        rows = [axis.name for axis in axes if dim is not None and axis.key == dim.per]
        axes.append(Axis(f"i{position}", key, rows[0] if rows else None, span))
    return axes
