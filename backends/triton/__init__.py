"""Triton text of the tile dialect: `check(module)`, then `emit(module)`."""

from hetc.backends.triton.emit import check, emit

__all__ = ["check", "emit"]
