"""Expressions to region ops: reads, reductions, arithmetic, each with the place that it came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from xdsl.dialects.builtin import FileLineColLoc, IndexType, i1, i32
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from hetc.compiler.frontend import ast, bits
from hetc.compiler.frontend.arithmetic import (
    COMPARISONS,
    Arithmetic,
    TypeMismatch,
    Value,
    type_of,
)
from hetc.compiler.frontend.constants import NotFoldable, fold_binary, fold_function
from hetc.compiler.frontend.environment import Environment
from hetc.compiler.frontend.extents import IndexInfo
from hetc.compiler.frontend.flat import flatten
from hetc.compiler.frontend.functions import DTYPES
from hetc.compiler.frontend.index_names import hidden, written_name
from hetc.compiler.frontend.powers import power
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
    """Emits one statement's expression into a block. `infos` gives the extent of each index node."""

    def __init__(self, environment: Environment, infos: Mapping[int, IndexInfo], span: Span):
        self.environment = environment
        self.infos = infos
        self.span = span
        self.block = Block()
        self.indices: dict[str, tuple[IndexInfo, SSAValue]] = {}
        self.arithmetic = Arithmetic(lambda op: self.add(op).results[0], environment.intervals)

    def add(self, op: Operation) -> Operation:
        op.location = location_of(self.span)
        self.block.add_op(op)
        return op

    def bind(self, infos: Sequence[IndexInfo], block: Block) -> None:
        """Continues in `block`, whose arguments are the indices."""
        self.block = block
        for info, argument in zip(infos, block.args, strict=True):
            self.indices[info.name] = (info, argument)
            self.environment.know_index(argument, info.key)

    def finish(self, value: SSAValue, present: SSAValue | None = None) -> Region:
        """Ends the block with mp.yield and gives its region."""
        self.add(YieldOp(value, present))
        return Region(self.block)

    def discard(self) -> None:
        """Leaves nothing of what was emitted: no use of a tensor."""
        for op in reversed(list(self.block.ops)):
            op.detach()
            op.erase()

    def emit(self, expr: ast.Expr) -> Value:
        """The value of an expression. Raises Refused after a diagnostic."""
        outer, self.span = self.span, expr.span
        try:
            return self._emit(expr)
        except TypeMismatch as error:
            raise self.environment.refuse("HET106", str(error), expr.span, help=error.help) from None
        except NotFoldable as error:
            raise self.environment.refuse("HET102", f"this has no value: {error}", expr.span) from None
        finally:
            self.span = outer

    def emit_as(self, expr: ast.Expr, kind: str) -> SSAValue:
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

    def _emit(self, expr: ast.Expr) -> Value:
        match expr:
            case ast.Number(value=value):
                return value
            case ast.Boolean(value=truth):
                return self.arithmetic.constant(int(truth), i1)
            case ast.Name():
                return self._name(expr)
            case ast.Access():
                return self._access(expr)
            case ast.Unary():
                return self._unary(expr)
            case ast.Binary():
                return self._binary(expr)
            case ast.Call(indices=()):
                return self._call(expr)
            case ast.Call():
                return self._reduction(expr)
        raise AssertionError(expr)

    def _name(self, expr: ast.Name) -> Value:
        if expr.name in self.indices:
            return self.indices[expr.name][1]
        dim = self.environment.dims.get(expr.name)
        if dim is not None:
            if dim.size is not None:
                return dim.size
            row = self._row(dim.name, dim.per, expr.span) if dim.per is not None else None
            return self.add(DimSizeOp(dim.name, row)).results[0]
        tensor = self.environment.tensor(expr.name, expr.span)
        if tensor.constant is not None:
            return tensor.constant
        if tensor.type.rank:
            message = f"`{expr.name}` is a tensor of extents {_shape(tensor.type.shape)}; it needs its indices here"
            raise self.environment.refuse("HET105", message, expr.span)
        return self._read(expr.name, [], expr.span)

    def _row(self, dim: str, per: str, span: Span) -> SSAValue:
        out_of_reach = hidden(self.indices)
        rows = [value for name, (info, value) in self.indices.items() if info.key == per and name not in out_of_reach]
        if len(rows) == 1:
            return rows[0]
        found = "several are" if rows else "none is"
        message = f"`{dim}` has one length for each row of `{per}`: an index over `{per}` is needed, {found} in scope"
        raise self.environment.refuse("HET107", message, span, help=f"write `{dim}[b]` with an index b over `{per}`")

    def _access(self, expr: ast.Access) -> Value:
        if expr.name not in self.environment.tensors and expr.name in self.environment.dims:
            (row,) = expr.indices
            return self.add(DimSizeOp(expr.name, self.emit_as(row, "index"))).results[0]
        return self._read(expr.name, [self.emit_as(item, "index") for item in expr.indices], expr.name_span)

    def _read(self, name: str, indices: list[SSAValue], span: Span) -> SSAValue:
        tensor = self.environment.tensor(name, span)
        assert tensor.value is not None
        operation = ReadStoredOp if tensor.type.is_sparse else ReadOp
        return self.add(operation(tensor.value, indices)).results[0]

    def _unary(self, expr: ast.Unary) -> Value:
        value = self.emit(expr.operand)
        if expr.operator == "not":
            return self.arithmetic.negate_condition(value)
        if expr.operator == "~":
            return self._inverted(value)
        if not isinstance(value, SSAValue):
            return -value if expr.operator == "-" else value
        return self.arithmetic.negate(value) if expr.operator == "-" else value

    def _inverted(self, value: Value) -> Value:
        if isinstance(value, SSAValue):
            return bits.inverted(self.arithmetic, value)
        bits.check_integers("~", value)
        return fold_binary("^", value, -1)

    def _binary(self, expr: ast.Binary) -> Value:
        left = self.emit(expr.left)
        right = self.emit(expr.right)
        if expr.operator in ("and", "or"):
            return self.arithmetic.decided(expr.operator, left, right)
        if expr.operator in COMPARISONS:
            return self.arithmetic.compare(expr.operator, left, right)
        if expr.operator in bits.OPERATORS:
            bits.check_integers(expr.operator, left, right)
        if not isinstance(left, SSAValue) and not isinstance(right, SSAValue):
            return fold_binary(expr.operator, left, right)
        if expr.operator in bits.OPERATORS:
            return bits.bitwise(self.arithmetic, expr.operator, left, right)
        if expr.operator in ("+", "-") and type_of(left) == IndexType() and isinstance(right, int) and right == 0:
            return left
        if expr.operator == "**":
            return power(self.arithmetic, left, right)
        return self.arithmetic.binary(expr.operator, left, right)

    def _call(self, expr: ast.Call) -> Value:
        name = expr.function
        if name == "where":
            return self._where(expr)
        values = [self.emit(argument) for argument in expr.arguments]
        if name in DTYPES:
            return self.cast(values[0], name)
        known = [value for value in values if not isinstance(value, SSAValue)]
        if len(known) == len(values):
            folded = fold_function(name, known)
            if folded is not None:
                return folded
        if name == "present":
            return self.arithmetic.present(values[0])
        if name == "coalesce":
            return self.arithmetic.coalesce(*values)
        if name == "atan2":
            return self.arithmetic.atan2(*values)
        if name == "ceildiv":
            return self.arithmetic.ceildiv(*values)
        if name == "pow":
            return power(self.arithmetic, *values)
        if name in ("min", "max"):
            result = values[0]
            for value in values[1:]:
                result = self.arithmetic.binary(name, result, value)
            return result
        return self.arithmetic.function(name, values[0])

    def _where(self, expr: ast.Call) -> Value:
        condition = self.emit_as(expr.arguments[0], "condition")
        values = [self.emit(argument) for argument in expr.arguments[1:]]
        if len(values) == 1:
            return self.add(GuardOp(self.arithmetic.materialize(values[0]), condition)).results[0]
        return self.arithmetic.choose(condition, *values)

    def cast(self, value: Value, dtype: str) -> SSAValue:
        """The value rounded to a dtype, in its compute type."""
        element = ELEMENT_TYPES[dtype]
        type_ = compute_type(element)
        converted = self.arithmetic.convert(value, type_)
        return converted if element == type_ else self.add(RoundOp(converted, element)).results[0]

    def _reduction(self, expr: ast.Call) -> Value:
        if expr.function == "mean" and len(expr.indices) > 1:
            axes, free = [self.infos[id(index)] for index in expr.indices], [info for info, _ in self.indices.values()]
            return flatten(axes, free, self.environment, expr.span).reduced("mean", expr.arguments[0], self)
        return self._nest(expr, list(expr.indices))

    def _nest(self, expr: ast.Call, indices: list[ast.Index]) -> SSAValue:
        """`sum[i, j](x)` as a sum over i of a sum over j."""
        info, kind = self.infos[id(indices[0])], expr.function
        if len(indices) == 1:
            return self.reduced(kind, info, lambda: self.element(kind, expr.arguments[0]))
        return self.reduced("sum" if kind == "count" else kind, info, lambda: self._nest(expr, indices[1:]))

    def reduced(self, kind: str, info: IndexInfo, element: Callable[[], SSAValue]) -> SSAValue:
        """A reduction over one index of what `element` emits."""
        range_ = RangeAttr(written_name(info.name), info.key)
        per = self.indices[info.per][1] if info.per is not None else None
        outer_block, outer_indices = self.block, dict(self.indices)
        self.bind([info], index_block([range_]))
        value = element()
        region = self.finish(value)
        self.block, self.indices = outer_block, outer_indices
        op = ReduceOp(kind, range_, region, _reduced_type(kind, value.type), per)
        return self.add(op).results[0]

    def element(self, kind: str, argument: ast.Expr) -> SSAValue:
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


def _shape(shape: Sequence[int | str]) -> str:
    return f"[{', '.join(map(str, shape))}]"
