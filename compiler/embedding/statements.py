"""Statements of a function's body, and the blocks that hold them."""

from __future__ import annotations

import ast as python
from collections.abc import Sequence
from dataclasses import replace

from hetc.compiler.embedding.expressions import Expressions
from hetc.compiler.embedding.places import refused
from hetc.compiler.embedding.words import BLOCK_WORDS
from hetc.compiler.frontend.syntax import ast
from hetc.compiler.frontend.syntax.blocks import Holds
from hetc.compiler.frontend.syntax.depth import MAX_BLOCK_DEPTH, TOO_MANY_BLOCKS
from hetc.compiler.vocabulary import STAGES
from hetc.devices import device_kinds
from hetc.diagnostics import DiagnosticError, Diagnostics, suggest
from hetc.source import Span

WHERE = "statements stand in a stage: `with relevancy:` and indented lines"
_STATEMENT = "a statement is `name[indices] = value` or `append(...)`"
_AUGMENTED: dict[type, str] = {python.Add: "+=", python.Sub: "-=", python.Mult: "*=", python.Div: "/="}
_FOREIGN: dict[type, tuple[str, str | None]] = {
    python.If: ("if", "write `where(c, a, b)` or `with when(c):`"),
    python.While: ("while", "write `with repeat(5):` or `for l in L:`"),
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


class StatementReader:
    """Reads statements; mistakes go to `diagnostics`, one for each statement."""

    def __init__(self, expressions: Expressions, diagnostics: Diagnostics) -> None:
        self.expressions = expressions
        self.places = expressions.places
        self.diagnostics = diagnostics

    def statements(self, nodes: Sequence[python.stmt], holds: Holds) -> tuple[ast.Statement, ...]:
        """What stands in a stage, a block or a function."""
        statements: list[ast.Statement] = []
        for node in nodes:
            try:
                if isinstance(node, python.With):
                    statements.extend(self.blocks(node.items, node, holds))
                elif isinstance(node, python.For):
                    statements.append(self._loop(node, holds))
                elif is_text(node) or isinstance(node, python.Pass):
                    continue
                elif holds is Holds.STAGES:
                    message = "expected a stage: the statements of this block stand in stages"
                    raise refused("HET012", message, self.places.span(node), WHERE)
                else:
                    statements.append(self._statement(node))
            except DiagnosticError as error:
                self.diagnostics.extend(error.diagnostics)
        return tuple(statements)

    def blocks(self, items: Sequence[python.withitem], node: python.With, holds: Holds) -> tuple[ast.Statement, ...]:
        """The statements below a `with`, inside of the stages and blocks that its items open one in another."""
        if not items:
            return self.statements(node.body, holds)
        if len(items) > MAX_BLOCK_DEPTH + 1:
            raise refused("HET011", TOO_MANY_BLOCKS, self.places.span(items[0].context_expr))
        block = self._block(items[0], holds)
        is_stage = isinstance(block, ast.Stage)
        statements = self.blocks(items[1:], node, Holds.STATEMENTS if is_stage else holds)
        self._check_filled(
            f"the stage `{block.name}`" if isinstance(block, ast.Stage) else "this block", statements, block.span
        )
        return (replace(block, statements=statements),)

    def _block(self, item: python.withitem, holds: Holds) -> ast.Repeat | ast.When | ast.Stage:
        """`repeat(5)`, `when(c)`, `relevancy` or `relevancy(fpga)`, without its statements."""
        self.no_as(item)
        context = item.context_expr
        span = self.places.span(context)
        called = context.func if isinstance(context, python.Call) else context
        word = called.id if isinstance(called, python.Name) else ""
        if word in STAGES and holds is not Holds.STATEMENTS:
            return ast.Stage(word, self._pin(context, word), (), span)
        words = {Holds.STATEMENTS: BLOCK_WORDS, Holds.STAGES: STAGES, Holds.BOTH: (*BLOCK_WORDS, *STAGES)}
        if word not in BLOCK_WORDS or not isinstance(context, python.Call):
            raise self.unknown_block(item, [*words[holds]])
        if len(context.args) != 1 or context.keywords:
            message = f"`{word}` takes one value, got {len(context.args) + len(context.keywords)}"
            raise refused("HET012", message, span, "write `with repeat(5):` or `with when(n > 0):`")
        value = self.expressions.expression(context.args[0])
        return ast.Repeat(value, (), span) if word == "repeat" else ast.When(value, (), span)

    def _pin(self, context: python.expr, word: str) -> ast.Name | None:
        if not isinstance(context, python.Call):
            return None
        kinds = [self.expressions.quoted(kind) for kind in context.args]
        if len(kinds) == 1 and not context.keywords and isinstance(kinds[0], ast.Name):
            return kinds[0]
        message = f"`{word}` takes the kind of device that it is pinned to"
        raise refused(
            "HET012", message, self.places.span(context), f"write for example `with {word}({device_kinds()[0]}):`"
        )

    def _loop(self, node: python.For, holds: Holds) -> ast.Loop:
        """`for l in L:`."""
        head = Span(self.places.source, self.places.span(node).start, self.places.span(node.iter).end)
        if not isinstance(node.target, python.Name):
            message = "expected the name of an index after `for`"
            raise refused("HET012", message, self.places.span(node.target), "write `for l in L:`")
        if node.orelse:
            raise refused("HET012", "a loop has no `else`", self.places.span(node.orelse[0]))
        index = self.expressions.name(node.target.id, self.places.span(node.target))
        extent = self.expressions.expression(node.iter)
        statements = self.statements(node.body, holds)
        self._check_filled("this block", statements, head)
        return ast.Loop(index, extent, statements, head)

    def _check_filled(self, what: str, statements: tuple[ast.Statement, ...], span: Span) -> None:
        if not statements and not self.diagnostics.has_errors:
            raise refused("HET012", f"{what} is empty", span)

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
                message = "`return` stands at the end of the pipeline, a step or a function"
                raise refused("HET012", message, self.head(node, "return"), "indent it less")
        raise self.misplaced(node)

    def unknown_block(self, item: python.withitem, words: list[str]) -> DiagnosticError:
        context = item.context_expr
        word = context.func if isinstance(context, python.Call) else context
        while isinstance(word, python.Attribute):
            word = word.value
        name = word.id if isinstance(word, python.Name) else ""
        span = self.places.span(word)
        if name in STAGES:
            message = f"`{name}` is a stage: it stands in no other one"
            return refused("HET012", message, span, "indent it less")
        close = suggest(name, words)
        what = "a stage" if words[0] in STAGES else "a block"
        help = f"did you mean `{close}`?" if close else f"there are {', '.join(f'`{item}`' for item in words)}"
        return refused("HET012", f"expected {what} after `with`", span, help)

    def misplaced(self, node: python.stmt) -> DiagnosticError:
        """A statement that cannot stand where it does."""
        if isinstance(node, python.FunctionDef):
            return refused(
                "HET012", "`def` stands in the pipeline, not in a stage", self.head(node, "def"), "indent it less"
            )
        if type(node) in _FOREIGN:
            word, help = _FOREIGN[type(node)]
            return refused("HET012", f"there is no `{word}` in this language", self.head(node, word), help)
        return refused("HET012", "expected a stage or `return`", self.places.span(node), WHERE)

    def head(self, node: python.stmt, word: str) -> Span:
        """The word that a statement begins with."""
        start = self.places.span(node).start
        return Span(self.places.source, start, start + len(word))

    def no_as(self, item: python.withitem) -> None:
        if item.optional_vars is not None:
            message = "`as` names nothing here"
            raise refused("HET012", message, self.places.span(item.optional_vars))


def is_text(node: python.stmt) -> bool:
    return (
        isinstance(node, python.Expr) and isinstance(node.value, python.Constant) and isinstance(node.value.value, str)
    )
