"""What this machine has of the tools that generated programs need, found by light means.

Nothing heavy is imported and no device is opened: packages are looked up by their metadata, devices by what their
drivers show under /proc, /sys and /dev. Each device kind brings the rows that it needs.
"""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hetc.devices import manifests, resolve
from hetc.diagnostics import EXIT_ENVIRONMENT, Diagnostic, DiagnosticError
from hetc.runtime.versions import installed_version, release_of, satisfies, supported_versions

VERSION_TIMEOUT_S = 20


@dataclass(frozen=True)
class Check:
    """One thing that was looked for. `detail` says where it is, or what is wrong with it."""

    name: str
    ok: bool
    version: str | None
    detail: str
    how_to_get: str
    needed_for: str


def probe(root: Path = Path("/")) -> list[Check]:
    """Everything that `hetc doctor` reports; `root` is where /proc, /sys, /dev and /opt are looked for."""
    return [check(root) for check in checks().values()]


def require(*names: str, root: Path = Path("/")) -> None:
    """Raises DiagnosticError (exit 3) naming each of these checks that fails, with how to get it.

    KeyError for a name that is no check.
    """
    failed = [check for check in (checks()[name](root) for name in names) if not check.ok]
    if failed:
        raise DiagnosticError(
            [
                Diagnostic(
                    "error",
                    "HET501",
                    f"{check.name} is needed for {check.needed_for}: {check.detail}",
                    help=check.how_to_get,
                )
                for check in failed
            ],
            EXIT_ENVIRONMENT,
        )


def _check_python(_root: Path) -> Check:
    version = platform.python_version()
    ok = release_of(version) >= (3, 11)
    detail = f"{platform.python_implementation()} on {platform.machine()}"
    return Check("python", ok, version, detail, "install Python 3.11 or later", "everything")


def package_check(name: str, extra: str, needed_for: str) -> Callable[[Path], Check]:
    """A row for a Python package, which one of hetc's extras brings, in a version that hetc supports."""

    def check(_root: Path) -> Check:
        how = f"pip install 'hetc[{extra}]'"
        version = installed_version(name)
        if version is None:
            return Check(name, False, None, "not installed", how, needed_for)
        wanted = supported_versions(name)
        if wanted and not satisfies(version, wanted):
            return Check(name, False, version, f"supported versions: {wanted}", how, needed_for)
        build = version.partition("+")[2]
        detail = {"": "installed", "cpu": "installed; a build without GPU support"}.get(build, f"build {build}")
        return Check(name, True, version, detail, how, needed_for)

    return check


def output_of(command: list[str]) -> str | None:
    """What a command prints, or None where it fails, hangs or cannot start."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=VERSION_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout + done.stderr


def first_match(path: Path, pattern: str) -> str | None:
    """The first group of a pattern's first match in a file; None where there is none, or no file."""
    try:
        found = re.search(pattern, path.read_text(errors="replace"))
    except OSError:
        return None
    return found[1].strip() if found else None


_CHECKS: dict[str, Callable[[Path], Check]] = {
    "python": _check_python,
    "torch": package_check("torch", "run", "host programs and running anything"),
    "ml_dtypes": package_check("ml_dtypes", "run", "bf16 and fp8 test data"),
    "torch-mlir": package_check("torch-mlir", "mlir", "checking lowered programs with upstream MLIR"),
}
"""What every kind needs, or none. The rows of a kind stand in its manifest."""


def checks() -> dict[str, Callable[[Path], Check]]:
    """Every check by name, those that device kinds bring among them."""
    brought = {name: found for kind in manifests() for name, found in kind.checks.items()}
    return {**_CHECKS, **{name: resolve(found) for name, found in brought.items()}}


def main_job() -> frozenset[str]:
    """The checks that compiling a pipeline, and running all of it here, takes."""
    return frozenset({"python", *(name for kind in manifests() for name in kind.needs)})
