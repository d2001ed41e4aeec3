"""Builds syntax tree nodes from what the grammar recognised, bottom up and without recursion."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, TypeVar

from lark import Token, Tree
from lark.visitors import Transformer_NonRecursive

from hetc.compiler.frontend.syntax import ast
from hetc.diagnostics import DiagnosticError, Diagnostics
from hetc.source import SourceFile, Span

MAX_NAME_CHARACTERS = 100
MAX_DIGITS = 40
MAX_INTEGER = 2**63 - 1

Part = Any  # a token, a node, a tuple of nodes, or None for what was left out
Node = TypeVar("Node")


def _of(parts: list[Part], kind: type[Node]) -> tuple[Node, ...]:
    return tuple(part for part in parts if isinstance(part, kind))


def _expressions(parts: list[Part]) -> tuple[ast.Expr, ...]:
    kinds = (ast.Number, ast.Boolean, ast.Name, ast.Access, ast.Unary, ast.Binary, ast.Call)
    return tuple(part for part in parts if isinstance(part, kinds))


class TreeBuilder(Transformer_NonRecursive[Token, Any]):
    """One method a grammar rule; each takes the rule's tokens and built children."""

    def __init__(self, source: SourceFile, diagnostics: Diagnostics):
        super().__init__()
        self.source = source
        self.diagnostics = diagnostics

    def build(self, tree: Tree[Token]) -> Any:
        return self.transform(tree)

    # Expressions

    def number(self, parts: list[Part]) -> ast.Number:
        (token,) = parts
        span = self._span(token)
        digits = token.replace("_", "")
        if len(digits) > MAX_DIGITS:
            raise self._refuse("HET013", f"a number of {len(digits)} digits; the limit is {MAX_DIGITS}", span)
        is_integer = digits.isdigit()
        value: int | float = int(digits) if is_integer else float(digits)
        if not is_integer and value == float("inf"):
            raise self._refuse("HET013", f"`{token}` is larger than any float", span)
        if is_integer and value > MAX_INTEGER:
            raise self._refuse("HET013", f"`{token}` does not fit 64 bits", span)
        return ast.Number(value, span)

    def name(self, parts: list[Part]) -> ast.Expr:
        (token,) = parts
        return ast.literal(str(token), self._span(token)) or self._name(token)

    def plain_name(self, parts: list[Part]) -> ast.Name:
        return self._name(parts[0])

    def access(self, parts: list[Part]) -> ast.Access:
        name = self._name(parts[0])
        return ast.Access(name.name, parts[2], name.span, self._span(parts[0], parts[-1]))

    def call(self, parts: list[Part]) -> ast.Call:
        return self._call(parts[0], (), parts[2] or (), parts[-1])

    def indexed_call(self, parts: list[Part]) -> ast.Call:
        indices = tuple(self._index(item) for item in parts[2])
        return self._call(parts[0], indices, parts[5] or (), parts[-1])

    def keyword(self, parts: list[Part]) -> ast.Keyword:
        return ast.Keyword(self._name(parts[0]).name, parts[2], self._span(parts[0], parts[2]))

    def arguments(self, parts: list[Part]) -> tuple[Any, ...]:
        return tuple(part for part in parts if part is not None and not isinstance(part, Token))

    def parenthesized(self, parts: list[Part]) -> ast.Expr:
        return parts[1]

    def binary(self, parts: list[Part]) -> ast.Binary:
        left, operator, right = parts
        return ast.Binary(str(operator), left, right, self._span(left, right))

    def compare(self, parts: list[Part]) -> ast.Expr:
        """`a < b <= c` means `a < b and b <= c`."""
        result: ast.Expr | None = None
        for position in range(0, len(parts) - 2, 2):
            left, operator, right = parts[position : position + 3]
            link = ast.Binary(str(operator), left, right, self._span(left, right))
            result = link if result is None else ast.Binary("and", result, link, self._span(result, link))
        assert result is not None
        return result

    def unary(self, parts: list[Part]) -> ast.Expr:
        operator, operand = parts
        return ast.Unary(str(operator), operand, self._span(operator, operand))

    def items(self, parts: list[Part]) -> tuple[ast.Expr, ...]:
        return _expressions(parts)

    # Statements

    def statements(self, parts: list[Part]) -> tuple[ast.Statement, ...]:
        return tuple(part for part in parts if isinstance(part, ast.Define | ast.Effect))

    def bare(self, parts: list[Part]) -> ast.Effect:
        (items,) = parts
        if len(items) == 1 and isinstance(items[0], ast.Call):
            return ast.Effect(items[0], items[0].span)
        span = self._span(items[0], items[-1])
        help = "a statement is `name[indices] = value`, `append(...)` or `clear(...)`"
        raise self._refuse("HET012", "this expression does nothing", span, help=help)

    def define(self, parts: list[Part]) -> ast.Define:
        items, operator, value = parts
        targets = tuple(self._target(item) for item in items)
        return ast.Define(targets, str(operator), value, self._span(items[0], value))

    # Declarations

    def header(self, parts: list[Part]) -> tuple[ast.Name, tuple[ast.Growth, ...]]:
        return self._name(parts[1]), _of(parts, ast.Growth)

    def growth(self, parts: list[Part]) -> ast.Growth:
        return ast.Growth(self._name(parts[0]), parts[2], self._span(parts[0], parts[2]))

    def declarations(self, parts: list[Part]) -> tuple[Any, ...]:
        return tuple(part for part in parts if part is not None and not isinstance(part, Token))

    def fixed_dim(self, parts: list[Part]) -> ast.Dim:
        name = self._name(parts[1])
        return ast.Dim(name.name, parts[3], None, None, name.span, self._span(parts[0], parts[3]))

    def bounded_dim(self, parts: list[Part]) -> ast.Dim:
        name = self._name(parts[1])
        per = self._name(parts[5]) if parts[5] is not None else None
        return ast.Dim(name.name, None, parts[3], per, name.span, self._span(parts[0], per or parts[3]))

    def tensor(self, parts: list[Part]) -> ast.Declaration:
        role, name_token, _, storage, dtype, shape, stored, initial, layout = parts
        name = self._name(name_token)
        last = next(part for part in (layout, initial, stored, shape, dtype) if part is not None)
        return ast.Declaration(
            role=str(role),
            name=name.name,
            dtype=self._name(dtype),
            extents=shape[0] if shape is not None else (),
            sparse=storage == "sparse",
            ring=storage == "ring",
            stored_bound=stored,
            initial=initial,
            layout=layout,
            name_span=name.span,
            span=self._span(role, last[1] if last is shape else last),
        )

    def shape(self, parts: list[Part]) -> tuple[tuple[ast.Expr, ...], Token]:
        return parts[1], parts[2]

    def stored(self, parts: list[Part]) -> ast.Expr:
        return parts[2]

    def initial(self, parts: list[Part]) -> ast.Expr:
        return parts[1]

    def layout(self, parts: list[Part]) -> ast.Expr:
        return parts[1]

    def outputs(self, parts: list[Part]) -> tuple[ast.Output, ...]:
        return _of(parts, ast.Output)

    def output(self, parts: list[Part]) -> ast.Output:
        name = self._name(parts[0])
        dtype = self._name(parts[2]) if parts[2] is not None else None
        return ast.Output(name.name, dtype, name.span)

    def stage(self, parts: list[Part]) -> ast.Stage:
        word, pin, colon, statements = parts
        return ast.Stage(str(word), pin, statements or (), self._span(word, colon))

    def repeat(self, parts: list[Part]) -> ast.Repeat:
        word, count, colon, statements = parts
        return ast.Repeat(count, statements or (), self._span(word, colon))

    def when(self, parts: list[Part]) -> ast.When:
        word, condition, colon, statements = parts
        return ast.When(condition, statements or (), self._span(word, colon))

    def loop(self, parts: list[Part]) -> ast.Loop:
        word, index, _, extent, colon, statements = parts
        return ast.Loop(self._name(index), extent, statements or (), self._span(word, colon))

    def indices(self, parts: list[Part]) -> tuple[ast.Name, ...]:
        return self.parameters(parts)

    def parameters(self, parts: list[Part]) -> tuple[ast.Name, ...]:
        return tuple(self._name(part) for part in parts if isinstance(part, Token) and part.type == "NAME")

    def returned(self, parts: list[Part]) -> tuple[ast.Expr, ...]:
        return parts[1]

    def step(self, parts: list[Part]) -> ast.Step:
        """The head of a step; its stages and outputs stand below it."""
        return ast.Step(self._name(parts[1]).name, parts[2], _of(parts, ast.Growth), (), (), self._span(parts[1]))

    def function(self, parts: list[Part]) -> ast.Function:
        """The head of a function, and what it returns where that stands on the same line."""
        word, name_token, indices, parameters, colon, returned = parts
        name, span = self._name(name_token), self._span(word, colon)
        return ast.Function(name.name, indices or (), parameters, (), returned or (), name.span, span)

    def pin(self, parts: list[Part]) -> ast.Name:
        return self._name(parts[1])

    # Helpers

    def _call(self, head: Token, indices: tuple[ast.Index, ...], arguments: tuple[Any, ...], close: Token) -> ast.Call:
        name = self._name(head)
        keywords = _of(list(arguments), ast.Keyword)
        plain = tuple(item for item in arguments if not isinstance(item, ast.Keyword))
        for before, after in pairwise(arguments):
            if isinstance(before, ast.Keyword) and not isinstance(after, ast.Keyword):
                raise self._refuse("HET012", "a plain argument after a named one", after.span)
        return ast.Call(name.name, indices, plain, keywords, name.span, self._span(head, close))

    def _index(self, item: ast.Expr) -> ast.Index:
        found = _as_index(item)
        self._check_name(item)
        if found is None:
            raise self._refuse("HET012", "expected an index (`d`) or a bounded one (`d < 64`)", item.span)
        return found

    def _target(self, item: ast.Expr) -> ast.Target:
        if isinstance(item, ast.Name):
            return ast.Target(item.name, (), item.span, item.span)
        if isinstance(item, ast.Access):
            indices = tuple(_as_index(index) or index for index in item.indices)
            return ast.Target(item.name, indices, item.name_span, item.span)
        self._check_name(item)
        raise self._refuse(
            "HET012", "this cannot be assigned to", item.span, help="on the left stands `name` or `name[indices]`"
        )

    def _check_name(self, item: ast.Expr) -> None:
        """Refuses `true`, and `inf < 4`, where the name of something stands."""
        place = item.left if isinstance(item, ast.Binary) else item
        if place.span.text in ast.LITERALS:
            raise self._refuse("HET012", f"`{place.span.text}` is a value, not a name", place.span)

    def _name(self, token: Token) -> ast.Name:
        span = self._span(token)
        if len(token) > MAX_NAME_CHARACTERS:
            message = f"a name of {len(token)} characters; the limit is {MAX_NAME_CHARACTERS}"
            raise self._refuse("HET013", message, span)
        if token in ast.LITERALS:
            raise self._refuse("HET012", f"`{token}` is a value, not a name", span)
        return ast.Name(str(token), span)

    def _span(self, first: Any, last: Any = None) -> Span:
        last = first if last is None else last
        start = first.start_pos if isinstance(first, Token) else first.span.start
        end = last.end_pos if isinstance(last, Token) else last.span.end
        assert start is not None and end is not None
        return Span(self.source, start, end)

    def _refuse(self, code: str, message: str, span: Span, help: str | None = None) -> DiagnosticError:
        only = Diagnostics()
        only.error(code, message, span, help=help)
        return DiagnosticError(only.sorted())


def _as_index(item: ast.Expr) -> ast.Index | None:
    if isinstance(item, ast.Name):
        return ast.Index(item.name, None, item.span)
    if isinstance(item, ast.Binary) and item.operator == "<" and isinstance(item.left, ast.Name):
        return ast.Index(item.left.name, item.right, item.span)
    return None
