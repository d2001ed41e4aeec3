"""Where each stage goes, and why: the policies, as functions of facts and estimates.

The paper's rule made precise (policy `intensity`): what scans memory and is irregular or memory-bound goes to a
streaming device; everything else stays on the device with the most arithmetic. Device kinds are an open set: each
policy asks the platform for the kind it prefers and takes another where there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hetc.devices import Role, kinds_of_role
from hetc.passes.analysis.stages import StageFacts
from hetc.platforms import Platform


@dataclass(frozen=True)
class Estimate:
    """One stage on one device kind: time and energy of one call (estimates), or why it cannot go there."""

    kind: str
    time_us: float | None = None
    energy_mj: float | None = None
    bound: str = ""
    refused: str = ""


@dataclass(frozen=True)
class Decision:
    """The kind chosen for a stage, the reason, and what was compared on the way."""

    stage: str
    kind: str
    reason: str
    intensity: float
    ridge: float
    estimates: tuple[Estimate, ...]

    @property
    def distance_to_ridge(self) -> float:
        """Intensity over ridge point: below 1 the stage is memory-bound on the compared device."""
        return self.intensity / self.ridge


def first_of(platform: Platform, role: Role) -> str | None:
    """The best kind of a role that the platform has. A scan is better off on a streaming one: deep pipelines over
    streams, no cost for irregularity. Of arithmetic ones the ridge point is compared."""
    return next((kind for kind in kinds_of_role(role) if kind in platform.kinds), None)


def arithmetic_kind(platform: Platform) -> str:
    """The kind that work goes to by default: an arithmetic one, else whatever the platform has first."""
    return first_of(platform, "arithmetic") or platform.kinds[0]


def by_intensity(facts: StageFacts, platform: Platform, dims: Mapping[str, int]) -> tuple[str, str, float, float]:
    """The kind, the reason, the stage's intensity and the ridge point that it was compared with (FLOP/B)."""
    arithmetic = arithmetic_kind(platform)
    device = platform.device_of_kind(arithmetic)
    assert device is not None
    dtype = facts.dominant_dtype(device, dims)
    intensity, ridge = facts.intensity(device, dims), device.ridge_flop_per_byte(dtype)
    streaming = first_of(platform, "streaming")
    compared = f"{intensity:.3g} FLOP/B against the {arithmetic}'s ridge point {ridge:.3g} in {dtype}"
    if not facts.scan:
        return arithmetic, f"no scan: its work does not grow with a memory; {compared}", intensity, ridge
    irregular = f"scan, irregular ({', '.join(facts.irregular)})" if facts.irregular else ""
    bound = f"scan, memory-bound: {compared}" if intensity < ridge else ""
    if irregular or bound:
        why = f"{irregular}; {compared}" if irregular else bound
        if streaming is None:
            return arithmetic, f"{why}; the platform has no streaming device", intensity, ridge
        return streaming, why, intensity, ridge
    return arithmetic, f"scan, compute-bound: {compared}", intensity, ridge


def decide(
    facts: StageFacts,
    platform: Platform,
    dims: Mapping[str, int],
    estimates: Mapping[str, Estimate],
    pinned: str | None,
) -> Decision:
    """Apply policy `intensity`, a pin, and what the schedulers refused. A pinned device that refuses stays chosen:
    the caller reports it."""
    kind, reason, intensity, ridge = by_intensity(facts, platform, dims)
    if pinned is not None:
        kind, reason = pinned, f"pinned; without the pin: {kind} ({reason})"
    elif estimates[kind].refused:
        other = next((name for name, estimate in estimates.items() if not estimate.refused), None)
        if other is not None:
            reason = f"refused by the {kind}: {estimates[kind].refused}; {reason}"
            kind = other
    return Decision(facts.stage, kind, reason, intensity, ridge, tuple(estimates.values()))
