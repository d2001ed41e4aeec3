"""The indices in scope while an expression is resolved, and the extents that they take.

An index takes its extent from its bound (`v < V`), else from the dims that it indexes alone; those must agree.
An index over a dim with one length a row (`dim T per B`) also needs the index of the row: the one that stands at
the row's place in the same brackets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hetc.compiler.frontend.resolve.constraints import (
    Constraint,
    binding,
    check_agreement,
    check_bound,
    warn_of_certain_conditions,
)
from hetc.compiler.frontend.resolve.dims import evaluate_integer
from hetc.compiler.frontend.resolve.environment import Environment, Refused
from hetc.compiler.frontend.resolve.names import hidden, written_name
from hetc.compiler.frontend.resolve.typed import Axis
from hetc.compiler.frontend.syntax import ast
from hetc.diagnostics import Related
from hetc.source import Span


@dataclass
class Open:
    """An index in scope whose extent is being collected. `known` is set once it is; `hidden_by` is where an inner index
    has its name."""

    index: ast.Index
    constraints: list[Constraint] = field(default_factory=list)
    known: Axis | None = None
    hidden_by: Span | None = None


class Scope:
    """The indices of one statement, outer ones first."""

    def __init__(self, environment: Environment):
        self.environment = environment
        self.open: list[Open] = []

    def add(self, index: ast.Index, constraints: Iterable[Constraint] = ()) -> None:
        """Brings an index into scope. Raises Refused where one of its name is."""
        for other in self.open:
            if written_name(other.index.name) == written_name(index.name):
                other.hidden_by = other.hidden_by or index.span
            if other.index.name == index.name:
                related = (Related(other.index.span, "it is introduced here"),)
                message = f"the index `{index.name}` is already in use here"
                raise self.environment.refuse(
                    "HET101", message, index.span, related=related, help="give one of them another name"
                )
        self.open.append(Open(index, list(constraints)))

    def find(self, expr: ast.Expr) -> Open | None:
        """The index in scope that an expression is, if it is one."""
        if not isinstance(expr, ast.Name):
            return None
        return next((item for item in reversed(self.open) if item.index.name == expr.name), None)

    def names(self) -> list[str]:
        return [item.index.name for item in self.open]

    def close(self, count: int, loose: int = 0) -> list[Axis]:
        """Settles the last `count` indices, outer ones first, and takes them out of scope. The last `loose` of them may
        stand before the index of their row. Raises Refused."""
        chosen = self.open[len(self.open) - count :]
        axes = [self._settle(item) for item in chosen]
        for axis in axes:
            self._check_row(axis)
        for place, axis in enumerate(axes[: count - loose]):
            if axis.per is not None and axis.per in (later.name for later in axes[place:]):
                message = f"`{axis.name}` has one length for each `{axis.per}`, which must stand before it"
                raise self.environment.refuse("HET107", message, axis.span)
        del self.open[len(self.open) - count :]
        return axes

    def _settle(self, item: Open) -> Axis:
        environment = self.environment
        index = item.index
        if index.bound is not None:
            key = self._bound(index)
            row = next((found.row for found in item.constraints if found.key == key and found.row), None)
            check_bound(index, key, item.constraints, environment)
        elif item.constraints:
            places = binding(item.constraints)
            key, row = places[0].key, next((found.row for found in places if found.row), None)
            check_agreement(index, places, environment)
            warn_of_certain_conditions(index, key, places, environment)
        else:
            message = f"the index `{index.name}` has no extent: it never indexes a dim alone"
            letter = written_name(index.name).rstrip("0123456789").upper()
            help = f"give it a bound: `{index.name} < {letter if letter in environment.dims else 64}`"
            note = f"this `{index.name}` is another, which hides it"
            related = () if item.hidden_by is None else (Related(item.hidden_by, note),)
            raise environment.refuse("HET103", message, index.span, related=related, help=help)
        dim = environment.dim_of_extent(key)
        if dim is not None and dim.per is not None and row is None:
            row = self._row_in_scope(dim.name, dim.per, index)
        item.known = Axis(index.name, key, row if dim is not None and dim.per else None, index.span)
        return item.known

    def _bound(self, index: ast.Index) -> int | str:
        environment = self.environment
        assert index.bound is not None
        if isinstance(index.bound, ast.Name):
            dim = environment.dims.get(index.bound.name)
            if dim is not None and dim.size is None:
                environment.used.add(dim.name)
                return dim.name
        return evaluate_integer(index.bound, environment, f"the bound of `{index.name}`", low=1)

    def _row_in_scope(self, dim: str, per: str, index: ast.Index) -> str:
        """The one index in scope over `per`, while extents are collected. Raises Refused."""
        over: list[str] = []
        out_of_reach = hidden(self.names())
        for item in self.open:
            keys = {item.known.key} if item.known else {found.key for found in item.constraints}
            if isinstance(item.index.bound, ast.Name):
                keys.add(item.index.bound.name)
            if per in keys and item.index.name not in (index.name, *out_of_reach):
                over.append(item.index.name)
        if len(over) == 1:
            return over[0]
        found = f"several are in scope: {', '.join(over)}" if over else "none is in scope"
        message = f"`{dim}` has one length for each row of `{per}`, so an index over `{per}` is needed; {found}"
        raise self._refuse_row(dim, per, message, index.span)

    def _check_row(self, axis: Axis) -> None:
        if axis.per is not None and axis.per not in self.names():
            message = f"the row index `{axis.per}` of `{axis.name}` is not in scope where `{axis.name}` is introduced"
            raise self.environment.refuse("HET107", message, axis.span)

    def row_of(self, dim: str, per: str, scope: Sequence[Axis], span: Span) -> str:
        """The one index over `per` among those of known extent. Raises Refused where there is none or more than one."""
        out_of_reach = hidden(axis.name for axis in scope)
        rows = [axis.name for axis in scope if axis.key == per and axis.name not in out_of_reach]
        if len(rows) == 1:
            return rows[0]
        found = "several are" if rows else "none is"
        message = f"`{dim}` has one length for each row of `{per}`: an index over `{per}` is needed, {found} in scope"
        raise self._refuse_row(dim, per, message, span)

    def _refuse_row(self, dim: str, per: str, message: str, span: Span) -> Refused:
        return self.environment.refuse("HET107", message, span, help=f"write `{dim}[b]` with an index b over `{per}`")
