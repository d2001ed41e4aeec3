"""The report as text. First the answer: the plan, what a call costs, and what else was compared; then a line a stage.

The input is the report that the compiler writes (`report.json`); nothing is decided or estimated here.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from hetc.compiler.explain_details import details
from hetc.compiler.explain_memory import render_device_memory
from hetc.compiler.report import stage_label
from hetc.compiler.table import Table, energy_text, si, time_text

Row = Mapping[str, Any]

WIDTH = 100
"""Of a line where nobody says how wide the terminal is."""


def render_report(report: Row, width: int = WIDTH, *, verbose: bool = False) -> str:
    """The whole explanation, for a terminal or a file; no trailing newline. verbose: also reasons, work, access,
    kernels, copies and memories."""
    first, *rest = _answer(report)
    sections = [
        "\n".join([_wrapped(first, width), *(_wrapped(f"- {line}", width) for line in rest)]),
        _plan_table(report, width),
        _stage_table(report, width),
        "\n".join(_wrapped(line, width) for line in [*_frozen_lines(report), *unreachable(report)]),
        render_device_memory(report, _several(report), verbose=verbose),
    ]
    if verbose:
        sections += [_reasons(report, width), *details(report)]
    else:
        sections.append("`-v` shows reasons, the work and access of each stage, kernels, copies and memories.")
    return "\n\n".join(section for section in sections if section)


def verdict(report: Row) -> str:
    """The answer in one line: what goes where, and what the rule would take."""
    against = _against_rule(report, _plans(report)) if "refused" not in _plans(report)["chosen"] else ""
    return f"{_answer(report)[0]} {against}".rstrip()


def _answer(report: Row) -> list[str]:
    """What goes where and what a call takes; how the rule by sparsity and intensity and each device alone compare; at
    which extents another of these plans wins; what the figures are."""
    plans = _plans(report)
    chosen = plans["chosen"]
    if "refused" in chosen:
        return [f"{report['pipeline']} cannot be compiled as it is placed: {chosen['refused']}.", _basis(report)]
    call = "for one call of each step" if _several(report) else "a call"
    cost = f"an estimated {time_text(chosen['time_us'])} and {energy_text(chosen['energy_mj'])} {call}"
    extents = ", ".join(f"{name} = {extent:,}" for name, extent in report.get("estimate", {}).items())
    lines = [f"{report['pipeline']}{f' at {extents}' if extents else ''}: {_placed(chosen, report)}, {cost}."]
    if len(_different(plans)) > 1:
        lines += [_how(report), _against_rule(report, plans), _alone(report, plans), _ranges(report)]
    return [line for line in (*lines, _basis(report)) if line]


def _how(report: Row) -> str:
    """How the plan was chosen."""
    placement = report["placement"]
    if placement["policy"] == "intensity":
        return "So the rule by sparsity and arithmetic intensity places the stages (`--policy intensity`)."
    best = _BEST[placement["objective"]]
    pinned = any(row["reason"].startswith("pinned") for row in report["stages"])
    if placement["exact"]:
        return f"Of all placements that {'keep the pins and ' if pinned else ''}can be compiled it {best}."
    return f"Of the placements that a local search tried it {best}: there are too many to try all."


_BEST = {"latency": "takes the least time", "energy": "takes the least energy", "edp": "has the least time x energy"}


def _basis(report: Row) -> str:
    """What the figures are, and of which devices."""
    devices = " and ".join(f"{title} ({kind})" for kind, title in report.get("devices", {}).items())
    return (
        f"Estimates are made from the figures of {devices or report['platform']}, which `hetc platform show` lists "
        "with their sources; nothing was measured."
    )


def _plans(report: Row) -> dict[str, Row]:
    return {plan["name"]: plan for plan in report["placement"]["plans"]}


def _different(plans: Mapping[str, Row]) -> set[str]:
    return {str(plan["stages"]) for plan in plans.values()}


def _several(report: Row) -> bool:
    return len({row["step"] for row in report["stages"]}) > 1


def _placed(plan: Row, report: Row) -> str:
    """`prepare, apply on the gpu; relevancy on the fpga`, or `everything on the gpu`."""
    several = _several(report)
    on: dict[str, list[str]] = {}
    for row in plan["stages"]:
        on.setdefault(row["device"], []).append(stage_label(row["step"], row["stage"], several))
    if len(on) == 1:
        return f"everything on the {next(iter(on))}"
    return "; ".join(f"{', '.join(stages)} on the {kind}" for kind, stages in on.items())


def _value(plan: Row, objective: str) -> float:
    time_us, energy_mj = plan["time_us"], plan["energy_mj"]
    return float({"latency": time_us, "energy": energy_mj, "edp": time_us * energy_mj}[objective])


def _against_rule(report: Row, plans: Mapping[str, Row]) -> str:
    """What the rule by sparsity and intensity would take."""
    chosen, rule = plans["chosen"], plans["rule"]
    if report["placement"]["policy"] == "intensity" or len(_different(plans)) < 2:
        return ""
    if rule["stages"] == chosen["stages"]:
        return "The rule by sparsity and arithmetic intensity places the stages so too."
    if "refused" in rule:
        return f"Placed by the rule of sparsity and arithmetic intensity it cannot be compiled: {rule['refused']}."
    return f"The rule by sparsity and arithmetic intensity ({_placed(rule, report)}) would take {_times(rule, chosen)}."


def _alone(report: Row, plans: Mapping[str, Row]) -> str:
    """What each other device would take alone."""
    chosen = plans["chosen"]
    others = [
        (name.removeprefix("all "), plan)
        for name, plan in plans.items()
        if name.startswith("all ") and plan["stages"] != chosen["stages"] and "refused" not in plan
    ]
    return " ".join(f"Everything on the {kind} would take {_times(plan, chosen)}." for kind, plan in others)


def _times(plan: Row, chosen: Row) -> str:
    """`18x the time and 13x the energy` of what was chosen; of energy nothing where one of the two takes none."""
    time = f"{_factor(plan['time_us'] / chosen['time_us'])} the time"
    if not plan["energy_mj"] or not chosen["energy_mj"]:
        return time
    return f"{time} and {_factor(plan['energy_mj'] / chosen['energy_mj'])} the energy"


def _factor(ratio: float) -> str:
    """`18x`, or `1/18 of`."""
    if ratio < 1:
        return f"1/{_digits(1 / ratio)} of"
    return f"{_digits(ratio)}x"


def _digits(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2f}"


def _ranges(report: Row) -> str:
    """At which other extents another of the plans wins; that none does is an answer."""
    able = {str(plan["stages"]) for plan in report["placement"]["plans"] if "refused" not in plan}
    if len(able) < 2:
        return "No other of the plans below can be compiled."
    estimate = report.get("estimate", {})
    stays, changes = [], []
    for row in report["placement"].get("ranges", []):
        found: dict[str, list[str]] = {}
        for extent, best in zip(row["extents"], row["best"], strict=True):
            if extent != estimate.get(row["dim"]):
                found.setdefault(best, []).append(f"{extent:,}")
        for best, extents in found.items():
            at = f"{row['dim']} = {', '.join(extents)}"
            if best == "chosen":
                stays.append(at)
            else:
                changes.append(f"{_PLAN_NAMES.get(best, best)} is better at {at}")
    texts = [f"it stays {_FIRST[report['placement']['objective']]} at {', '.join(stays)}"] if stays else []
    texts += changes
    return f"Of the plans below {'; '.join(texts)}." if texts else ""


_FIRST = {"latency": "the fastest", "energy": "the one of least energy", "edp": "the one of least time x energy"}
_PLAN_NAMES = {"rule": "the rule"}


def _plan_table(report: Row, width: int) -> str:
    """Each plan once: what a call takes, and how much of the time goes into copies."""
    table = Table("plan", "time", "energy", "of which copies", right=frozenset({1, 2, 3}))
    refused = []
    names: dict[str, list[str]] = {}
    shown: dict[str, Row] = {}
    for plan in report["placement"]["plans"]:
        key = str(plan["stages"])
        names.setdefault(key, []).append(_PLAN_NAMES.get(plan["name"], plan["name"]))
        shown[key] = plan
    for key, plan in shown.items():
        name = _plan_name(names[key])
        if "refused" in plan:
            refused.append(_wrapped(f"{name} cannot be compiled: {plan['refused']}.", width))
            continue
        copies = plan["between_us"] + plan["host_us"]
        table.add(name, time_text(plan["time_us"]), energy_text(plan["energy_mj"]), time_text(copies))
    return "\n".join([*([str(table)] if len(refused) < len(shown) else []), *refused])


def _plan_name(names: list[str]) -> str:
    """`all gpu (chosen)` for a plan that was compared under several names."""
    *others, name = [item for item in names if item != "chosen"] or names
    also = [item for item in names if item == "chosen"] + others if name != "chosen" else []
    return f"{name} ({', '.join(also)})" if also else name


def _stage_table(report: Row, width: int) -> str:
    """A line a stage: where it runs, for how long and what bounds it, what it would take elsewhere, what the rule
    says; below it what a device refuses."""
    several, rule = (
        _several(report),
        {(row["step"], row["stage"]): row["device"] for row in _plans(report)["rule"]["stages"]},
    )
    table = Table("stage", "on", "time", "bound by", "elsewhere", "the rule says", right=frozenset({2}))
    refused: dict[str, list[str]] = {}
    for row in report["stages"]:
        label, own = stage_label(row["step"], row["stage"], several), _estimate_on(row, row["device"])
        others = [item for item in row["estimates"] if item["device"] != row["device"]]
        for item in row["estimates"]:
            if "refused" in item:
                refused.setdefault(f"Not on the {item['device']}: {{}}: {item['refused']}.", []).append(label)
        table.add(
            label,
            row["device"],
            time_text(own["time_us"]) if own is not None else "-",
            own.get("bound", "-") if own is not None else "-",
            ", ".join(_elsewhere(item) for item in others) or "-",
            _rule(row, rule.get((row["step"], row["stage"]), row["device"])),
        )
    notes = [text.format(", ".join(names)) for text, names in refused.items()]
    notes.append("Times are of each stage by itself. A scan reads a memory from end to end.")
    return "\n".join([str(table), *(_wrapped(note, width) for note in notes)])


def _elsewhere(estimate: Row) -> str:
    if "refused" in estimate:
        return f"not on the {estimate['device']}"
    return f"{estimate['device']} {time_text(estimate['time_us'])}"


def _rule(row: Row, kind: str) -> str:
    """The device that the rule by sparsity and intensity names, and what decided."""
    if row["reason"].startswith("pinned"):
        return f"{row['device']}: pinned"
    if not row["scan"]:
        return f"{kind}: no scan"
    if row["irregular"]:
        return f"{kind}: scan, irregular ({', '.join(row['irregular'])})"
    less = "<" if row["intensity"] < row["ridge"] else ">="
    return f"{kind}: scan, {row['intensity']:.3g} {less} {row['ridge']:.3g} FLOP/B"


def _reasons(report: Row, width: int) -> str:
    several = _several(report)
    return "\n".join(
        _wrapped(f"{stage_label(row['step'], row['stage'], several)} -> {row['device']}: {row['reason']}", width)
        for row in report["stages"]
    )


def _estimate_on(row: Row, kind: str) -> Row | None:
    """A stage's estimate on a device kind; None where that device refuses the stage."""
    return next((item for item in row["estimates"] if item["device"] == kind and "refused" not in item), None)


def unreachable(report: Row) -> list[str]:
    """One line for each device that stages were placed on and no host program can reach."""
    return [row["reason"] for row in report.get("unreachable", [])]


def _frozen_lines(report: Row) -> list[str]:
    """What the estimates take for granted of weights."""
    rows = [row for row in report.get("transfers", []) if row.get("once")]
    if not rows:
        return []
    names = ", ".join(dict.fromkeys(row["value"] for row in rows))
    return [
        f"Taken as frozen (`program.freeze`), so copied once and not counted above: {names}; "
        f"{si(sum(row['bytes'] for row in rows), 'B')}, {time_text(sum(row['time_us'] for row in rows))}. "
        "Any call copies those that are not, unless they lie on the device that reads them."
    ]


def _wrapped(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(text, width, subsequent_indent="  ", break_long_words=False))


__all__ = ["WIDTH", "render_report", "unreachable", "verdict"]
