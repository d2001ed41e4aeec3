"""The words of the language, one line each: what the parser, the front end, the decorator's imports and hints know.

What a built-in function means stands in `frontend/constructs`. Nothing is imported here: `from hetc import topk` reads
these tables and must stay quick.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

STAGES = ("prepare", "relevancy", "retrieve", "apply")
ROLES = ("input", "weight", "memory")
DECLARATIONS = ("dim", *ROLES, "output")
PIPELINE_WORDS = ("step", "def")
BLOCKS: Mapping[str, str] = {"repeat": "repeat", "when": "when", "for": "loop"}
"""Words that open a block in a stage, and the grammar's rule for their line."""
LAYOUTS: Mapping[str, str] = {
    "contiguous": "", "paged": "block", "striped": "channels", "record": "memory", "planes": "memory",
}  # fmt: skip
"""How a memory can lie, and the name of the layout's argument."""


class Kind(Enum):
    """How a built-in function is called, and what it gives."""

    ELEMENTWISE = auto()
    """`exp(x)`: a value of values."""
    REDUCTION = auto()
    """`sum[i](x)`: a value; it introduces its indices."""
    ALONG = auto()
    """`softmax[i](x)`: a value; its indices are introduced around it."""
    SELECTION = auto()
    """`topk[i](x, K)`: tensors, so it stands alone on the right of `=`; it introduces its indices."""
    CONVERSION = auto()
    """`quantize[i](x, fp8)`: tensors; its indices are introduced on the left."""
    JOIN = auto()
    """`concat[i](a, b)`: becomes a choice by the index, which is introduced around it."""
    RING = auto()
    """`age(bank, n)`: becomes arithmetic of what a ring remembers."""
    EFFECT = auto()
    """`append(m, x)`: a statement."""


@dataclass(frozen=True)
class Builtin:
    """A built-in function. `least` to `most`: the plain arguments of one of elements. `options`: arguments by name,
    each with the words that it takes, none where it takes an expression. `rules`: words that are called in an
    option; `words`: those that may be a plain argument. `gives_places`: of a reduction, that over several indices it
    gives a place by each."""

    name: str
    kind: Kind
    least: int = 1
    most: int = 1
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rules: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    gives_places: bool = False


def _alike(kind: Kind, names: str, least: int = 1, most: int | None = None) -> tuple[Builtin, ...]:
    return tuple(Builtin(name, kind, least, least if most is None else most) for name in names.split())


BUILTINS: tuple[Builtin, ...] = (
    *_alike(Kind.ELEMENTWISE, "exp log sqrt rsqrt tanh sin cos erf floor ceil round abs relu sigmoid silu gelu sign"),
    *_alike(Kind.ELEMENTWISE, "min max", 2, 8),
    *_alike(Kind.ELEMENTWISE, "where", 2, 3),
    *_alike(Kind.ELEMENTWISE, "atan2 pow ceildiv", 2),
    *_alike(Kind.ELEMENTWISE, "present"),
    *_alike(Kind.ELEMENTWISE, "coalesce", 2),
    *_alike(Kind.REDUCTION, "sum prod max min mean any all count"),
    Builtin("argmax", Kind.REDUCTION, gives_places=True),
    Builtin("argmin", Kind.REDUCTION, gives_places=True),
    Builtin("softmax", Kind.ALONG),
    Builtin(
        "rope", Kind.ALONG,
        options={"at": (), "base": (), "dims": (), "layout": ("half", "interleaved"), "scaling": ()},
        rules=("linear", "yarn", "llama3"),
    ),
    Builtin(
        "quantize", Kind.CONVERSION,
        options={"block": (), "scale": ("pow2", "f32", "f16", "bf16", "fp8", "fp8e5m2", "e8m0"), "floor": ()},
        words=("mxfp4", "mxfp8", "nvfp4"),
    ),
    Builtin("topk", Kind.SELECTION, options={"order": ("any", "score", "index")}),
    Builtin("select", Kind.SELECTION, options={"capacity": ()}),
    Builtin("sort", Kind.SELECTION, options={"order": ("ascending", "descending")}),
    Builtin("concat", Kind.JOIN),
    Builtin("age", Kind.RING),
    Builtin("append", Kind.EFFECT),
    Builtin("clear", Kind.EFFECT),
)  # fmt: skip


def table(*kinds: Kind) -> dict[str, Builtin]:
    """The functions of these kinds by name, in the order of the table."""
    return {item.name: item for item in BUILTINS if item.kind in kinds}


ELEMENTWISE = table(Kind.ELEMENTWISE)
REDUCTIONS = table(Kind.REDUCTION)
SELECTIONS = table(Kind.SELECTION)
EFFECTS = table(Kind.EFFECT)
INDEXED = table(Kind.REDUCTION, Kind.ALONG, Kind.CONVERSION, Kind.SELECTION, Kind.JOIN)
"""What has indices in brackets. `min` and `max` have or have not."""
FUNCTIONS = tuple(dict.fromkeys(item.name for item in BUILTINS))
OPTION_WORDS = tuple(
    dict.fromkeys(word for item in BUILTINS for words in (*item.options.values(), item.words) for word in words)
)
"""Words that stand among a call's arguments and name no value."""
RULES = tuple(rule for item in BUILTINS for rule in item.rules)
