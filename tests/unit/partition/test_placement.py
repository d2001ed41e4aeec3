"""Policy `intensity`, pins and refusals, on facts of a small scan."""

from pathlib import Path

import pytest
from xdsl.parser import Parser

from hetc.dialects.mp import PipelineOp
from hetc.dialects.registry import new_context
from hetc.passes.analysis.stages import StageFacts, stage_facts
from hetc.passes.partition.placement import Decision, Estimate, decide
from hetc.platforms import load_platform

CASE = Path(__file__).parents[2] / "filecheck" / "assign-devices.mlir"
DIMS = {"B": 1, "T": 4096}
BOTH = {"gpu": Estimate("gpu", 10.0, 1.0, "launch"), "fpga": Estimate("fpga", 20.0, 1.0, "memory")}


def facts(stage: str) -> StageFacts:
    module = Parser(new_context(), CASE.read_text()).parse_module()
    pipeline = module.body.block.first_op
    assert isinstance(pipeline, PipelineOp)
    return next(item for item in stage_facts(next(iter(pipeline.steps.values()))) if item.stage == stage)


def decision(stage: str, platform: str = "mi210+u55c", pinned: str | None = None, **changed: Estimate) -> Decision:
    known = load_platform(platform)
    estimates = {kind: estimate for kind, estimate in {**BOTH, **changed}.items() if kind in known.kinds}
    return decide(facts(stage), known, DIMS, estimates, pinned)


@pytest.mark.parametrize(
    ("stage", "kind", "reason"),
    [
        ("prepare", "gpu", "no scan"),
        ("relevancy", "fpga", "memory-bound"),
        ("retrieve", "fpga", "irregular (selection)"),
    ],
)
def test_scans_go_to_the_streaming_device(stage: str, kind: str, reason: str) -> None:
    chosen = decision(stage)
    assert chosen.kind == kind
    assert reason in chosen.reason


def test_the_policy_does_not_look_at_estimated_times() -> None:
    assert decision("relevancy").kind == "fpga"  # though BOTH says that the gpu is faster


def test_a_pin_goes_first_and_names_what_it_overrides() -> None:
    chosen = decision("relevancy", pinned="gpu")
    assert chosen.kind == "gpu"
    assert chosen.reason.startswith("pinned; without the pin: fpga")


def test_a_refused_stage_goes_to_the_other_device_with_the_reason() -> None:
    chosen = decision("relevancy", fpga=Estimate("fpga", refused="needs 2000 URAM, the device has 960"))
    assert chosen.kind == "gpu"
    assert "needs 2000 URAM" in chosen.reason


def test_without_a_streaming_device_everything_stays() -> None:
    chosen = decision("relevancy", platform="mi210")
    assert chosen.kind == "gpu"
    assert "no streaming device" in chosen.reason


def test_distance_to_the_ridge() -> None:
    chosen = decision("relevancy")
    assert chosen.distance_to_ridge == pytest.approx(chosen.intensity / 110.5, rel=0.01)
