"""A Python function as a pipeline's syntax tree, the same as a `.mp` file's."""

from __future__ import annotations

import ast as python
import re

from hetc.compiler.embedding.body import Body, BodyReader
from hetc.compiler.embedding.expressions import Expressions
from hetc.compiler.embedding.places import Places, refused
from hetc.compiler.embedding.signature import Signature
from hetc.compiler.embedding.source import Function, decorator_of, function_of, select_function
from hetc.compiler.frontend.syntax import ast
from hetc.compiler.frontend.syntax.parse import check_depth, parse
from hetc.diagnostics import DiagnosticError, Diagnostics, Related
from hetc.source import SourceFile, Span, hidden_characters


def parse_source(source: SourceFile) -> ast.Pipeline:
    """The syntax tree of a `.mp` file, or of the one pipeline in Python text, told apart by the file's name.

    Raises DiagnosticError with every syntax error found."""
    if not source.name.endswith(".py"):
        return parse(source)
    return read_function(select_function(source))


def read_function(source: SourceFile) -> ast.Pipeline:
    """The syntax tree of the function that `source` was cut out for. Raises DiagnosticError with every mistake."""
    diagnostics = Diagnostics()
    diagnostics.extend(hidden_characters(source))
    diagnostics.raise_if_errors()
    node = function_of(source)
    places = Places(source)
    expressions = Expressions(places)
    signature = Signature(expressions, diagnostics)
    name = _name(node, expressions)
    _check_definition(node, places, diagnostics)
    decorator = decorator_of(node)
    grows = signature.growth(decorator.keywords if isinstance(decorator, python.Call) else [])
    dims, declarations = signature.dims(node), signature.declarations(node)
    body = BodyReader(expressions, diagnostics).read(node.body, signature)
    if not (dims or declarations or body.statements or body.steps or diagnostics.has_errors):
        diagnostics.error("HET012", "the pipeline is empty", name.span)
    if body.steps:
        _check_steps(grows, body, diagnostics)
        steps = tuple(body.steps)
    else:
        steps = (ast.Step(name.name, None, grows, tuple(body.statements), body.outputs, name.span),)
    items = (dims, declarations, tuple(body.functions), steps)
    pipeline = ast.Pipeline(name.name, body.doc, *items, name.span, source)
    check_depth(pipeline, diagnostics)
    diagnostics.raise_if_errors()
    return pipeline


def _name(node: Function, expressions: Expressions) -> ast.Name:
    source = expressions.places.source
    start = expressions.places.span(node).start
    found = re.compile(r"(?:async\s+)?def\s+").match(source.text, start)
    start = found.end() if found else start
    return expressions.name(node.name, Span(source, start, start + len(node.name)))


def _check_steps(grows: tuple[ast.Growth, ...], body: Body, diagnostics: Diagnostics) -> None:
    """What belongs to one step stands in it."""
    related = (Related(body.steps[0].name_span, "the pipeline has this step"),)
    for growth in grows:
        message = "a pipeline with several steps says in each what it grows"
        spelled = f'{{"{growth.dim.name}": {growth.by.span.text}}}'
        help = f"write `with step.{body.steps[0].name}(..., grows={spelled}):`"
        diagnostics.error("HET012", message, growth.span, related=related, help=help)
    for stage in ast.stages_of(tuple(body.statements)):
        message = f"the stage `{stage.name}` stands outside of the steps"
        diagnostics.error("HET012", message, stage.span, related=related, help="indent it into a step")
    for output in body.outputs:
        message = f"the output `{output.name}` stands outside of the steps"
        diagnostics.error("HET012", message, output.span, related=related, help="return it in a step")


def _check_definition(node: Function, places: Places, diagnostics: Diagnostics) -> None:
    """What a function can be besides its parameters and body, and a pipeline cannot."""
    try:
        if isinstance(node, python.AsyncFunctionDef):
            start = places.span(node).start
            raise refused("HET012", "a pipeline is a plain function", Span(places.source, start, start + len("async")))
        parameters = getattr(node, "type_params", None)  # since Python 3.12
        if parameters:
            raise refused("HET012", "a pipeline has no type parameters", places.span(parameters[0]))
        if node.returns is not None:
            help = "outputs are named by `return`, each in a cast where it is converted: `return bf16(o), picked`"
            raise refused("HET012", "a pipeline has no annotation behind `->`", places.span(node.returns), help)
    except DiagnosticError as error:
        diagnostics.extend(error.diagnostics)
