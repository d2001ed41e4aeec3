"""Modules for the oracle's tests, from a few lines of text."""

from __future__ import annotations

from collections.abc import Mapping

from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from hetc.dialects.registry import new_context


def module(dims: str, declared: Mapping[str, str], body: str, grows: str = "{}") -> ModuleOp:
    """A pipeline with one step `s`. dims: `B bound 4; T bound 9 per "B"`. declared: name -> `role type`; each is
    got at the top of the step as `%name`. body: the statements."""
    lines = [f"mp.dim @{item.strip()}" for item in dims.split(";") if item.strip()]
    lines = [_typed(line) for line in lines]
    gets = []
    for name, text in declared.items():
        role, type_ = text.split(" ", 1)
        lines.append(f'mp.declare @{name} "{role}" : <{type_}>')
        gets.append(f'%{name} = mp.get "{name}" : !mp.tensor<{type_}>')
    inner = "\n".join([*gets, body])
    frame = "\n".join(lines)
    text = f"mp.pipeline @p {{\n{frame}\nmp.step @s grows {grows} pins {{}} {{\n{inner}\n}}\n}}"
    parsed = Parser(new_context(), text).parse_module()
    parsed.verify()
    return parsed


def _typed(line: str) -> str:
    """`bound 4` -> `bound 4 : i64`, as the attribute is written."""
    words = line.split(" ")
    return " ".join(f"{word} : i64" if word.isdigit() else word for word in words)


def element_wise(ops: str, result: str, of: Mapping[str, str], element: str) -> ModuleOp:
    """`%r` of `ops` for each i in N; `of` names the operands (inputs over N) and their element types."""
    compute = {"f32": "f32", "i32": "i32", "i64": "i64", "index": "index", "i1": "i1", "ui8": "i32", "si4": "i32"}
    reads = "\n".join(
        f"%{name}_v = mp.read %{name}[%i] : !mp.tensor<[N], {kind}> -> {compute.get(kind, 'f32')}"
        for name, kind in of.items()
    )
    body = f"""
    %out = mp.compute [#mp.range<i in N>] {{
    ^bb0(%i: index):
      {reads}
      {ops}
      mp.yield %r : {result}
    }} : !mp.tensor<[N], {element}>
    mp.output "out", %out as {element} : !mp.tensor<[N], {element}>
    """
    return module("N bound 4096", {name: f"input [N], {kind}" for name, kind in of.items()}, body)
