"""`concat[n](a[b, n], c[b, n])`: pieces of one tensor after another along an index, as a choice by position."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.syntax import ast
from hetc.compiler.vocabulary import Kind, table
from hetc.source import Span

_ALONG = table(Kind.ALONG, Kind.CONVERSION)


@dataclass(frozen=True)
class _Extent:
    """How far one argument goes along the index: its key, and the same as an expression."""

    key: int | str
    value: ast.Expr


def expand_concat(statement: ast.Define, environment: Environment) -> ast.Define:
    """The statement with every `concat` as nested `where`s of shifted arguments. The index keeps its place; where
    its binder gives no bound and all arguments have constant extents, it gets their sum. Raises Refused."""
    if not any(isinstance(node, ast.Call) and node.function == "concat" for node, _ in ast.walk(statement.value)):
        return statement
    expansion = _Expansion(environment)
    value = expansion.rewrite(statement.value)
    targets = tuple(
        replace(
            target,
            indices=tuple(expansion.bounded(item) if isinstance(item, ast.Index) else item for item in target.indices),
        )
        for target in statement.targets
    )
    return replace(statement, targets=targets, value=value)


class _Expansion:
    def __init__(self, environment: Environment):
        self.environment = environment
        self.totals: dict[str, ast.Number] = {}

    def rewrite(self, expr: ast.Expr) -> ast.Expr:
        inner = ast.replace_children(expr, self.rewrite)
        if not isinstance(inner, ast.Call) or not inner.indices:
            return inner
        if inner.function == "concat":
            return self._concat(inner)
        if inner.function in _ALONG:  # their index is introduced elsewhere
            return inner
        indices = tuple(self.bounded(index) for index in inner.indices)
        for index in inner.indices:
            self.totals.pop(index.name, None)
        return replace(inner, indices=indices)

    def bounded(self, index: ast.Index) -> ast.Index:
        total = self.totals.get(index.name)
        return replace(index, bound=total) if total is not None and index.bound is None else index

    def _concat(self, call: ast.Call) -> ast.Expr:
        environment = self.environment
        if len(call.indices) != 1 or call.indices[0].bound is not None or call.keywords or len(call.arguments) < 2:
            message = "`concat` takes one index, without a bound, and two or more tensors"
            raise environment.refuse("HET108", message, call.span, help="write `y[b, n] = concat[n](a[b, n], c[b, n])`")
        index = call.indices[0]
        extents = [self._extent(argument, index) for argument in call.arguments]
        keys = [extent.key for extent in extents]
        if all(isinstance(key, int) for key in keys):
            self.totals[index.name] = ast.Number(sum(int(key) for key in keys), call.span)
        starts: list[ast.Expr] = [ast.Number(0, call.span)]
        for extent in extents[:-1]:
            starts.append(_plus(starts[-1], extent.value, call.span))
        position = ast.Name(index.name, index.span)
        shifted = [
            _substituted(argument, {index.name: ast.Binary("-", position, start, argument.span)})
            for argument, start in zip(call.arguments, starts, strict=True)
        ]
        result = shifted[-1]
        for piece, end in zip(reversed(shifted[:-1]), reversed(starts[1:]), strict=True):
            inside = ast.Binary("<", position, end, call.span)
            result = ast.Call("where", (), (inside, piece, result), (), call.name_span, call.span)
        return result

    def _extent(self, argument: ast.Expr, index: ast.Index) -> _Extent:
        """The extent of the dims that the index indexes alone in one argument."""
        environment = self.environment
        found: list[_Extent] = []
        for node, _ in ast.walk(argument):
            if not isinstance(node, ast.Access) or node.name not in environment.tensors:
                continue
            tensor = environment.tensor(node.name, node.name_span)
            shape = () if tensor.constant is not None else tensor.type.shape
            if len(shape) != len(node.indices):
                continue  # told when the statement is checked
            for key, item in zip(shape, node.indices, strict=True):
                if isinstance(item, ast.Name) and item.name == index.name:
                    found.append(_Extent(key, self._length(key, shape, node)))
        if not found:
            message = f"how far this goes along `{index.name}` is not known: `{index.name}` never indexes a dim alone"
            raise environment.refuse("HET103", message, argument.span)
        if any(other.key != found[0].key for other in found):
            message = f"`{index.name}` has the extent {found[0].key} and another in this argument of `concat`"
            raise environment.refuse("HET104", message, argument.span)
        return found[0]

    def _length(self, key: int | str, shape: tuple[int | str, ...], node: ast.Access) -> ast.Expr:
        if isinstance(key, int):
            return ast.Number(key, node.span)
        per = self.environment.dims[key].per
        if per is None:
            return ast.Name(key, node.span)
        return ast.Access(key, (node.indices[shape.index(per)],), node.name_span, node.span)


def _plus(left: ast.Expr, right: ast.Expr, span: Span) -> ast.Expr:
    if isinstance(left, ast.Number) and isinstance(right, ast.Number):
        return ast.Number(left.value + right.value, span)
    return right if isinstance(left, ast.Number) and left.value == 0 else ast.Binary("+", left, right, span)


def _substituted(expr: ast.Expr, names: Mapping[str, ast.Expr]) -> ast.Expr:
    if isinstance(expr, ast.Name):
        return names.get(expr.name, expr)
    return ast.replace_children(expr, lambda child: _substituted(child, names))
