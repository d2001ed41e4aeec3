"""One task kernel becoming one FPGA kernel: its arguments, where each tensor lives, names of its processes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.ir import Block, Region, SSAValue

from hetc.dialects import fpga
from hetc.dialects.locations import copy_location
from hetc.dialects.mp import ConstantOp, TensorType, storage_bits
from hetc.dialects.task import ArgumentAttr
from hetc.dialects.task import KernelOp as TaskOp
from hetc.passes.lower_hls.builder import Body
from hetc.passes.lower_hls.interface import Interface
from hetc.passes.lower_hls.memory import Dense, OnChip
from hetc.passes.lower_hls.plan import FpgaPlan
from hetc.passes.lower_hls.refusal import refuse
from hetc.passes.lower_hls.regions import Home, RegionLowering


class KernelBuilder:
    """The FPGA kernel under construction.

    `homes` has the place that each tensor is read from, `written` the places that its producer writes.
    `fused` are tensors that never exist as such: their only reader computes them element by element."""

    def __init__(self, task: TaskOp, plan: FpgaPlan):
        self.task = task
        self.plan = plan
        self.block = Block()
        self.body = Body(self.block, None)
        self.interface = Interface(task, self.body)
        self.homes: dict[SSAValue, Home] = {}
        self.written: dict[SSAValue, list[Dense]] = {}
        self.stripes: dict[SSAValue, list[SSAValue]] = {}
        self._steps: dict[str, int] = {}

    @property
    def name(self) -> str:
        return self.task.sym_name.data

    # Where tensors live

    def declare_operands(self, striped: dict[SSAValue, Sequence[fpga.WordType]]) -> None:
        """Ports for the operands; `striped` ones get a port a channel, with the element or word that it moves."""
        for number, argument in enumerate(self.task.block.args):
            type_ = argument.type
            assert isinstance(type_, TensorType)
            name = argument.name_hint or f"operand{number}"
            if type_.is_sparse:
                self.homes[argument] = self.interface.sparse(name, number, type_)
            elif argument in striped:
                self.stripes[argument] = self.interface.striped(name, number, striped[argument])
            else:
                self.homes[argument] = self.interface.dense(name, ArgumentAttr("operand", number), type_)

    def declare_results(self) -> None:
        """A port for each returned value; a value that the kernel computes is written there at once."""
        for number, value in enumerate(self.task.returned.values):
            type_ = value.type
            assert isinstance(type_, TensorType)
            if type_.is_sparse:
                raise refuse("a sparse result", self.task)
            name = value.name_hint or f"result{number}"
            memory = self.interface.dense(name, ArgumentAttr("result", number), type_)
            self.written.setdefault(value, []).append(memory)

    def place_intermediates(self, values: Sequence[SSAValue]) -> None:
        """Choose where each value that later statements read is kept. On chip if it fits, else where it is returned
        to, else in a scratch buffer. Values must be in program order."""
        for value in values:
            places = self.written.setdefault(value, [])
            type_ = value.type
            assert isinstance(type_, TensorType)
            if not self._is_read(value):
                continue
            if self.bits(type_) <= self.plan.on_chip_bits:
                home: Dense = self._array(value, type_)
                places.append(home)
            elif places:
                home = places[0]
            else:
                home = self.interface.scratch_buffer(f"scratch_{value.name_hint or 'value'}", type_)
                places.append(home)
            self.homes[value] = home

    def _is_read(self, value: SSAValue) -> bool:
        return any(use.operation is not self.task.returned for use in value.uses)

    def _array(self, value: SSAValue, type_: TensorType) -> OnChip:
        extents = [self.bound(extent) for extent in type_.shape] or [1]
        memory = "bram" if self.bits(type_) <= self.plan.bram_bits else "uram"
        name = self.interface.name(f"{value.name_hint or 'value'}_kept")
        op = fpga.ArrayOp(name, fpga.ArrayType(extents, type_.element), memory)
        self.body.add(copy_location(self.task, op))
        return OnChip(op.result)

    def bound(self, extent: int | str) -> int:
        """The largest that an extent can be."""
        return extent if isinstance(extent, int) else self.interface.dims[extent].largest

    def bits(self, type_: TensorType) -> int:
        """Bits of the tensor at its bounds."""
        return prod(self.bound(extent) for extent in type_.shape) * storage_bits(type_.element)

    def declare_constant(self, op: ConstantOp, number: int) -> None:
        """A table on chip, or an argument if it is large."""
        type_ = op.result.type
        assert isinstance(type_, TensorType)
        extents = [extent for extent in type_.shape if isinstance(extent, int)]
        name = op.result.name_hint or f"table{number}"
        if prod(extents) > self.plan.table_elements:
            self.homes[op.result] = self.interface.dense(name, ArgumentAttr("constant", number), type_)
            return
        table = fpga.TableOp(self.interface.name(name), op.value, fpga.ArrayType(extents or [1], type_.element))
        self.body.add(copy_location(op, table))
        self.homes[op.result] = OnChip(table.result)

    def result_homes(self, value: SSAValue) -> list[Dense]:
        """Every place that the producer of `value` writes."""
        return self.written.get(value, [])

    # Lowering

    def region(self) -> RegionLowering:
        """A fresh lowering of regions for one process."""
        per = {name: op.per.data if op.per is not None else None for name, op in self.interface.dims.items()}
        return RegionLowering(dict(self.homes), self.interface.lengths, per)

    def step_name(self, value: SSAValue, kind: str) -> str:
        """A name for the process that makes `value`."""
        wanted = f"{kind}_{value.name_hint}" if value.name_hint else kind
        self._steps[wanted] = self._steps.get(wanted, 0) + 1
        number = self._steps[wanted]
        return wanted if number == 1 else f"{wanted}_{number}"

    def finish(self) -> fpga.KernelOp:
        """The kernel op, without the arguments that turned out to be unused."""
        self.interface.prune()
        self.interface.assign_banks(self.plan.memory_channels)
        for op in list(self.block.ops):
            if isinstance(op, fpga.ArrayOp | fpga.TableOp) and not any(True for _ in op.result.uses):
                op.detach()
                op.erase()
        kernel = fpga.KernelOp(
            self.name, self.name, self.interface.arguments, self.interface.scratch, Region(self.block)
        )
        return copy_location(self.task, kernel)
