"""A function's parameters as declarations and dims, and the decorator's `grows`.

Parameters before `*` are tensors by their annotation, those behind it dims by their default:

    def scan(x: bf16["B", "E"], keys: memory(fp8["B", "T", "D"]), *, B=le(64), T=le(4096, per="B"), E=256, D=64)
"""

from __future__ import annotations

import ast as python
from collections.abc import Sequence

from hetc.compiler.embedding.expressions import Expressions, elements, unquoted
from hetc.compiler.embedding.places import refused
from hetc.compiler.embedding.source import Function
from hetc.compiler.frontend.syntax import ast
from hetc.diagnostics import DiagnosticError, Diagnostics
from hetc.source import Span

_TENSOR = 'write `name: bf16["B", "E"]`, `name: weight(...)` or `name: memory(...)`'
_DIM = 'write `B=le(64)`, `T=le(4096, per="B")`, `E=128` or `F="2 * E"`'
ROLES = ("weight", "memory")


class Signature:
    """Reads one function's parameters; mistakes go to `diagnostics`, one for each parameter."""

    def __init__(self, expressions: Expressions, diagnostics: Diagnostics) -> None:
        self.expressions = expressions
        self.places = expressions.places
        self.diagnostics = diagnostics

    def declarations(self, node: Function) -> tuple[ast.Declaration, ...]:
        """Inputs, weights and memories, in order."""
        found: list[ast.Declaration] = []
        arguments = node.args
        plain = [*arguments.posonlyargs, *arguments.args]
        defaulted = plain[len(plain) - len(arguments.defaults) :] if arguments.defaults else []
        for argument in plain:
            try:
                if argument in defaulted:
                    message = f"the tensor `{argument.arg}` has a default; dims, which have one, stand behind `*`"
                    raise refused("HET012", message, self.places.span(argument), _DIM)
                found.append(self._declaration(argument))
            except DiagnosticError as error:
                self.diagnostics.extend(error.diagnostics)
        for extra in (arguments.vararg, arguments.kwarg):
            if extra is not None:
                message = f"`{extra.arg}`: a pipeline's tensors and dims are named one by one"
                self.diagnostics.error("HET012", message, self.places.span(extra))
        return tuple(found)

    def dims(self, node: Function) -> tuple[ast.Dim, ...]:
        """The keyword-only parameters, in order."""
        found: list[ast.Dim] = []
        for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
            try:
                found.append(self._dim(argument, default))
            except DiagnosticError as error:
                self.diagnostics.extend(error.diagnostics)
        return tuple(found)

    def growth(self, keywords: Sequence[python.keyword]) -> tuple[ast.Growth, ...]:
        """`grows={"T": 1}` of the decorator or of a step."""
        found: list[ast.Growth] = []
        for keyword in keywords:
            if keyword.arg != "grows" or is_none(keyword.value):
                continue
            try:
                found.extend(self._growth(keyword.value))
            except DiagnosticError as error:
                self.diagnostics.extend(error.diagnostics)
        return tuple(found)

    def _growth(self, node: python.expr) -> list[ast.Growth]:
        if not isinstance(node, python.Dict) or None in node.keys:
            message = "what a step grows is read as text: a dict of names and numbers of rows"
            raise refused("HET012", message, self.places.span(node), 'write `grows={"T": 1}`')
        found = []
        for key, value in zip(node.keys, node.values, strict=True):
            assert key is not None
            dim, by = self.expressions.quoted(key), self.expressions.quoted(value)
            if not isinstance(dim, ast.Name):
                raise refused("HET012", "expected the name of a dim", dim.span, 'write `grows={"T": 1}`')
            found.append(ast.Growth(dim, by, dim.span.merge(by.span)))
        return found

    def _dim(self, argument: python.arg, default: python.expr | None) -> ast.Dim:
        span = self.places.span(argument)
        name = self.expressions.name(argument.arg, Span(span.file, span.start, span.start + len(argument.arg)))
        if argument.annotation is not None:
            help = f"tensors stand before `*`; for a dim {_DIM}"
            raise refused("HET012", f"the dim `{name.name}` has an annotation", name.span, help)
        if default is None:
            raise refused("HET012", f"the dim `{name.name}` has no size", name.span, _DIM)
        whole = name.span.merge(self.places.span(default))
        if isinstance(default, python.Call) and word_of(default.func) == "le":
            bound, per = self._bound(default)
            return ast.Dim(name.name, None, bound, per, name.span, whole)
        return ast.Dim(name.name, self.expressions.quoted(default), None, None, name.span, whole)

    def _bound(self, node: python.Call) -> tuple[ast.Expr, ast.Name | None]:
        per: ast.Name | None = None
        for keyword in node.keywords:
            found = self.expressions.quoted(keyword.value) if keyword.arg == "per" else None
            if not isinstance(found, ast.Name):
                raise refused("HET012", "`le` takes a bound and `per`", self.places.span(keyword), 'write `per="B"`')
            per = found
        if len(node.args) != 1:
            raise refused("HET012", f"`le` takes one bound, got {len(node.args)}", self.places.span(node), _DIM)
        return self.expressions.quoted(node.args[0]), per

    def _declaration(self, argument: python.arg) -> ast.Declaration:
        span = self.places.span(argument)
        name = self.expressions.name(argument.arg, Span(span.file, span.start, span.start + len(argument.arg)))
        if argument.annotation is None:
            raise refused("HET012", f"`{name.name}` has no dtype", name.span, _TENSOR)
        return self._typed(self.expressions, argument.annotation, name, span)

    def _typed(self, expressions: Expressions, node: python.expr, name: ast.Name, span: Span) -> ast.Declaration:
        """The declaration that an annotation makes."""
        places = expressions.places
        if isinstance(node, python.Constant) and isinstance(node.value, str):
            return self._typed(Expressions(places.inside(node)), unquoted(node, places), name, span)
        role, initial, layout = "input", None, None
        if isinstance(node, python.Call) and word_of(node.func) in ROLES:
            role = str(word_of(node.func))
            inner, options = _argument(expressions, node, ("initial", "layout"))
            initial, layout = options.get("initial"), options.get("layout")
            if options and role != "memory":
                first = next(iter(options.values()))
                raise refused("HET201", "only a memory has an initial value and a layout", first.span)
            node = inner
        sparse, stored, ring = False, None, False
        if isinstance(node, python.Call) and word_of(node.func) == "ring":
            ring = True
            node, _ = _argument(expressions, node, ())
        if isinstance(node, python.Call) and word_of(node.func) == "sparse":
            sparse = True
            node, options = _argument(expressions, node, ("stored",))
            stored = options.get("stored")
            if stored is None:
                message = f"the sparse tensor `{name.name}` needs a bound on its stored entries"
                raise refused("HET102", message, span, 'write `sparse(u8["V", "N"], stored=2e9)`')
        dtype, extents = self._shaped(expressions, node)
        return ast.Declaration(role, name.name, dtype, extents, sparse, stored, initial, name.span, span, ring, layout)

    def _shaped(self, expressions: Expressions, node: python.expr) -> tuple[ast.Name, tuple[ast.Expr, ...]]:
        """`bf16["B", 64, "V + P"]`, or `f32` for a single value."""
        extents: tuple[ast.Expr, ...] = ()
        place = node
        if isinstance(node, python.Subscript):
            extents = tuple(expressions.quoted(item) for item in elements(node.slice))
            place = node.value
        word = word_of(place)
        span = expressions.places.span(place)
        if word is None:
            raise refused("HET012", "expected a dtype with extents", span, _TENSOR)
        return expressions.name(word, span), extents


def word_of(node: python.expr) -> str | None:
    """`bf16`, also as `hetc.bf16`."""
    if isinstance(node, python.Attribute) and isinstance(node.value, python.Name):
        return node.attr
    return node.id if isinstance(node, python.Name) else None


def is_none(node: python.expr) -> bool:
    return isinstance(node, python.Constant) and node.value is None


def _argument(
    expressions: Expressions, node: python.Call, known: tuple[str, ...]
) -> tuple[python.expr, dict[str, ast.Expr]]:
    """The one plain argument of `memory(...)` and its like, and the values of its options."""
    options: dict[str, ast.Expr] = {}
    for keyword in node.keywords:
        if keyword.arg not in known:
            message = f"`{word_of(node.func)}` takes no argument `{keyword.arg}`"
            raise refused("HET108", message, expressions.places.span(keyword))
        options[str(keyword.arg)] = expressions.quoted(keyword.value)
    if len(node.args) != 1:
        message = f"`{word_of(node.func)}` takes one dtype with extents, got {len(node.args)}"
        raise refused("HET108", message, expressions.places.span(node), _TENSOR)
    return node.args[0], options
