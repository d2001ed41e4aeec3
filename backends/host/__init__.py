"""Prints host.program ops as Python host programs. `check` first, then `emit`; nothing is decided here."""

from hetc.backends.host.program import check, emit

__all__ = ["check", "emit"]
