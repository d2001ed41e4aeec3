"""Draws blocks."""

from __future__ import annotations

from random_programs.writes import Writes


class Blocks(Writes):
    """Statements in blocks."""
