"""Expands normalisation into scores, their maximum, the sum of exponentials, and the quotients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith, math
from xdsl.dialects.builtin import ModuleOp, f32
from xdsl.ir import SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from hetc.dialects.mp import ComputeOp, RangeAttr, SoftmaxOp, in_order
from hetc.passes.normalize.expansion import Body, insert, steps, without_ranges
from hetc.passes.normalize.rejection import rejected


@dataclass(frozen=True)
class ExpandSoftmaxPass(ModulePass):
    """Rewrites each mp.softmax as four mp.compute: score, largest, total, and exp(score - largest) / total.

    Before: presence is explicit. After: no mp.softmax is left. Absent elements count for nothing and are stored as 0,
    also where a whole row is absent; a NaN or an infinity among the scores acts as in exp(x - max(x)) / sum(...).

    Example: `%p = mp.softmax [1] [b in B, j in 64] { ... mp.yield %s if %here }` becomes

        %score   = mp.compute [b in B, j in 64] { ... arith.select %here, %s, 0 } : f32
        %largest = mp.compute [b in B] { mp.reduce "max" <j in 64> { ... mp.yield %score[b, j] if %here } }
        %total   = mp.compute [b in B] { mp.reduce "sum" <j in 64> { ... mp.yield %exp if %here } }
        %p       = mp.compute [b in B, j in 64] { ... arith.select %here, %exp / %total[b], 0 }
    """

    name = "expand-softmax"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for step, presence in steps(op):
            for statement in list(in_order(step.body.block)):
                if isinstance(statement, SoftmaxOp):
                    expanded = _expanded(statement)
                    insert(statement, expanded, presence)
                    statement.result.replace_all_uses_with(expanded[-1].result)
                    Rewriter.erase_op(statement)


def _expanded(op: SoftmaxOp) -> list[ComputeOp]:
    if op.yielded.value.type != f32:
        raise rejected(op, "expand-softmax", f"expected scores of type f32, got {op.yielded.value.type}")
    axes = op.axis_positions
    ranges = op.index_ranges
    for position, item in enumerate(ranges):
        if item.per_position in axes and position not in axes:
            over = op.index_names[item.per_position]
            raise rejected(op, "expand-softmax", f"another range is per {over}, which is normalised over")
    body = Body(ranges, op)
    score = body.compute(body.inline(op), f32)
    rows = without_ranges(ranges, axes)
    body = Body(rows, op)
    largest = body.compute(_over_axes(body, "max", op, lambda inner, at: inner.read(score.result, at)), f32)

    def exponential(inner: Body, at: list[SSAValue], largest_here: SSAValue) -> SSAValue:
        return inner.add(math.ExpOp(inner.add(arith.SubfOp(inner.read(score.result, at), largest_here))))

    body = Body(rows, op)
    maximum = body.read(largest.result, body.indices)
    total = body.compute(_over_axes(body, "sum", op, lambda inner, at: exponential(inner, at, maximum)), f32)
    body = Body(ranges, op)
    at = list(body.indices)
    row = [index for position, index in enumerate(at) if position not in axes]
    numerator = exponential(body, at, body.read(largest.result, row))
    share = body.add(arith.DivfOp(numerator, body.read(total.result, row)))
    return [score, largest, total, body.compute(share, op.result.type.element)]


def _over_axes(body: Body, kind: str, op: SoftmaxOp, term: Callable[[Body, list[SSAValue]], SSAValue]) -> SSAValue:
    """Nested reductions over the axes; `term` writes the value at indices into the softmax's ranges."""
    axes, free = op.axis_positions, iter(body.indices)
    known = {position: next(free) for position in range(len(op.ranges)) if position not in axes}
    return _over(body, kind, op, axes, known, term)


def _over(
    body: Body,
    kind: str,
    op: SoftmaxOp,
    axes: Sequence[int],
    known: Mapping[int, SSAValue],
    term: Callable[[Body, list[SSAValue]], SSAValue],
) -> SSAValue:
    """Reductions over the rest of the axes; `known` are the indices so far, by the positions of their ranges."""
    if not axes:
        return term(body, [known[position] for position in range(len(op.ranges))])
    over = op.index_ranges[axes[0]]
    per = None if over.per_position is None else known[over.per_position]

    def lane(inner: Body, index: SSAValue) -> SSAValue:
        return _over(inner, kind, op, axes[1:], {**known, axes[0]: index}, term)

    return body.reduce(kind, RangeAttr(over.index, over.extent), per, lane)
