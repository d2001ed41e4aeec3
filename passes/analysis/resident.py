"""What of a program lies in each device's memory from call to call: memories, copies of them, weights, tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Operation, SSAValue

from hetc.dialects import host
from hetc.dialects.host import HOST_KIND, BufferType, described
from hetc.dialects.locations import source_line
from hetc.dialects.mp import DeclareOp
from hetc.passes.analysis.banks import Banks, kind_of, passed
from hetc.passes.analysis.sizes import Sizes, arrays_of


@dataclass(frozen=True)
class Held:
    """One thing that takes memory: what it is called, what it is, its bytes, its type as the language writes it, with
    its extents, the line that it comes from, and how many of its bytes each memory channel has, where that is known."""

    name: str
    what: str
    bytes: int
    type: str = ""
    extents: tuple[int, ...] = ()
    line: str = ""
    channels: Mapping[int, int] = field(default_factory=dict)


class Resident:
    """`kinds`: what each device kind keeps, by what it is, so that steps which use the same count it once."""

    def __init__(self, program: host.ProgramOp, sizes: Sizes, banks: Banks) -> None:
        self.program, self.sizes, self.banks = program, sizes, banks
        self.kinds: dict[str, dict[tuple[object, ...], Held]] = {}
        self._memories()
        for step in program.steps:
            for op in step.walk():
                self._count(op)

    def of(self, kind: str) -> tuple[Held, ...]:
        """The largest first."""
        return tuple(sorted(self.kinds.get(kind, {}).values(), key=lambda held: -held.bytes))

    def _add(self, kind: str, key: tuple[object, ...], held: Held) -> None:
        """Of one thing that is met twice the larger counts: a loop may go through fewer layers than another."""
        known = self.kinds.setdefault(kind, {}).get(key)
        if known is None or known.bytes < held.bytes or (held.channels and not known.channels):
            channels = held.channels or (known.channels if known is not None else {})
            size = max(held.bytes, known.bytes if known is not None else 0)
            self.kinds[kind][key] = replace(held, bytes=size, channels=channels)

    def _memories(self) -> None:
        """The declared memories at home, read or not. Memories beside each other lie in one array. A sparse one is
        maintained on the host, with the room that each row has beside what devices are given."""
        for name, declared in self.program.declarations.items():
            if declared.role.data == "memory" and declared.type.is_sparse:
                parts = self.sizes.sparse_parts(declared.type)
                held = self._declared(name, "memory", sum(parts.values()) + parts["row_start"])
                self._add(HOST_KIND, ("matrix", name), held)
            elif declared.role.data == "memory":
                type_ = BufferType(declared.type, home_of(declared))
                key = ("memory", group_of(declared) or name)
                self._add(type_.kind, key, self._declared(name, "memory", self.sizes.bytes(type_)))

    def _count(self, op: Operation) -> None:
        declarations = self.program.declarations
        match op:
            case host.MemoryOp():
                # As kernels find it at home: striped, perhaps, and of a sparse one a copy there.
                self._add_held(op.result, self._declared(op.declared.data, "memory", 0), 1)
            case host.CopyOp() if host.stays(op, declarations):
                source = host.buffer_of(op.value).owner
                assert isinstance(source, host.InputOp | host.MemoryOp)
                what = "weight" if isinstance(source, host.InputOp) else "copy of a memory"
                self._add_held(op.result, self._declared(source.declared.data, what, 0), layers_of(op))
            case host.InputOp() if declarations[op.declared.data].role.data == "weight":
                size = self.sizes.bytes(_type(op.result))
                self._add(HOST_KIND, ("weight", op.declared.data), self._declared(op.declared.data, "weight", size))
            case host.ConstantOp():
                held = Held(op.constant.data, "table", 0, line=source_line(op))
                self._add_held(op.result, held, 1)
            case host.PassOp():
                loop = op.parent_op()
                assert isinstance(loop, host.ForOp)
                self._add_held(op.result, Held("numbers of passes", "table", 0), loop.count.value.data)
            case host.LaunchOp():
                self._numbers(op)

    def _add_held(self, value: SSAValue, held: Held, count: int) -> None:
        """`count` buffers like that of a value."""
        channels = {bank: count * size for bank, size in self.channels(value).items()}
        size, key = count * self.sizes.bytes(_type(value)), identity(value, self.program.declarations)
        assert key is not None
        self._add(_type(value).kind, key, replace(held, bytes=size, channels=channels))

    def _numbers(self, op: host.LaunchOp) -> None:
        """Lengths and tables of pages, as the launch is passed them."""
        kind = kind_of(op)
        for item in passed(op):
            if item.value is None:
                bank = self.banks.lengths.get((kind, item.part))
                self._add_numbers(kind, f"lengths of {item.part}", self.sizes.length_bytes(item.part), bank)
            elif item.part == "table":
                tensor, bank = _type(item.value).tensor, self.banks.of(item.value).get("table")
                name = f"pages of {tensor.shape[tensor.row_axis]}"
                self._add_numbers(kind, name, self.sizes.table_bytes(tensor), bank)

    def _add_numbers(self, kind: str, name: str, size: int, bank: int | None) -> None:
        self._add(
            kind, ("numbers", name, size), Held(name, "table", size, channels={} if bank is None else {bank: size})
        )

    def _declared(self, name: str, what: str, size: int, channels: Mapping[int, int] | None = None) -> Held:
        """Memories beside each other have one name: those of all."""
        declared = self.program.declarations[name]
        group = group_of(declared)
        together = [item for item, other in self.program.declarations.items() if group and group_of(other) == group]
        extents = () if declared.type.is_sparse or group else self.sizes.shape(declared.type)
        type_ = "" if group else described(declared.type)
        return Held(" + ".join(together) or name, what, size, type_, extents, source_line(declared), channels or {})

    def channels(self, value: SSAValue) -> dict[int, int]:
        """Bytes of a buffer in each memory channel; those of parts that no kernel is passed are in none."""
        type_ = _type(value)
        found: dict[int, int] = {}
        if type_.tensor.is_sparse:
            parts = self.sizes.sparse_parts(type_.tensor)
        else:
            # Layers of one buffer lie where the first does: a kernel is passed one after the other.
            size = arrays_of(type_) // type_.channels.data * self.sizes.array_bytes(type_)
            parts = {"": size} if type_.channels.data == 1 else {str(n): size for n in range(type_.channels.data)}
        for part, bank in self.banks.of(value).items():
            if part in parts:
                found[bank] = found.get(bank, 0) + parts[part]
        return found


def identity(buffer: SSAValue, declarations: Mapping[str, DeclareOp]) -> tuple[object, ...] | None:
    """What a buffer that stays is known by on its device, the same in every step; None for one of a call's own."""
    owner, type_ = buffer.owner, _type(buffer)
    match owner:
        case host.MemoryOp():
            name = owner.declared.data
            return ("sparse" if type_.tensor.is_sparse else "memory", group_of(declarations[name]) or name)
        case host.CopyOp() if host.stays(owner, declarations):
            source = host.buffer_of(owner.value).owner
            assert isinstance(source, host.InputOp | host.MemoryOp)
            name = source.declared.data
            if type_.tensor.is_sparse:
                return ("sparse", name)
            group = group_of(declarations[name])
            return ("copy", group) if group else ("copy", name, type_.tensor.rank, type_.channels, type_.axis)
        case host.ConstantOp():
            return ("table", owner.constant.data)
        case host.PassOp():
            return ("passes",)
    return None


def home_of(declared: DeclareOp) -> str:
    """The device kind that keeps a memory."""
    home = declared.attributes.get("home")
    return home.data if isinstance(home, StringAttr) else HOST_KIND


def group_of(declared: DeclareOp) -> str:
    """What memories that lie beside each other have in common, "" for one that lies alone."""
    group = declared.attributes.get("group")
    return group.data if isinstance(group, StringAttr) else ""


def layers_of(copy: host.CopyOp) -> int:
    """How many copies stay of one that is made in loops: one for each layer that they go through."""
    value, count = copy.value, 1
    while isinstance(value.owner, host.LayerOp | host.AppendOp | host.ScatterOp):
        if isinstance(value.owner, host.LayerOp):
            loop = value.owner.parent_op()
            assert isinstance(loop, host.ForOp)
            count *= loop.count.value.data
            value = value.owner.value
        else:
            value = value.owner.memory
    return count


def _type(value: SSAValue) -> BufferType:
    return cast(BufferType, value.type)
