"""Built-in functions along indices that are introduced around them: what checks one, and the statement it becomes."""

from __future__ import annotations

from hetc.compiler.frontend.constructs.rope import lower_rope, resolve_rope
from hetc.compiler.frontend.constructs.softmax import lower_softmax, resolve_softmax
from hetc.compiler.frontend.resolve.typed import AlongConstruct

ALONG = {
    "softmax": AlongConstruct(resolve_softmax, lower_softmax),
    "rope": AlongConstruct(resolve_rope, lower_rope, ("at",)),
}
"""The environment has this table: expressions are resolved and lowered below the constructs."""
