"""How many cycles must lie between two iterations of a pipelined loop.

A loop's initiation interval is limited by recurrences (the latency of a cycle of operations over the number of
iterations that it spans) and by ports (two accesses a cycle to a bank of on-chip memory, one to a stream or an AXI
port). Synthesis accepts an unreachable interval and silently takes a larger one; `check_intervals` does not.
Latencies are the platform file's, which calls them estimates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from math import ceil

from xdsl.dialects import scf
from xdsl.dialects.builtin import Float32Type, IntegerAttr, i64
from xdsl.ir import Block, Operation, SSAValue

from hetc.dialects import fpga
from hetc.dialects.locations import source_line
from hetc.platforms import DEFAULT_PLATFORM, load_platform
from hetc.platforms.fpga import Fpga

# Operation -> (dtype, operator) of a platform file. What is not here is wiring or a few LUTs within the cycle.
FLOAT_OPERATORS = {
    "arith.addf": "add", "arith.subf": "add", "arith.mulf": "mul", "arith.divf": "div", "arith.cmpf": "cmp",
    "arith.maximumf": "cmp", "arith.minimumf": "cmp", "math.exp": "exp", "math.log": "log", "math.sqrt": "sqrt",
    "math.rsqrt": "rsqrt", "math.sin": "sin", "math.cos": "cos", "math.tanh": "tanh", "math.powf": "exp",
    "math.erf": "tanh", "math.atan2": "sin", "arith.sitofp": "from_int", "arith.fptosi": "to_int",
    "math.floor": "cmp", "math.ceil": "cmp", "math.roundeven": "cmp",
}  # fmt: skip
INTEGER_OPERATORS = {
    "arith.addi": "add", "arith.subi": "add", "arith.muli": "mul", "arith.floordivsi": "div", "mp.mod": "div",
    "arith.cmpi": "cmp", "arith.maxsi": "cmp", "arith.minsi": "cmp",
}  # fmt: skip
_TREE = {"sum": "add", "prod": "mul", "max": "cmp", "min": "cmp"}

MEMORY_LATENCY_CYCLES = 2  # a registered read of block RAM
BANK_PORTS = 2  # block RAM and URAM have two
# A push into a queue compares and moves in one cycle; a heap walks its levels.
ONE_CYCLE_QUEUES = ("register",)


@dataclass(frozen=True)
class Latencies:
    """Cycles of operators, from a card's table."""

    table: dict[tuple[str, str], int] = field(default_factory=dict)

    @classmethod
    def of(cls, card: Fpga) -> Latencies:
        return cls(
            {
                (dtype, name): int(cost.latency_cycles)
                for dtype, operators in card.operators.items()
                for name, cost in operators.items()
            }
        )

    def operator(self, dtype: str, name: str) -> int:
        return self.table.get((dtype, name), 1)

    def of_op(self, op: Operation) -> int:
        """Cycles from the operands of `op` to its results."""
        if op.name in FLOAT_OPERATORS:
            is_f32 = any(isinstance(v.type, Float32Type) for v in (*op.operands, *op.results))
            return self.operator("f32" if is_f32 else "i32", FLOAT_OPERATORS[op.name])
        if op.name in INTEGER_OPERATORS:
            wide = any(v.type == i64 for v in op.operands)
            return self.operator("i64" if wide else "i32", INTEGER_OPERATORS[op.name])
        if isinstance(op, fpga.LoadOp | fpga.LoadAtOp):
            return MEMORY_LATENCY_CYCLES
        if isinstance(op, fpga.LanesOp):
            dtype = "f32" if isinstance(op.result.type, Float32Type) else "i32"
            levels = ceil(op.count.value.data).bit_length()
            return levels * self.operator(dtype, _TREE.get(op.kind.data, "cmp"))
        return 0


@cache
def default_latencies() -> Latencies:
    """The default platform's."""
    return latencies_of(DEFAULT_PLATFORM)


def latencies_of(platform: str) -> Latencies:
    """Those of the card of a platform. Raises ValueError where it has none."""
    card = load_platform(platform).device_of_kind("fpga")
    if not isinstance(card, Fpga):
        raise ValueError(f"platform {platform} has no FPGA")
    return Latencies.of(card)


@dataclass(frozen=True)
class Limit:
    """One reason for an interval: at least `cycles`."""

    cycles: int
    reason: str


@dataclass(frozen=True)
class Violation:
    """A loop whose declared interval cannot be reached."""

    loop: fpga.LoopOp
    declared: int
    limit: Limit

    def __str__(self) -> str:
        place = source_line(self.loop)
        return (
            f"{place + ': ' if place else ''}loop {self.loop.index.data}: II {self.declared} cannot be reached, "
            f"{self.limit.reason} takes {self.limit.cycles}"
        )


def check_intervals(kernel: Operation, latencies: Latencies | None = None) -> list[Violation]:
    """Every loop under `kernel` whose declared `ii` is below what its recurrences and ports allow."""
    table = latencies or default_latencies()
    found = []
    for loop in kernel.walk():
        if isinstance(loop, fpga.LoopOp) and loop.ii is not None:
            declared = loop.ii.value.data
            found += [Violation(loop, declared, limit) for limit in limits(loop, table) if limit.cycles > declared]
    return found


def annotate_intervals(kernel: Operation, latencies: Latencies | None = None) -> None:
    """Give each innermost loop the least interval that it can have on this card, or the longer one that it asks for."""
    table = latencies or default_latencies()
    for loop in kernel.walk():
        if isinstance(loop, fpga.LoopOp) and (loop.ii is not None or (loop.unroll is None and is_innermost(loop))):
            asked = 1 if loop.ii is None else loop.ii.value.data
            least = max((limit.cycles for limit in limits(loop, table)), default=1)
            loop.properties["ii"] = IntegerAttr(max(asked, least), 64)


def is_innermost(loop: fpga.LoopOp) -> bool:
    """Whether the loop holds nothing that is itself a run-time loop (a search, a heap's push, arranging)."""
    for op in loop.body.walk():
        if isinstance(op, fpga.LoopOp) and op.unroll is not None and op.unroll.value.data == 0:
            continue  # laid out side by side
        if isinstance(op, fpga.LoopOp | fpga.LowerBoundOp | fpga.ArrangeOp | fpga.ProcessOp | fpga.DataflowOp):
            return False
        if isinstance(op, fpga.PushOp):
            type_ = op.queue.type
            assert isinstance(type_, fpga.QueueType)
            if type_.kind.data not in ONE_CYCLE_QUEUES:
                return False
    return True


def limits(loop: fpga.LoopOp, latencies: Latencies) -> Iterator[Limit]:
    """Everything that bounds the loop's interval from below, above one cycle."""
    block = loop.body.block
    yield from _carried_recurrences(loop, latencies)
    yield from _array_recurrences(loop, latencies)
    yield from _ports(block)


def _carried_recurrences(loop: fpga.LoopOp, latencies: Latencies) -> Iterator[Limit]:
    """Values that later iterations compute from themselves: the next one, or one some iterations on, where they are
    handed along unchanged in between (`a, b = f(b), a`)."""
    arguments, yielded = list(loop.body.block.args[1:]), list(loop.yielded.values)
    handed = {arguments.index(value): place for place, value in enumerate(yielded) if value in arguments}  # type: ignore[arg-type]
    for place, value in enumerate(yielded):
        reached, distance = place, 1
        for _ in arguments:
            cycles = None if value in arguments else _path(value, arguments[reached], latencies, {})
            if cycles is not None and ceil(cycles / distance) > 1:
                name = arguments[reached].name_hint or "a carried value"
                yield Limit(ceil(cycles / distance), f"the recurrence through {name}")
            if reached not in handed or handed[reached] == place:
                break
            reached, distance = handed[reached], distance + 1


def _path(value: SSAValue, start: SSAValue, latencies: Latencies, seen: dict[SSAValue, int | None]) -> int | None:
    """Cycles of the longest path from `start` to `value`, None where there is none."""
    if value is start:
        return 0
    if value not in seen:
        seen[value] = None
        owner = value.owner
        if isinstance(owner, Operation):
            inputs = list(owner.operands)
            if isinstance(owner, fpga.LanesOp):
                inputs += list(owner.yielded.values)
            before = [cycles for item in inputs if (cycles := _path(item, start, latencies, seen)) is not None]
            if before:
                seen[value] = max(before) + latencies.of_op(owner)
    return seen[value]


def _array_recurrences(loop: fpga.LoopOp, latencies: Latencies) -> Iterator[Limit]:
    """An element that is loaded, changed and stored, and loaded again by a later iteration."""
    distance = 1 if loop.apart is None else loop.apart.value.data
    if distance == 0:
        return
    ops = list(loop.body.walk())
    for store in ops:
        if not isinstance(store, fpga.StoreOp):
            continue
        for load in ops:
            if isinstance(load, fpga.LoadOp) and load.source is store.source:
                cycles = _path(store.value, load.result, latencies, {})
                if cycles is not None:
                    total = ceil((cycles + _access_latency(store.source)) / distance)
                    if total > 1:
                        yield Limit(total, f"the recurrence through {store.source.name_hint or 'an array'}")


def _access_latency(array: SSAValue) -> int:
    """Cycles between storing an element and having it loaded: one for registers."""
    owner = array.owner
    in_registers = isinstance(owner, fpga.ArrayOp) and owner.partition.data == "complete"
    return 1 if in_registers else MEMORY_LATENCY_CYCLES


def _ports(block: Block) -> Iterator[Limit]:
    counts: dict[SSAValue, int] = {}
    for op, times in _accesses(block, 1):
        target = op.stream if isinstance(op, fpga.ReadOp | fpga.WriteOp) else op.source  # type: ignore[attr-defined]
        counts[target] = counts.get(target, 0) + times
    for target, count in counts.items():
        cycles = ceil(count / _accesses_per_cycle(target))
        if cycles > 1:
            yield Limit(cycles, f"{count} accesses an iteration to {target.name_hint or 'one port'}")


def _accesses(block: Block, times: int) -> Iterator[tuple[Operation, int]]:
    for op in block.ops:
        if isinstance(op, fpga.LanesOp):
            yield from _accesses(op.body.block, times * op.count.value.data)
        elif isinstance(op, fpga.LoopOp):
            if op.unroll is not None and op.most is not None:
                yield from _accesses(op.body.block, times * op.most.value.data)
        elif isinstance(op, scf.IfOp):
            for region in op.regions:
                for inner in region.blocks:
                    yield from _accesses(inner, times)
        elif isinstance(op, fpga.LoadOp | fpga.LoadAtOp | fpga.StoreOp | fpga.ReadOp | fpga.WriteOp):
            yield op, times


def _accesses_per_cycle(target: SSAValue) -> int:
    """How many accesses the target takes a cycle. An array that is passed in is taken to be in one bank."""
    if not isinstance(target.type, fpga.ArrayType):
        return 1
    owner = target.owner
    if isinstance(owner, fpga.TableOp):
        return 1 << 30  # read only: copied as often as needed
    if isinstance(owner, fpga.ArrayOp):
        if owner.partition.data == "complete":
            return 1 << 30
        return BANK_PORTS * owner.banks
    return BANK_PORTS
