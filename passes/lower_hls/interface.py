"""The argument list of a kernel: which buffers and numbers the host passes, in the conventional order.

Operands (in parts), results, constants, scratch, lengths and capacities (in the order of the dims' declarations).
Everything is declared first; `prune` drops what the kernel turned out not to use.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType, IntegerAttr, StringAttr, i64
from xdsl.ir import Attribute, Operation, SSAValue

from hetc.dialects import fpga
from hetc.dialects.cpp_words import usable
from hetc.dialects.locations import copy_location
from hetc.dialects.mp import DimOp, TensorType, enclosing_pipeline
from hetc.dialects.task import ArgumentAttr
from hetc.dialects.task import KernelOp as TaskOp
from hetc.passes.lower_hls.builder import Body
from hetc.passes.lower_hls.memory import Memory, Sparse
from hetc.passes.lower_hls.rows import PlacedRows

SPARSE_PARTS: tuple[tuple[str, Attribute | None], ...] = (
    ("row_start", i64),
    ("row_length", IndexType()),
    ("column", IndexType()),
    ("value", None),  # the tensor's own element
)


@dataclass
class Interface:
    """Declares the ports and scalars of one kernel at the top of `body`."""

    task: TaskOp
    body: Body
    arguments: list[ArgumentAttr] = field(default_factory=list)
    scratch: list[TensorType] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    lengths: dict[str, SSAValue] = field(default_factory=dict)
    capacities: dict[str, SSAValue] = field(default_factory=dict)
    declared: list[fpga.PortOp | fpga.ScalarOp] = field(default_factory=list)

    @cached_property
    def dims(self) -> dict[str, DimOp]:
        """The run-time dims of the pipeline by name, in the order of their declarations."""
        return {name: op for name, op in enclosing_pipeline(self.task).dims.items() if not op.is_static}

    def name(self, wanted: str) -> str:
        """A name that no other argument has, and that C++ takes: tensors and dims may be called `new` or `NULL`."""
        base = usable(wanted)
        chosen, number = base, 1
        while chosen in self.names:
            number += 1
            chosen = f"{base}_{number}"
        self.names.add(chosen)
        return chosen

    def port(self, wanted: str, argument: ArgumentAttr, element: Attribute) -> SSAValue:
        name = self.name(wanted)
        op = fpga.PortOp(name, f"gmem_{name}", fpga.PointerType(element))
        return self._declare(op, argument)

    def _declare(self, op: fpga.PortOp | fpga.ScalarOp, argument: ArgumentAttr) -> SSAValue:
        copy_location(self.task, op)
        self.body.add(op)
        self.declared.append(op)
        self.arguments.append(argument)
        return op.result

    def declare_dims(self, stripes: int) -> None:
        """Lengths, then capacities, after every buffer; and the capacity of one of so many stripes."""
        for name in self.dims:
            self.lengths[name] = self.port(f"len_{name}", ArgumentAttr("length", 0, name), IndexType())
        for name in self.dims:
            scalar = fpga.ScalarOp(self.name(f"cap_{name}"))
            self.capacities[name] = self._declare(scalar, ArgumentAttr("capacity", 0, name))
        if stripes > 1:
            for name in self.dims:
                raised = self.body.add(arith.AddiOp(self.capacities[name], self.body.index(stripes - 1))).result
                local = self.body.add(arith.FloorDivSIOp(raised, self.body.index(stripes))).result
                local.name_hint = f"cap_{name}_of_stripe"
                self.capacities[f"{name}/stripes"] = local

    def dense(self, wanted: str, argument: ArgumentAttr, type: TensorType) -> Memory:
        """One buffer. The map of capacities is filled in later, by `declare_dims`."""
        pointer = self.port(wanted, argument, type.element)
        return Memory(pointer, type.shape, self.capacities)

    def placed(self, wanted: str, number: int, type: TensorType) -> PlacedRows:
        """An operand whose rows lie by strides or in pages, and the table of its pages."""
        rows = type.rows
        assert rows is not None
        pointer = self.port(wanted, ArgumentAttr("operand", number), type.element)
        table = None
        if rows.is_paged:
            table = self.port(f"{wanted}_table", ArgumentAttr("operand", number, "table"), IndexType())
        return PlacedRows(pointer, table, type.shape, type.row_axis, rows, self.capacities)

    def sparse(self, wanted: str, number: int, type: TensorType) -> Sparse:
        """The four buffers of a sparse operand."""
        pointers = [
            self.port(f"{wanted}_{part}", ArgumentAttr("operand", number, part), element or type.element)
            for part, element in SPARSE_PARTS
        ]
        return Sparse(*pointers)

    def striped(self, wanted: str, number: int, axis: int, elements: Sequence[Attribute]) -> list[SSAValue]:
        """One buffer a channel, rows along `axis` dealt to them; `elements` gives each port's element or word."""
        return [
            self.port(
                f"{wanted}_{channel}", ArgumentAttr("operand", number, ArgumentAttr.stripe_part(channel, axis)), element
            )
            for channel, element in enumerate(elements)
        ]

    def scratch_buffer(self, wanted: str, type: TensorType) -> Memory:
        self.scratch.append(type)
        return self.dense(wanted, ArgumentAttr("scratch", len(self.scratch) - 1), type)

    def prune(self) -> None:
        """Drop arguments without a use, and set each port's access."""
        for local in [value for name, value in self.capacities.items() if name.endswith("/stripes")]:
            if not list(local.uses):
                rounded_up = local.owner
                assert isinstance(rounded_up, arith.FloorDivSIOp)
                raised = rounded_up.lhs.owner
                assert isinstance(raised, arith.AddiOp)
                for unused in (rounded_up, raised):
                    unused.detach()
                    unused.erase()
        kept = [(op, argument) for op, argument in zip(self.declared, self.arguments, strict=True) if _used(op)]
        for op in self.declared:
            if not _used(op):
                op.detach()
                op.erase()
        self._drop_scratch([argument for _, argument in kept])
        self.declared = [op for op, _ in kept]
        for op in self.declared:
            if isinstance(op, fpga.PortOp):
                op.properties["access"] = StringAttr(_access(op.result))

    def _drop_scratch(self, arguments: list[ArgumentAttr]) -> None:
        used = [item.index.data for item in arguments if item.role.data == "scratch"]
        self.scratch = [self.scratch[number] for number in used]
        self.arguments = [
            ArgumentAttr("scratch", used.index(item.index.data)) if item.role.data == "scratch" else item
            for item in arguments
        ]

    def set_bursts(self, burst: int, outstanding: int) -> None:
        """Give all ports these bursts. Which memory channel each is joined to is decided for a program's kernels
        together (`assign-banks`)."""
        for op in self.declared:
            if isinstance(op, fpga.PortOp):
                op.properties["burst"] = IntegerAttr(burst, 64)
                op.properties["outstanding"] = IntegerAttr(outstanding, 64)


def _used(op: fpga.PortOp | fpga.ScalarOp) -> bool:
    return any(True for _ in op.result.uses)


def _access(pointer: SSAValue) -> str:
    found = set(_accesses(pointer))
    return "both" if len(found) > 1 else found.pop()


def _accesses(pointer: SSAValue) -> Iterable[str]:
    for use in pointer.uses:
        op: Operation = use.operation
        inner = fpga.isolated_block(op)
        if inner is not None:
            yield from _accesses(inner.args[use.index])
        else:
            yield "write" if isinstance(op, fpga.StoreOp) else "read"
