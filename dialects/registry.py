"""Every dialect of the compiler by its name, and a context that knows them and the upstream ones used with them."""

from __future__ import annotations

from collections.abc import Callable

from xdsl.context import Context
from xdsl.dialects.arith import Arith
from xdsl.dialects.builtin import Builtin
from xdsl.dialects.math import Math
from xdsl.dialects.scf import Scf
from xdsl.ir import Dialect

from hetc.devices import manifests, resolve

_DIALECTS = {
    "mp": "hetc.dialects.mp:MP",
    "task": "hetc.dialects.task:TASK",
    "nest": "hetc.dialects.nest:NEST",
    "host": "hetc.dialects.host:HOST",
}


def _names() -> dict[str, str]:
    """Dialect -> `module:DIALECT`, those of the installed device kinds among them."""
    return {**_DIALECTS, **{name: found for kind in manifests() for name, found in kind.dialects.items()}}


def load(name: str) -> Dialect:
    """Import one of our dialects."""
    found: Dialect = resolve(_names()[name])
    return found


def all_dialects() -> dict[str, Callable[[], Dialect]]:
    """Name -> a function that imports the dialect (as xDSL's registries want it)."""
    return {name: lambda name=name: load(name) for name in _names()}  # type: ignore[misc]


def new_context() -> Context:
    """A context with our dialects and builtin, arith, math and scf; each of ours is imported when first used."""
    context = Context()
    for dialect in (Builtin, Arith, Math, Scf):
        context.load_dialect(dialect)
    for name, factory in all_dialects().items():
        context.register_dialect(name, factory)
    return context
