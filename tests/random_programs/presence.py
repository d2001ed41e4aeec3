"""When a value is present: the static rule of the language, worked out on the generator's trees.

A condition belongs to the reduction over an index that it mentions; the others are passed on. So the conditions of an
expression are kept apart, each with the indices that it mentions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from random_programs.tree import (
    Binary,
    DimValue,
    Expr,
    Read,
    Reduce,
    Unary,
    Var,
    Where,
)


@dataclass(frozen=True)
class InRange:
    """An index is within the live extent of a tensor's position; `row` is the read's index at the rows' position."""

    dim: str
    index: Expr
    row: Expr | None


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


Condition = InRange | Holds | Chosen
Positions = Mapping[str, tuple[tuple[str, int | None], ...]]
"""For each tensor its dims, and for a dim per another the position of the rows' dim."""
Absence = Mapping[str, tuple[tuple[str, ...], tuple[Condition, ...]]]
"""For each defined tensor its index names and the conditions under which an element is present."""


def conditions(expr: Expr, positions: Positions, absence: Absence) -> tuple[Condition, ...]:
    """The conditions under which `expr` is present, those consumed by its own reductions left out."""
    match expr:
        case Read():
            found = [item for index in expr.indices for item in conditions(index, positions, absence)]
            for index, (dim, rows) in zip(expr.indices, positions[expr.tensor], strict=True):
                found.append(InRange(dim, index, None if rows is None else expr.indices[rows]))
            names, own = absence.get(expr.tensor, ((), ()))
            mapping = dict(zip(names, expr.indices, strict=False))
            return tuple(found) + tuple(substitute_condition(item, mapping) for item in own)
        case Unary():
            return conditions(expr.operand, positions, absence)
        case Binary():
            return conditions(expr.left, positions, absence) + conditions(expr.right, positions, absence)
        case Where():
            tested = conditions(expr.condition, positions, absence)
            value = conditions(expr.value, positions, absence)
            if expr.otherwise is None:
                return (*tested, Holds(expr.condition), *value)
            other = conditions(expr.otherwise, positions, absence)
            # One condition for each of a branch's: each is consumed by the reductions whose index it mentions.
            branches = [Chosen(expr.condition, (item,), ()) for item in value]
            branches += [Chosen(expr.condition, (), (item,)) for item in other]
            return (*tested, *branches)
        case Reduce():
            inner = conditions(expr.body, positions, absence)
            return tuple(item for item in inner if expr.index not in mentioned(item))
    return ()


def mentioned(item: Condition | Expr) -> frozenset[str]:
    """The indices that a condition or an expression mentions, bound ones left out."""
    match item:
        case InRange():
            return mentioned(item.index) | (mentioned(item.row) if item.row is not None else frozenset())
        case Holds():
            return mentioned(item.condition)
        case Chosen():
            parts = [mentioned(item.condition), *map(mentioned, item.if_true), *map(mentioned, item.if_false)]
            return frozenset().union(*parts)
        case Var():
            return frozenset({item.name})
        case DimValue():
            return frozenset({item.row}) if item.row else frozenset()
        case Read():
            return frozenset().union(*map(mentioned, item.indices))
        case Unary():
            return mentioned(item.operand)
        case Binary():
            return mentioned(item.left) | mentioned(item.right)
        case Where():
            parts = [item.condition, item.value] + ([item.otherwise] if item.otherwise else [])
            return frozenset().union(*map(mentioned, parts))
        case Reduce():
            row = frozenset({item.row}) if item.row else frozenset()
            return (mentioned(item.body) | row) - {item.index}
    return frozenset()


def substitute_condition(item: Condition, mapping: Mapping[str, Expr]) -> Condition:
    """`item` with indices replaced by expressions."""
    match item:
        case InRange():
            row = None if item.row is None else substitute(item.row, mapping)
            return InRange(item.dim, substitute(item.index, mapping), row)
        case Holds():
            return Holds(substitute(item.condition, mapping))
        case Chosen():
            return Chosen(
                substitute(item.condition, mapping),
                tuple(substitute_condition(part, mapping) for part in item.if_true),
                tuple(substitute_condition(part, mapping) for part in item.if_false),
            )


def substitute(expr: Expr, mapping: Mapping[str, Expr]) -> Expr:
    """`expr` with indices replaced by expressions. Index names are unique in a program, so nothing is captured."""
    match expr:
        case Var():
            return mapping.get(expr.name, expr)
        case DimValue():
            row = mapping.get(expr.row) if expr.row else None
            if row is None:
                return expr
            assert isinstance(row, Var)
            return replace(expr, row=row.name)
        case Read():
            return replace(expr, indices=tuple(substitute(index, mapping) for index in expr.indices))
        case Unary():
            return replace(expr, operand=substitute(expr.operand, mapping))
        case Binary():
            return replace(expr, left=substitute(expr.left, mapping), right=substitute(expr.right, mapping))
        case Where():
            other = None if expr.otherwise is None else substitute(expr.otherwise, mapping)
            return replace(
                expr,
                condition=substitute(expr.condition, mapping),
                value=substitute(expr.value, mapping),
                otherwise=other,
            )
        case Reduce():
            row = mapping.get(expr.row) if expr.row else None
            name = row.name if isinstance(row, Var) else expr.row
            return replace(expr, body=substitute(expr.body, mapping), row=name)
    return expr
