"""Prints nest kernels as C++ for a processor. `check` first, then `emit`; nothing is decided here."""

from hetc.backends.cpu.project import check, emit

__all__ = ["check", "emit"]
