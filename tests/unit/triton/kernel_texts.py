"""Texts of modules with one task.kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_FRAME = """builtin.module {{
  mp.pipeline @p {{
    mp.dim @B bound 64 : i64
    mp.dim @T bound {bound} : i64 per "B"
    mp.dim @N bound 4096 : i64
    mp.step @p grows {{}} pins {{}} {{
{gets}
      {results}task.kernel @k on "gpu" stages [] ({names}) {{
      ^bb0({arguments}):
{body}
      task.return {values} : {types}
      }} : ({operand_types}) -> ({types})
    }}
  }}
}}
"""


def kernel_module(
    operands: Mapping[str, str], body: str, returned: Sequence[tuple[str, str]], bound: int = 1 << 20
) -> str:
    """A module whose task kernel has `operands` (name: type without `!mp.tensor<` and `>`, read as %name) and returns
    `returned` (value without %, type)."""
    full = {name: f"!mp.tensor<{type}>" for name, type in operands.items()}
    types = [f"!mp.tensor<{type}>" for _, type in returned]
    return _FRAME.format(
        bound=bound,
        gets="\n".join(f'      %get_{name} = mp.get "{name}" : {type}' for name, type in full.items()),
        results=f"%r:{len(types)} = ",
        names=", ".join(f"%get_{name}" for name in full),
        arguments=", ".join(f"%{name}: {type}" for name, type in full.items()),
        body=body,
        values=", ".join(f"%{value}" for value, _ in returned),
        types=", ".join(types),
        operand_types=", ".join(full.values()),
    )


def read(value: str, tensor: str, indices: str, type: str, result: str = "f32", present: str = "") -> str:
    """One line: `%value = mp.read %tensor[indices]`; `present` names a condition."""
    places = ", ".join(f"%{index}" for index in indices.split())
    guard = f" if %{present}" if present else ""
    return f"%{value} = mp.read %{tensor}[{places}]{guard} : !mp.tensor<{type}> -> {result}\n"


def reduce(value: str, kind: str, range: str, body: str, yielded: str, type: str = "f32", result: str = "") -> str:
    """`%value = mp.reduce "kind" <range> { body; yield yielded }`; `range` is `d in 128` or `t in T|b` (per %b);
    `yielded` is `x` or `x if p`."""
    range, _, per = range.partition("|")
    index = range.split()[0]
    suffix = f" per %{per}" if per else ""
    what = " if ".join(f"%{item}" for item in yielded.split(" if "))
    return (
        f'%{value} = mp.reduce "{kind}" <{range}>{suffix} {{\n^bb0(%{index}: index):\n{body}'
        f"mp.yield {what} : {type}\n}} : {result or type}\n"
    )


def compute(value: str, ranges: str, body: str, yielded: str, type: str, element: str = "f32") -> str:
    """`%value = mp.compute [ranges] { body; yield yielded : element } : type`."""
    items = [item.strip() for item in ranges.split(",")] if ranges else []
    indices = ", ".join(f"%{item.split()[0]}: index" for item in items)
    block = f"^bb0({indices}):" if items else "^bb0:"
    listed = ", ".join(f"#mp.range<{item}>" for item in items)
    region = f"{{\n{block}\n{body}mp.yield %{yielded} : {element}\n}}"
    return f"%{value} = mp.compute [{listed}] {region} : !mp.tensor<{type}>\n"
