"""Every dialect of the compiler by its name, and a context that knows them and the upstream ones used with them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from xdsl.context import Context
from xdsl.dialects.arith import Arith
from xdsl.dialects.builtin import Builtin
from xdsl.dialects.math import Math
from xdsl.dialects.scf import Scf
from xdsl.ir import Dialect

_DIALECTS = {"mp": "MP", "task": "TASK", "fpga": "FPGA", "tile": "TILE", "host": "HOST", "nest": "NEST"}


def load(name: str) -> Dialect:
    """Import one of our dialects."""
    return getattr(import_module(f"hetc.dialects.{name}"), _DIALECTS[name])


def all_dialects() -> dict[str, Callable[[], Dialect]]:
    """Name -> a function that imports the dialect (as xDSL's registries want it)."""
    return {name: lambda name=name: load(name) for name in _DIALECTS}  # type: ignore[misc]


def new_context() -> Context:
    """A context with our dialects and builtin, arith, math and scf; each of ours is imported when first used."""
    context = Context()
    for dialect in (Builtin, Arith, Math, Scf):
        context.load_dialect(dialect)
    for name, factory in all_dialects().items():
        context.register_dialect(name, factory)
    return context
