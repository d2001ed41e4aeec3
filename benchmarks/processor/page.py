"""The table as a page of the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from processor.roof import Roof

_TEXT = """\
# Performance on a processor

Generated programs beside what a user could run instead, measured by
`python benchmarks/cpu.py --page docs/performance.md` (`pip install -e '.[bench]'` installs the peers). Nothing on this
page is an estimate.

- Machine: {title}, {cores} cores; {roofs}.
- {versions}. {today}.
- A time is the median of a whole call as a user makes it, host code included: of processor time with one thread, of
  wall time with several. Ours and the peers take turns in one process; answers are compared before they are timed.
- `share` is the least time over ours: what must be read once at the speed at which this machine reads, or the
  operations at the peak of its vectors in f32 (multiplications and additions fused), whichever takes longer.
- `ratio` is the best peer's time over ours: above 1 ours is faster.
- `dense`: inner products of a query with 262,144 rows of 128, the best 64. `scores`: 131,072 keys of 128 in 64 heads,
  the best 2048. `page bounds`: 8192 groups of tokens, 8 x 4 heads of 128. `block-sparse attention`: 64 blocks of 64
  tokens a head, 8 x 4 heads. `latent attention`: 128 heads, 2048 latents of 576. `MaxSim`: 32 query tokens, 1000
  documents of 180. `BM25`: 8 terms, 200,000 documents.

{table}

{notes}"""


def page(rows: Sequence[Mapping[str, Any]], roofs: Mapping[int, Roof], title: str, cores: int,
         versions: Mapping[str, str]) -> str:  # fmt: skip
    """Markdown. rows: as `measure` gives them."""
    return _TEXT.format(
        title=title,
        cores=cores,
        roofs="; ".join(
            f"{threads} thread{'s' * (threads > 1)}: {roof.read_gbs:.1f} GB/s read, {roof.gflops:.0f} GFLOP/s"
            for threads, roof in roofs.items()
        ),
        versions=", ".join(f"{name} {found}" for name, found in versions.items()),
        today=date.today().isoformat(),
        table="\n".join(_table(rows, roofs)),
        notes=_notes(rows),
    )


HEADINGS = ("work", "threads", "ms", "share", "best peer", "its ms", "ratio", "others, ms")


def cells(row: Mapping[str, Any], roofs: Mapping[int, Roof]) -> list[str]:
    """A row of the table, under HEADINGS."""
    own, others = row["us"]["hetc"], {way: us for way, us in row["us"].items() if way != "hetc"}
    floor = roofs[row["threads"]].floor_us(row["reads_bytes"], row["flop"])
    best = min(others, key=lambda way: others[way], default="")
    rest = [f"{way} {us / 1e3:.2f}" for way, us in others.items() if way != best]
    rest += [f"{way}: {why}" for way, why in row["skipped"].items()]
    found = [row["name"], str(row["threads"]), f"{own / 1e3:.3f}", f"{floor / own:.2f}", best]
    found += [f"{others[best] / 1e3:.3f}", f"{others[best] / own:.2f}"] if others else ["", ""]
    return [*found, ", ".join(rest)]


def _table(rows: Sequence[Mapping[str, Any]], roofs: Mapping[int, Roof]) -> list[str]:
    lines = [HEADINGS, ["---"] * len(HEADINGS), *(cells(row, roofs) for row in rows)]
    return ["| " + " | ".join(line) + " |" for line in lines]


def _notes(rows: Sequence[Mapping[str, Any]]) -> str:
    """What bounds the rows that a peer is faster in."""
    found = {}
    for row in rows:
        others = [us for way, us in row["us"].items() if way != "hetc"]
        if others and min(others) < row["us"]["hetc"] and row["bound_by"]:
            found[row["name"]] = row["bound_by"]
    if not found:
        return ""
    lines = [f"- {name}: {why}" for name, why in found.items()]
    return "\n".join(["Where a peer is faster, and why:", "", *lines]) + "\n"
