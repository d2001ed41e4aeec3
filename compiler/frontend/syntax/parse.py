"""Text to syntax tree: the lines of a file, each through the grammar, put together by their blocks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hetc.compiler.frontend.syntax import ast
from hetc.compiler.frontend.syntax.blocks import BlockParser, Holds, opens_block
from hetc.compiler.frontend.syntax.depth import MAX_EXPRESSION_DEPTH, check_depth, is_too_deep
from hetc.compiler.frontend.syntax.lines import Line, read_lines
from hetc.compiler.vocabulary import DECLARATIONS, STAGES
from hetc.diagnostics import Diagnostics, Related, suggest
from hetc.source import SourceFile


def parse(source: SourceFile) -> ast.Pipeline:
    """The syntax tree of a file with one pipeline. Raises DiagnosticError with every syntax error found."""
    diagnostics = Diagnostics()
    pipeline = _FileParser(source, diagnostics).pipeline()
    diagnostics.raise_if_errors()
    assert pipeline is not None
    return pipeline


def parse_functions(source: SourceFile) -> tuple[ast.Function, ...]:
    """The functions of a text that holds nothing else. Raises DiagnosticError."""
    diagnostics, items = Diagnostics(), _Items()
    parser = _FileParser(source, diagnostics)
    for line in read_lines(source, diagnostics):
        parser._item(line, items)
    diagnostics.raise_if_errors()
    return tuple(items.functions)


def parse_layout(text: str, name: str) -> ast.Expr:
    """A layout by itself, `paged(64)`, as a command line or a decorator gives it under `name`. Raises
    DiagnosticError."""
    source, diagnostics = SourceFile(name, text), Diagnostics()
    found = _FileParser(source, diagnostics)._parse(source.span(0, len(text)), "layout_name")
    diagnostics.raise_if_errors()
    assert isinstance(found, ast.Name | ast.Call)
    if is_too_deep(found):
        diagnostics.error(
            "HET013", f"this is more than {MAX_EXPRESSION_DEPTH} operations deep", source.span(0, len(text))
        )
        diagnostics.raise_if_errors()
    return found


@dataclass
class _Items:
    """What stands in a pipeline or a step, each kind in source order."""

    dims: list[ast.Dim] = field(default_factory=list)
    declarations: list[ast.Declaration] = field(default_factory=list)
    outputs: list[ast.Output] = field(default_factory=list)
    statements: list[ast.Statement] = field(default_factory=list)
    functions: list[ast.Function] = field(default_factory=list)
    steps: list[ast.Step] = field(default_factory=list)


class _FileParser(BlockParser):
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
        if has_pipeline and (word in STAGES or word in DECLARATIONS):
            help = "indent it into the pipeline"
        self.diagnostics.error("HET014", "expected `pipeline NAME:`", line.span, help=help)

    def _body(self, header: Any, head: Line) -> ast.Pipeline | None:
        items = _Items()
        doc = ""
        for position, line in enumerate(head.block):
            if line.is_doc:
                doc = doc or line.text[3:-3].strip()
                if position:
                    self._syntax("a docstring stands first in its pipeline", line.span)
            else:
                self._item(line, items)
        if not head.block and not self.diagnostics.has_errors:
            self._syntax("the pipeline is empty", head.span)
        if header is None:
            return None
        name, grows = header
        if items.steps:
            self._check_steps(grows, items)
            steps = tuple(items.steps)
        else:
            steps = (ast.Step(name.name, None, grows, tuple(items.statements), tuple(items.outputs), name.span),)
        declared = (tuple(items.dims), tuple(items.declarations), tuple(items.functions))
        pipeline = ast.Pipeline(name.name, doc, *declared, steps, name.span, self.source)
        check_depth(pipeline, self.diagnostics)
        return pipeline

    def _item(self, line: Line, items: _Items) -> None:
        """One line of a pipeline with its block."""
        word = line.first_word
        if word in DECLARATIONS:
            self._no_block(line)
            for item in self._parse(line.span, "declarations") or ():
                match item:
                    case ast.Dim():
                        items.dims.append(item)
                    case ast.Declaration():
                        items.declarations.append(item)
                    case tuple():
                        items.outputs.extend(item)
        elif word in STAGES:
            stage = self._stage(line)
            items.statements += [stage] if stage is not None else []
        elif opens_block(line):
            block = self._block(line, Holds.STAGES)
            items.statements += [block] if block is not None else []
        elif word == "def":
            function = self._function(line)
            items.functions += [function] if function is not None else []
        elif word == "step":
            step = self._step(line)
            items.steps += [step] if step is not None else []
        else:
            self._misplaced(line)

    def _step(self, line: Line) -> ast.Step | None:
        step = self._parse(line.span, "step")
        items = _Items()
        for inner in line.block:
            if inner.first_word in STAGES or inner.first_word == "output" or opens_block(inner):
                self._item(inner, items)
            elif not inner.is_doc:
                self._syntax("expected a stage or `output` in a step", inner.span, "declarations stand in the pipeline")
        if not line.block and not self.diagnostics.has_errors:
            self._syntax("the step is empty", line.span)
        if step is None:
            return None
        return replace(step, statements=tuple(items.statements), outputs=tuple(items.outputs))

    def _check_steps(self, grows: tuple[ast.Growth, ...], items: _Items) -> None:
        """What belongs to one step stands in it."""
        related = (Related(items.steps[0].name_span, "the pipeline has this step"),)
        for growth in grows:
            message = "a pipeline with several steps says in each what it grows"
            help = f"write `step {items.steps[0].name} grows {growth.span.text}:`"
            self.diagnostics.error("HET012", message, growth.span, related=related, help=help)
        for stage in ast.stages_of(tuple(items.statements)):
            message = f"the stage `{stage.name}` stands outside of the steps"
            self.diagnostics.error("HET012", message, stage.span, related=related, help="indent it into a step")
        for output in items.outputs:
            message = f"the output `{output.name}` stands outside of the steps"
            self.diagnostics.error("HET012", message, output.span, related=related, help="indent it into a step")
