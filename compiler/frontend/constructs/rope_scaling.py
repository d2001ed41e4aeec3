"""The frequencies of a rotary embedding: by its base, and stretched for contexts longer than a model was trained on.

linear  position interpolation (arXiv 2306.15595): every frequency divided by the factor
yarn    NTK by parts (arXiv 2309.00071): frequencies that turn more often than `beta_fast` times in the original context
        stay, those that turn less often than `beta_slow` times are divided, those between are blended by their place
llama3  Llama 3.1's rule (its published reference code): as yarn, blended by how often a frequency turns
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from hetc.compiler.frontend.resolve.dims import evaluate
from hetc.compiler.frontend.resolve.environment import Environment
from hetc.compiler.frontend.syntax import ast

Frequencies = list[float]


def plain(dims: int, base: float) -> Frequencies:
    """Radians a position, one for each of dims / 2 pairs of channels: base ** (-2 * pair / dims) (arXiv 2104.09864)."""
    return [base ** (-2 * pair / dims) for pair in range(dims // 2)]


def _linear(frequencies: Frequencies, dims: int, base: float, factor: float) -> Frequencies:
    return [item / factor for item in frequencies]


def _yarn(
    frequencies: Frequencies, dims: int, base: float, factor: float, original: float, beta_fast: float, beta_slow: float
) -> Frequencies:
    def pair_of(turns: float) -> float:
        """The pair, not rounded, whose frequency turns so often in the original context."""
        return dims * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(base))

    low = max(math.floor(pair_of(beta_fast)), 0)
    high = min(math.ceil(pair_of(beta_slow)), dims - 1)
    width = high - low if high != low else 0.001
    found = []
    for pair, item in enumerate(frequencies):
        divided = min(max((pair - low) / width, 0.0), 1.0)
        found.append(item / factor * divided + item * (1 - divided))
    return found


def _llama3(
    frequencies: Frequencies, dims: int, base: float, factor: float, original: float, low: float, high: float
) -> Frequencies:
    found = []
    for item in frequencies:
        turns = original * item / (2 * math.pi)
        kept = min(max((turns - low) / (high - low), 0.0), 1.0)
        found.append(item / factor * (1 - kept) + item * kept)
    return found


_RULES: Mapping[str, tuple[Callable[..., Frequencies], Mapping[str, float | None]]] = {
    "linear": (_linear, {"factor": None}),
    "yarn": (_yarn, {"factor": None, "original": None, "beta_fast": 32.0, "beta_slow": 1.0}),
    "llama3": (_llama3, {"factor": None, "original": None, "low": 1.0, "high": 4.0}),
}
"""Each rule, and its arguments with their defaults; None for one that must be given."""
RULES = tuple(_RULES)


def scaled(dims: int, base: float, scaling: ast.Expr, environment: Environment) -> Frequencies:
    """The frequencies by a rule such as `yarn(factor=40, original=4096)`. Raises Refused after a diagnostic."""
    if not isinstance(scaling, ast.Call) or scaling.indices or scaling.function not in _RULES:
        message = "expected `scaling` to be a rule and its arguments"
        help = "write " + ", ".join(f"`{_usage(name)}`" for name in RULES)
        raise environment.refuse("HET108", message, scaling.span, help=help)
    rule, defaults = _RULES[scaling.function]
    given = _arguments(scaling, tuple(defaults), environment)
    missing = [name for name, value in defaults.items() if value is None and name not in given]
    if missing:
        message = f"`{scaling.function}` needs {' and '.join(f'`{name}`' for name in missing)}"
        raise environment.refuse("HET108", message, scaling.span, help=f"write `{_usage(scaling.function)}`")
    values = {name: given.get(name, default) for name, default in defaults.items()}
    low, high = next(((a, b) for a, b in (("low", "high"), ("beta_slow", "beta_fast")) if a in values), ("", ""))
    if low and values[low] >= values[high]:  # type: ignore[operator]
        raise environment.refuse("HET108", f"`{low}` must be below `{high}`", scaling.span)
    return rule(plain(dims, base), dims, base, **values)


def _usage(name: str) -> str:
    defaults = _RULES[name][1]
    listed = [f"{item}=..." if value is None else f"{item}={value:g}" for item, value in defaults.items()]
    return f"{name}({', '.join(listed)})"


def _arguments(call: ast.Call, names: Sequence[str], environment: Environment) -> dict[str, float]:
    """The arguments of a rule by name, all above 0."""
    listed = list(zip(names, call.arguments, strict=False)) + [(item.name, item.value) for item in call.keywords]
    if len(call.arguments) > len(names):
        raise environment.refuse("HET108", f"`{call.function}` takes {len(names)} arguments", call.span)
    found: dict[str, float] = {}
    for name, value in listed:
        if name not in names or name in found:
            message = (
                f"`{call.function}` takes no argument `{name}`" if name not in names else f"`{name}` is given twice"
            )
            raise environment.refuse("HET108", message, value.span, help=f"write `{_usage(call.function)}`")
        found[name] = float(evaluate(value, environment, f"`{name}` of `{call.function}`"))
        if not found[name] > 0:
            raise environment.refuse("HET108", f"`{name}` must be above 0", value.span)
    return found
