"""Text to syntax tree: the lines of a file, each through the grammar, put together by their blocks."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Any

from lark import Lark, TextSlice, UnexpectedInput
from lark.exceptions import VisitError

from hetc.compiler.frontend import ast
from hetc.compiler.frontend.build import TreeBuilder
from hetc.compiler.frontend.lines import Line, read_lines
from hetc.compiler.frontend.syntax_errors import report_syntax_error
from hetc.diagnostics import DiagnosticError, Diagnostics, Related, suggest
from hetc.source import SourceFile, Span

STAGES = ("prepare", "relevancy", "retrieve", "apply")
DECLARATION_WORDS = ("dim", "input", "weight", "memory", "output")
MAX_EXPRESSION_DEPTH = 80
# Words that open a construct of the language that is not compiled yet, and what it is.
UNSUPPORTED = {
    "step": "several steps in a pipeline",
    "for": "loops over layers",
    "when": "conditional statements",
    "def": "functions",
}
_FOREIGN = {"if": "where(c, a, b)", "while": None, "return": "output", "import": None, "class": None, "with": None}


@lru_cache(maxsize=1)
def _grammar() -> Lark:
    """Building the tables takes about 40 ms, too little to keep them in a file."""
    text = resources.files("hetc.compiler.frontend").joinpath("grammar.lark").read_text(encoding="utf-8")
    starts = ["header", "declarations", "stage", "repeat", "statements"]
    return Lark(text, parser="lalr", lexer="contextual", keep_all_tokens=True, maybe_placeholders=True, start=starts)


def parse(source: SourceFile) -> ast.Pipeline:
    """The syntax tree of a file with one pipeline. Raises DiagnosticError with every syntax error found."""
    diagnostics = Diagnostics()
    pipeline = _FileParser(source, diagnostics).pipeline()
    diagnostics.raise_if_errors()
    assert pipeline is not None
    return pipeline


class _FileParser:
    def __init__(self, source: SourceFile, diagnostics: Diagnostics):
        self.source = source
        self.diagnostics = diagnostics
        self.builder = TreeBuilder(source, diagnostics)

    def pipeline(self) -> ast.Pipeline | None:
        lines = [line for line in read_lines(self.source, self.diagnostics) if not line.is_doc]
        heads = [line for line in lines if line.first_word == "pipeline"]
        for line in lines:
            if line.first_word != "pipeline" and not self.diagnostics.has_errors:
                self._stray(line, bool(heads))
        if not heads:
            if not self.diagnostics.has_errors:
                self.diagnostics.error(
                    "HET014",
                    "the file holds no pipeline",
                    self.source.span(0, 0),
                    help="a pipeline begins with `pipeline NAME:`",
                )
            return None
        for extra in heads[1:]:
            related = (Related(heads[0].span, "the first pipeline is here"),)
            self.diagnostics.error("HET014", "a file holds one pipeline; this is another", extra.span, related=related)
        header = self._parse(heads[0].span, "header")
        return self._body(header, heads[0])

    def _stray(self, line: Line, has_pipeline: bool) -> None:
        word = line.first_word
        close = suggest(word, ["pipeline"])
        help = f"did you mean `{close}`?" if close else None
        if has_pipeline and (word in STAGES or word in DECLARATION_WORDS):
            help = "indent it into the pipeline"
        self.diagnostics.error("HET014", "expected `pipeline NAME:`", line.span, help=help)

    def _body(self, header: Any, head: Line) -> ast.Pipeline | None:
        dims: list[ast.Dim] = []
        declarations: list[ast.Declaration] = []
        outputs: list[ast.Output] = []
        stages: list[ast.Stage] = []
        doc = ""
        for position, line in enumerate(head.block):
            word = line.first_word
            if line.is_doc:
                doc = doc or line.text[3:-3].strip()
                if position:
                    self._syntax("a docstring stands first in its pipeline", line.span)
            elif word in DECLARATION_WORDS:
                self._no_block(line)
                for item in self._parse(line.span, "declarations") or ():
                    match item:
                        case ast.Dim():
                            dims.append(item)
                        case ast.Declaration():
                            declarations.append(item)
                        case tuple():
                            outputs.extend(item)
            elif word in STAGES:
                stage = self._stage(line)
                if stage is not None:
                    stages.append(stage)
            else:
                self._misplaced(line)
        if not head.block and not self.diagnostics.has_errors:
            self._syntax("the pipeline is empty", head.span)
        if header is None:
            return None
        name, grows = header
        items = (tuple(dims), tuple(declarations), tuple(stages), tuple(outputs))
        pipeline = ast.Pipeline(name.name, grows, doc, *items, name.span, self.source)
        check_depth(pipeline, self.diagnostics)
        return pipeline

    def _stage(self, line: Line) -> ast.Stage | None:
        stage = self._parse(line.span, "stage")
        inside = self._statements(line)
        if stage is None:
            return None
        statements = (*stage.statements, *inside)
        self._check_filled(f"the stage `{stage.name}`", statements, line)
        return ast.Stage(stage.name, stage.pin, statements, stage.span)

    def _repeat(self, line: Line) -> ast.Repeat | None:
        repeat = self._parse(line.span, "repeat")
        inside = self._statements(line)
        if repeat is None:
            return None
        statements = (*repeat.statements, *inside)
        self._check_filled("this block", statements, line)
        return ast.Repeat(repeat.count, statements, repeat.span)

    def _check_filled(self, what: str, statements: tuple[ast.Statement, ...], line: Line) -> None:
        if not statements and not line.block and not self.diagnostics.has_errors:
            self._syntax(f"{what} is empty", line.span)

    def _statements(self, line: Line) -> list[ast.Statement]:
        """The statements in the block below a line."""
        statements: list[ast.Statement] = []
        for inner in line.block:
            word = inner.first_word
            if word == "repeat" and inner.text[len(word) :].lstrip()[:1] not in ("[", "=", ",", "+", "-", "*", "/"):
                repeat = self._repeat(inner)
                statements += [repeat] if repeat is not None else []
            elif word in UNSUPPORTED or word in _FOREIGN:
                self._misplaced(inner)
            elif inner.is_doc:
                continue
            elif (word in DECLARATION_WORDS or word in STAGES) and not inner.text[len(word) :].lstrip().startswith("["):
                self._syntax(f"`{word}` stands in the pipeline, not in a stage", inner.span, "indent it less")
            else:
                self._no_block(inner)
                statements.extend(self._parse(inner.span, "statements") or ())
        return statements

    def _misplaced(self, line: Line) -> None:
        word = line.first_word
        span = Span(self.source, line.span.start, line.span.start + len(word)) if word else line.span
        if word in UNSUPPORTED:
            self.diagnostics.error("HET301", f"`{word}` ({UNSUPPORTED[word]}) is not supported yet", span)
        elif word in _FOREIGN:
            spelling = _FOREIGN[word]
            help = f"write `{spelling}`" if spelling else None
            self._syntax(f"there is no `{word}` in this language", span, help)
        else:
            close = suggest(word, [*STAGES, *DECLARATION_WORDS])
            where = "statements stand in a stage: `relevancy:` and indented lines"
            help = f"did you mean `{close}`?" if close else where
            self._syntax("expected a declaration or a stage", span, help)

    def _no_block(self, line: Line) -> None:
        if line.block:
            self._syntax("this line opens no block", line.span, "only stages and `repeat` have blocks")

    def _syntax(self, message: str, span: Span, help: str | None = None) -> None:
        self.diagnostics.error("HET012", message, span, help=help)

    def _parse(self, span: Span, start: str) -> Any:
        """What the grammar makes of a line, or None after a diagnostic."""
        try:
            tree = _grammar().parse(TextSlice(self.source.text, span.start, span.end), start=start)
            return self.builder.build(tree)
        except UnexpectedInput as error:
            report_syntax_error(error, self.source, span, self.diagnostics)
        except VisitError as error:
            if not isinstance(error.orig_exc, DiagnosticError):
                raise
            self.diagnostics.extend(error.orig_exc.diagnostics)
        return None


def check_depth(pipeline: ast.Pipeline, diagnostics: Diagnostics) -> None:
    """Refuses expressions so deep that later stages, which recurse over them, could not."""
    for stage in pipeline.stages:
        for statement in ast.simple_statements(stage.statements):
            value = statement.value if isinstance(statement, ast.Define) else statement.call
            inside = [index for target in _targets(statement) for index in target.indices]
            bounds = [index.bound if isinstance(index, ast.Index) else index for index in inside]
            for expr in (value, *bounds):
                if expr is not None and any(depth > MAX_EXPRESSION_DEPTH for _, depth in ast.walk(expr)):
                    message = f"this expression is more than {MAX_EXPRESSION_DEPTH} operations deep"
                    diagnostics.error("HET013", message, statement.span, help="split it into statements")
                    break
    sizes = [(dim.size or dim.bound, dim.span) for dim in pipeline.dims]
    for declared in pipeline.declarations:
        sizes += [(item, declared.span) for item in (*declared.extents, declared.stored_bound, declared.initial)]
    for size, span in sizes:
        if size is not None and any(depth > MAX_EXPRESSION_DEPTH for _, depth in ast.walk(size)):
            diagnostics.error("HET013", f"this expression is more than {MAX_EXPRESSION_DEPTH} operations deep", span)


def _targets(statement: ast.Statement) -> tuple[ast.Target, ...]:
    return statement.targets if isinstance(statement, ast.Define) else ()
