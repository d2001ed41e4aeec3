"""`--verify-with-mlir`: what upstream MLIR says of a pipeline."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.builtin import ModuleOp

from hetc.compiler.pipeline import run_stages
from hetc.compiler.table import Table
from hetc.compiler.upstream import CANONICALISER, PACKAGE, Lowered, Verdict, load_bindings, lower, verify
from hetc.diagnostics import EXIT_OK, EXIT_PROGRAM, Diagnostic, print_diagnostics
from hetc.dialects.locations import span_of
from hetc.runtime.versions import installed_version
from hetc.source import SourceFile


@dataclass(frozen=True)
class SecondOpinion:
    """A pipeline as upstream got it, and its verdict."""

    source: SourceFile
    lowered: Lowered
    verdict: Verdict

    @staticmethod
    def of(checked: ModuleOp, source: SourceFile) -> SecondOpinion:
        """Of a module as the front end made it. Raises DiagnosticError (exit 3) without upstream's bindings."""
        load_bindings()
        expanded = checked.clone()
        run_stages(expanded, "expanded", {})
        lowered = lower(expanded)
        return SecondOpinion(source, lowered, verify(lowered, source))

    @property
    def exit_code(self) -> int:
        return EXIT_PROGRAM if self.verdict.errors else EXIT_OK

    def diagnostics(self) -> list[Diagnostic]:
        """Upstream's errors, and a note for each statement that it was not shown."""
        notes = [
            Diagnostic("note", "HET341", f"not verified by upstream MLIR: {item}", span_of(item.statement, self.source))
            for item in self.lowered.left_out
        ]
        return [*self.verdict.errors, *notes]

    def print(self) -> None:
        """Errors to stderr, the rest to stdout."""
        lowered, verdict = self.lowered, self.verdict
        print_diagnostics(verdict.errors)
        shown = lowered.statements - len(lowered.left_out)
        form = f"{_count(lowered.functions, 'function')}, {shown} of {lowered.statements} statements"
        name = f"upstream MLIR ({PACKAGE} {installed_version(PACKAGE)})"
        if verdict.errors:
            print(f"{name} rejects it: {form}")
        else:
            before, after = verdict.operations
            print(f"{name} verifies it: {form}; {before} operations, {after} after {CANONICALISER}")
        if lowered.left_out:
            print("Left out, since upstream's dialects cannot express them (their results are arguments):")
            table = Table("operation", "line", "why")
            for item in lowered.left_out:
                table.add(item.operation, item.line, f"{item.limit.construct}: {item.limit.reason}")
            print(table)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
