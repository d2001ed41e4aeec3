"""One task kernel becoming one FPGA kernel: its arguments, where each tensor lives, names of its processes."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace
from math import prod

from xdsl.ir import Block, Region, SSAValue

from hetc.dialects import fpga
from hetc.dialects.locations import copy_location
from hetc.dialects.mp import ConstantOp, TensorType, storage_bits
from hetc.dialects.task import ArgumentAttr
from hetc.dialects.task import KernelOp as TaskOp
from hetc.passes.lower_hls.builder import Body
from hetc.passes.lower_hls.interface import Interface
from hetc.passes.lower_hls.memory import Dense, Memory, OnChip, Sparse
from hetc.passes.lower_hls.plan import FpgaPlan
from hetc.passes.lower_hls.refusal import refuse
from hetc.passes.lower_hls.regions import Home, RegionLowering
from hetc.passes.lower_hls.rows import PlacedRows, in_words
from hetc.passes.lower_hls.scan import Scan, Streamed
from hetc.passes.lower_hls.words import WordView, lanes_of_row, row_steps, word_element, word_shape


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
        self._views: dict[tuple[SSAValue, tuple[int, ...]], list[WordView]] = {}
        self._steps: dict[str, int] = {}

    @property
    def name(self) -> str:
        return self.task.sym_name.data

    # Where tensors live

    def declare_operands(self, scans: Sequence[Scan]) -> None:
        """Ports for the operands: the elements one by one, the words of what is streamed, a port for each stripe."""
        for number, argument in enumerate(self.task.block.args):
            type_ = argument.type
            assert isinstance(type_, TensorType)
            name = argument.name_hint or f"operand{number}"
            if type_.is_sparse:
                self.homes[argument] = self.interface.sparse(name, number, type_)
                continue
            streamed = [item for scan in scans for item in scan.streamed if item.tensor is argument]
            if number in self.plan.striped:
                self._declare_stripes(name, number, streamed)
                continue
            if type_.rows is not None:
                self.homes[argument] = self.interface.placed(name, number, type_)
            else:
                self.homes[argument] = self.interface.dense(name, ArgumentAttr("operand", number), type_)
            for item in streamed:
                self._declare_words(name, number, item)

    def _declare_words(self, name: str, number: int, item: Streamed) -> None:
        """A port of wide words beside the port of elements (the same buffer; one of the two is usually pruned)."""
        type_ = item.tensor.type
        key = (item.tensor, item.window)
        assert isinstance(type_, TensorType)
        lanes = lanes_of_row(type_, item.window, self.plan.port_bits)
        if lanes == 1 or key in self._views:
            return
        element = word_element(type_, lanes)
        pointer = self.interface.port(f"{name}_words", ArgumentAttr("operand", number), element)
        shape, home = word_shape(type_, lanes), self.homes[item.tensor]
        memory: Dense = Memory(pointer, shape, self.interface.capacities)
        if isinstance(home, PlacedRows):
            memory = replace(home, pointer=pointer, shape=shape, rows=in_words(home.rows, lanes))
        self._views[key] = [WordView(memory, element, lanes, row_steps(type_, item.window, lanes))]

    def _declare_stripes(self, name: str, number: int, streamed: Sequence[Streamed]) -> None:
        """A port for each channel. Row t of the scanned dim is local row t // stripes of channel t % stripes."""
        windows = {(item.window, item.position) for item in streamed}
        if len(windows) != 1:
            raise refuse(f"operand {number} is striped, but not scanned in one way", self.task)
        (item, *_) = streamed
        type_ = item.tensor.type
        assert isinstance(type_, TensorType)
        uses = {use.operation.name for use in item.tensor.uses}
        if uses - {"mp.read"}:
            raise refuse(f"operand {number} is striped, but not only scanned", self.task)
        lanes = lanes_of_row(type_, item.window, self.plan.port_bits)
        element = word_element(type_, lanes)
        pointers = self.interface.striped(name, number, item.position, [element] * self.plan.stripes)
        shape = list(word_shape(type_, lanes))
        rows = shape[item.position]
        shape[item.position] = -(-rows // self.plan.stripes) if isinstance(rows, int) else f"{rows}/stripes"
        steps = row_steps(type_, item.window, lanes)
        self._views[(item.tensor, item.window)] = [
            WordView(Memory(pointer, tuple(shape), self.interface.capacities), element, lanes, steps)
            for pointer in pointers
        ]

    def channels(self, scan: Scan) -> int:
        """Channels that a scan is spread over."""
        return max((len(self.views(item)) for item in scan.streamed), default=1)

    def views(self, item: Streamed) -> list[WordView]:
        """How a scan reads a tensor: one view, or one a stripe."""
        key = (item.tensor, item.window)
        if key not in self._views:
            home = self.homes[item.tensor]
            type_ = item.tensor.type
            assert not isinstance(home, Sparse) and isinstance(type_, TensorType)
            self._views[key] = [WordView(home, type_.element, 1, row_steps(type_, item.window, 1))]
        return self._views[key]

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

    def place_intermediates(self, values: Sequence[SSAValue], from_dataflow: Container[SSAValue]) -> None:
        """Choose where each value that later statements read is kept. On chip if it fits and no dataflow writes it
        (an array is shared by no two processes), else where it is returned to, else in a scratch buffer. Values must
        be in program order."""
        for value in values:
            places = self.written.setdefault(value, [])
            type_ = value.type
            assert isinstance(type_, TensorType)
            if not self._is_read(value):
                continue
            if value not in from_dataflow and self.bits(type_) <= self.plan.on_chip_bits:
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
        return RegionLowering(dict(self.homes), self.interface.lengths, per, accumulators=self.plan.accumulators)

    def step_name(self, value: SSAValue, kind: str) -> str:
        """A name for the process that makes `value`."""
        wanted = f"{kind}_{value.name_hint}" if value.name_hint else kind
        self._steps[wanted] = self._steps.get(wanted, 0) + 1
        number = self._steps[wanted]
        return wanted if number == 1 else f"{wanted}_{number}"

    def finish(self) -> fpga.KernelOp:
        """The kernel op, without the arguments that turned out to be unused."""
        self.interface.prune()
        self.interface.set_bursts(self.plan.burst_words, self.plan.outstanding)
        for op in list(self.block.ops):
            if isinstance(op, fpga.ArrayOp | fpga.TableOp) and not any(True for _ in op.result.uses):
                op.detach()
                op.erase()
        kernel = fpga.KernelOp(
            self.name,
            self.name,
            self.interface.arguments,
            self.interface.scratch,
            self.plan.target,
            Region(self.block),
        )
        return copy_location(self.task, kernel)
