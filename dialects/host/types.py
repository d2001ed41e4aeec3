"""Tensors in the memory of a device.

!host.buffer<!mp.tensor<[B, T, 128], bf16> on "fpga">                  row-major
!host.buffer<!mp.tensor<[B, T, 128], bf16> on "fpga" striped 8 at 1>   row t of extent 1 in channel t % 8
!host.buffer<!mp.tensor<[28, B, T, 128], bf16> on "fpga" layered 1>    a buffer an index of the first extent
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import IntAttr, StringAttr
from xdsl.ir import Attribute, ParametrizedAttribute, TypeAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.mp import TensorType

HOST_KIND = "host"


@irdl_attr_definition
class BufferType(ParametrizedAttribute, TypeAttribute):
    """A tensor in the memory of a device kind. With `channels` > 1 it lies in so many buffers: row t along the
    extent at position `axis` in buffer t % channels, at local row t // channels. `layered`: how many of the first
    extents are of layers; each layer has buffers of its own."""

    name = "host.buffer"
    tensor: TensorType
    device: StringAttr
    channels: IntAttr
    axis: IntAttr
    layered: IntAttr

    def __init__(
        self,
        tensor: TensorType,
        device: str | StringAttr,
        channels: int | IntAttr = 1,
        axis: int | IntAttr = 0,
        layered: int | IntAttr = 0,
    ):
        super().__init__(
            tensor,
            StringAttr(device) if isinstance(device, str) else device,
            IntAttr(channels) if isinstance(channels, int) else channels,
            IntAttr(axis) if isinstance(axis, int) else axis,
            IntAttr(layered) if isinstance(layered, int) else layered,
        )

    @property
    def depth(self) -> int:
        """Of how many of the first extents each index lies apart."""
        return self.layered.data

    @property
    def layer(self) -> BufferType:
        """The type of what lies at one index of the first extent."""
        axis, depth = max(self.axis.data - 1, 0), max(self.depth - 1, 0)
        return BufferType(self.tensor.layer, self.device, self.channels, axis, depth)

    def with_depth(self, depth: int) -> BufferType:
        """The same with so many extents of layers."""
        return BufferType(self.tensor, self.device, self.channels, self.axis, depth)

    @property
    def kind(self) -> str:
        return self.device.data

    def print_parameters(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_attribute(self.tensor)
            printer.print_string(f' on "{self.kind}"')
            if self.channels.data > 1:
                printer.print_string(f" striped {self.channels.data} at {self.axis.data}")
            if self.depth:
                printer.print_string(f" layered {self.depth}")

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            tensor = parser.parse_attribute()
            parser.parse_keyword("on")
            device = StringAttr(parser.parse_str_literal())
            channels, axis = 1, 0
            if parser.parse_optional_keyword("striped"):
                channels = parser.parse_integer()
                parser.parse_keyword("at")
                axis = parser.parse_integer()
            depth = parser.parse_integer() if parser.parse_optional_keyword("layered") else 0
        return (tensor, device, IntAttr(channels), IntAttr(axis), IntAttr(depth))

    def verify(self) -> None:
        if not isinstance(self.tensor, TensorType):
            raise VerifyException(f"host.buffer: expected an mp.tensor, got {self.tensor}")
        if self.channels.data < 1 or not 0 <= self.axis.data < max(self.tensor.rank, 1):
            raise VerifyException(f"host.buffer: {self.channels.data} channels along extent {self.axis.data}")
        if self.channels.data > 1 and self.tensor.is_sparse:
            raise VerifyException("host.buffer: a sparse tensor is not striped")
        first = () if self.tensor.is_sparse else self.tensor.shape[: self.depth]
        if self.depth < 0 or sum(isinstance(size, int) for size in first) != self.depth:
            raise VerifyException(f"host.buffer: layered {self.depth}, but {self.tensor} begins with other extents")
        if self.channels.data > 1 and self.axis.data < self.depth:
            raise VerifyException("host.buffer: an extent of layers is not striped")
