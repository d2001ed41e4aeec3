"""Loops of a step as host ops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Block, Region, SSAValue

from hetc.dialects import host
from hetc.dialects.host import BufferType, buffer_of
from hetc.dialects.mp import ForOp
from hetc.passes.lower_host.order import ordered, written_by_kernels

if TYPE_CHECKING:
    from hetc.passes.lower_host.step import StepBuilder


class LoopBuilder:
    """Builds the host ops of one loop. What is carried lies in a buffer of its own, that each pass reads and then
    replaces; layers that are not written in place lie in new buffers, so that the old contents stay until the step
    completes. What a pass makes as the new contents of a layer is made there."""

    def __init__(self, step: StepBuilder) -> None:
        self.step = step
        self.values, self.layout = step.values, step.layout

    def build(self, op: ForOp) -> None:
        pairs = zip(op.carried, op.carried_arguments, strict=True)
        carries = [self._carry(op, begin, argument) for begin, argument in pairs]
        layered = [self._layered(op, position) for position in range(len(op.sliced))]
        written = [self._new_layers(op, number, layered) for number in range(len(op.written_positions))]
        with self.step.inside_of_loop() as inner:
            if op.number.first_use is not None:
                device = op.attributes["device"]
                assert isinstance(device, StringAttr)
                self.values[op.number] = self.step.add(op, host.PassOp(device.data)).results[0]
            for argument, tensor in zip(op.layer_arguments, layered, strict=True):
                self.values[argument] = self.step.add(op, host.LayerOp(tensor)).results[0]
            places = self._places(op, written)
            self.step.statements(op.body.block.ops)
            for value, place in places:
                if self.values[value] is not place:
                    self.step.add(op, host.StoreOp(self.values[value], place))
            self._store_carried(op, carries)
        body = Region(Block(ordered(inner, written_by_kernels(inner))))
        self.step.add(op, host.ForOp(op.index.data, op.passes, body))
        self.values.update(zip(op.carried_outputs, carries, strict=True))
        for output, new, position in zip(op.written_outputs, written, op.written_positions, strict=True):
            self.values[output] = layered[position] if new is None else new
            self.step.forget_copies(self.values[output])

    def _carry(self, op: ForOp, begin: SSAValue, argument: SSAValue) -> SSAValue:
        """The buffer of a carried value, with what it begins with."""
        source = self.values[begin]
        name, kind = argument.name_hint or "value", cast(BufferType, source.type).kind
        carry = self.step.allocate(op, f"{name}_carried", self.layout.type_of(argument, kind))
        self.step.add(op, host.StoreOp(source, carry))
        self.values[argument] = carry
        return carry

    def _layered(self, op: ForOp, position: int) -> SSAValue:
        """The sliced tensor with its layers apart. A layer of the caller's tensor is a part of it; on a device, kernels
        read from the beginning of a buffer only."""
        tensor = op.sliced[position]
        type_ = cast(BufferType, self.values[tensor].type)
        return self.step.copied(op, tensor, type_.with_depth(self.layout.layering.sliced(op, position)))

    def _new_layers(self, op: ForOp, number: int, layered: Sequence[SSAValue]) -> SSAValue | None:
        """Buffers for the new contents of a tensor's layers; None where each pass writes in its layer in place."""
        position = op.written_positions[number]
        if self.step.versions.written_in_place(op.next.layers[number], op.layer_arguments[position]):
            return None
        tensor = layered[position]
        name = f"{tensor.name_hint or 'layers'}_new"
        return self.step.result_buffer(op, op.written_outputs[number], name, cast(BufferType, tensor.type))

    def _places(self, op: ForOp, written: Sequence[SSAValue | None]) -> list[tuple[SSAValue, SSAValue]]:
        """What a pass gives as the new contents of layers that are not written in place, and the new layer of each."""
        found: list[tuple[SSAValue, SSAValue]] = []
        for number, (value, new) in enumerate(zip(op.next.layers, written, strict=True)):
            if new is not None:
                place = self.step.add(op, host.LayerOp(new)).results[0]
                if self.step.versions.made_in_layer(op, number):
                    self.step.places[value] = place
                found.append((value, place))
        return found

    def _store_carried(self, op: ForOp, carries: Sequence[SSAValue]) -> None:
        """What the next pass begins with. A value that lies in another carried buffer is set aside first: that buffer
        is about to change."""
        sources = []
        for value, carry in zip(op.next.carried, carries, strict=True):
            source = buffer_of(self.values[value])
            if source in carries and source is not carry:
                aside = self.step.allocate(op, f"{carry.name_hint}_aside", cast(BufferType, source.type))
                self.step.add(op, host.StoreOp(source, aside))
                source = aside
            sources.append(source)
        for source, carry in zip(sources, carries, strict=True):
            if source is not carry:
                self.step.add(op, host.StoreOp(source, carry))
