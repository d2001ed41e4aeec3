"""clear: memories emptied when a step completes."""

from __future__ import annotations

from xdsl.dialects.builtin import i1
from xdsl.ir import SSAValue

from hetc.compiler.frontend.constructs.when import held
from hetc.compiler.frontend.lower.step import StepEmitter
from hetc.compiler.frontend.resolve.symbols import Dim
from hetc.compiler.frontend.resolve.typed import Axis
from hetc.compiler.frontend.syntax import ast
from hetc.diagnostics import Related
from hetc.dialects.mp import ClearOp, ComputeOp, TensorType
from hetc.source import Span


class ClearEmitter:
    """Emits mp.clear for `clear(T)`, under the conditions around it."""

    def __init__(self, step: StepEmitter):
        self.step = step
        self.environment = step.environment

    def emit(self, call: ast.Call) -> None:
        dim = self._dim(call)
        environment = self.environment
        if environment.loops:
            related = (Related(environment.loops[-1].span, "the loop"),)
            message = "a step empties its memories once, when it completes"
            raise environment.refuse("HET201", message, call.span, related=related, help="move it out of the loop")
        if dim.name in environment.growth and not environment.guards:
            message = f"the step grows `{dim.name}` and empties it: what it appends would be lost"
            help = f"empty `{dim.name}` in a step of its own, or under a condition"
            raise environment.refuse("HET201", message, call.span, help=help)
        environment.used.add(dim.name)
        condition = self._condition(dim, call.span) if environment.guards else None
        self.step.add(ClearOp(dim.name, condition), call.span)

    def _dim(self, call: ast.Call) -> Dim:
        """The dim that is emptied: one that some step grows."""
        environment = self.environment
        name = call.arguments[0] if len(call.arguments) == 1 and not call.keywords else None
        if not isinstance(name, ast.Name):
            message = "`clear` takes a dim, whose memories it empties"
            raise environment.refuse("HET108", message, call.span, help="write `clear(T)`")
        dim = environment.dims.get(name.name)
        declared = environment.declared.get(name.name)
        if dim is None and declared is not None:
            grown = [key for key in declared.type.shape if isinstance(key, str) and key in environment.growing]
            message = f"`{name.name}` is a {declared.role}; `clear` takes a dim, and empties every memory along it"
            help = f"write `clear({grown[0]})`" if grown else None
            raise environment.refuse("HET201", message, name.span, help=help)
        if dim is None:
            raise environment.unknown(name.name, name.span, "dim", environment.dims)
        if name.name not in environment.growing:
            message = f"no step grows `{name.name}`; only what has grown is emptied"
            related = (Related(dim.span, "declared here"),)
            raise environment.refuse("HET201", message, name.span, related=related)
        return dim

    def _condition(self, dim: Dim, span: Span) -> SSAValue:
        """All conditions around the call, as one bool or one for each row of the dim."""
        environment = self.environment
        rows = [index for guard in environment.guards for index in guard.axes if index.key == dim.per]
        axes = [Axis(rows[0].name, rows[0].key, None, span)] if rows else []
        ranges, emitter = self.step.region(axes, span)
        value = held(environment.guards, axes, emitter, environment, span)
        assert value is not None
        type_ = TensorType([axis.key for axis in axes], i1)
        return self.step.add(ComputeOp(ranges, emitter.finish(value), type_), span, "cleared").results[0]
