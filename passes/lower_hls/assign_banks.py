"""Join the ports of a program's FPGA kernels to memory channels."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import cast

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.ir import SSAValue
from xdsl.passes import ModulePass

from hetc.dialects import fpga, host
from hetc.dialects.host import BufferType
from hetc.passes.analysis.banks import Passed, kind_of, passed
from hetc.passes.analysis.resident import identity, layers_of
from hetc.passes.analysis.sizes import Sizes, arrays_of
from hetc.passes.lower_hls.ports import ports_of
from hetc.platforms import DEFAULT_PLATFORM, load_platform
from hetc.platforms.fpga import Fpga


@dataclass
class _Together:
    """Ports and what they are passed, which have to be in one channel: an array lies in one, a port leads to one."""

    ports: list[fpga.PortOp] = field(default_factory=list)
    arrays: dict[Hashable, int] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        return sum(self.arrays.values())

    @property
    def kernels(self) -> set[str]:
        return {cast(fpga.KernelOp, port.parent_op()).sym_name.data for port in self.ports}


@dataclass(frozen=True)
class AssignBanksPass(ModulePass):
    """Give every port of an FPGA kernel the memory channel that it is joined to.

    What is passed to two ports lies in one place, so both lead there; so do those of a memory and of the new contents
    whose buffer becomes the memory's. Of what may lie apart, the largest first, each goes to the channel that has the
    fewest ports of its kernels, and of those to the one that holds the least.

    Before: host.launch ops name what each kernel is passed.
    After: each port of a kernel that is launched has a `bank`.

        fpga.port "keys" ... bank -1   ->   fpga.port "keys" ... bank 3
    """

    name = "assign-banks"
    platform: str = DEFAULT_PLATFORM

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        cards = [device for device in load_platform(self.platform).devices.values() if isinstance(device, Fpga)]
        if not cards:
            return
        for program in [item for item in op.body.block.ops if isinstance(item, host.ProgramOp)]:
            groups = _groups(program, op)
            loads = [0] * int(cards[0].memory.channels)
            taken: list[dict[str, int]] = [{} for _ in loads]
            for group in sorted(groups, key=lambda item: -item.bytes):
                _join(group, loads, taken)


def _join(group: _Together, loads: list[int], taken: list[dict[str, int]]) -> None:
    """Choose the channel of a group. taken: how many ports of each kernel every channel has."""
    kernels = group.kernels
    bank = min(range(len(loads)), key=lambda at: (sum(taken[at].get(name, 0) for name in kernels), loads[at]))
    loads[bank] += group.bytes
    for name in kernels:
        taken[bank][name] = taken[bank].get(name, 0) + 1
    for port in group.ports:
        port.properties["bank"] = IntegerAttr(bank, i64)


def _groups(program: host.ProgramOp, module: ModuleOp) -> list[_Together]:
    """In the order in which the program first passes anything of them."""
    ports, sizes = ports_of(module), Sizes(program.dims)
    of_port: dict[fpga.PortOp, _Together] = {}
    of_array: dict[Hashable, _Together] = {}
    launches = [op for op in program.walk() if isinstance(op, host.LaunchOp) and op.kernel.data in ports]
    memories = _taken_over(program)
    for launch in launches:
        for item in passed(launch):
            port = ports[launch.kernel.data][item.position]
            if port is None:
                continue
            array, size = _array(item, launch, program, memories), _bytes(item, program, sizes)
            found = [known for known in (of_port.get(port), of_array.get(array)) if known is not None]
            group = found[0] if found else _Together()
            for other in found[1:]:
                if other is not group:
                    group.ports += other.ports
                    group.arrays |= other.arrays
                    of_port |= dict.fromkeys(other.ports, group)
                    of_array |= dict.fromkeys(other.arrays, group)
            if port not in of_port:
                group.ports.append(port)
            group.arrays[array] = max(size, group.arrays.get(array, 0))
            of_port[port] = of_array[array] = group
    return list({id(group): group for group in of_port.values()}.values())


def _taken_over(program: host.ProgramOp) -> dict[SSAValue, SSAValue]:
    """The memory, as some step reads it, of every buffer that takes its place at the end of a step."""
    memories = {op.declared.data: op.result for op in program.walk() if isinstance(op, host.MemoryOp)}
    found: dict[SSAValue, SSAValue] = {}
    for op in program.walk():
        if isinstance(op, host.CommitOp) and op.declared.data in memories:
            found.setdefault(host.buffer_of(op.value), memories[op.declared.data])
    return found


def _array(
    item: Passed, launch: host.LaunchOp, program: host.ProgramOp, memories: Mapping[SSAValue, SSAValue]
) -> Hashable:
    """What is passed, by what it is known by in every step."""
    if item.value is None:
        return ("lengths", item.part)
    if item.part == "table":
        tensor = _type(item.value).tensor
        assert tensor.rows is not None
        return ("pages", tensor.shape[tensor.row_axis], tensor.rows.block)
    value = memories.get(item.value, item.value)
    return (identity(value, program.declarations) or value, kind_of(launch), item.part)


def _bytes(item: Passed, program: host.ProgramOp, sizes: Sizes) -> int:
    """Of an array that is passed; of all layers where one after the other is."""
    if item.value is None:
        return sizes.length_bytes(item.part)
    type_, owner = _type(item.value), item.value.owner
    if item.part == "table":
        return sizes.table_bytes(type_.tensor)
    if type_.tensor.is_sparse:
        return sizes.sparse_parts(type_.tensor)[item.part]
    stays = isinstance(owner, host.CopyOp) and host.stays(owner, program.declarations)
    layers = layers_of(owner) if stays else arrays_of(type_) // type_.channels.data  # type: ignore[arg-type]
    return layers * sizes.array_bytes(type_)


def _type(value: SSAValue) -> BufferType:
    return cast(BufferType, value.type)
