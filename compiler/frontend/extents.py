"""The extents of a statement's indices.

An index takes its extent from its bound (`v < V`), else from the dims that it indexes alone; those must agree.
An index over a dim with one length a row (`dim T per B`) also needs the index of the row: the one that stands at
the row's place in the same brackets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from hetc.compiler.frontend import ast
from hetc.compiler.frontend.constraints import (
    Constraint,
    binding,
    check_agreement,
    check_bound,
    limited,
    warn_of_certain_conditions,
    warn_of_negative_places,
)
from hetc.compiler.frontend.dims import evaluate_integer
from hetc.compiler.frontend.environment import Environment
from hetc.compiler.frontend.functions import KEEPING, check_call, check_reduction
from hetc.compiler.frontend.guarded_reads import Limit, limits
from hetc.compiler.frontend.index_names import hidden, written_name
from hetc.compiler.frontend.shadowing import free_names
from hetc.diagnostics import Related
from hetc.source import Span

# Arguments given by name that are expressions; the others are words and constants.
_VALUE_KEYWORDS = ("at",)


@dataclass(frozen=True)
class IndexInfo:
    """An index with its extent, and the index of the row where the extent is per row."""

    name: str
    key: int | str
    per: str | None
    span: Span


@dataclass
class _Open:
    """An index in scope whose extent is being collected. `known` is set once it is; `hidden_by` is where an inner index
    has its name."""

    index: ast.Index
    constraints: list[Constraint] = field(default_factory=list)
    known: IndexInfo | None = None
    hidden_by: Span | None = None


class StatementExtents:
    """Collects the indices of one statement. `infos` maps the identity of each Index node to what was found."""

    def __init__(self, environment: Environment):
        self.environment = environment
        self.scope: list[_Open] = []
        self.infos: dict[int, IndexInfo] = {}
        # What conditions around the expression at hand say of indices.
        self.limits: tuple[Limit, ...] = ()

    def open(self, index: ast.Index, constraints: Iterable[Constraint] = ()) -> None:
        """Brings an index into scope."""
        for other in self.scope:
            if written_name(other.index.name) == written_name(index.name):
                other.hidden_by = other.hidden_by or index.span
            if other.index.name == index.name:
                related = (Related(other.index.span, "it is introduced here"),)
                message = f"the index `{index.name}` is already in use here"
                raise self.environment.refuse(
                    "HET101", message, index.span, related=related, help="give one of them another name"
                )
        self.scope.append(_Open(index, list(constraints)))
        if index.bound is not None:
            self.visit(index.bound, is_bound=True)

    def close(self, count: int) -> list[IndexInfo]:
        """Settles the last `count` indices, outer ones first, and takes them out of scope."""
        chosen = self.scope[len(self.scope) - count :]
        infos = [self._settle(item) for item in chosen]
        for info in infos:
            self._check_row(info)
        del self.scope[len(self.scope) - count :]
        return infos

    def visit(self, expr: ast.Expr, is_bound: bool = False) -> None:
        """Collects constraints from an expression, names checked on the way."""
        match expr:
            case ast.Name():
                self._visit_name(expr, is_bound)
            case ast.Access():
                self._visit_access(expr)
            case ast.Call(indices=indices) if indices:
                self._visit_indexed_call(expr)
            case ast.Binary(operator="and" | "or" as word, left=left, right=right):
                # Where one side decides, the other is not asked.
                self._visit_where(left, limits(right, word == "and", self.environment))
                self._visit_where(right, limits(left, word == "and", self.environment))
            case ast.Call(function="where", arguments=(condition, *branches)) if len(branches) in (1, 2):
                check_call(expr, self.environment)
                self.visit(condition)
                others = free_names(branches[1]) if len(branches) == 2 else {}
                for branch, holds in zip(branches, (True, False), strict=False):
                    known = limits(condition, holds, self.environment)
                    self._visit_where(branch, (replace(item, decides=item.index in others) for item in known))
            case _:
                if isinstance(expr, ast.Call):
                    check_call(expr, self.environment)
                for child in ast.children(expr):
                    self.visit(child, is_bound)

    def _visit_where(self, expr: ast.Expr, known: Iterable[Limit]) -> None:
        """Collects constraints where more is known of indices."""
        around = self.limits
        self.limits = (*around, *known)
        self.visit(expr)
        self.limits = around

    def _find(self, name: str) -> _Open | None:
        return next((item for item in reversed(self.scope) if item.index.name == name), None)

    def _visit_name(self, expr: ast.Name, is_bound: bool) -> None:
        environment = self.environment
        if self._find(expr.name) or expr.name in environment.dims or expr.name in environment.broken:
            environment.used.add(expr.name)
            return
        if expr.name in environment.tensors:
            environment.tensor(expr.name, expr.span)
            return
        candidates = [item.index.name for item in self.scope] + list(environment.dims) + list(environment.tensors)
        kind = "dim" if is_bound else "name"
        raise environment.unknown(expr.name, expr.span, kind, candidates)

    def _visit_access(self, expr: ast.Access) -> None:
        environment = self.environment
        if expr.name not in environment.tensors and expr.name in environment.dims:
            self._visit_dim_access(expr)
            return
        tensor = environment.tensor(expr.name, expr.name_span)
        shape = () if tensor.constant is not None else tensor.type.shape
        if len(shape) != len(expr.indices):
            message = f"`{expr.name}` has {_count(len(shape), 'dim')}, but {_count(len(expr.indices), 'index')} here"
            related = (Related(tensor.span, f"its extents are [{', '.join(map(str, shape))}]"),)
            raise environment.refuse("HET105", message, expr.span, related=related)
        warn_of_negative_places(expr, shape, environment)
        for position, (key, item) in enumerate(zip(shape, expr.indices, strict=True)):
            found = self._find(item.name) if isinstance(item, ast.Name) else None
            if found is None:
                self.visit(item)
                continue
            dim = environment.dim_of_extent(key)
            row = self._row_index(dim.name, dim.per, shape, expr, found) if dim and dim.per else None
            what = f"dim {position + 1} of `{expr.name}`"
            found.constraints.append(limited(Constraint(key, row, item.span, what), self.limits, found.index.name))

    def _row_index(
        self, dim: str, per: str, shape: tuple[int | str, ...], expr: ast.Access, found: _Open
    ) -> str | None:
        """The plain index at the place of `per` in the brackets of `expr`."""
        row = expr.indices[shape.index(per)]
        if isinstance(row, ast.Name) and self._find(row.name) is not None:
            return row.name
        if found.index.bound is None:
            message = f"`{dim}` has one length for each row of `{per}`, but this row is computed"
            help = f"give `{found.index.name}` a bound where it is introduced"
            raise self.environment.refuse("HET107", message, row.span, help=help)
        return None

    def _visit_dim_access(self, expr: ast.Access) -> None:
        """`T[b]`: the length of one row."""
        environment = self.environment
        environment.used.add(expr.name)
        dim = environment.dims[expr.name]
        related = (Related(dim.span, "declared here"),)
        if dim.per is None:
            message = f"dim `{expr.name}` is one value, not one for each row"
            raise environment.refuse("HET105", message, expr.span, related=related, help=f"write `{expr.name}`")
        item = expr.indices[0]
        found = self._find(item.name) if isinstance(item, ast.Name) else None
        if len(expr.indices) != 1 or found is None:
            message = f"`{expr.name}` takes one index, the index over `{dim.per}`"
            raise environment.refuse("HET107", message, expr.span, related=related)
        found.constraints.append(Constraint(dim.per, None, item.span, f"the row of `{expr.name}`"))

    def _visit_indexed_call(self, expr: ast.Call) -> None:
        if expr.function in KEEPING and expr.function != "quantize":
            for index in expr.indices:
                if self._find(index.name) is None:
                    message = f"`{expr.function}` keeps its index, but `{index.name}` is not in scope here"
                    help = f"put `{index.name}` on the left, or into a reduction around"
                    raise self.environment.refuse("HET103", message, index.span, help=help)
            for child in (*expr.arguments, *(item.value for item in expr.keywords if item.name in _VALUE_KEYWORDS)):
                self.visit(child)
            return
        check_reduction(expr, self.environment)
        for index in expr.indices:
            self.open(index)
        for argument in expr.arguments:
            self.visit(argument)
        self.close(len(expr.indices))

    def _settle(self, item: _Open) -> IndexInfo:
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
            row = self.row_in_scope(dim.name, dim.per, index.span, besides=index.name)
        info = IndexInfo(index.name, key, row if dim is not None and dim.per else None, index.span)
        self.infos[id(index)] = info
        item.known = info
        return info

    def _bound(self, index: ast.Index) -> int | str:
        environment = self.environment
        assert index.bound is not None
        if isinstance(index.bound, ast.Name):
            dim = environment.dims.get(index.bound.name)
            if dim is not None and dim.size is None:
                environment.used.add(dim.name)
                return dim.name
        return evaluate_integer(index.bound, environment, f"the bound of `{index.name}`", low=1)

    def row_in_scope(self, dim: str, per: str, span: Span, besides: str = "") -> str:
        """The one index in scope over `per`. Raises Refused where there is none or more than one."""
        over: list[str] = []
        out_of_reach = hidden(item.index.name for item in self.scope)
        for item in self.scope:
            keys = {item.known.key} if item.known else {found.key for found in item.constraints}
            if isinstance(item.index.bound, ast.Name):
                keys.add(item.index.bound.name)
            if per in keys and item.index.name not in (besides, *out_of_reach):
                over.append(item.index.name)
        if len(over) == 1:
            return over[0]
        found = f"several are in scope: {', '.join(over)}" if over else "none is in scope"
        message = f"`{dim}` has one length for each row of `{per}`, so an index over `{per}` is needed; {found}"
        raise self.environment.refuse("HET107", message, span, help=f"write `{dim}[b]` with an index b over `{per}`")

    def _check_row(self, info: IndexInfo) -> None:
        if info.per is not None and self._find(info.per) is None:
            message = f"the row index `{info.per}` of `{info.name}` is not in scope where `{info.name}` is introduced"
            raise self.environment.refuse("HET107", message, info.span)


def _count(number: int, noun: str) -> str:
    plural = "indices" if noun == "index" else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"
