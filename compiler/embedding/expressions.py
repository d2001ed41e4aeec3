"""Python expressions as expressions of the language: the same nodes that the parser builds from a `.mp` file."""

from __future__ import annotations

import ast as python
from itertools import pairwise

from hetc.compiler.embedding.places import Places, refused
from hetc.compiler.frontend.syntax import ast
from hetc.compiler.frontend.syntax.build import MAX_DIGITS, MAX_INTEGER, MAX_NAME_CHARACTERS
from hetc.compiler.frontend.syntax.elsewhere import instead_of
from hetc.source import Span

# Deeper than anything that the front end accepts, and far from Python's own limit on recursion.
MAX_DEPTH = 150

_BINARY: dict[type, str] = {
    python.Add: "+", python.Sub: "-", python.Mult: "*", python.Div: "/", python.FloorDiv: "//", python.Mod: "%",
    python.Pow: "**", python.BitAnd: "&", python.BitOr: "|", python.BitXor: "^", python.LShift: "<<",
    python.RShift: ">>",
}  # fmt: skip
_COMPARE: dict[type, str] = {
    python.Eq: "==", python.NotEq: "!=", python.Lt: "<", python.LtE: "<=", python.Gt: ">", python.GtE: ">=",
}  # fmt: skip
_UNARY: dict[type, str] = {python.USub: "-", python.UAdd: "+", python.Not: "not", python.Invert: "~"}
# Python's operators that the language has not: spelling, what to write.
_FOREIGN_OPERATORS: dict[type, tuple[str, str]] = {
    python.MatMult: ("`@` is not an operator", "write `sum[k](a[i, k] * b[k, j])`"),
    python.Is: ("`is` is not an operator", "write `==`"),
    python.IsNot: ("`is not` is not an operator", "write `!=`"),
    python.In: ("`in` is not an operator", "write `any[j](a[j] == x)`"),
    python.NotIn: ("`not in` is not an operator", "write `not any[j](a[j] == x)`"),
}
_FOREIGN_NODES: dict[type, tuple[str, str | None]] = {
    python.IfExp: ("there is no `a if c else b`", "write `where(c, a, b)`"),
    python.Lambda: ("there are no functions as values", None),
    python.ListComp: ("there are no comprehensions", "write a reduction: `sum[i](x[i])`"),
    python.SetComp: ("there are no comprehensions", "write a reduction: `sum[i](x[i])`"),
    python.DictComp: ("there are no comprehensions", "write a reduction: `sum[i](x[i])`"),
    python.GeneratorExp: ("there are no comprehensions", "write a reduction: `sum[i](x[i])`"),
    python.Dict: ("braces have no meaning here", None),
    python.Set: ("braces have no meaning here", None),
    python.List: ("lists are not values", None),
    python.Tuple: ("several values stand where one is expected", None),
    python.JoinedStr: ("strings are not values", "options are plain words: `layout=half`"),
    python.NamedExpr: ("`:=` is not an operator", "define the value in a statement of its own"),
    python.Starred: ("`*` unpacks nothing here", None),
    python.Slice: ("there are no slices", "an index runs over its whole dim; write `v < V` for a part"),
    python.Await: ("there is no `await` in this language", None),
    python.Yield: ("there is no `yield` in this language", None),
    python.YieldFrom: ("there is no `yield` in this language", None),
}


class Expressions:
    """Translates expressions of one text. Raises DiagnosticError at what the language has no form for."""

    def __init__(self, places: Places) -> None:
        self.places = places

    def expression(self, node: python.expr) -> ast.Expr:
        """Any expression, however deep."""
        if _depth(node) > MAX_DEPTH:
            message = f"this expression is more than {MAX_DEPTH} operations deep"
            raise refused("HET013", message, self.places.span(node), "split it into statements")
        return self._expression(node)

    def name(self, text: str, span: Span) -> ast.Name:
        """A checked name."""
        if text in ast.LITERALS:
            raise refused("HET012", f"`{text}` is a value, not a name", span)
        if not text.isascii():
            raise refused("HET012", "names are made of ASCII letters, digits and `_`", span)
        if len(text) > MAX_NAME_CHARACTERS:
            message = f"a name of {len(text)} characters; the limit is {MAX_NAME_CHARACTERS}"
            raise refused("HET013", message, span)
        return ast.Name(text, span)

    def quoted(self, node: python.expr) -> ast.Expr:
        """An expression, or a string that holds one: `"V + P"`, as annotations and defaults need them."""
        if isinstance(node, python.Constant) and isinstance(node.value, str):
            return Expressions(self.places.inside(node)).expression(unquoted(node, self.places))
        match node:
            case python.Call(func=python.Name(id="float")):
                return self.expression(node)
            case python.Call() if not any(isinstance(item, python.Call) for item in node.args):
                return self.call(node, quoted=True)
        return self.expression(node)

    def call(self, node: python.Call, quoted: bool = False) -> ast.Call:
        """`exp(x)`, `sum[d](x)`; with `quoted`, as in annotations, also `record("keys")`."""
        span, function = self.places.span(node), node.func
        indices: tuple[ast.Index, ...] = ()
        if isinstance(function, python.Subscript):
            indices = tuple(self.index(item) for item in elements(function.slice))
            function = function.value
        if isinstance(function, python.Attribute):
            help = instead_of(function.attr) or "functions are called as `exp(x)`, not `x.exp()`"
            raise refused("HET012", "names have no parts", self.places.span(function), help)
        if not isinstance(function, python.Name):
            raise refused("HET012", "expected the name of a function before `(`", self.places.span(function))
        name = self.name(function.id, self.places.span(function))
        expression = self.quoted if quoted else self._expression
        arguments = tuple(expression(item) for item in node.args)
        keywords = tuple(self._keyword(item) for item in node.keywords)
        for before, after in pairwise(sorted((*arguments, *keywords), key=lambda item: item.span.start)):
            if isinstance(before, ast.Keyword) and not isinstance(after, ast.Keyword):
                raise refused("HET012", "a plain argument after a named one", after.span)
        return ast.Call(name.name, indices, arguments, keywords, name.span, span)

    def index(self, node: python.expr) -> ast.Index:
        if isinstance(node, python.Name):
            self.name(node.id, self.places.span(node))
        found = as_index(self._expression(node))
        if found is None:
            message = "expected an index (`d`) or a bounded one (`d < 64`)"
            raise refused("HET012", message, self.places.span(node))
        return found

    def target(self, node: python.expr) -> ast.Target:
        """`name` or `name[indices]` on the left of `=`."""
        span = self.places.span(node)
        if isinstance(node, python.Name):
            name = self.name(node.id, span)
            return ast.Target(name.name, (), span, span)
        if isinstance(node, python.Subscript) and isinstance(node.value, python.Name):
            name = self.name(node.value.id, self.places.span(node.value))
            items = (self.expression(item) for item in elements(node.slice))
            return ast.Target(name.name, tuple(as_index(item) or item for item in items), name.span, span)
        raise refused("HET012", "this cannot be assigned to", span, "on the left stands `name` or `name[indices]`")

    def _expression(self, node: python.expr) -> ast.Expr:
        match node:
            case python.Constant():
                return self._literal(node)
            case python.Name(id=name):
                span = self.places.span(node)
                return ast.literal(name, span) or self.name(name, span)
            case python.Subscript():
                return self._access(node)
            case python.Call(func=python.Name(id="float"), args=[python.Constant(value=str(text))], keywords=[]):
                return self._infinity(text, node)
            case python.Call():
                return self.call(node)
            case python.UnaryOp(op=op, operand=operand):
                operator = self._operator(op, _UNARY, node)
                return ast.Unary(operator, self._expression(operand), self.places.span(node))
            case python.BinOp(left=left, op=op, right=right):
                return self._binary(self._operator(op, _BINARY, node), self._expression(left), self._expression(right))
            case python.BoolOp(op=op, values=values):
                return self._joined("and" if isinstance(op, python.And) else "or", values)
            case python.Compare():
                return self._compare(node)
            case python.Attribute(value=python.Name(id="math" | "np" | "numpy" | "torch"), attr="inf"):
                return ast.Number(float("inf"), self.places.span(node))
            case python.Attribute():
                raise refused("HET012", "names have no parts", self.places.span(node))
        message, help = _FOREIGN_NODES.get(type(node), ("this is no expression of the language", None))
        raise refused("HET012", message, self.places.span(node), help)

    def _infinity(self, text: str, node: python.Call) -> ast.Expr:
        """`float("inf")` and `float("-inf")`, as Python spells them without an import."""
        span, word = self.places.span(node), text.strip().lower()
        if word.lstrip("+-") not in ("inf", "infinity") or len(word) - len(word.lstrip("+-")) > 1:
            raise refused("HET012", "strings are not values", self.places.span(node.args[0]), "write the number")
        number = ast.Number(float("inf"), span)
        return ast.Unary("-", number, span) if word.startswith("-") else number

    def _literal(self, node: python.Constant) -> ast.Number | ast.Boolean:
        span, value = self.places.span(node), node.value
        if isinstance(value, bool):
            return ast.Boolean(value, span)
        if isinstance(value, str | bytes):
            raise refused("HET012", "strings are not values", span, "options are plain words: `layout=half`")
        if not isinstance(value, int | float):
            raise refused("HET012", f"`{span.text}` is not a value of the language", span)
        digits = len(span.text.replace("_", ""))
        if digits > MAX_DIGITS:
            raise refused("HET013", f"a number of {digits} digits; the limit is {MAX_DIGITS}", span)
        if isinstance(value, float) and value == float("inf"):
            raise refused("HET013", f"`{span.text}` is larger than any float", span)
        if isinstance(value, int) and value > MAX_INTEGER:
            raise refused("HET013", f"`{span.text}` does not fit 64 bits", span)
        return ast.Number(value, span)

    def _access(self, node: python.Subscript) -> ast.Access:
        if not isinstance(node.value, python.Name):
            raise refused("HET012", "only a tensor's name stands before `[`", self.places.span(node.value))
        name = self.name(node.value.id, self.places.span(node.value))
        indices = tuple(self._expression(item) for item in elements(node.slice))
        return ast.Access(name.name, indices, name.span, self.places.span(node))

    def _keyword(self, node: python.keyword) -> ast.Keyword:
        span = self.places.span(node)
        if node.arg is None:
            raise refused("HET012", "`**` unpacks nothing here", span)
        return ast.Keyword(self.name(node.arg, span).name, self._expression(node.value), span)

    def _joined(self, word: str, values: list[python.expr]) -> ast.Expr:
        result = self._expression(values[0])
        for value in values[1:]:
            result = self._binary(word, result, self._expression(value))
        return result

    def _compare(self, node: python.Compare) -> ast.Expr:
        """`a < b <= c` means `a < b and b <= c`."""
        result: ast.Expr | None = None
        left = self._expression(node.left)
        for op, item in zip(node.ops, node.comparators, strict=True):
            right = self._expression(item)
            link = self._binary(self._operator(op, _COMPARE, node), left, right)
            result, left = link if result is None else self._binary("and", result, link), right
        assert result is not None
        return result

    def _binary(self, operator: str, left: ast.Expr, right: ast.Expr) -> ast.Binary:
        return ast.Binary(operator, left, right, left.span.merge(right.span))

    def _operator(self, op: python.AST, known: dict[type, str], node: python.expr) -> str:
        if type(op) in known:
            return known[type(op)]
        message, help = _FOREIGN_OPERATORS[type(op)]
        raise refused("HET012", message, self.places.span(node), help)


def elements(node: python.expr) -> list[python.expr]:
    """What stands in brackets, separated by commas."""
    return node.elts if isinstance(node, python.Tuple) else [node]


def as_index(item: ast.Expr) -> ast.Index | None:
    """`d` or `d < 64` as an index that is introduced here."""
    if isinstance(item, ast.Name):
        return ast.Index(item.name, None, item.span)
    if isinstance(item, ast.Binary) and item.operator == "<" and isinstance(item.left, ast.Name):
        return ast.Index(item.left.name, item.right, item.span)
    return None


def unquoted(literal: python.Constant, places: Places) -> python.expr:
    """The expression that a string holds."""
    try:
        return python.parse(str(literal.value), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two: nested too deeply
        message = f"{places.span(literal).text} holds no expression"
        raise refused("HET012", message, places.span(literal)) from None


def _depth(node: python.expr) -> int:
    """How deep expressions nest, without recursion."""
    deepest, pending = 0, [(node, 1)]
    while pending:
        item, depth = pending.pop()
        deepest = max(deepest, depth)
        for child in python.iter_child_nodes(item):
            if isinstance(child, python.expr):
                pending.append((child, depth + 1))
            elif isinstance(child, python.keyword):
                pending.append((child.value, depth + 1))
    return deepest
