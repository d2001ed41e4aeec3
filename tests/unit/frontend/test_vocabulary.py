"""Each word of the vocabulary has a meaning, and each meaning a word."""

from __future__ import annotations

from hetc.compiler.frontend.arithmetic import elementwise
from hetc.compiler.frontend.constructs import rope_scaling, table
from hetc.compiler.frontend.constructs.along import ALONG
from hetc.compiler.vocabulary import BUILTINS, ELEMENTWISE, REDUCTIONS, RULES, Kind
from hetc.compiler.vocabulary import table as words


def test_each_word_has_a_construct() -> None:
    assert {*elementwise.TABLE, "where"} == set(ELEMENTWISE)
    assert set(ALONG) == set(words(Kind.ALONG))
    assert set(table.TENSORS) == set(words(Kind.SELECTION, Kind.CONVERSION))
    assert set(table.EFFECTS) == set(words(Kind.EFFECT))
    assert set(table.SEVERAL) == {name for name, row in REDUCTIONS.items() if row.gives_places}
    assert tuple(rope_scaling.RULES) == RULES


def test_a_kind_has_a_word_once() -> None:
    rows = [(item.name, item.kind) for item in BUILTINS]
    assert len(rows) == len(set(rows))
