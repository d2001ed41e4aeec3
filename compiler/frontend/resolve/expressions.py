"""Syntax tree to typed tree: the expressions of one statement, with every name resolved and every index's extent.

The extent of an index is known where its scope ends, and what stands inside mentions it before. So an expression is
visited first: names are checked, and what its brackets say of indices is collected. Visiting gives how the node is
built once all indices of the statement are settled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

from hetc.compiler.frontend.resolve import typed
from hetc.compiler.frontend.resolve.constraints import Constraint, limited, warn_of_negative_places
from hetc.compiler.frontend.resolve.environment import Environment, Refused
from hetc.compiler.frontend.resolve.flat import flatten
from hetc.compiler.frontend.resolve.folding import apply, binary, unary
from hetc.compiler.frontend.resolve.functions import check_call, check_reduction
from hetc.compiler.frontend.resolve.guarded_reads import Limit, limits
from hetc.compiler.frontend.resolve.scope import Open, Scope
from hetc.compiler.frontend.resolve.typed import Axis
from hetc.compiler.frontend.syntax import ast
from hetc.compiler.frontend.syntax.expression_nodes import free_names
from hetc.diagnostics import Related

Build: TypeAlias = Callable[[Sequence[Axis]], typed.Expr]
"""How a node is built, given the indices around it. Raises Refused after a diagnostic."""


def resolve(
    environment: Environment,
    indices: Sequence[ast.Index],
    values: Sequence[ast.Expr],
    constraints: Sequence[Iterable[Constraint]] = (),
    loose: int = 0,
) -> tuple[list[Axis], list[typed.Expr]]:
    """The indices that a statement runs over with their extents, and its expressions. `constraints`: what is known of
    each index besides. The last `loose` indices become one. Raises Refused after a diagnostic."""
    visitor = _Visitor(environment)
    for position, index in enumerate(indices):
        visitor.open(index, constraints[position] if constraints else ())
    builds = [visitor.visit(value) for value in values]
    axes = visitor.scope.close(len(indices), loose)
    return axes, [build(axes) for build in builds]


class _Visitor:
    """Visits the expressions of one statement."""

    def __init__(self, environment: Environment):
        self.environment = environment
        self.scope = Scope(environment)
        # What conditions around the expression at hand say of indices.
        self.limits: tuple[Limit, ...] = ()

    def open(self, index: ast.Index, constraints: Iterable[Constraint] = ()) -> None:
        """Brings an index into scope, and visits its bound."""
        self.scope.add(index, constraints)
        if index.bound is not None:
            self.visit(index.bound, is_bound=True)

    def visit(self, expr: ast.Expr, is_bound: bool = False) -> Build:
        """Collects what an expression says of indices, names checked on the way."""
        match expr:
            case ast.Number(value=value) | ast.Boolean(value=value):
                literal = typed.Literal(value, expr.span)
                return lambda scope: literal
            case ast.Name():
                return self._name(expr, is_bound)
            case ast.Access():
                return self._access(expr)
            case ast.Unary():
                operand = self.visit(expr.operand, is_bound)
                return lambda scope: unary(expr, operand(scope), self.environment)
            case ast.Binary(operator=operator, left=left, right=right):
                if operator in ("and", "or"):  # where one side decides, the other is not asked
                    first = self._visit_where(left, limits(right, operator == "and", self.environment))
                    second = self._visit_where(right, limits(left, operator == "and", self.environment))
                else:
                    first, second = self.visit(left, is_bound), self.visit(right, is_bound)
                return lambda scope: binary(expr, first(scope), second(scope), self.environment)
            case ast.Call(indices=()):
                check_call(expr, self.environment)
                if expr.function == "where":
                    return self._where(expr)
                arguments = [self.visit(argument, is_bound) for argument in expr.arguments]
                return lambda scope: apply(expr, tuple(argument(scope) for argument in arguments), self.environment)
        return self._along(expr) if expr.function in self.environment.along else self._reduction(expr)

    def _visit_where(self, expr: ast.Expr, known: Iterable[Limit]) -> Build:
        """Visits where more is known of indices."""
        around = self.limits
        self.limits = (*around, *known)
        build = self.visit(expr)
        self.limits = around
        return build

    def _name(self, expr: ast.Name, is_bound: bool) -> Build:
        environment, span = self.environment, expr.span
        if self.scope.find(expr) is not None:
            environment.used.add(expr.name)
            return lambda scope: typed.IndexValue(expr.name, span)
        if expr.name in environment.dims:
            environment.used.add(expr.name)
            return self._dim(expr)
        if expr.name in environment.tensors:
            return self._single(expr)
        if expr.name in environment.broken:
            environment.used.add(expr.name)
            return _refused
        candidates = [*self.scope.names(), *environment.dims, *environment.tensors]
        raise environment.unknown(expr.name, span, "dim" if is_bound else "name", candidates)

    def _dim(self, expr: ast.Name) -> Build:
        dim, span = self.environment.dims[expr.name], expr.span
        if dim.size is not None:
            literal = typed.Literal(dim.size, span)
            return lambda scope: literal
        per = dim.per
        if per is None:
            return lambda scope: typed.DimSize(dim.name, None, span)
        return lambda scope: typed.DimSize(
            dim.name, typed.IndexValue(self.scope.row_of(dim.name, per, scope, span), span), span
        )

    def _single(self, expr: ast.Name) -> Build:
        """A tensor without indices: it has one element."""
        tensor = self.environment.tensor(expr.name, expr.span)

        def build(scope: Sequence[Axis]) -> typed.Expr:
            if tensor.constant is not None:
                return typed.Literal(tensor.constant, expr.span)
            if tensor.type.rank:
                extents = ", ".join(map(str, tensor.type.shape))
                message = f"`{expr.name}` is a tensor of extents [{extents}]; it needs its indices here"
                raise self.environment.refuse("HET105", message, expr.span)
            return typed.Read(tensor, (), expr.span)

        return build

    def _access(self, expr: ast.Access) -> Build:
        environment = self.environment
        if expr.name not in environment.tensors and expr.name in environment.dims:
            return self._dim_of_row(expr)
        tensor = environment.tensor(expr.name, expr.name_span)
        shape = () if tensor.constant is not None else tensor.type.shape
        if len(shape) != len(expr.indices):
            message = f"`{expr.name}` has {_count(len(shape), 'dim')}, but {_count(len(expr.indices), 'index')} here"
            related = (Related(tensor.span, f"its extents are [{', '.join(map(str, shape))}]"),)
            raise environment.refuse("HET105", message, expr.span, related=related)
        warn_of_negative_places(expr, shape, environment)
        places: list[Build] = []
        for position, (key, item) in enumerate(zip(shape, expr.indices, strict=True)):
            found = self.scope.find(item)
            if found is None:
                places.append(self.visit(item))
                continue
            dim = environment.dim_of_extent(key)
            row = self._row_index(dim.name, dim.per, shape, expr, found) if dim and dim.per else None
            what = f"dim {position + 1} of `{expr.name}`"
            found.constraints.append(limited(Constraint(key, row, item.span, what), self.limits, found.index.name))
            index = typed.IndexValue(found.index.name, item.span)
            places.append(lambda scope, index=index: index)  # type: ignore[misc]
        return lambda scope: typed.Read(tensor, tuple(place(scope) for place in places), expr.span)

    def _row_index(self, dim: str, per: str, shape: tuple[int | str, ...], expr: ast.Access, found: Open) -> str | None:
        """The plain index at the place of `per` in the brackets of `expr`."""
        row = expr.indices[shape.index(per)]
        if isinstance(row, ast.Name) and self.scope.find(row) is not None:
            return row.name
        if found.index.bound is None:
            message = f"`{dim}` has one length for each row of `{per}`, but this row is computed"
            help = f"give `{found.index.name}` a bound where it is introduced"
            raise self.environment.refuse("HET107", message, row.span, help=help)
        return None

    def _dim_of_row(self, expr: ast.Access) -> Build:
        """`T[b]`: the length of one row."""
        environment = self.environment
        environment.used.add(expr.name)
        dim = environment.dims[expr.name]
        related = (Related(dim.span, "declared here"),)
        if dim.per is None:
            message = f"dim `{expr.name}` is one value, not one for each row"
            raise environment.refuse("HET105", message, expr.span, related=related, help=f"write `{expr.name}`")
        item = expr.indices[0]
        found = self.scope.find(item)
        if len(expr.indices) != 1 or found is None:
            message = f"`{expr.name}` takes one index, the index over `{dim.per}`"
            raise environment.refuse("HET107", message, expr.span, related=related)
        found.constraints.append(Constraint(dim.per, None, item.span, f"the row of `{expr.name}`"))
        size = typed.DimSize(expr.name, typed.IndexValue(found.index.name, item.span), expr.span)
        return lambda scope: size

    def _where(self, expr: ast.Call) -> Build:
        condition = self.visit(expr.arguments[0])
        then, *otherwise = expr.arguments[1:]
        others = free_names(otherwise[0]) if otherwise else {}
        branches: list[Build] = []
        for branch, holds in zip((then, *otherwise), (True, False), strict=False):
            known = limits(expr.arguments[0], holds, self.environment)
            branches.append(self._visit_where(branch, [replace(item, decides=item.index in others) for item in known]))

        def build(scope: Sequence[Axis]) -> typed.Expr:
            asked = condition(scope)
            values = [branch(scope) for branch in branches]
            return typed.Where(asked, values[0], values[1] if otherwise else None, expr.span)

        return build

    def _along(self, expr: ast.Call) -> Build:
        """A call whose indices are introduced around it."""
        for index in expr.indices:
            if self.scope.find(ast.Name(index.name, index.span)) is None:
                message = f"`{expr.function}` keeps its index, but `{index.name}` is not in scope here"
                help = f"put `{index.name}` on the left, or into a reduction around"
                raise self.environment.refuse("HET103", message, index.span, help=help)
        row = self.environment.along[expr.function]
        arguments = [self.visit(child) for child in expr.arguments]
        named = {item.name: self.visit(item.value) for item in expr.keywords if item.name in row.values}

        def build(scope: Sequence[Axis]) -> typed.Expr:
            values = {name: value(scope) for name, value in named.items()}
            return row.resolve(expr, [argument(scope) for argument in arguments], values, scope, self.environment)

        return build

    def _reduction(self, expr: ast.Call) -> Build:
        check_reduction(expr, self.environment)
        for index in expr.indices:
            self.open(index)
        (argument,) = [self.visit(argument) for argument in expr.arguments]
        # A mean of means is none of all where rows are absent: it goes once through several indices.
        several = expr.function == "mean" and len(expr.indices) > 1
        axes = tuple(self.scope.close(len(expr.indices), len(expr.indices) if several else 0))

        def build(scope: Sequence[Axis]) -> typed.Expr:
            flat = flatten(axes, scope, self.environment, expr.span) if several else None
            return typed.Reduction(expr.function, axes, argument((*scope, *axes)), expr.hoisted, expr.span, flat)

        return build


def _refused(scope: Sequence[Axis]) -> typed.Expr:
    """In the place of a name whose declaration was refused: nothing more is said."""
    raise Refused


def _count(number: int, noun: str) -> str:
    plural = "indices" if noun == "index" else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"
