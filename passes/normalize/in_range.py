"""Tests, put before an op, that hold where an index lies in its tensor, and where a row has a length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xdsl.dialects import arith
from xdsl.ir import Operation, SSAValue

from hetc.dialects.mp import DimSizeOp, ReadOp, ReadStoredOp, ReduceOp, TensorType
from hetc.passes.emission import confined, constant_value, emit, index, leaves, union
from hetc.passes.normalize.bounds import Bounds
from hetc.passes.normalize.linear import Linear, extent_of
from hetc.passes.rebuild import arguments_of

Conditions = tuple[SSAValue, ...]


@dataclass(frozen=True)
class RangeTests:
    """Leaves out the tests that `bounds` proves to hold. mentioned: the indices that a value mentions."""

    bounds: Bounds
    mentioned: Callable[[SSAValue], frozenset[SSAValue]]

    def of_read(
        self, op: ReadOp | ReadStoredOp, indices: tuple[SSAValue, ...], given: Conditions
    ) -> dict[SSAValue, Conditions]:
        """For each index of a read, the conditions under which it is in range: none, some run-time tests, or `given`
        where these show it."""
        tensor = op.tensor.type
        assert isinstance(tensor, TensorType)
        of_index: dict[SSAValue, Conditions] = {}
        for position, value in enumerate(indices):
            at = self.bounds.linear(value)
            extent, per = self.bounds.extent(tensor, position, indices)
            goals = {
                half: goal for half, goal in (("lower", at), ("upper", extent - 1 - at)) if not self.bounds.holds(goal)
            }
            # What mentions other indices may belong to a reduction over one: it does not stand for a test of this one.
            mentioned = self.mentioned(value) | (frozenset() if per is None else self.mentioned(per))
            shown = tuple(condition for condition in given if self.mentioned(condition) <= mentioned)
            halves = [half for half, goal in goals.items() if not self.bounds.holds(goal, shown)]
            if halves == ["lower"] and per is not None and not arguments_of(per) <= arguments_of(value):
                halves.append("upper")  # that the index is in range depends on the row, even where one half does not
            tests = self._half_tests(op, value, halves, tensor.shape[position], per, of_index)
            relied = shown if len(halves) < len(goals) else ()
            of_index[value] = union(of_index.get(value, ()), relied, tests)
        return of_index

    def _half_tests(
        self,
        op: Operation,
        value: SSAValue,
        halves: list[str],
        dim: int | str,
        per: SSAValue | None,
        of_index: dict[SSAValue, Conditions],
    ) -> Conditions:
        tests = []
        if "lower" in halves:
            tests.append(emit(arith.CmpiOp(value, index(0, op), "sge"), op))
        if "upper" in halves:
            if isinstance(dim, int):
                size = index(dim, op)
            else:
                row = None if per is None else confined(per, of_index.get(per, ()), op)
                size = emit(DimSizeOp(dim, row), op)
            tests.append(emit(arith.CmpiOp(value, size, "slt"), op))
        if len(tests) == 2 and per is not None:
            # One condition an index: its halves must not part at a reduction over the row that the extent is per.
            return (emit(arith.AndIOp(tests[0], tests[1]), op),)
        return tuple(tests)

    def of_row(self, op: DimSizeOp | ReduceOp, dim: int | str, given: Conditions) -> Conditions:
        """The conditions of the row that a length is asked for, those under which the row is present included. The op
        is then asked for row 0 where they fail."""
        if op.per is None or isinstance(dim, int):
            return ()
        declared = self.bounds.pipeline.dims[dim].per
        assert declared is not None
        rows = extent_of(declared.data, None, self.bounds.pipeline)
        if self._is_confined(op.per, rows):
            return given
        at = self.bounds.linear(op.per)
        tests = []
        if not self.bounds.holds(at):
            tests.append(emit(arith.CmpiOp(op.per, index(0, op), "sge"), op))
        if not self.bounds.holds(rows - 1 - at):
            size = emit(DimSizeOp(declared.data), op)
            tests.append(emit(arith.CmpiOp(op.per, size, "slt"), op))
        found = union(given, tests)
        if tests:
            op.operands[0] = confined(op.per, tuple(tests), op)
        return found

    def _is_confined(self, row: SSAValue, rows: Linear) -> bool:
        """Whether `row` is a selection between a row in range, where a condition shows that it is, and 0."""
        owner = row.owner
        if not isinstance(owner, arith.SelectOp) or constant_value(owner.rhs) != 0:
            return False
        at, given = self.bounds.linear(owner.lhs), leaves(owner.cond)
        return self.bounds.holds(at, given) and self.bounds.holds(rows - 1 - at, given)
