"""A compiler that drops one of the conditions under which an element is present must not pass the tests of presence.

Each mutant changes one function; the programs of tests/language that say what is absent are then run on the oracle in
the form in which presence is explicit. One of them must fail.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType, i1
from xdsl.ir import Operation, SSAValue

from hetc.compiler.frontend.arithmetic.operations import Arithmetic
from hetc.compiler.frontend.lower.emitter import StepEmitter
from hetc.dialects.mp import GuardOp, PresentOp, PutOp, RangedOp, ReduceOp
from hetc.passes.emission import constant, constant_value, emit, leaves
from hetc.passes.normalize import explicit_presence, region_presence
from hetc.passes.normalize.explicit_presence import StepPresence
from hetc.passes.normalize.in_range import RangeTests
from hetc.passes.normalize.predicates import Predicates
from hetc.passes.normalize.region_presence import RegionPresence
from tests.language import test_index_arithmetic, test_presence

PROGRAMS: tuple[Callable[[str, Path], None], ...] = (
    test_presence.test_absent_stays_absent,
    test_presence.test_and_and_or_decide_with_what_is_there,
    test_presence.test_rows_and_loops,
    test_index_arithmetic.test_exact_and_wrapping,
)
WAY = "oracle on the expanded form"
Mutant = Callable[[pytest.MonkeyPatch], None]


def _around(owner: Any, name: str, change: Callable[..., Any]) -> Mutant:
    """A mutant that replaces a function by `change(function, *arguments)`."""

    def apply(patch: pytest.MonkeyPatch) -> None:
        original = getattr(owner, name)
        patch.setattr(owner, name, lambda *arguments, **named: change(original, *arguments, **named))

    return apply


def _without_half(half: str) -> Mutant:
    """Of the tests of an index, the lower or the upper is left out."""

    def change(original: Any, self: Any, op: Any, value: Any, halves: list[str], *rest: Any) -> Any:
        return original(self, op, value, [each for each in halves if each != half], *rest)

    return _around(RangeTests, "_half_tests", change)


def _read_without_pick(original: Any, self: RegionPresence, op: Any) -> Any:
    def is_own(condition: SSAValue) -> bool:
        return isinstance(condition.owner, arith.CmpiOp) and condition.owner.lhs is op.result

    return tuple(condition for condition in original(self, op) if not is_own(condition))


def _produced(of_picks: bool) -> Mutant:
    """What another statement says of its elements is left out: by a pick, or by conditions."""

    def change(original: Any, self: Predicates, tensor: SSAValue, *rest: Any) -> Any:
        return {} if (self.picks_of(tensor) is not None) == of_picks else original(self, tensor, *rest)

    return _around(Predicates, "at", change)


def _without_clause(position: int) -> Mutant:
    """One of the three clauses of `and` and `or`."""

    def change(original: Any, self: Any, op: Any) -> Any:
        found = original(self, op)
        clauses = [each for each in found if isinstance(each.owner, arith.OrIOp)]
        return tuple(each for each in found if len(clauses) <= position or each is not clauses[position])

    return _around(RegionPresence, "_decided", change)


def _without_branch(position: int) -> Mutant:
    """What one branch of a choice needs."""

    def change(original: Any, self: Any, op: Any) -> Any:
        def is_of_branch(condition: SSAValue) -> bool:
            owner = condition.owner
            return isinstance(owner, arith.SelectOp) and constant_value(owner.operands[3 - position]) == 1

        return tuple(each for each in original(self, op) if not is_of_branch(each))

    return _around(RegionPresence, "_select", change)


def _without_choice(original: Any, self: RegionPresence, op: Any) -> Any:
    return tuple(each for each in original(self, op) if each not in self.of(op.cond))


def _without_guard(original: Any, self: RegionPresence, op: Operation) -> Any:
    made = original(self, op)
    if isinstance(op, GuardOp):
        self.conditions[op.result] = tuple(each for each in self.of(op.result) if each not in leaves(op.condition))
    return made


def _reduce_everything(original: Any, end: Any, value: SSAValue, conditions: Any) -> None:
    original(end, value, () if isinstance(end.parent_op(), ReduceOp) else conditions)


def _put_everywhere(value: SSAValue, indices: Any, present: Any = None) -> PutOp:
    return PutOp(value, indices, None)


def _always_present(original: Any, op: Operation, presence: Any) -> Any:
    return emit(constant(True, i1), op) if isinstance(op, PresentOp) else original(op, presence)


def _end_of_selection(original: Any, self: StepPresence, statement: RangedOp, found: Any) -> None:
    selects = statement.name in ("mp.topk", "mp.select")
    original(self, statement, () if selects else found)


def _every_index_shows(original: Any, self: StepPresence, value: SSAValue, conditions: Any) -> bool:
    return isinstance(value.type, IndexType)


MUTANTS: dict[str, Mutant] = {
    "an index may be negative": _without_half("lower"),
    "an index may be past the end": _without_half("upper"),
    "a pick is always there": _around(RegionPresence, "_read", _read_without_pick),
    "a score is always there": _produced(of_picks=True),
    "an element of another statement is always there": _produced(of_picks=False),
    "there is an extreme of nothing": _around(RegionPresence, "_extreme", lambda original, *arguments: ()),
    "64 bits hold every index": lambda patch: patch.setattr(region_presence, "held_by_64_bits", lambda *given: ()),
    "and, or: one of the sides may be absent": _without_clause(0),
    "and, or: the left may be absent": _without_clause(1),
    "and, or: the right may be absent": _without_clause(2),
    "where: the first branch is always there": _without_branch(1),
    "where: the second branch is always there": _without_branch(2),
    "where: the condition is always there": _around(RegionPresence, "_select", _without_choice),
    "where without else is always there": _around(RegionPresence, "_op", _without_guard),
    "a reduction takes what is absent": _around(region_presence, "replace_yield", _reduce_everything),
    "a reduction is always there": _around(RegionPresence, "_reduce", lambda original, *given: original(*given) and ()),
    "every index is -1 where it is absent": _around(StepPresence, "_shows_itself", _every_index_shows),
    "a write goes everywhere": lambda patch: patch.setattr(explicit_presence, "PutOp", _put_everywhere),
    "a selection takes what is absent": _around(StepPresence, "_end", _end_of_selection),
    "present is always true": _around(explicit_presence, "_plain", _always_present),
    "a memory keeps absence": _around(Arithmetic, "coalesce", lambda original, self, value, instead: value),
    "a loop carries indices of any size": _around(
        StepEmitter, "_where_32_bits_hold", lambda original, emitter, value: value
    ),
    "a choice passes on what only one index decides": _around(
        RegionPresence, "_consumed_alike", lambda original, *given: True
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_dropped_predicate_is_found(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    MUTANTS[name](monkeypatch)
    for program in PROGRAMS:
        try:
            program(WAY, tmp_path)
        except Exception:
            return
    pytest.fail("no program of the tests notices it")


def test_there_are_twenty() -> None:
    assert len(MUTANTS) >= 20
