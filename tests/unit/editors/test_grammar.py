"""The editors' grammar knows the words that the compiler knows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from hetc.compiler.frontend.resolve.functions import DTYPES
from hetc.compiler.frontend.syntax.ast import LITERALS
from hetc.compiler.frontend.syntax.grammar import grammar_text
from hetc.compiler.vocabulary import DECLARATIONS, EFFECTS, ELEMENTWISE, INDEXED, STAGES, Kind, table

ROOT = Path(__file__).parents[3]
PATH = ROOT / "editors" / "hetc.tmLanguage.json"
GRAMMAR = json.loads(PATH.read_text(encoding="utf-8"))
# Words of the language that the compiler may still refuse.
RESERVED = {"def", "return", "step", "when", "for", "in"}


def words(rule: str) -> set[str]:
    """The alternatives of a rule's first group, or the rule's one word."""
    found = re.search(r"\(([a-z0-9|]+)\)", GRAMMAR["repository"][rule]["match"])
    assert found is not None, rule
    return set(found.group(1).split("|"))


COMPILERS = {
    "declaration": DECLARATIONS,
    "stage": STAGES,
    "literal": LITERALS,
    "dtype": DTYPES,
    "selecting": INDEXED,
    "function": (*EFFECTS, *ELEMENTWISE, *table(Kind.RING)),
}
"""Each rule, and the words that the compiler has for it."""


def test_the_lists_are_the_compilers(update_golden: bool) -> None:
    """Written by `--update-golden`: a word of the vocabulary is coloured without more ado."""
    if update_golden:
        text = PATH.read_text(encoding="utf-8")
        for rule, expected in COMPILERS.items():
            before = str(GRAMMAR["repository"][rule]["match"])
            listed = "|".join(sorted(expected, key=lambda word: (-len(word), word)))
            after = re.sub(r"\([a-z0-9|]+\)", f"({listed})", before, count=1)
            text = text.replace(json.dumps(before), json.dumps(after))
        PATH.write_text(text, encoding="utf-8")
        return
    for rule, expected in COMPILERS.items():
        assert words(rule) == set(expected)


def test_every_word_of_the_parsers_grammar_is_a_keyword() -> None:
    text = grammar_text()
    spelled = set(re.findall(r'"([a-z]+)"', text)) | set(re.findall(r"sparse|ring\b", text))
    known = words("pipeline") | words("declaration") | words("stage") | words("block") | words("word")
    assert spelled <= known
    assert known - spelled <= RESERVED


def test_rules_are_included_and_match() -> None:
    assert GRAMMAR["fileTypes"] == ["mp"]
    assert [item["include"] for item in GRAMMAR["patterns"]] == [f"#{name}" for name in GRAMMAR["repository"]]
    for line, rule, group in (
        ("pipeline scan grows T by 1:", "pipeline", "pipeline"),
        ("    dim D = 128; dim K = 32", "declaration", "dim"),
        ("    relevancy @fpga:", "stage", "relevancy"),
        ("        repeat 3:", "block", "repeat"),
        ("  picked[b, j] = topk[t](s[b, t], K)", "selecting", "topk"),
        ("  y = ceildiv(T, 4)", "function", "ceildiv"),
        ("  input k: fp8e5m2[B]", "dtype", "fp8e5m2"),
        ("dim T <= 4096 per B", "word", "per"),
        ("x = where(c, a, -inf)", "literal", "inf"),
        ("x = 1_000.5e-6", "number", "1_000.5e-6"),
    ):
        found = re.search(GRAMMAR["repository"][rule]["match"], line)
        assert found is not None and found.group(1 if found.lastindex else 0) == group, (line, rule)
    assert not re.search(GRAMMAR["repository"]["declaration"]["match"], "        output[b] = x[b]")
    assert re.search(GRAMMAR["repository"]["number"]["match"], "k8[b]") is None


def test_regular_expressions_are_valid() -> None:
    def visit(node: Any) -> None:
        if isinstance(node, dict):
            for key, value in node.items():
                if key in ("match", "begin", "end"):
                    re.compile(value)
                else:
                    visit(value)
        elif isinstance(node, list):
            for item in node:
                visit(item)

    visit(GRAMMAR)
