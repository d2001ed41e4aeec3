"""How memories lie: `@paged(64)`, `@record(keys)` and their like, as the storage of their types.

contiguous       row-major, as is everything that says nothing
paged(block)     pages of so many rows, found through a table for each sequence
striped(channels)  rows dealt to so many memory channels
record(other)    each row beside the same row of another memory
planes(other)    in each page of another memory, behind its rows
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

from hetc.compiler.frontend.resolve.dims import evaluate_integer
from hetc.compiler.frontend.resolve.environment import Environment, Refused
from hetc.compiler.frontend.resolve.symbols import Dim
from hetc.compiler.frontend.syntax import ast
from hetc.compiler.vocabulary import LAYOUTS
from hetc.diagnostics import Related, suggest
from hetc.dialects.mp import RowsAttr, TensorType, storage_bits, values_a_byte
from hetc.source import Span


@dataclass(frozen=True)
class _Choice:
    """A memory's layout as it was asked for."""

    kind: str
    number: int
    other: str
    span: Span


def place_memories(pipeline: ast.Pipeline, given: Mapping[str, ast.Expr], environment: Environment) -> None:
    """Gives declared memories the storage that their layouts ask for; `given` go before the program's own."""
    unknown = [name for name in given if name not in {item.name for item in pipeline.declarations}]
    for name in unknown:
        environment.unknown(name, given[name].span, "memory", _memories(environment))
    chosen: dict[str, _Choice] = {}
    for item in pipeline.declarations:
        layout = given.get(item.name, item.layout)
        if layout is None or item.name not in environment.declared:
            continue
        try:
            chosen[item.name] = _choice(item, layout, environment)
        except Refused:
            environment.broken.add(item.name)
    for name in chosen:
        if chosen[name].kind == "striped":
            environment.declared[name] = replace(environment.declared[name], stripes=chosen[name].number)
    for leader in list(environment.declared):
        if leader in chosen and chosen[leader].kind in ("record", "planes"):
            continue
        members = [name for name, choice in chosen.items() if choice.other == leader]
        try:
            _Group(leader, members, chosen, environment).place()
        except Refused:
            continue


def _memories(environment: Environment) -> list[str]:
    return [item.name for item in environment.declared.values() if item.role == "memory"]


def _choice(item: ast.Declaration, layout: ast.Expr, environment: Environment) -> _Choice:
    kind = layout.function if isinstance(layout, ast.Call) else layout.name if isinstance(layout, ast.Name) else ""
    if kind not in LAYOUTS:
        close = suggest(kind, LAYOUTS)
        help = f"did you mean `{close}`?" if close else f"layouts are {', '.join(LAYOUTS)}"
        raise environment.refuse("HET203", f"unknown layout `{kind}`", layout.span, help=help)
    declared = environment.declared[item.name]
    if declared.role != "memory" or declared.type.is_sparse or item.ring:
        what = "a sparse memory" if declared.type.is_sparse else "a ring" if item.ring else f"the {declared.role}"
        raise environment.refuse("HET203", f"{what} `{item.name}` has no layout to choose", layout.span)
    argument = LAYOUTS[kind]
    values = list(layout.arguments) if isinstance(layout, ast.Call) else []
    for keyword in layout.keywords if isinstance(layout, ast.Call) else ():
        if keyword.name != argument:
            raise environment.refuse("HET203", f"`{kind}` takes no argument `{keyword.name}`", keyword.span)
        values.append(keyword.value)
    if len(values) != (1 if argument else 0):
        usage = f"`{kind}({argument})`" if argument else f"`{kind}`"
        raise environment.refuse("HET203", f"this layout is written {usage}", layout.span)
    if not argument:
        return _Choice(kind, 0, "", layout.span)
    if argument != "memory":
        return _Choice(kind, evaluate_integer(values[0], environment, f"`{argument}`", low=1), "", layout.span)
    other = values[0].name if isinstance(values[0], ast.Name) else ""
    if other == item.name or other not in _memories(environment):
        raise environment.unknown(other or "?", values[0].span, "memory", _memories(environment))
    return _Choice(kind, 0, other, layout.span)


class _Group:
    """Memories that share their rows' or pages' place, the leader first."""

    def __init__(self, leader: str, members: list[str], chosen: Mapping[str, _Choice], environment: Environment):
        self.leader, self.members, self.chosen, self.environment = leader, members, chosen, environment
        self.declared = [environment.declared[name] for name in (leader, *members)]

    def place(self) -> None:
        """Raises Refused after a diagnostic."""
        own = self.chosen.get(self.leader)
        block = own.number if own is not None and own.kind == "paged" else 0
        if not block and not self.members:
            return
        kinds = {self.chosen[name].kind for name in self.members}
        for name in (self.leader, *self.members) if block else self.members:
            self._check(name, block)
        if len(kinds) > 1 or ("planes" in kinds and not block) or (own is not None and own.kind == "striped"):
            raise self._refuse_mixture(kinds)
        rows = [_row_bytes(item.type) for item in self.declared]
        units = [storage_bits(item.type.element) // 8 for item in self.declared]
        scale = block if "planes" in kinds else 1
        offsets, total = _aligned([size * scale for size in rows], units)
        for item, size, unit, offset in zip(self.declared, rows, units, offsets, strict=True):
            row = size // unit if "planes" in kinds or not kinds else total // unit
            page = (total if "planes" in kinds else total * block) // unit
            storage = RowsAttr(row, offset // unit, block, page if block else 0)
            type_ = TensorType(item.type.extents, item.type.element, storage)
            group = self.leader if self.members else ""
            self.environment.declared[item.name] = replace(item, type=type_, group=group)

    def _check(self, name: str, block: int) -> None:
        """The last run-time dim is one whose length the state keeps, with only its rows before it; members run over the
        leader's."""
        environment, declared = self.environment, self.environment.declared[name]
        span = self.chosen[name].span if name in self.chosen else declared.span
        shape = declared.type.shape
        last = declared.type.row_axis
        dim = environment.dim_of_extent(shape[last]) if last >= 0 else None
        if dim is None or not self._is_kept(dim):
            message = f"rows of `{name}` are those of a dim that the state knows the length of, and it has none"
            related = (Related(declared.span, "declared here"),)
            help = "expected a dim that grows, or a run-time dim of memories alone, whose rows the caller brings"
            raise environment.refuse("HET203", message, span, related=related, help=help)
        before = [key for key in shape[:last] if isinstance(key, str)]
        if before != ([dim.per] if dim.per is not None else []) or (before and shape[last - 1] != dim.per):
            message = f"`{name}` has other extents between its rows; expected [..., {dim.per or ''}, {dim.name}, ...]"
            help = "put constant extents behind the dim that grows"
            raise environment.refuse("HET203", message, span, help=help)
        leader = environment.declared[self.leader].type
        if shape[: last + 1] != leader.shape[: leader.row_axis + 1]:
            message = f"`{name}` does not have the rows of `{self.leader}`"
            related = (Related(environment.declared[self.leader].span, "declared here"),)
            raise environment.refuse("HET203", message, span, related=related)

    def _is_kept(self, dim: Dim) -> bool:
        """Whether a state keeps the dim's length: a call's tensors do not say it, nor do other dims."""
        if dim.name in self.environment.growing:
            return True
        others = [item.type.shape for item in self.environment.declared.values() if item.role != "memory"]
        is_batch = any(other.per == dim.name for other in self.environment.dims.values())
        return not dim.derived and not is_batch and all(dim.name not in shape for shape in others)

    def _refuse_mixture(self, kinds: set[str]) -> Refused:
        span = self.chosen[self.members[0]].span
        if len(kinds) > 1:
            message = f"memories lie beside `{self.leader}` as records and as planes; expected one of the two"
        elif "planes" in kinds:
            message = f"planes stand in the pages of `{self.leader}`, which has none"
        else:
            message = f"`{self.leader}` is striped: nothing lies beside its rows"
        return self.environment.refuse("HET203", message, span)


def _row_bytes(type: TensorType) -> int:
    *inner, last = (1, *(int(size) for size in type.shape[type.row_axis + 1 :]))
    return prod(inner) * -(-last // values_a_byte(type)) * storage_bits(type.element) // 8


def _aligned(sizes: list[int], units: list[int]) -> tuple[list[int], int]:
    """Where parts of these sizes begin, one after the other, each at a multiple of its unit, and the total, which is
    one of all units. In bytes."""
    offsets, end = [], 0
    for size, unit in zip(sizes, units, strict=True):
        begin = -(-end // unit) * unit
        offsets.append(begin)
        end = begin + size
    largest = max(units)
    return offsets, -(-end // largest) * largest
