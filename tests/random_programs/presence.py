"""When a value is present: the static rule of the language, worked out on the generator's trees.

A condition belongs to the reduction over an index that it mentions; the others are passed on. So the conditions of an
expression are kept apart, each with the indices that it mentions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from random_programs.rewrite import children, with_children
from random_programs.tree import Age, Binary, DimValue, Expr, Read, Reduce, Unary, Var, Where, is_position


@dataclass(frozen=True)
class InRange:
    """An index is within the live extent of a tensor's position, `pending` rows at the end left out; `row` is the
    read's index at the rows' position."""

    dim: str
    index: Expr
    row: Expr | None
    pending: int | str = 0


@dataclass(frozen=True)
class Filled:
    """A slot of a ring, over a dim, has been written; `count` is the variable of how many appends there were."""

    count: str
    dim: str
    slot: Expr


@dataclass(frozen=True)
class Holds:
    """A condition of the program holds."""

    condition: Expr


@dataclass(frozen=True)
class Chosen:
    """The chosen branch of a `where` is present."""

    condition: Expr
    if_true: tuple[Condition, ...]
    if_false: tuple[Condition, ...]


@dataclass(frozen=True)
class Given:
    """A value is there at all: an index within 64 bits, an extreme of something, a pick (where the tensor has one)."""

    value: Expr


@dataclass(frozen=True)
class Either:
    """One of two conditions holds; `mentions` are the indices that both mention, whatever is left of them."""

    left: Condition
    right: Condition
    mentions: frozenset[str]


@dataclass(frozen=True)
class Decides:
    """A side of `and` (`value` is False) or of `or` (True) that has this value."""

    condition: Expr
    value: bool


Condition = InRange | Filled | Holds | Chosen | Given | Either | Decides


@dataclass(frozen=True)
class Facts:
    """What is known of a tensor. dims: its dims, and for a dim per another the position of the rows' dim.

    indices, conditions: when an element is present, over the names of the indices. count: the variable of a ring's
    appends. pending: rows that a growing memory has not been given yet, by dim."""

    dims: tuple[tuple[str, int | None], ...]
    indices: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    count: str = ""
    slots: int = -1
    pending: tuple[tuple[str, int | str], ...] = ()


def conditions(expr: Expr, known: Mapping[str, Facts]) -> tuple[Condition, ...]:
    """The conditions under which `expr` is present, those consumed by its own reductions left out."""
    match expr:
        case Read():
            return _of_read(expr, known)
        case Age():
            facts = known[expr.ring]
            return (*conditions(expr.slot, known), Filled(facts.count, facts.dims[facts.slots][0], expr.slot))
        case Where():
            tested = conditions(expr.condition, known)
            value = conditions(expr.value, known)
            if expr.otherwise is None:
                return (*tested, Holds(expr.condition), *value)
            other = conditions(expr.otherwise, known)
            # One condition for each of a branch's: each is consumed by the reductions whose index it mentions.
            branches = [Chosen(expr.condition, (item,), ()) for item in value]
            branches += [Chosen(expr.condition, (), (item,)) for item in other]
            return (*tested, *branches)
        case Reduce():
            inner = conditions(expr.body, known)
            passed = tuple(item for item in inner if expr.index not in mentioned(item))
            return (*passed, Given(expr)) if expr.function in ("argmax", "argmin") else passed
        case Unary(function="present"):
            return ()
        case Binary(operator="and" | "or"):
            return _of_decided(expr, known)
        case Binary(operator="coalesce"):
            other = conditions(expr.right, known)
            return tuple(Chosen(Unary("b", True, 1, 0, "present", expr.left), (), (item,)) for item in other)
        case Binary() if may_overflow(expr):
            inner = tuple(item for part in children(expr) for item in conditions(part, known))
            return (*inner, Given(expr))
    return tuple(item for part in children(expr) for item in conditions(part, known))


def _of_read(expr: Read, known: Mapping[str, Facts]) -> tuple[Condition, ...]:
    facts = known[expr.tensor]
    pending = dict(facts.pending)
    found = [item for index in expr.indices for item in conditions(index, known)]
    for position, (index, (dim, rows)) in enumerate(zip(expr.indices, facts.dims, strict=True)):
        found.append(InRange(dim, index, None if rows is None else expr.indices[rows], pending.get(dim, 0)))
        if position == facts.slots:
            found.append(Filled(facts.count, dim, index))
    mapping = dict(zip(facts.indices, expr.indices, strict=False))
    return tuple(found) + tuple(substitute_condition(item, mapping) for item in facts.conditions)


def may_overflow(expr: Binary) -> bool:
    """Whether it is an index that 64 bits may not hold."""
    return expr.operator in ("+", "-", "*") and expr.bound >= 2.0**63 and is_position(expr)


def _of_decided(expr: Binary, known: Mapping[str, Facts]) -> tuple[Condition, ...]:
    """Of `a and b`, where a needs c and b needs d: c or d; c, or b is false; d, or a is false. What both need stays."""
    left, right = conditions(expr.left, known), conditions(expr.right, known)
    both = tuple(item for item in left if item in right)
    lefts, rights = ([item for item in part if item not in both] for part in (left, right))
    found = [_either(one, other) for one in lefts for other in rights]
    for own, other in ((lefts, expr.right), (rights, expr.left)):
        found += [_either(item, Decides(other, expr.operator == "or")) for item in own]
    return (*both, *found)


def _either(left: Condition, right: Condition) -> Either:
    return Either(left, right, mentioned(left) | mentioned(right))


def mentioned(item: Condition | Expr) -> frozenset[str]:
    """The indices that a condition or an expression mentions, bound ones left out."""
    match item:
        case InRange():
            return mentioned(item.index) | (mentioned(item.row) if item.row is not None else frozenset())
        case Filled():
            return mentioned(item.slot)
        case Holds() | Decides():
            return mentioned(item.condition)
        case Given():
            return mentioned(item.value)
        case Either():
            return item.mentions
        case Chosen():
            parts = [mentioned(item.condition), *map(mentioned, item.if_true), *map(mentioned, item.if_false)]
            return frozenset().union(*parts)
        case Var():
            return frozenset({item.name})
        case DimValue():
            return frozenset({item.row}) if item.row else frozenset()
        case Reduce():
            row = frozenset({item.row}) if item.row else frozenset()
            return (mentioned(item.body) | row) - {item.index}
    return frozenset().union(*map(mentioned, children(item)))


def substitute_condition(item: Condition, mapping: Mapping[str, Expr]) -> Condition:
    """`item` with indices replaced by expressions."""
    match item:
        case InRange():
            row = None if item.row is None else substitute(item.row, mapping)
            return replace(item, index=substitute(item.index, mapping), row=row)
        case Filled():
            return replace(item, slot=substitute(item.slot, mapping))
        case Holds():
            return Holds(substitute(item.condition, mapping))
        case Decides():
            return replace(item, condition=substitute(item.condition, mapping))
        case Given():
            return Given(substitute(item.value, mapping))
        case Either():
            mentions = frozenset(
                name for old in item.mentions for name in (mentioned(mapping[old]) if old in mapping else {old})
            )
            return Either(substitute_condition(item.left, mapping), substitute_condition(item.right, mapping), mentions)
        case Chosen():
            return Chosen(
                substitute(item.condition, mapping),
                tuple(substitute_condition(part, mapping) for part in item.if_true),
                tuple(substitute_condition(part, mapping) for part in item.if_false),
            )


def substitute(expr: Expr, mapping: Mapping[str, Expr]) -> Expr:
    """`expr` with indices replaced by expressions."""
    match expr:
        case Var():
            return mapping.get(expr.name, expr)
        case DimValue():
            return replace(expr, row=_row(expr.row, mapping))
        case Reduce():
            taken = frozenset().union(*map(mentioned, mapping.values()))
            name = expr.index
            while name in taken:  # the same reduction, of another call
                name += "_"
            body = substitute(expr.body, {**mapping, expr.index: Var("x", True, 64, 0, name)})
            return replace(expr, row=_row(expr.row, mapping), index=name, body=body)
    return with_children(expr, [substitute(part, mapping) for part in children(expr)])


def _row(name: str | None, mapping: Mapping[str, Expr]) -> str | None:
    row = mapping.get(name) if name else None
    if row is None:
        return name
    assert isinstance(row, Var)
    return row.name
