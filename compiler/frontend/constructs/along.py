"""Built-in functions along indices that are introduced around them: what checks one, and the statement it becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from xdsl.ir import SSAValue

from hetc.compiler.frontend.constructs.rope import lower_rope, resolve_rope
from hetc.compiler.frontend.constructs.softmax import lower_softmax, resolve_softmax
from hetc.compiler.frontend.lower.emitter import StepEmitter
from hetc.compiler.frontend.resolve import typed
from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.resolve.typed import Axis, Expr
from hetc.compiler.frontend.syntax import ast

_Resolve = Callable[[ast.Call, Sequence[Expr], Mapping[str, Expr], Sequence[Axis], Environment], typed.Along]
_Lower = Callable[[typed.Along, Sequence[Axis], StepEmitter, str | None], SSAValue]


@dataclass(frozen=True)
class AlongConstruct:
    """`resolve` takes the call, its arguments, those given by name that are expressions (`values`), and the indices
    around; it raises Refused. `lower` adds the statement over the indices that it is given, under a name or none."""

    resolve: _Resolve
    lower: _Lower
    values: tuple[str, ...] = ()


ALONG = {
    "softmax": AlongConstruct(resolve_softmax, lower_softmax),
    "rope": AlongConstruct(resolve_rope, lower_rope, ("at",)),
}
