"""What a placement may be chosen by."""

from __future__ import annotations

POLICIES = ("auto", "intensity")
"""`auto`: the cheapest plan. `intensity`: the rule by sparsity and arithmetic intensity (see placement)."""
OBJECTIVES = ("latency", "energy", "edp")
"""What the cheapest plan has least of: time, energy, or their product."""
