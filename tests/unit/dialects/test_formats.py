"""Textual forms are compiled when they are used; all of them can be."""

from __future__ import annotations

import subprocess
import sys

import pytest
from xdsl.dialects.arith import Arith
from xdsl.dialects.math import Math
from xdsl.dialects.scf import Scf
from xdsl.irdl import IRDLOperation, irdl_op_definition, operand_def
from xdsl.irdl.declarative_assembly_format import FormatProgram
from xdsl.utils.exceptions import ParseError, PyRDLOpDefinitionError

from hetc.dialects.formats import DeferredFormat, deferred
from hetc.dialects.registry import all_dialects

DIALECTS = {dialect.name: dialect for dialect in (Arith, Math, Scf, *(load() for load in all_dialects().values()))}


def test_every_dialect_that_is_used_is_deferred() -> None:
    assert set(DIALECTS) == deferred()


@pytest.mark.parametrize("name", sorted(deferred()))
def test_formats_are_well_formed(name: str) -> None:
    definitions = [op.get_irdl_definition() for op in DIALECTS[name].operations if issubclass(op, IRDLOperation)]
    formats = [(item.assembly_format, item) for item in definitions if item.assembly_format is not None]
    assert formats
    for text, definition in formats:
        assert isinstance(DeferredFormat(text, definition).program, FormatProgram)


def test_nothing_is_compiled_before_it_is_used() -> None:
    text = (
        "import sys, hetc.compiler.driver, hetc.dialects.fpga, hetc.dialects.tile, hetc.dialects.host\n"
        "parser = 'xdsl.irdl.declarative_assembly_format_parser'\n"
        "assert parser not in sys.modules\n"
        "from xdsl.dialects.arith import AddiOp, ConstantOp\n"
        "number = ConstantOp.from_int_and_width(1, 32)\n"
        "assert str(AddiOp(number, number)).startswith('%0 = arith.addi ')\n"
        "assert parser in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", text], check=True)


def test_a_wrong_format_is_told() -> None:
    """Of a dialect of ours when it is used, of any other where it is defined."""

    def define(dialect: str) -> type[IRDLOperation]:
        @irdl_op_definition
        class WrongOp(IRDLOperation):
            name = f"{dialect}.wrong"
            value = operand_def()
            assembly_format = "$other attr-dict"

        return WrongOp

    with pytest.raises(PyRDLOpDefinitionError):
        define("elsewhere")
    definition = define("tile").get_irdl_definition()
    assert definition.assembly_format is not None
    with pytest.raises(ParseError):
        _ = DeferredFormat(definition.assembly_format, definition).program
