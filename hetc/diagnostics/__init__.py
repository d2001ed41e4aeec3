"""Diagnostics: what is said to a user about a program, a command line or a machine.

A diagnostic is data (`model`), its code is in one table (`codes`), a renderer draws it (`render`).
"""

from hetc.diagnostics.codes import CODES
from hetc.diagnostics.model import (
    EXIT_ENVIRONMENT,
    EXIT_OK,
    EXIT_PROGRAM,
    EXIT_USAGE,
    Diagnostic,
    DiagnosticError,
    Diagnostics,
    Related,
    Severity,
    suggest,
)
from hetc.diagnostics.render import print_diagnostics, render, render_all, to_json, visible
from hetc.diagnostics.system import cannot_import, cannot_write, reason_of, system_refuses

__all__ = [
    "CODES",
    "EXIT_ENVIRONMENT",
    "EXIT_OK",
    "EXIT_PROGRAM",
    "EXIT_USAGE",
    "Diagnostic",
    "DiagnosticError",
    "Diagnostics",
    "Related",
    "Severity",
    "cannot_import",
    "cannot_write",
    "print_diagnostics",
    "reason_of",
    "render",
    "render_all",
    "suggest",
    "system_refuses",
    "to_json",
    "visible",
]
