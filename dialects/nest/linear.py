"""Indices as sums of loop indices, as far as they are such sums."""

from __future__ import annotations

from dataclasses import dataclass, field

from xdsl.dialects import arith
from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import Block, Operation, SSAValue

from hetc.dialects.nest.structure import ForOp

FAR = 1 << 80
"""Further than any index: an end of a range that is not known."""


@dataclass(frozen=True)
class Form:
    """sum(factor * value) + something in [low, high]."""

    terms: dict[SSAValue, int] = field(default_factory=dict)
    low: int = 0
    high: int = 0

    def plus(self, other: Form) -> Form:
        terms = dict(self.terms)
        for value, factor in other.terms.items():
            terms[value] = terms.get(value, 0) + factor
        kept = {value: factor for value, factor in terms.items() if factor}
        return Form(kept, self.low + other.low, self.high + other.high)

    def times(self, factor: int) -> Form:
        low, high = sorted((self.low * factor, self.high * factor))
        return Form({value: own * factor for value, own in self.terms.items()} if factor else {}, low, high)

    def renamed(self, value: SSAValue, name: SSAValue) -> Form:
        """The same sum over another value in the place of one."""
        return Form(
            {name if term is value else term: factor for term, factor in self.terms.items()}, self.low, self.high
        )

    @property
    def constant(self) -> int | None:
        """The number that the form is, None where it is none."""
        return self.low if not self.terms and self.low == self.high else None


def form_of(index: SSAValue, loop: ForOp) -> Form | None:
    """An index inside of a loop as a sum over the loop's own index and over values from around it; what the loops
    further inside add is a range. None where it depends on something else that changes inside."""
    owner = index.owner
    if isinstance(owner, Block):
        return _argument_form(index, owner, loop)
    match owner:
        case arith.ConstantOp():
            assert isinstance(owner.value, IntegerAttr)
            number = owner.value.value.data
            return Form({}, number, number)
        case arith.AddiOp() | arith.SubiOp() | arith.MuliOp():
            first, second = form_of(owner.lhs, loop), form_of(owner.rhs, loop)
            return None if first is None or second is None else _joined(owner, first, second, index, loop)
        case arith.MinSIOp() | arith.MaxSIOp() | arith.FloorDivSIOp() if is_inside(owner, loop):
            return _bounded(owner, form_of(owner.lhs, loop), form_of(owner.rhs, loop), loop)
    return None if is_inside(owner, loop) else Form({index: 1})


def _joined(op: Operation, first: Form, second: Form, index: SSAValue, loop: ForOp) -> Form | None:
    if isinstance(op, arith.AddiOp):
        return first.plus(second)
    if isinstance(op, arith.SubiOp):
        return first.plus(second.times(-1))
    for one, other in ((first, second), (second, first)):
        if one.constant is not None:
            return other.times(one.constant)
    return None if is_inside(op, loop) else Form({index: 1})


def _bounded(op: Operation, first: Form | None, second: Form | None, loop: ForOp) -> Form | None:
    """The smaller and the larger of two, of which one may be unknown, and a quotient by a constant."""
    if isinstance(op, arith.FloorDivSIOp):
        by = None if second is None else second.constant
        is_range = first is not None and not first.terms and by is not None and by > 0
        return Form({}, first.low // by, first.high // by) if is_range else None  # type: ignore[union-attr, operator]
    pick = min if isinstance(op, arith.MinSIOp) else max
    if first is not None and second is not None and first.terms == second.terms:
        return Form(first.terms, pick(first.low, second.low), pick(first.high, second.high))
    known = [form for form in (first, second) if form is not None]
    if not known:
        return None
    form = next((form for form in known if loop.index in form.terms), known[0])
    return Form(form.terms, -FAR, form.high) if pick is min else Form(form.terms, form.low, FAR)


def _argument_form(index: SSAValue, block: Block, loop: ForOp) -> Form | None:
    parent = block.parent_op()
    if parent is loop or parent is None or not is_inside(parent, loop):
        return Form({index: 1})
    if not isinstance(parent, ForOp):
        return None
    lower, upper = form_of(parent.lower, loop), form_of(parent.upper, loop)
    if lower is None:
        return None
    high = lower.high + max(parent.most_passes - 1, 0) * parent.step_size
    if upper is not None and upper.terms == lower.terms:
        high = min(high, max(upper.high - 1, lower.low))
    return Form(lower.terms, lower.low, high)


def is_inside(op: Operation, outer: Operation) -> bool:
    """Whether an op stands in a region of another, at any depth."""
    current: Operation | None = op.parent_op()
    while current is not None:
        if current is outer:
            return True
        current = current.parent_op()
    return False
