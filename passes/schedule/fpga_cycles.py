"""What an emitted FPGA kernel takes, counted on its loops: iterations x initiation interval, and beats of its ports.

Loops of one process run one after the other, the processes of a dataflow at the same time. An iteration of a pipelined
loop takes its initiation interval, or what the memory channel of a port needs for the bytes that it moves, whichever
is more; a loop also takes, once, the cycles that its first iteration needs from end to end. Iterations are worked out
from the extents of an estimate. What depends on data is taken at what is expected: the rows of a sparse operand have
equally many entries, their columns lie evenly, and scores come in random order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil, inf, log, log2

from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import Block, BlockArgument, Operation, SSAValue

from hetc.dialects import fpga
from hetc.dialects.mp import TensorType
from hetc.dialects.task import KernelOp as TaskOp
from hetc.passes.lower_hls.initiation import ONE_CYCLE_QUEUES, Latencies
from hetc.platforms.fpga import Fpga

_SEARCH_STEP = 3
"""Cycles of a step of a binary search on device memory that its next step waits for: an address, a compare."""
_HEAP_STEP = 4
"""Cycles of a step in a heap: two children are read, compared, and the larger written."""
_RISE_STEPS = 2
"""Of a score that finds room in a heap, on average: most stay near where they come in."""
_SAMPLES = 8
"""Iterations that a loop is looked at in where they differ."""


@dataclass(frozen=True)
class Count:
    """Of some code. cycles: iterations x initiation interval, and the steps of heaps and searches. seconds: what those
    take at the clock, or memory at its rates, with what pipelines take to fill. memory: what memory would take alone.
    bytes: moved over its ports."""

    cycles: float = 0.0
    seconds: float = 0.0
    memory: float = 0.0
    bytes: float = 0.0

    def __add__(self, other: Count) -> Count:
        return Count(
            self.cycles + other.cycles,
            self.seconds + other.seconds,
            self.memory + other.memory,
            self.bytes + other.bytes,
        )

    def times(self, count: float) -> Count:
        return Count(count * self.cycles, count * self.seconds, count * self.memory, count * self.bytes)

    @staticmethod
    def beside(parts: Iterable[Count]) -> Count:
        """Of code that runs at the same time."""
        found = list(parts)
        return Count(
            max((part.cycles for part in found), default=0.0),
            max((part.seconds for part in found), default=0.0),
            max((part.memory for part in found), default=0.0),
            sum(part.bytes for part in found),
        )


Number = float | None
"""An integer's expected value, None where nothing is known of it."""


@dataclass
class Known:
    """What is worked out once of a kernel: cycles of a block from end to end, and what its bounds hang on."""

    depths: dict[Block, float]
    needs: dict[Block, frozenset[SSAValue]]
    latencies: dict[str, Latencies]

    def latencies_of(self, card: Fpga) -> Latencies:
        """Of the card's operators."""
        if card.name not in self.latencies:
            self.latencies[card.name] = Latencies.of(card)
        return self.latencies[card.name]

    def needs_of(self, block: Block) -> frozenset[SSAValue]:
        """The values that the numbers of iterations in a block are computed from, those in between included."""
        if block not in self.needs:
            found: set[SSAValue] = set()
            for op in block.ops:
                found.update(self._needs_of_op(op))
            pending = list(found)
            while pending:
                owner = pending.pop().owner
                if isinstance(owner, Operation) and not isinstance(owner, fpga.LoadOp | fpga.LoadAtOp):
                    more = set(owner.operands) - found
                    found |= more
                    pending += more
            self.needs[block] = frozenset(found)
        return self.needs[block]

    def _needs_of_op(self, op: Operation) -> Iterable[SSAValue]:
        match op:
            case fpga.LoopOp():
                return {op.lower, op.upper, *self.needs_of(op.body.block)}
            case fpga.LowerBoundOp():
                return (op.length, op.column)
            case fpga.IsolatedOp() | fpga.InstanceOp():
                block = op.definition().block if isinstance(op, fpga.InstanceOp) else op.block
                inside = self.needs_of(block)
                return [
                    operand for argument, operand in zip(block.args, op.operands, strict=True) if argument in inside
                ]
        return [value for region in op.regions for block in region.blocks for value in self.needs_of(block)]


@dataclass
class Counter:
    """Of one kernel on a card at these extents, at this clock."""

    task: TaskOp
    kernel: fpga.KernelOp
    card: Fpga
    dims: Mapping[str, int]
    clock_hz: float
    values: dict[SSAValue, Number] = field(default_factory=dict)
    ports: dict[SSAValue, SSAValue] = field(default_factory=dict)
    known: Known = field(default_factory=lambda: Known({}, {}, {}))

    def __post_init__(self) -> None:
        self.latencies = self.known.latencies_of(self.card)
        self.lists: dict[int, TensorType] = {
            number: argument.type
            for number, argument in enumerate(self.task.block.args)
            if isinstance(argument.type, TensorType) and argument.type.is_sparse
        }

    def run(self) -> Count:
        return self._block(self.kernel.body.block)

    # Code.

    def _block(self, block: Block) -> Count:
        """All ops of a block, one after the other."""
        found = Count()
        for op in block.ops:
            found += self._op(op)
        return found

    def _op(self, op: Operation) -> Count:
        match op:
            case fpga.LoopOp():
                return self._loop(op)
            case fpga.DataflowOp():
                inner = self._enter(op, op.block)
                return Count.beside(inner._op(item) for item in op.block.ops)
            case fpga.ProcessOp():
                return self._enter(op, op.block)._block(op.block)
            case fpga.InstanceOp():
                block = op.definition().block
                return self._enter(op, block)._block(block)
            case scf.IfOp():
                return Count.beside(self._block(block) for region in op.regions for block in region.blocks)
            case fpga.PushOp():
                return self._cycles(self._push(op))
            case fpga.ArrangeOp():
                return self._cycles(self._arrange(op))
            case fpga.LowerBoundOp():
                length = self._value(op.length)
                return self._cycles(_SEARCH_STEP * log2(max(length or 2, 2)))
        return Count()

    def _enter(self, op: fpga.IsolatedOp | fpga.InstanceOp, block: Block) -> Counter:
        """The same inside of a process, whose arguments stand for what it is passed."""
        inner = Counter(self.task, self.kernel, self.card, self.dims, self.clock_hz, known=self.known)
        for argument, operand in zip(block.args, op.operands, strict=True):
            if isinstance(operand.type, fpga.PointerType):
                inner.ports[argument] = self._port(operand)
            else:
                inner.values[argument] = self._value(operand)
        return inner

    def _cycles(self, cycles: float) -> Count:
        return Count(cycles, cycles / self.clock_hz)

    def _loop(self, loop: fpga.LoopOp) -> Count:
        own = self._trips(loop)
        if own <= 0:
            return Count()
        if loop.unroll is not None and loop.unroll.value.data == 0:
            return self._block(loop.body.block)
        if loop.ii is not None:
            return self._pipeline(loop, own)
        return self._iterations(loop, own)

    def _trips(self, loop: fpga.LoopOp) -> float:
        lower, upper = self._value(loop.lower), self._value(loop.upper)
        if lower is not None and upper is not None:
            return max(upper - lower, 0.0)
        return float(loop.most.value.data) if loop.most is not None else 0.0

    def _pipeline(self, loop: fpga.LoopOp, trips: float) -> Count:
        assert loop.ii is not None
        cycles = trips * loop.ii.value.data
        moved = [(trips * size, self._rate(size)) for size in self._beats(loop.body.block, 1.0).values()]
        memory = max((size / rate for size, rate in moved), default=0.0)
        fill = self._depth(loop.body.block)
        seconds = max(cycles / self.clock_hz, memory) + fill / self.clock_hz
        return Count(cycles, seconds, memory, sum(size for size, _ in moved))

    def _iterations(self, loop: fpga.LoopOp, trips: float) -> Count:
        """A loop that is not pipelined. Where iterations differ, the last one, which is often cut short, is looked at
        for itself."""
        first = self._value(loop.lower) or 0.0
        block = loop.body.block

        def of(number: float) -> Count:
            self.values[block.args[0]] = first + number
            return self._block(block) + Count(seconds=self._depth(block) / self.clock_hz)

        if not self.known.needs_of(block).intersection(block.args):
            return of(0).times(trips)
        last = of(ceil(trips) - 1)
        rest = ceil(trips) - 1
        if rest == 0:
            return last
        start, middle = of(0), of(rest // 2)
        if rest <= 2 or start == middle:
            return last + start.times(rest)
        numbers = sorted({int((at + 0.5) * rest / _SAMPLES) for at in range(_SAMPLES)})
        total = Count()
        for number in numbers:
            total += of(number)
        return last + total.times(rest / len(numbers))

    # What an iteration is made of.

    def _beats(self, block: Block, times: float) -> dict[SSAValue, float]:
        """Bytes of an iteration over each port."""
        found: dict[SSAValue, float] = {}
        for op in block.ops:
            count, inner = times, [block for region in op.regions for block in region.blocks]
            if isinstance(op, fpga.LanesOp):
                count *= op.count.value.data
            elif isinstance(op, fpga.LoopOp):
                count *= max(self._trips(op), 0.0)
            elif isinstance(op, fpga.LoadOp | fpga.LoadAtOp | fpga.StoreOp):
                if isinstance(op.source.type, fpga.PointerType):
                    port = self._port(op.source)
                    found[port] = found.get(port, 0.0) + count * fpga.element_bits(op.source.type.element) / 8
                continue
            for other in inner:
                for port, size in self._beats(other, count).items():
                    found[port] = found.get(port, 0.0) + size
        return found

    def _rate(self, size: float) -> float:
        """Bytes a second of a port that moves so many in an iteration."""
        bits = min(max(int(size * 8), 8), 512)
        return float(self.card.channel_usable_bytes_per_s(bits, self.card.clock.asked_hz))

    def _depth(self, block: Block) -> float:
        """Cycles from the beginning of an iteration to its end: of the longest path through its operations."""
        if block in self.known.depths:
            return self.known.depths[block]
        ends: dict[SSAValue, float] = {}
        longest = 0.0
        for op in block.ops:
            if isinstance(op, fpga.LoopOp) and op.unroll is None:
                continue
            start = max((ends.get(value, 0.0) for value in op.operands), default=0.0)
            inner = max((self._depth(item) for region in op.regions for item in region.blocks), default=0.0)
            end = start + inner + self.latencies.of_op(op)
            longest = max(longest, end)
            for result in op.results:
                ends[result] = end
        self.known.depths[block] = longest
        return longest

    def _push(self, op: fpga.PushOp) -> float:
        """Of one offer on average. The first ones fill the queue; in random order the n-th score is then among the best
        K with probability K / n."""
        type_ = op.queue.type
        assert isinstance(type_, fpga.QueueType)
        if type_.kind.data in ONE_CYCLE_QUEUES:
            return 0.0  # part of the iteration
        capacity = type_.capacity.data
        offers = max(sum(self._offers(use.operation) for use in op.queue.uses), 1.0)
        filled = min(offers, capacity)
        replaced = capacity * log(max(offers / capacity, 1.0))
        steps = filled * _RISE_STEPS + replaced * (log2(max(capacity, 2)) - 1)
        return 1 + _HEAP_STEP * steps / offers

    def _offers(self, op: Operation) -> float:
        """How often something is offered to a queue there."""
        if not isinstance(op, fpga.PushOp):
            return 0.0
        queue, around, offers = op.queue.owner, op.parent_op(), 1.0
        home = queue.parent if isinstance(queue, Operation) else queue
        while around is not None and around.parent is not home and op.parent is not home:
            offers *= self._trips(around) if isinstance(around, fpga.LoopOp) else 1.0
            around = around.parent_op()
        if isinstance(around, fpga.LoopOp) and op.parent is not home:
            offers *= self._trips(around)
        return offers

    @staticmethod
    def _arrange(op: fpga.ArrangeOp) -> float:
        type_ = op.queue.type
        assert isinstance(type_, fpga.QueueType)
        capacity = type_.capacity.data
        if type_.kind.data in ONE_CYCLE_QUEUES:
            return float(capacity) if op.order.data == "index" else 0.0  # the register is in order of scores
        # One after the other is taken from the heap; what takes its place sinks to where the lowest two levels begin.
        sinking = capacity * max(log2(max(capacity, 2)) - 2, 1)
        heaping = capacity if op.order.data == "index" else 0
        return _HEAP_STEP * (sinking + heaping)

    # Values.

    def _port(self, pointer: SSAValue) -> SSAValue:
        return self.ports.get(pointer, pointer)

    def _value(self, value: SSAValue) -> Number:
        if value in self.values:
            return self.values[value]
        owner = value.owner
        if isinstance(value, BlockArgument):
            return self._carried(value)
        match owner:
            case arith.ConstantOp() if isinstance(owner.value, IntegerAttr):
                return float(owner.value.value.data)
            case fpga.ScalarOp():
                return self._extent(owner.argument.part.data)
            case fpga.LoadOp() if isinstance(owner.source.type, fpga.PointerType):
                return self._loaded(owner)
            case fpga.TakenOp():
                type_ = owner.queue.type
                assert isinstance(type_, fpga.QueueType)
                return float(type_.capacity.data)
            case fpga.LowerBoundOp():
                return self._below(owner)
            case fpga.LoopOp():
                return self._value(owner.carried[owner.results.index(value)])  # type: ignore[arg-type]
        compute = _COMPUTE.get(owner.name) if isinstance(owner, Operation) else None
        if compute is None:
            return None
        assert isinstance(owner, Operation)
        operands = [self._value(operand) for operand in owner.operands]
        return None if any(item is None for item in operands) else compute(*operands)

    def _carried(self, value: BlockArgument) -> Number:
        """What a loop carries is taken to be what it begins with."""
        loop = value.block.parent_op()
        if isinstance(loop, fpga.LoopOp) and value.index > 0:
            return self._value(loop.carried[value.index - 1])
        return None

    def _extent(self, part: str) -> Number:
        name = part.split("/")[0]
        return float(self.dims[name]) if name in self.dims else None

    def _loaded(self, op: fpga.LoadOp) -> Number:
        port = self._port(op.source).owner
        if not isinstance(port, fpga.PortOp):
            return None
        argument = port.argument
        role, part = argument.role.data, argument.part.data
        if role == "length":
            return self._extent(part)
        if role == "operand" and part in ("row_start", "row_length") and argument.index.data in self.lists:
            entries = self._entries(self.lists[argument.index.data])
            index = self._value(op.indices[0]) or 0.0
            return entries if part == "row_length" else index * entries
        return None

    def _entries(self, type: TensorType) -> float:
        """Of a row of a sparse tensor: at most as many as it has columns."""
        rows, columns = (self._size(extent) for extent in type.shape)
        bound = type.storage.stored_bound.data  # type: ignore[attr-defined]
        return min(bound / max(rows, 1.0), columns)

    def _size(self, extent: int | str) -> float:
        return float(extent if isinstance(extent, int) else self.dims[extent])

    def _below(self, op: fpga.LowerBoundOp) -> Number:
        """Of entries whose columns lie evenly, those below a column."""
        port = self._port(op.columns).owner
        length, column = self._value(op.length), self._value(op.column)
        if not isinstance(port, fpga.PortOp) or length is None or column is None:
            return None
        type_ = self.lists.get(port.argument.index.data)
        if type_ is None:
            return None
        return min(length, length * column / max(self._size(type_.shape[1]), 1.0))


_COMPUTE: Mapping[str, Callable[..., float]] = {
    "arith.addi": lambda a, b: a + b,
    "arith.subi": lambda a, b: a - b,
    "arith.muli": lambda a, b: a * b,
    "arith.floordivsi": lambda a, b: a // b if b else inf,
    "arith.ceildivsi": lambda a, b: -(-a // b) if b else inf,
    "arith.minsi": min,
    "arith.maxsi": max,
    "arith.index_cast": lambda a: a,
    "arith.extsi": lambda a: a,
    "arith.trunci": lambda a: a,
}
