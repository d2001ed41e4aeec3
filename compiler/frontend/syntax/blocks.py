"""Lines below a line: stages and their statements, functions."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto
from typing import Any

from lark import TextSlice, UnexpectedInput
from lark.exceptions import VisitError

from hetc.compiler.frontend.syntax import ast
from hetc.compiler.frontend.syntax.build import TreeBuilder
from hetc.compiler.frontend.syntax.grammar import line_parser
from hetc.compiler.frontend.syntax.lines import Line
from hetc.compiler.frontend.syntax.syntax_errors import report_syntax_error
from hetc.compiler.vocabulary import BLOCKS, DECLARATIONS, PIPELINE_WORDS, STAGES
from hetc.diagnostics import DiagnosticError, Diagnostics, suggest
from hetc.source import SourceFile, Span

_STATEMENTS_STAND = "expected a stage: the statements of this block stand in stages"
_WHERE = "statements stand in a stage: `relevancy:` and indented lines"
_LESS = "indent it less"
_FOLLOWS_NAME = ("[", "=", ",", "+", "-", "*", "/")
_FOREIGN = {
    "if": "where(c, a, b)` or `when c:", "elif": "where(c, a, b)", "else": "where(c, a, b)",
    "while": "repeat 5:` or `for l in L:", "return": "output", "break": None, "continue": None, "import": None,
    "class": None, "with": None, "try": None, "assert": None, "del": None,
}  # fmt: skip


class Holds(Enum):
    """What may stand below a line: in a stage, in a block around stages, in a function."""

    STATEMENTS = auto()
    STAGES = auto()
    BOTH = auto()


def opens_block(line: Line) -> bool:
    """Whether a line begins with the word of a block, and not with a name that is spelled as it is."""
    word = line.first_word
    return word in BLOCKS and line.text[len(word) :].lstrip()[:1] not in _FOLLOWS_NAME


def _is_indexed(line: Line) -> bool:
    return line.text[len(line.first_word) :].lstrip().startswith("[")


class BlockParser:
    """Parses lines of one file, each with the block below it."""

    def __init__(self, source: SourceFile, diagnostics: Diagnostics):
        self.source = source
        self.diagnostics = diagnostics
        self.builder = TreeBuilder(source, diagnostics)

    def _stage(self, line: Line) -> ast.Stage | None:
        stage = self._parse(line.span, "stage")
        inside = self._statements(line, Holds.STATEMENTS)
        if stage is None:
            return None
        statements = (*stage.statements, *inside)
        self._check_filled(f"the stage `{stage.name}`", statements, line)
        return ast.Stage(stage.name, stage.pin, statements, stage.span)

    def _block(self, line: Line, holds: Holds) -> ast.Block | None:
        """`repeat`, `when` or `for` with what stands below it."""
        block = self._parse(line.span, BLOCKS[line.first_word])
        inside = self._statements(line, holds)
        if block is None:
            return None
        if block.statements and holds is Holds.STAGES:
            self._syntax(_STATEMENTS_STAND, block.statements[0].span, _WHERE)
        statements = (*block.statements, *inside)
        self._check_filled("this block", statements, line)
        return replace(block, statements=statements)

    def _function(self, line: Line) -> ast.Function | None:
        """A function: statements, then what it returns."""
        function = self._parse(line.span, "function")
        lines = [inner for inner in line.block if not inner.is_doc]
        if function is not None and function.results:
            self._no_block(line)
            return function
        if function is None:
            return None
        if not lines or lines[-1].first_word != "return":
            place = lines[-1].span if lines else line.span
            self._syntax("a function ends with what it returns", place, "write `return y` as its last line")
            return None
        *before, last = lines
        statements = self._statements(replace(line, block=before), Holds.BOTH)
        self._no_block(last)
        results = self._parse(last.span, "returned")
        if results is None:
            return None
        span = Span(self.source, function.span.start, last.span.end)
        return replace(function, statements=tuple(statements), results=results, span=span)

    def _check_filled(self, what: str, statements: tuple[ast.Statement, ...], line: Line) -> None:
        if not statements and not line.block and not self.diagnostics.has_errors:
            self._syntax(f"{what} is empty", line.span)

    def _statements(self, line: Line, holds: Holds) -> list[ast.Statement]:
        """What stands in the block below a line."""
        statements: list[ast.Statement] = []
        for inner in line.block:
            word = inner.first_word
            if opens_block(inner):
                block = self._block(inner, holds)
                statements += [block] if block is not None else []
            elif word in STAGES and holds is not Holds.STATEMENTS and not _is_indexed(inner):
                stage = self._stage(inner)
                statements += [stage] if stage is not None else []
            elif word in _FOREIGN or word in PIPELINE_WORDS:
                self._misplaced(inner)
            elif inner.is_doc:
                continue
            elif word in STAGES and not _is_indexed(inner):
                self._syntax(f"`{word}` is a stage: it stands in no other one", inner.span, _LESS)
            elif word in DECLARATIONS and not _is_indexed(inner):
                self._syntax(f"`{word}` stands in the pipeline, not in a stage", inner.span, _LESS)
            elif holds is Holds.STAGES:
                self._syntax(_STATEMENTS_STAND, inner.span, _WHERE)
            else:
                self._no_block(inner)
                statements.extend(self._parse(inner.span, "statements") or ())
        return statements

    def _misplaced(self, line: Line) -> None:
        word = line.first_word
        span = Span(self.source, line.span.start, line.span.start + len(word)) if word else line.span
        if word in _FOREIGN:
            spelling = _FOREIGN[word]
            help = f"write `{spelling}`" if spelling else None
            self._syntax(f"there is no `{word}` in this language", span, help)
        elif word in PIPELINE_WORDS:
            self._syntax(f"`{word}` stands in the pipeline, not in a stage", span, _LESS)
        else:
            close = suggest(word, [*STAGES, *DECLARATIONS, *PIPELINE_WORDS])
            help = f"did you mean `{close}`?" if close else _WHERE
            self._syntax("expected a declaration or a stage", span, help)

    def _no_block(self, line: Line) -> None:
        if line.block:
            self._syntax(
                "this line opens no block",
                line.span,
                "stages, steps, functions, `repeat`, `when` and `for` have blocks",
            )

    def _syntax(self, message: str, span: Span, help: str | None = None) -> None:
        self.diagnostics.error("HET012", message, span, help=help)

    def _parse(self, span: Span, start: str) -> Any:
        """What the grammar makes of a line, or None after a diagnostic."""
        try:
            tree = line_parser().parse(TextSlice(self.source.text, span.start, span.end), start=start)
            return self.builder.build(tree)
        except UnexpectedInput as error:
            report_syntax_error(error, self.source, span, self.diagnostics)
        except VisitError as error:
            if not isinstance(error.orig_exc, DiagnosticError):
                raise
            self.diagnostics.extend(error.orig_exc.diagnostics)
        return None
