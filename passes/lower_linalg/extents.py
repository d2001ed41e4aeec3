"""The live extents of a step's dims as values of its function."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType, i32
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineBinaryOpExpr, AffineBinaryOpKind, AffineConstantExpr, AffineDimExpr, AffineExpr

from hetc.dialects.mp import DimOp, PipelineOp
from hetc.passes.lower_linalg.builder import Builder, Operand, Size, leading


class Extents:
    """A dim that is no constant is an index, or, per another dim, a tensor<?xi32> with a length for each row.

    given: the run-time dims that are arguments. Derived dims are computed from them, at the beginning of the function,
    as is the longest row of each dim that is per another."""

    def __init__(self, pipeline: PipelineOp, given: dict[str, SSAValue], builder: Builder):
        self.dims, self.builder = pipeline.dims, builder
        self._values = dict(given)
        self._longest: dict[str, SSAValue] = {}
        for name, dim in self.dims.items():
            with builder.at(dim):
                if dim.derived is not None and dim.of is not None:
                    sources = [source.data for source in dim.of]
                    self._values[name] = self._derived(dim, sources)
                if dim.per is not None:
                    self._longest[name] = self._longest_row(dim)

    def is_per_row(self, key: int | str) -> bool:
        """Whether each row of another dim has a length of its own."""
        return isinstance(key, str) and self.dims[key].per is not None

    def size(self, key: int | str) -> Size:
        """The extent that a tensor needs: the live one, or that of the longest row."""
        return self._longest[key] if isinstance(key, str) and key in self._longest else self._plain(key)

    def sizes(self, keys: Sequence[int | str]) -> list[Size]:
        return [self.size(key) for key in keys]

    def length(self, key: int | str, row: SSAValue | None, *, exists: bool) -> SSAValue:
        """The live extent, for a dim per another of that row. `exists`: the row is in range for certain; else a row
        that is not has length 0."""
        builder = self.builder
        if not self.is_per_row(key):
            return builder.index(self._plain(key))
        assert isinstance(key, str) and row is not None
        lengths, rows = self._values[key], self.size(self._rows_of(key))

        def read() -> list[SSAValue]:
            return [builder.cast(builder.extract(lengths, [row]), IndexType())]

        if exists:
            return read()[0]
        inside = builder.less(row, rows, "ult")
        return builder.choose(inside, [IndexType()], read, lambda: [builder.index(0)])[0]

    def _plain(self, key: int | str) -> Size:
        if isinstance(key, int):
            return key
        dim = self.dims[key]
        return dim.largest if dim.is_static else self._values[key]

    def _rows_of(self, key: str) -> str:
        per = self.dims[key].per
        assert per is not None
        return per.data

    def _derived(self, dim: DimOp, sources: Sequence[str]) -> SSAValue:
        assert dim.derived is not None
        if dim.per is None:
            return self.builder.index(self._value(dim, [self.builder.index(self._plain(s)) for s in sources]))
        rows = self.size(dim.per.data)
        ragged = [source for source in sources if self.is_per_row(source)]
        identity = leading(1, 1)

        def body(given: list[SSAValue], _: list[SSAValue]) -> list[SSAValue]:
            of_row = {name: self.builder.cast(value, IndexType()) for name, value in zip(ragged, given, strict=True)}
            values = [of_row[s] if s in of_row else self.builder.index(self._plain(s)) for s in sources]
            return [self.builder.cast(self._value(dim, values), i32)]

        inputs = [Operand(self._rows(source), identity) for source in ragged]
        return self.builder.generic(inputs, [Operand(self.builder.empty([rows], i32), identity)], 0, body)[0]

    def _rows(self, key: str) -> SSAValue:
        """The lengths of the live rows."""
        return self.builder.sliced(self._values[key], [0], [self.size(self._rows_of(key))])

    def _longest_row(self, dim: DimOp) -> SSAValue:
        first = self.builder.filled([], i32, 0)

        def body(given: list[SSAValue], so_far: list[SSAValue]) -> list[SSAValue]:
            return [self.builder.add(arith.MaxSIOp(so_far[0], given[0]))]

        found = self.builder.generic(
            [Operand(self._rows(dim.sym_name.data), leading(1, 1))], [Operand(first, leading(1, 0))], 1, body
        )[0]
        return self.builder.cast(self.builder.extract(found, []), IndexType())

    def _value(self, dim: DimOp, values: Sequence[SSAValue]) -> SSAValue:
        """What a derived dim is of these dims."""
        build = self.builder.add

        def joined(operation: type[arith.MinSIOp] | type[arith.MaxSIOp], items: Sequence[SSAValue]) -> SSAValue:
            return reduce(lambda one, other: build(operation(one, other)), items)

        least = [joined(arith.MinSIOp, [self._affine(item, values) for item in group]) for group in dim.functions]
        return joined(arith.MaxSIOp, least)

    def _affine(self, expression: AffineExpr, values: Sequence[SSAValue]) -> SSAValue:
        """An affine expression of dims as arithmetic: affine.apply takes no index that a tensor held."""
        builder = self.builder
        if isinstance(expression, AffineConstantExpr):
            return builder.index(expression.value)
        if isinstance(expression, AffineDimExpr):
            return values[expression.position]
        assert isinstance(expression, AffineBinaryOpExpr)
        operands = self._affine(expression.lhs, values), self._affine(expression.rhs, values)
        return builder.add(_AFFINE[expression.kind](*operands))


_AFFINE = {
    AffineBinaryOpKind.Add: arith.AddiOp,
    AffineBinaryOpKind.Mul: arith.MuliOp,
    AffineBinaryOpKind.FloorDiv: arith.FloorDivSIOp,
    AffineBinaryOpKind.CeilDiv: arith.CeilDivSIOp,
    AffineBinaryOpKind.Mod: arith.RemSIOp,
}
"""Extents are not negative, so that the remainder is the modulus."""
