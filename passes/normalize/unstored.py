"""Where values are 0 because an entry of a sparse tensor is not stored.

For each value of a region, the flags (second results of mp.read_stored) each of which, when false, makes the value 0
(a condition: false). Products and quotients of such a value with one that may be infinite or NaN become selects, since
0 * x and 0 / x are 0 there whatever x is.
"""

from __future__ import annotations

import math as python_math
import operator
from collections.abc import Callable

from xdsl.dialects import arith, math
from xdsl.ir import Operation, SSAValue

from hetc.dialects.mp import ModOp, ReadStoredOp, ReduceOp, RoundOp
from hetc.passes.emission import conjunction, constant, constant_value, emit, leaves
from hetc.passes.rebuild import hoist, mentions

Flags = frozenset[SSAValue]
NONE: Flags = frozenset()

_COMPARE: tuple[Callable[[float, float], bool], ...] = (
    operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge,
)  # fmt: skip
_COMPARE_FLOATS = {1: operator.eq, 2: operator.gt, 3: operator.ge, 4: operator.lt, 5: operator.le, 6: operator.ne,
                   13: operator.ne}  # fmt: skip
_OF_ONE = (
    arith.NegfOp, math.AbsFOp, math.AbsIOp, math.SqrtOp, math.TanhOp, math.SinOp, math.ErfOp, math.FloorOp,
    math.CeilOp, math.RoundEvenOp, arith.SIToFPOp, arith.FPToSIOp, arith.IndexCastOp, arith.ExtSIOp, arith.TruncIOp,
    arith.ExtUIOp, RoundOp,
)  # fmt: skip
"""Functions of one value that are 0 at 0."""
_OF_TWO: dict[type[Operation], Callable[[float, float], float]] = {
    arith.AddfOp: operator.add, arith.AddiOp: operator.add, arith.SubfOp: operator.sub, arith.SubiOp: operator.sub,
    arith.MaximumfOp: max, arith.MinimumfOp: min, arith.MaxSIOp: max, arith.MinSIOp: min,
    arith.OrIOp: lambda a, b: int(a) | int(b), arith.XOrIOp: lambda a, b: int(a) ^ int(b),
}  # fmt: skip


class Unstored:
    """The flags of every value seen so far in one region."""

    def __init__(self) -> None:
        self.flags: dict[SSAValue, Flags] = {}

    def of(self, value: SSAValue) -> Flags:
        """The flags of which any, when false, makes `value` 0."""
        return self.flags.get(value, NONE)

    def visit(self, op: Operation) -> SSAValue | None:
        """Note the flags of the op's results. Where a product had to be selected, returns the selected value."""
        if isinstance(op, ReadStoredOp):
            self.flags[op.result] = self.flags[op.stored] = frozenset([op.stored])
        elif isinstance(op, arith.MulfOp | arith.DivfOp):
            return self._product(op)
        elif isinstance(op, arith.MuliOp | arith.AndIOp):
            self._note(op, self.of(op.lhs) | self.of(op.rhs))
        elif isinstance(op, arith.FloorDivSIOp | ModOp | arith.ShLIOp | arith.ShRSIOp):
            self._note(op, self.of(op.lhs))
        elif isinstance(op, arith.SelectOp):
            self._note(op, frozenset(flag for flag in self._candidates(op) if self._selected_zero(op, flag)))
        elif isinstance(op, _OF_ONE):
            self._note(op, self.of(op.operands[0]))
        elif len(op.operands) == 2:
            self._note(op, frozenset(flag for flag in self._candidates(op) if self._zero_of_two(op, flag)))
        return None

    def leave(self, op: ReduceOp, renamed: dict[SSAValue, SSAValue]) -> tuple[SSAValue, ...]:
        """The flags without which a lane of the reduction adds nothing, in program order; empty where it cannot skip
        lanes. Notes the flags of the result. `renamed` as in `hoist`."""
        if op.kind.data not in ("sum", "any", "count"):
            return ()
        index = op.body.block.args[0]
        found = frozenset(renamed.get(flag, flag) for flag in self.of(op.yielded.value))
        outer = [flag for flag in self.flags if flag in found and not mentions(flag, index)]
        for flag in outer:
            hoist(flag, op, renamed)
        self._note(op, frozenset(renamed.get(flag, flag) for flag in outer))
        return tuple(flag for flag in self.flags if flag in found.difference(outer))

    def _note(self, op: Operation, flags: Flags) -> None:
        if flags:
            self.flags[op.results[0]] = flags

    def _candidates(self, op: Operation) -> Flags:
        return NONE.union(*(self.of(operand) for operand in op.operands))

    def _known(self, value: SSAValue, flag: SSAValue) -> int | float | None:
        """The value's number where the flag is false."""
        return 0 if flag in self.of(value) else constant_value(value)

    def _zero_of_two(self, op: Operation, flag: SSAValue) -> bool:
        left, right = (self._known(operand, flag) for operand in op.operands)
        if left is None or right is None:
            return False
        if isinstance(op, arith.CmpiOp):
            predicate = op.predicate.value.data
            return predicate < len(_COMPARE) and not _COMPARE[predicate](left, right)
        if isinstance(op, arith.CmpfOp):
            compare = _COMPARE_FLOATS.get(op.predicate.value.data)
            return compare is not None and not compare(left, right)
        if isinstance(op, math.PowFOp):
            return left == 0 and right > 0
        function = _OF_TWO.get(type(op))
        return function is not None and function(left, right) == 0

    def _selected_zero(self, op: arith.SelectOp, flag: SSAValue) -> bool:
        other = self._known(op.rhs, flag) == 0
        return other and (flag in self.of(op.cond) or self._known(op.lhs, flag) == 0)

    def _product(self, op: arith.MulfOp | arith.DivfOp) -> SSAValue | None:
        left = self.of(op.lhs)
        right = self.of(op.rhs) if isinstance(op, arith.MulfOp) else NONE
        self._note(op, left | right)
        needed = frozenset(
            flag for flag in left | right if not self._harmless(op, op.rhs if flag in left else op.lhs, flag)
        )
        if not needed or _is_selected(op, needed):
            return None
        return self._select(op, needed)

    def _harmless(self, op: Operation, other: SSAValue, flag: SSAValue) -> bool:
        """Whether 0 times, or divided by, the other factor is 0 in plain arithmetic."""
        known = self._known(other, flag)
        return known is not None and python_math.isfinite(known) and (isinstance(op, arith.MulfOp) or known != 0)

    def _select(self, op: arith.MulfOp | arith.DivfOp, needed: Flags) -> SSAValue:
        following = op.next_op
        assert following is not None
        ordered = [flag for flag in self.flags if flag in needed]
        condition = conjunction(ordered, op)
        assert condition is not None
        zero = emit(constant(0.0, op.result.type), op)
        selected = arith.SelectOp(condition, op.result, zero)
        selected.location = op.location
        op.result.replace_uses_with_if(selected.result, lambda use: use.operation is not selected)
        assert op.parent is not None
        op.parent.insert_op_before(selected, following)
        self.flags[selected.result] = self.of(op.result)
        return selected.result


def _is_selected(op: arith.MulfOp | arith.DivfOp, needed: Flags) -> bool:
    """Whether the product is used only where the flags hold already."""
    users = [use.operation for use in op.result.uses]
    return all(
        isinstance(user, arith.SelectOp)
        and user.lhs == op.result
        and constant_value(user.rhs) == 0
        and needed <= set(leaves(user.cond))
        for user in users
    )
