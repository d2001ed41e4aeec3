"""Functions that emitted kernels call, from a template: only those that a module uses are printed."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files


@cache
def all_helpers() -> dict[str, str]:
    """Name -> source text, in the template's order."""
    text = files("hetc.backends.triton").joinpath("helpers.tmpl").read_text(encoding="utf-8")
    found = {}
    for part in re.split(r"\n\n\n", text.strip()):
        match = re.search(r"^def (\w+)\(", part, re.MULTILINE)
        assert match is not None, "a helper is one function"
        found[match.group(1)] = part
    return found


def needed(used: set[str]) -> list[str]:
    """The sources of the helpers in `used` and of those that they call, in the template's order."""
    helpers = all_helpers()
    wanted = set(used)
    for name in reversed(list(helpers)):  # a helper calls earlier ones only
        if name in wanted:
            wanted |= {other for other in helpers if re.search(rf"\b{other}\(", helpers[name])}
    return [source for name, source in helpers.items() if name in wanted]
