"""Scans over the slots of a ring memory, whose extent is a constant like any other."""

from __future__ import annotations

import pytest
from xdsl.parser import Parser
from xdsl.utils.exceptions import VerifyException

from hetc.compiler.frontend import compile_source
from hetc.compiler.pipeline import run_stages
from hetc.compiler.report import pipeline_of
from hetc.dialects.mp import StepOp
from hetc.dialects.registry import new_context
from hetc.passes.analysis.rings import slots_of
from hetc.passes.analysis.stages import stage_facts
from hetc.source import SourceFile

BANK = """
pipeline p:
    dim B <= 4; dim N = 6; dim D = 6; dim K = 2
    input x: f32[B, D]
    memory bank: ring bf16[B, N, D]
    memory table: bf16[B, N, D]

    step ask(x):
        relevancy:
            s[b, n] = sum[d](x[b, d] * bank[b, n, d])
        retrieve:
            picked[b, j] = topk[n](s[b, n], K)
        apply:
            o[b, d] = sum[j](bank[b, picked[b, j], d])
        output o
    step plain(x):
        relevancy:
            t[b, n] = sum[d](x[b, d] * table[b, n, d])
        retrieve:
            best[b, j] = topk[n](t[b, n], K)
        output best
    step push(x):
        prepare:
            y[b, d] = x[b, d] * 2
            append(bank, y)
    step tell(x):
        prepare:
            append(bank, x)
        relevancy:
            total[b, d] = sum[n](bank[b, n, d])
        output total
    step fade():
        prepare:
            bank[b, n, d] = bank[b, n, d] / 2
"""


@pytest.fixture(name="steps", scope="module", params=["explicit", "expanded"])
def steps_of_a_bank(request: pytest.FixtureRequest) -> dict[str, StepOp]:
    module = compile_source(SourceFile("p.mp", BANK))
    run_stages(module, request.param, {})
    return pipeline_of(module).steps


def scans(step: StepOp) -> dict[str, bool]:
    return {facts.stage: facts.scan for facts in stage_facts(step)}


def test_what_goes_from_slot_to_slot_scans(steps: dict[str, StepOp]) -> None:
    """Also a selection of values as long as the ring; not what reads a few picked slots."""
    assert scans(steps["ask"]) == {"relevancy": True, "retrieve": True, "apply": False}


def test_another_dim_of_the_same_extent_is_none(steps: dict[str, StepOp]) -> None:
    assert scans(steps["plain"]) == {"relevancy": False, "retrieve": False}


def test_an_append_writes_one_slot_and_scans_nothing(steps: dict[str, StepOp]) -> None:
    assert scans(steps["push"]) == {"prepare": False}


def test_new_contents_are_scanned_like_old_ones(steps: dict[str, StepOp]) -> None:
    assert scans(steps["tell"]) == {"prepare": False, "relevancy": True}


def test_a_change_of_every_slot_scans(steps: dict[str, StepOp]) -> None:
    assert scans(steps["fade"]) == {"prepare": True}


def test_slots_are_known_by_their_position(steps: dict[str, StepOp]) -> None:
    found = slots_of(steps["ask"])
    by_name = {value.name_hint: places for value, places in found.items()}
    assert by_name["bank"] == {1}
    assert by_name["s"] == {1}
    assert "o" not in by_name and "picked" not in by_name


@pytest.mark.parametrize(
    ("role", "ring", "right"),
    [("memory", 1, True), ("memory", 0, False), ("memory", 3, False), ("input", 1, False)],
)
def test_a_ring_is_a_constant_dim_of_a_memory(role: str, ring: int, right: bool) -> None:
    declare = f'mp.declare @bank "{role}" ring {ring} : i64 counter "c" : <[B, 6, 4], bf16>'
    text = f"builtin.module {{ mp.pipeline @p {{ mp.dim @B bound 4 : i64\n {declare} }} }}"
    module = Parser(new_context(), text).parse_module()
    if right:
        module.verify()
        assert f"ring {ring}" in str(module)
    else:
        with pytest.raises(VerifyException, match="ring names a dim of constant extent"):
            module.verify()
