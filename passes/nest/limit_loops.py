"""Presence conditions of a loop's index as its limits."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import IndexType, IntegerAttr, ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass

from hetc.dialects import nest
from hetc.dialects.locations import copy_location
from hetc.passes.nest.facts import Facts, Sum, conjuncts, sum_of, sums_of
from hetc.passes.nest.hoist_invariants import hoist
from hetc.passes.nest.moving import is_inside, kernels_on
from hetc.passes.nest.simplify_presence import simplify

EXACT = 1 << 62
"""Sums below this are exact in 64 bits, and so is one more."""


@dataclass(frozen=True)
class LimitLoopsPass(ModulePass):
    """Let a loop begin and end where a condition under which it does anything begins and ends to hold: a comparison of
    its index with what does not change in it, which each fold and store in it is under. A value that is filled in
    where another one is absent is present: it is under no condition, and limits nothing.

    Before: any verified nest.kernel on one of `devices`. After: such a condition is a limit, and is no longer tested.

        nest.for %p = 0 to %n { nest.fold %v into %a[] if %p < %m }   ->   nest.for %p = 0 to min(%n, %m) { nest.fold }
    """

    name = "limit-loops"
    devices: tuple[str, ...] = ("cpu",)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for kernel in kernels_on(op, self.devices):
            limit(kernel)


def limit(kernel: nest.KernelOp) -> None:
    """The loops of one kernel."""
    narrowed = [_limit(op) for op in list(nest.ops_in(kernel)) if isinstance(op, nest.ForOp)]
    if any(narrowed):
        simplify(kernel)
        hoist(kernel)


def _limit(loop: nest.ForOp) -> bool:
    """Narrow one loop; whether there was anything to narrow it by."""
    facts = Facts.around(loop)
    found = False
    for condition in _common(loop):
        sums = [item for item in sums_of(condition) or () if any(value is loop.index for value, _ in item.terms)]
        for item in sums:
            factor = dict(item.terms)[loop.index]
            rest = item.plus(Sum(((loop.index, 1),)), -factor)
            if abs(factor) != 1 or not _is_known_before(rest, loop) or (factor > 0 and loop.step_size > 1):
                continue
            found = True
            if factor < 0:
                _narrow(loop, 1, rest.less(-1), facts)
            else:
                _narrow(loop, 0, Sum(()).plus(rest, -1), facts)
    return found


def _common(loop: nest.ForOp) -> list[SSAValue]:
    """The conditions that everything is under that a loop does."""
    common: list[SSAValue] | None = None
    for touch in nest.touches_inside(loop):
        if touch.writes and not is_inside(touch.target, loop):
            here = _conditions(touch.op, loop)
            common = list(here) if common is None else [leaf for leaf in common if leaf in here]
            if not common:
                return []
    return common or []


def _conditions(op: Operation, loop: nest.ForOp) -> dict[SSAValue, None]:
    """The conditions that an op of a loop is under."""
    found = dict.fromkeys(conjuncts(op.present) if isinstance(op, nest.FoldOp) else ())
    inner, outer = op, op.parent_op()
    while outer is not None and outer is not loop:
        if isinstance(outer, scf.IfOp) and inner.parent is outer.true_region.block:
            found.update(dict.fromkeys(conjuncts(outer.cond)))
        inner, outer = outer, outer.parent_op()
    return found


def _is_known_before(item: Sum, loop: nest.ForOp) -> bool:
    """Whether a sum does not change in a loop, and 64 bits hold it."""
    changes = any(is_inside(value, loop) for value, _ in item.terms)
    return not changes and item.least > -EXACT and Sum(()).plus(item, -1).least > -EXACT


def _narrow(loop: nest.ForOp, place: int, bound: Sum, facts: Facts) -> None:
    """Give a loop a lower (place 0) or an upper limit (1) beside the one that it has."""
    old = loop.operands[place]
    gain = bound.plus(sum_of(old), -1)
    gain = gain if place == 0 else Sum(()).plus(gain, -1)
    made = _value(bound, loop)
    if not facts.at_least_0(gain):
        made = _put((arith.MaxSIOp if place == 0 else arith.MinSIOp)(old, made), loop)
    name = loop.index.name_hint
    if made.name_hint is None and name is not None and made.owner not in (None, loop.parent):
        made.name_hint = f"{name}_{'begin' if place == 0 else 'end'}"
    loop.operands[place] = made


def _value(item: Sum, before: Operation) -> SSAValue:
    """A sum as ops in front of another."""
    found: SSAValue | None = None
    for value, factor in sorted(item.terms, key=lambda term: term[1] < 0):
        term = value if isinstance(value.type, IndexType) else _put(arith.IndexCastOp(value, IndexType()), before)
        if abs(factor) != 1 or (found is None and factor < 0):
            term = _put(arith.MuliOp(term, _number(factor if found is None else abs(factor), before)), before)
            found = term if found is None else _put(_joining(factor)(found, term), before)
        else:
            found = term if found is None else _put(_joining(factor)(found, term), before)
    if found is None:
        return _number(item.constant, before)
    if item.constant == 0:
        return found
    return _put(_joining(item.constant)(found, _number(abs(item.constant), before)), before)


def _joining(factor: int) -> type[arith.AddiOp] | type[arith.SubiOp]:
    return arith.AddiOp if factor > 0 else arith.SubiOp


def _number(number: int, before: Operation) -> SSAValue:
    return _put(arith.ConstantOp(IntegerAttr(number, IndexType())), before)


def _put(op: Operation, before: Operation) -> SSAValue:
    block = before.parent
    assert block is not None
    block.insert_op_before(copy_location(before, op), before)
    return op.results[0]
