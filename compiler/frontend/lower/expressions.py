"""Expressions to region ops: reads, reductions, arithmetic, each with the place that it came from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.dialects.builtin import FileLineColLoc, IndexType, i1, i32
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from hetc.compiler.frontend.arithmetic import bits
from hetc.compiler.frontend.arithmetic.operations import (
    COMPARISONS,
    Arithmetic,
    TypeMismatch,
    Value,
    type_of,
)
from hetc.compiler.frontend.arithmetic.powers import power
from hetc.compiler.frontend.resolve import typed
from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.resolve.names import written_name
from hetc.compiler.frontend.resolve.typed import Axis
from hetc.dialects.locations import file_location
from hetc.dialects.mp import (
    ELEMENT_TYPES,
    DimSizeOp,
    GuardOp,
    RangeAttr,
    ReadOp,
    ReadStoredOp,
    ReduceOp,
    RoundOp,
    YieldOp,
    compute_type,
    index_block,
)
from hetc.source import Span, plain_file_name

_CONDITION_REDUCTIONS = ("any", "all", "count")


def location_of(span: Span) -> FileLineColLoc:
    """The location attribute of a span: the file by its plain name, without its folder."""
    return file_location(plain_file_name(span.file.name), span.line, span.column)


class ExpressionEmitter:
    """Emits one statement's expressions into a block."""

    def __init__(self, environment: Environment, span: Span):
        self.environment = environment
        self.span = span
        self.block = Block()
        self.indices: dict[str, SSAValue] = {}
        self.arithmetic = Arithmetic(lambda op: self.add(op).results[0], environment.intervals)

    def add(self, op: Operation) -> Operation:
        op.location = location_of(self.span)
        self.block.add_op(op)
        return op

    def bind(self, axes: Sequence[Axis], block: Block) -> None:
        """Continues in `block`, whose arguments are the indices."""
        self.block = block
        for axis, argument in zip(axes, block.args, strict=True):
            self.indices[axis.name] = argument
            self.environment.know_index(argument, axis.key)

    def bind_flat(self, flat: typed.Flat) -> None:
        """Make the indices known that the one index of the region stands for."""
        for axis, place in zip(flat.axes, flat.places(typed.IndexValue(flat.index.name, flat.index.span)), strict=True):
            value = self.emit_as(place, "index")
            self.environment.know_index(value, axis.key)
            self.indices[axis.name] = value

    def finish(self, value: SSAValue, present: SSAValue | None = None) -> Region:
        """Ends the block with mp.yield and gives its region."""
        self.add(YieldOp(value, present))
        return Region(self.block)

    def emit(self, expr: typed.Expr) -> Value:
        """The value of an expression. Raises Refused after a diagnostic where its operands have no such operation."""
        outer, self.span = self.span, expr.span
        try:
            return self._emit(expr)
        except TypeMismatch as error:
            raise self.environment.refuse("HET106", str(error), expr.span, help=error.help) from None
        finally:
            self.span = outer

    def emit_as(self, expr: typed.Expr, kind: str) -> SSAValue:
        """An expression as an `index`, a `condition` or a `value`. Raises Refused where it is none."""
        value = self.emit(expr)
        outer, self.span = self.span, expr.span
        try:
            if kind == "index":
                return self.arithmetic.as_index(value)
            return self.arithmetic.as_condition(value) if kind == "condition" else self.arithmetic.materialize(value)
        except TypeMismatch as error:
            raise self.environment.refuse("HET106", str(error), expr.span, help=error.help) from None
        finally:
            self.span = outer

    def _emit(self, expr: typed.Expr) -> Value:
        match expr:
            case typed.Literal(value=value):
                return self.arithmetic.constant(int(value), i1) if isinstance(value, bool) else value
            case typed.IndexValue():
                return self.indices[expr.name]
            case typed.DimSize(name=name, row=row):
                return self.add(DimSizeOp(name, None if row is None else self.emit_as(row, "index"))).results[0]
            case typed.Read():
                return self._read(expr)
            case typed.Unary():
                return self._unary(expr)
            case typed.Binary():
                return self._binary(expr)
            case typed.Cast(operand=operand):
                return self.cast(self.emit(operand), expr.dtype)
            case typed.Where():
                return self._where(expr)
            case typed.Apply(function=function, arguments=arguments):
                return function.build(self.arithmetic, *map(self.emit, arguments))
            case typed.Reduction():
                return self._reduction(expr)
        raise AssertionError("softmax and rope are statements of their own here")

    def _read(self, expr: typed.Read) -> Value:
        places = [self.emit_as(place, "index") for place in expr.places]
        operation = ReadStoredOp if expr.tensor.type.is_sparse else ReadOp
        assert expr.tensor.value is not None
        return self.add(operation(expr.tensor.value, places)).results[0]

    def _unary(self, expr: typed.Unary) -> Value:
        value = self.emit(expr.operand)
        if expr.operator == "not":
            return self.arithmetic.negate_condition(value)
        if expr.operator == "+":
            return value
        operand = self.arithmetic.materialize(value)
        return bits.inverted(self.arithmetic, operand) if expr.operator == "~" else self.arithmetic.negate(operand)

    def _binary(self, expr: typed.Binary) -> Value:
        left = self.emit(expr.left)
        right = self.emit(expr.right)
        if expr.operator in ("and", "or"):
            return self.arithmetic.decided(expr.operator, left, right)
        if expr.operator in COMPARISONS:
            return self.arithmetic.compare(expr.operator, left, right)
        if expr.operator in bits.OPERATORS:
            return bits.bitwise(self.arithmetic, expr.operator, left, right)
        if expr.operator in ("+", "-") and type_of(left) == IndexType() and isinstance(right, int) and right == 0:
            return left
        if expr.operator == "**":
            return power(self.arithmetic, left, right)
        return self.arithmetic.binary(expr.operator, left, right)

    def _where(self, expr: typed.Where) -> Value:
        condition = self.emit_as(expr.condition, "condition")
        then = self.emit(expr.then)
        if expr.otherwise is None:
            return self.add(GuardOp(self.arithmetic.materialize(then), condition)).results[0]
        return self.arithmetic.choose(condition, then, self.emit(expr.otherwise))

    def cast(self, value: Value, dtype: str) -> SSAValue:
        """The value rounded to a dtype, in its compute type."""
        element = ELEMENT_TYPES[dtype]
        type_ = compute_type(element)
        converted = self.arithmetic.convert(value, type_)
        return converted if element == type_ else self.add(RoundOp(converted, element)).results[0]

    def _reduction(self, expr: typed.Reduction) -> SSAValue:
        if expr.flat is not None:
            return self.reduced_flat(expr.kind, expr.flat, expr.argument)
        return self._nest(expr, expr.axes)

    def _nest(self, expr: typed.Reduction, axes: Sequence[Axis]) -> SSAValue:
        """`sum[i, j](x)` as a sum over i of a sum over j."""
        first, *others = axes
        if not others:
            return self._reduced(expr.kind, first, lambda: self._element(expr.kind, expr.argument))
        return self._reduced("sum" if expr.kind == "count" else expr.kind, first, lambda: self._nest(expr, others))

    def reduced_flat(self, kind: str, flat: typed.Flat, argument: typed.Expr) -> SSAValue:
        """A reduction of a value over several indices as one."""

        def element() -> SSAValue:
            self.bind_flat(flat)
            return self._element(kind, flat.present(argument))

        return self._reduced(kind, flat.index, element)

    def _reduced(self, kind: str, axis: Axis, element: Callable[[], SSAValue]) -> SSAValue:
        """A reduction over one index of what `element` emits."""
        range_ = RangeAttr(written_name(axis.name), axis.key)
        per = self.indices[axis.per] if axis.per is not None else None
        outer_block, outer_indices = self.block, dict(self.indices)
        self.bind([axis], index_block([range_]))
        value = element()
        region = self.finish(value)
        self.block, self.indices = outer_block, outer_indices
        op = ReduceOp(kind, range_, region, _reduced_type(kind, value.type), per)
        return self.add(op).results[0]

    def _element(self, kind: str, argument: typed.Expr) -> SSAValue:
        """What a reduction of this kind takes of each element."""
        if kind in _CONDITION_REDUCTIONS:
            return self.emit_as(argument, "condition")
        value = self.arithmetic.numeric(self.emit(argument))
        if kind == "mean":
            return self.arithmetic.as_float(value)
        return self.arithmetic.as_number(self.arithmetic.materialize(value))


def _reduced_type(kind: str, element: Attribute) -> Attribute:
    if kind in ("argmax", "argmin"):
        return IndexType()
    return i32 if kind == "count" else element
