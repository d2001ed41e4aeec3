"""Statements are grouped into kernels that can run one after the other."""

from pathlib import Path

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.parser import Parser

from hetc.dialects.mp import PipelineOp, StepOp
from hetc.dialects.registry import new_context
from hetc.dialects.task import KernelOp, TransferOp
from hetc.passes.partition.cut_kernels import CutKernelsPass
from hetc.passes.partition.insert_transfers import InsertTransfersPass
from hetc.passes.partition.outline import group_statements, statements_of

CASE = Path(__file__).parents[2] / "filecheck" / "cut-kernels.mlir"


def placed(**devices: str) -> tuple[ModuleOp, StepOp]:
    """The scored memory, with a device for each of its stages."""
    module = Parser(new_context(), CASE.read_text()).parse_module()
    pipeline = module.body.block.first_op
    assert isinstance(pipeline, PipelineOp)
    step = next(iter(pipeline.steps.values()))
    for op in statements_of(step):
        op.attributes["device"] = StringAttr(devices[op.attributes["stage"].data])  # type: ignore[attr-defined]
    return module, step


def kernels(module: ModuleOp) -> list[KernelOp]:
    return [op for op in module.walk() if isinstance(op, KernelOp)]


def test_an_append_of_the_same_device_separates_kernels() -> None:
    """The scan reads the appended row, and the append stands between kernels."""
    module, step = placed(prepare="fpga", relevancy="fpga", retrieve="fpga")
    assert [len(group) for group in group_statements(step.body.block)] == [1, 2]
    CutKernelsPass().apply(Context(), module)
    assert [kernel.sym_name.data for kernel in kernels(module)] == ["prepare", "relevancy_retrieve"]
    module.verify()


def test_stages_apart_when_asked() -> None:
    module, _ = placed(prepare="gpu", relevancy="fpga", retrieve="fpga")
    CutKernelsPass(by_stage=True).apply(Context(), module)
    assert [kernel.sym_name.data for kernel in kernels(module)] == ["prepare", "relevancy", "retrieve"]
    module.verify()


def test_a_value_moves_once_to_a_device() -> None:
    module, _ = placed(prepare="gpu", relevancy="fpga", retrieve="gpu")
    CutKernelsPass().apply(Context(), module)
    InsertTransfersPass().apply(Context(), module)
    module.verify()
    moves = [(op.value.name_hint, op.source.data, op.target.data) for op in module.walk() if isinstance(op, TransferOp)]
    assert sorted(moves) == [
        ("row", "gpu", "fpga"),
        ("s", "fpga", "gpu"),
        ("x", "host", "fpga"),
        ("x", "host", "gpu"),
    ]


def test_cut_modules_print_and_parse() -> None:
    module, _ = placed(prepare="gpu", relevancy="fpga", retrieve="gpu")
    CutKernelsPass().apply(Context(), module)
    assert str(Parser(new_context(), str(module)).parse_module()) == str(module)
