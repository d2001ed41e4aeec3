"""A function's body as stages, statements and outputs."""

from __future__ import annotations

import ast as python
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hetc.compiler.embedding.expressions import Expressions
from hetc.compiler.embedding.places import refused
from hetc.compiler.embedding.words import BLOCK_WORDS, STAGE_WORDS
from hetc.compiler.frontend import ast
from hetc.diagnostics import DiagnosticError, Diagnostics, suggest
from hetc.source import Span

_WHERE = "statements stand in a stage: `with relevancy:` and indented lines"
_STATEMENT = "a statement is `name[indices] = value` or `append(...)`"
_AUGMENTED: dict[type, str] = {python.Add: "+=", python.Sub: "-=", python.Mult: "*=", python.Div: "/="}
# Constructs of the language that are not compiled yet, by how Python code spells them.
UNSUPPORTED_BLOCKS = {"step": "several steps in a pipeline"}
_BLOCK_ARGUMENTS = {"repeat": ("how often its block runs", "repeat(5)"), "when": ("one condition", "when(x > 0)")}
_UNSUPPORTED: dict[type, tuple[str, str]] = {
    python.FunctionDef: ("def", "functions"),
}
_FOREIGN: dict[type, tuple[str, str | None]] = {
    python.If: ("if", "write `where(c, a, b)`"),
    python.While: ("while", None),
    python.Import: ("import", "import at the top of the file: the body is not executed"),
    python.ImportFrom: ("import", "import at the top of the file: the body is not executed"),
    python.ClassDef: ("class", None),
    python.AsyncFunctionDef: ("async", None),
    python.AsyncFor: ("async", None),
    python.AsyncWith: ("async", None),
    python.Try: ("try", None),
    python.TryStar: ("try", None),
    python.Raise: ("raise", None),
    python.Assert: ("assert", None),
    python.Delete: ("del", None),
    python.Global: ("global", "nothing outside of the function is visible in it"),
    python.Nonlocal: ("nonlocal", "nothing outside of the function is visible in it"),
    python.Match: ("match", None),
    python.Break: ("break", None),
    python.Continue: ("continue", None),
}


@dataclass
class Body:
    """What a body holds, in order."""

    doc: str = ""
    stages: list[ast.Stage] = field(default_factory=list)
    outputs: tuple[ast.Output, ...] = ()


class BodyReader:
    """Reads a body; mistakes go to `diagnostics`, one for each statement."""

    def __init__(self, expressions: Expressions, diagnostics: Diagnostics) -> None:
        self.expressions = expressions
        self.places = expressions.places
        self.diagnostics = diagnostics

    def read(self, statements: Sequence[python.stmt]) -> Body:
        """Docstring, `with STAGE:` blocks, `return`."""
        body = Body()
        for position, node in enumerate(statements):
            try:
                if isinstance(node, python.With):
                    body.stages.append(self._stage(node))
                elif isinstance(node, python.Return):
                    body.outputs = self._outputs(node)
                    if position < len(statements) - 1:
                        message = "`return` stands last: nothing may follow what a pipeline gives"
                        raise refused("HET012", message, self._head(node, "return"))
                elif _is_text(node):
                    body.doc = self._doc(node, position)
                elif not isinstance(node, python.Pass):
                    raise self._misplaced(node)
            except DiagnosticError as error:
                self.diagnostics.extend(error.diagnostics)
        return body

    def _doc(self, node: python.stmt, position: int) -> str:
        if position:
            raise refused("HET012", "a docstring stands first in its pipeline", self.places.span(node))
        assert isinstance(node, python.Expr) and isinstance(node.value, python.Constant)
        return str(node.value.value).strip()

    def _stage(self, node: python.With) -> ast.Stage:
        first, *rest = node.items
        name, pin, span = self._stage_name(first, node)
        statements = self._blocks(rest, node)
        if not statements and not self.diagnostics.has_errors:
            raise refused("HET012", f"the stage `{name}` is empty", span)
        return ast.Stage(name, pin, statements, span)

    def _stage_name(self, item: python.withitem, node: python.With) -> tuple[str, ast.Name | None, Span]:
        """`prepare`, or pinned: `relevancy(fpga)`."""
        self._no_as(item)
        context, pin = item.context_expr, None
        span = self.places.span(context)
        if isinstance(context, python.Call) and isinstance(context.func, python.Name):
            if context.func.id in STAGE_WORDS:
                kinds = [self.expressions.quoted(kind) for kind in context.args]
                if len(kinds) != 1 or context.keywords or not isinstance(kinds[0], ast.Name):
                    message = f"`{context.func.id}` takes the kind of device that it is pinned to"
                    raise refused("HET012", message, span, "write `with relevancy(fpga):`")
                pin = kinds[0]
            context = context.func
        name = context.id if isinstance(context, python.Name) else ""
        if name in STAGE_WORDS:
            return name, pin, span
        if name in BLOCK_WORDS:
            raise refused("HET012", f"`{name}` stands in a stage", span, _WHERE)
        raise self._unknown_block(item, [*STAGE_WORDS])

    def _blocks(self, items: Sequence[python.withitem], node: python.With) -> tuple[ast.Statement, ...]:
        """The statements below a `with`, inside of the blocks that its items open one in another."""
        if not items:
            return tuple(self._statements(node.body))
        block = self._block(items[0])
        statements = self._blocks(items[1:], node)
        if not statements and not self.diagnostics.has_errors:
            raise refused("HET012", "this block is empty", block.span)
        return (replace(block, statements=statements),)

    def _block(self, item: python.withitem) -> ast.Repeat | ast.When:
        """`repeat(5)` or `when(c)`, without its statements."""
        self._no_as(item)
        context = item.context_expr
        span = self.places.span(context)
        if not (isinstance(context, python.Call) and isinstance(context.func, python.Name)):
            raise self._unknown_block(item, [*BLOCK_WORDS])
        if context.func.id in STAGE_WORDS:
            message = f"`{context.func.id}` stands in the pipeline, not in a stage"
            raise refused("HET012", message, span, "indent it less")
        if context.func.id not in BLOCK_WORDS:
            raise self._unknown_block(item, [*BLOCK_WORDS])
        if len(context.args) != 1 or context.keywords:
            what, example = _BLOCK_ARGUMENTS[context.func.id]
            message = f"`{context.func.id}` takes {what}, got {len(context.args)} values"
            raise refused("HET012", message, span, f"write `with {example}:`")
        if context.func.id == "when":
            return ast.When(self.expressions.expression(context.args[0]), (), span)
        return ast.Repeat(self.expressions.expression(context.args[0]), (), span)

    def _loop(self, node: python.For) -> ast.Loop:
        """`for l in L:`: one pass for each layer, in order."""
        index = self.expressions.expression(node.target)
        span = self._head(node, "for")
        if not isinstance(index, ast.Name) or node.orelse:
            raise refused("HET012", "a loop has one index and no `else`", span, "write `for l in L:`")
        return ast.Loop(index, self.expressions.expression(node.iter), tuple(self._statements(node.body)), span)

    def _statements(self, nodes: Sequence[python.stmt]) -> list[ast.Statement]:
        statements: list[ast.Statement] = []
        for node in nodes:
            try:
                if isinstance(node, python.With):
                    statements.extend(self._blocks(node.items, node))
                elif isinstance(node, python.For):
                    statements.append(self._loop(node))
                elif not _is_text(node) and not isinstance(node, python.Pass):
                    statements.append(self._statement(node))
            except DiagnosticError as error:
                self.diagnostics.extend(error.diagnostics)
        return statements

    def _statement(self, node: python.stmt) -> ast.Statement:
        span = self.places.span(node)
        match node:
            case python.Assign(targets=[target], value=value):
                items = target.elts if isinstance(target, python.Tuple) else [target]
                targets = tuple(self.expressions.target(item) for item in items)
                return ast.Define(targets, "=", self.expressions.expression(value), span)
            case python.Assign():
                message = "one `=` a statement"
                raise refused("HET012", message, span, "define the value, then read it in a statement of its own")
            case python.AugAssign(target=target, op=op, value=value):
                if type(op) not in _AUGMENTED:
                    raise refused("HET012", "the updates are `+=`, `-=`, `*=` and `/=`", span)
                places = (self.expressions.target(target),)
                return ast.Define(places, _AUGMENTED[type(op)], self.expressions.expression(value), span)
            case python.Expr(value=python.Call() as call):
                found = self.expressions.expression(call)
                assert isinstance(found, ast.Call)
                return ast.Effect(found, span)
            case python.Expr():
                raise refused("HET012", "this expression does nothing", span, _STATEMENT)
            case python.AnnAssign():
                help = "a cast says how a tensor is stored: `k[d] = bf16(...)`"
                raise refused("HET012", "a statement has no annotation", span, help)
            case python.Return():
                message = "`return` stands at the end of the pipeline, not in a stage"
                raise refused("HET012", message, self._head(node, "return"), "indent it less")
        raise self._misplaced(node)

    def _outputs(self, node: python.Return) -> tuple[ast.Output, ...]:
        """`return bf16(o), picked`: names, each in a cast where it is converted."""
        if node.value is None:
            return ()
        items = node.value.elts if isinstance(node.value, python.Tuple) else [node.value]
        return tuple(self._output(item) for item in items)

    def _output(self, node: python.expr) -> ast.Output:
        found = self.expressions.expression(node)
        match found:
            case ast.Name(name=name, span=span):
                return ast.Output(name, None, span)
            case ast.Call(function=dtype, indices=(), arguments=(ast.Name(name=name, span=span),), keywords=()):
                return ast.Output(name, ast.Name(dtype, found.name_span), span)
        help = "define it in a stage, then `return o`, or `return bf16(o)` to convert it"
        raise refused("HET012", "expected the name of a tensor", found.span, help)

    def _unknown_block(self, item: python.withitem, words: list[str]) -> DiagnosticError:
        context = item.context_expr
        word = context.func if isinstance(context, python.Call) else context
        while isinstance(word, python.Attribute):
            word = word.value
        name = word.id if isinstance(word, python.Name) else ""
        span = self.places.span(word)
        if name in UNSUPPORTED_BLOCKS:
            return refused("HET301", f"`{name}` ({UNSUPPORTED_BLOCKS[name]}) is not supported yet", span)
        if name in STAGE_WORDS:
            return refused("HET012", f"`{name}` stands in the pipeline, not in a stage", span, "indent it less")
        close = suggest(name, words)
        what = "a stage" if words[0] in STAGE_WORDS else "`repeat(...)`"
        help = f"did you mean `{close}`?" if close else f"there are {', '.join(f'`{item}`' for item in words)}"
        return refused("HET012", f"expected {what} after `with`", span, help)

    def _misplaced(self, node: python.stmt) -> DiagnosticError:
        """A statement that cannot stand where it does."""
        if type(node) in _UNSUPPORTED:
            word, what = _UNSUPPORTED[type(node)]
            return refused("HET301", f"`{word}` ({what}) is not supported yet", self._head(node, word))
        if type(node) in _FOREIGN:
            word, help = _FOREIGN[type(node)]
            return refused("HET012", f"there is no `{word}` in this language", self._head(node, word), help)
        return refused("HET012", "expected a stage or `return`", self.places.span(node), _WHERE)

    def _head(self, node: python.stmt, word: str) -> Span:
        """The word that a statement begins with."""
        start = self.places.span(node).start
        return Span(self.places.source, start, start + len(word))

    def _no_as(self, item: python.withitem) -> None:
        if item.optional_vars is not None:
            message = "`as` names nothing here"
            raise refused("HET012", message, self.places.span(item.optional_vars))


def _is_text(node: python.stmt) -> bool:
    return (
        isinstance(node, python.Expr) and isinstance(node.value, python.Constant) and isinstance(node.value.value, str)
    )
