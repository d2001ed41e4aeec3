"""A function's body: its stages, or its steps, the functions that it defines, and what it returns."""

from __future__ import annotations

import ast as python
from collections.abc import Sequence
from dataclasses import dataclass, field

from hetc.compiler.embedding.places import refused
from hetc.compiler.embedding.signature import Signature
from hetc.compiler.embedding.statements import StatementReader, is_text
from hetc.compiler.frontend.syntax import ast
from hetc.compiler.frontend.syntax.blocks import Holds
from hetc.diagnostics import DiagnosticError
from hetc.source import Span

_STEP = 'write `with step.decode(x, grows={"T": 1}):`'


@dataclass
class Body:
    """What a body holds, each kind in order. `outputs` are None where nothing is returned."""

    doc: str = ""
    statements: list[ast.Statement] = field(default_factory=list)
    functions: list[ast.Function] = field(default_factory=list)
    steps: list[ast.Step] = field(default_factory=list)
    outputs: tuple[ast.Output, ...] = ()


class BodyReader(StatementReader):
    """Reads a body; mistakes go to `diagnostics`, one for each statement."""

    def read(self, statements: Sequence[python.stmt], signature: Signature, in_step: bool = False) -> Body:
        """Docstring, functions, `with STAGE:` or `with step.NAME(...):` blocks, blocks of stages, `return`."""
        body = Body()
        for position, node in enumerate(statements):
            try:
                if isinstance(node, python.With) and self._is_step(node.items[0]) and not in_step:
                    body.steps.append(self._step(node, signature))
                elif isinstance(node, python.With | python.For):
                    body.statements.extend(self.statements([node], Holds.STAGES))
                elif isinstance(node, python.Return):
                    body.outputs = self._outputs(node)
                    self._check_last(node, position == len(statements) - 1)
                elif isinstance(node, python.FunctionDef) and not in_step:
                    body.functions.append(self._function(node))
                elif is_text(node):
                    body.doc = self._doc(node, position) if not in_step else ""
                elif not isinstance(node, python.Pass):
                    raise self.misplaced(node)
            except DiagnosticError as error:
                self.diagnostics.extend(error.diagnostics)
        return body

    def _check_last(self, node: python.Return, is_last: bool) -> None:
        if not is_last:
            message = "`return` stands last: nothing may follow what a pipeline gives"
            raise refused("HET012", message, self.head(node, "return"))

    def _doc(self, node: python.stmt, position: int) -> str:
        if position:
            raise refused("HET012", "a docstring stands first in its pipeline", self.places.span(node))
        assert isinstance(node, python.Expr) and isinstance(node.value, python.Constant)
        return str(node.value.value).strip()

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

    def _is_step(self, item: python.withitem) -> bool:
        context = item.context_expr
        called = context.func if isinstance(context, python.Call) else context
        called = called.value if isinstance(called, python.Attribute) else called
        return isinstance(called, python.Name) and called.id == "step"

    def _step(self, node: python.With, signature: Signature) -> ast.Step:
        """`with step.decode(x, grows={"T": 1}):`; without parentheses it takes whatever it reads."""
        item, *more = node.items
        self.no_as(item)
        context = item.context_expr
        inputs: tuple[ast.Name, ...] | None = None
        grows: tuple[ast.Growth, ...] = ()
        span = self.places.span(context)
        if isinstance(context, python.Call):
            names = [self.expressions.expression(argument) for argument in context.args]
            inputs = tuple(name for name in names if isinstance(name, ast.Name))
            if len(inputs) < len(names):
                raise refused("HET012", "a step takes inputs by name", span, _STEP)
            for keyword in context.keywords:
                if keyword.arg != "grows":
                    raise refused("HET012", "a step takes inputs and `grows`", self.places.span(keyword), _STEP)
            grows = signature.growth(context.keywords)
            context = context.func
        if not isinstance(context, python.Attribute):
            raise refused("HET012", "expected the step's name", span, _STEP)
        end = self.places.span(context).end
        name = self.expressions.name(context.attr, Span(self.places.source, end - len(context.attr), end))
        # `with step.decode(x), prepare:` is a step of one stage.
        inside = [python.copy_location(python.With(more, node.body), node)] if more else node.body
        body = self.read(inside, signature, in_step=True)
        if not (body.statements or self.diagnostics.has_errors):
            raise refused("HET012", "the step is empty", span)
        return ast.Step(name.name, inputs, grows, tuple(body.statements), body.outputs, name.span)

    def _function(self, node: python.FunctionDef) -> ast.Function:
        """`def rmsnorm(x, g):` with statements and a `return` at its end; `def total(x, *, i):` over an index."""
        span = self.places.span(node)
        start = span.file.text.index(node.name, span.start + len("def"))
        name = self.expressions.name(node.name, Span(span.file, start, start + len(node.name)))
        arguments = node.args
        strange = [*arguments.posonlyargs, *filter(None, (arguments.vararg, arguments.kwarg, *arguments.kw_defaults))]
        plain = [*arguments.args, *arguments.kwonlyargs]
        if (
            strange
            or any(item.annotation for item in plain)
            or arguments.defaults
            or node.decorator_list
            or node.returns is not None
        ):
            message = "a function of a pipeline has plain parameters only"
            raise refused("HET012", message, name.span, "write `def rmsnorm(x, g):`")
        indices, parameters = (
            tuple(self.expressions.name(item.arg, self.places.span(item)) for item in items)
            for items in (arguments.kwonlyargs, arguments.args)
        )
        *before, last = node.body
        if not isinstance(last, python.Return) or last.value is None:
            help = "write `return y` as its last line"
            raise refused("HET012", "a function ends with what it returns", self.places.span(last), help)
        values = last.value.elts if isinstance(last.value, python.Tuple) else [last.value]
        results = tuple(self.expressions.expression(value) for value in values)
        statements = self.statements(before, Holds.BOTH)
        return ast.Function(name.name, indices, parameters, statements, results, name.span, span)
