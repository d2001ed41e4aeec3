"""The scheduler of FPGA kernels: channels, lanes and memories within the card, and the time that they give.

Every plan of a small grid (stripes x lanes) is estimated; the fastest that fits is taken, the smaller of equals.
Times and resources are estimates from the platform file. `plan` is what `lower-to-hls` applies (see FpgaPlan).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import ceil, log, log2, prod

from xdsl.ir import BlockArgument, Operation

from hetc.dialects import fpga
from hetc.dialects.host import BufferType
from hetc.dialects.mp import (
    ComputeOp,
    ConstantOp,
    RangedOp,
    SelectOp,
    TensorType,
    TopkOp,
    enclosing_pipeline,
    extent_key,
    storage_bits,
)
from hetc.dialects.task import KernelOp
from hetc.passes.analysis.operands import resident
from hetc.passes.analysis.sizes import Sizes
from hetc.passes.lower_hls.initiation import Latencies
from hetc.passes.lower_hls.lower_to_hls import find_scans, lower_kernel
from hetc.passes.lower_hls.plan import FpgaPlan
from hetc.passes.lower_hls.scan import Scan
from hetc.passes.lower_hls.sparse_scan import SparseScan
from hetc.passes.lower_hls.words import joins, lanes_of_row, row_steps
from hetc.passes.schedule.fpga_cost import Costs, price
from hetc.passes.schedule.fpga_cycles import Counter as Cycles
from hetc.passes.schedule.fpga_cycles import Known
from hetc.passes.schedule.fpga_plans import plans
from hetc.passes.schedule.model import Refused, Schedule, unreadable
from hetc.platforms.fpga import BRAM36_BYTES, URAM_BYTES, Fpga


@dataclass(frozen=True)
class Estimate:
    """One plan's figures. cycles: by what they are spent on; the kernel takes the larger of the two of each part."""

    plan: FpgaPlan
    clock_hz: float
    time_us: float
    memory_us: float
    resources: Mapping[str, float]
    bytes_moved: float
    operations: float
    notes: tuple[str, ...] = ()


def schedule(kernel: KernelOp, device: Fpga, dims: Mapping[str, int]) -> Schedule:
    """The kernel on the card at these extents. Raises Refused where no plan fits, with what is short."""
    return plan(kernel, device, dims).at(dims)


def plan(kernel: KernelOp, device: Fpga, dims: Mapping[str, int]) -> FpgaKernel:
    """The kernel by the plan that is the fastest on the card at these extents. Raises Refused where
    none fits, with what is short."""
    base = replace(
        FpgaPlan(), part=device.part, platform=device.platform, clock_ns=f"{1e9 / device.clock.asked_hz:.3f}"
    )
    statements = [op for op in kernel.block.ops if op is not kernel.returned and not isinstance(op, ConstantOp)]
    for argument in kernel.block.args:
        reason = unreadable(argument.type)  # type: ignore[arg-type]
        if reason:
            raise Refused(reason, kernel)
    for op in statements:
        if not isinstance(op, ComputeOp | TopkOp | SelectOp):
            raise Refused(f"{op.name} has no form on an FPGA", op)
    fitting: list[Estimate] = []
    short: list[tuple[bool, int, str]] = []
    scans = find_scans(statements, base)  # the same under every plan of the grid
    costs = Costs(device, dims, base.accumulators)
    room: dict[int, str] = {}  # the same under plans of as many stripes
    for plan in plans(kernel, scans, base, device):
        if plan.stripes not in room:
            room[plan.stripes] = _lacking_room(device, plan, kernel)
        if room[plan.stripes]:
            # A plan with room for the operands says more than one without; then the one with most stripes.
            short.append((True, -plan.stripes, room[plan.stripes]))
            continue
        estimate = _Estimator(statements, scans, device, dims, plan, costs).run()
        lacking = _lacking(device, estimate)
        if lacking:
            short.append((False, -plan.stripes, lacking))
        else:
            fitting.append(estimate)
    if not fitting:
        raise Refused(f"the kernel does not fit {device.title}: {min(short)[2]}", kernel)
    best = min(fitting, key=lambda item: (item.time_us, item.plan.stripes * item.plan.lanes))
    return FpgaKernel(kernel, device, best)


@dataclass(frozen=True)
class FpgaKernel:
    """A kernel whose plan is decided. best: what the plan was chosen by."""

    kernel: KernelOp
    device: Fpga
    best: Estimate
    known: Known = field(default_factory=lambda: Known({}, {}, {}))

    @cached_property
    def emitted(self) -> fpga.KernelOp:
        """The kernel that is printed; not needed where another kernel of its placement is refused."""
        return lower_kernel(self.kernel, self.best.plan, Latencies.of(self.device))

    def at(self, dims: Mapping[str, int]) -> Schedule:
        """Its time and its bytes at run-time dims of these extents."""
        count = Cycles(self.kernel, self.emitted, self.device, dims, self.best.clock_hz, known=self.known).run()
        time_us, memory_us = count.seconds * 1e6, count.memory * 1e6
        best = replace(self.best, time_us=time_us, memory_us=memory_us, bytes_moved=count.bytes)
        return _as_schedule(best, self.device)


def _as_schedule(best: Estimate, device: Fpga) -> Schedule:
    launch = float(device.launch_us)
    time_us = best.time_us + launch
    compute_us = best.time_us
    bound = "launch" if launch > compute_us else "memory" if best.memory_us >= 0.9 * compute_us else "compute"
    defaults = FpgaPlan()
    plan = {
        name: value
        for name, value in best.plan.__dict__.items()
        if value != getattr(defaults, name) or name in ("stripes", "lanes", "fifo_depth")
    }
    return Schedule(
        kind="fpga",
        plan=plan,
        resources=best.resources,
        time_us=time_us,
        energy_mj=time_us * float(device.board_watts) / 1000,
        bytes_moved=best.bytes_moved,
        flop=best.operations,
        bound=bound,
        launch_us=launch,
        notes=best.notes,
    )


def _lacking_room(device: Fpga, plan: FpgaPlan, kernel: KernelOp) -> str:
    """Which operand does not fit in memory, in words; "" where each does."""
    room = device.memory.channel_bytes
    for name, over, size in _arrays(kernel, plan):
        if size > room:
            return f"{name}, {over}, puts {size / 2**20:,.0f} MiB in one memory channel of {room / 2**20:,.0f} MiB"
    return ""


def _lacking(device: Fpga, estimate: Estimate) -> str:
    """The first resource that is short, in words; "" where all suffice."""
    plan = estimate.plan
    for resource in ("dsp", "lut", "ff", "bram36", "uram"):
        needed, usable = estimate.resources[resource], device.usable(resource)  # type: ignore[arg-type]
        if needed > usable:
            shape = f"{plan.stripes} channels of {plan.lanes} lanes"
            return f"{shape} need {needed:,.0f} {resource}, {usable:,.0f} are usable"
    return ""


def _arrays(kernel: KernelOp, plan: FpgaPlan) -> Iterator[tuple[str, str, int]]:
    """What the kernel's ports lead to: name, how it is dealt out, and bytes of an array as the host program allocates
    it where every dim is at its bound."""
    sizes = Sizes(enclosing_pipeline(kernel).dims)
    for number, argument in enumerate(kernel.block.args):
        name, type_ = argument.name_hint or f"operand {number}", argument.type
        assert isinstance(type_, TensorType)
        if type_.is_sparse:
            yield from ((f"{name} ({part})", "not striped", size) for part, size in sizes.sparse_parts(type_).items())
            continue
        stripes, layers = plan.stripes if number in plan.striped else 1, resident(kernel.arguments[number])
        over = f"striped over {stripes} channels" if stripes > 1 else "not striped"
        over += f", in {layers} layers" if layers > 1 else ""
        yield name, over, -(-layers * sizes.array_bytes(BufferType(type_, kernel.device)) // stripes)
    for value in kernel.outputs:
        assert isinstance(value.type, TensorType)
        yield value.name_hint or "a result", "not striped", sizes.array_bytes(BufferType(value.type, kernel.device))


class _Estimator:
    """Time and resources of one plan."""

    def __init__(
        self, statements: list[Operation], scans: Mapping[Operation, Scan | SparseScan], device: Fpga,
        dims: Mapping[str, int], plan: FpgaPlan, costs: Costs,
    ):  # fmt: skip
        self.statements, self.scans, self.device, self.dims, self.plan = statements, scans, device, dims, plan
        self.costs = costs
        self.operators: Counter[tuple[str, str]] = Counter()
        self.bram36 = self.uram = 0.0
        self.bytes_moved = self.operations = 0.0
        self.parts: list[tuple[float, float]] = []  # cycles of logic, seconds of memory

    def run(self) -> Estimate:
        fused = {op for scan in self.scans.values() for op in scan.fused.values()}
        for op in self.statements:
            if op not in fused:
                assert isinstance(op, RangedOp)
                self._statement(op)
        fabric, missing = price(self.device, self.operators)
        clock = self.device.clock_hz(fabric["lut"] / self.device.total("lut"))
        seconds = sum(max(cycles / clock, memory) for cycles, memory in self.parts)
        memory = sum(memory for _, memory in self.parts)
        resources = {**fabric, "bram36": self.bram36, "uram": self.uram}
        notes = tuple(f"no cost known of {name}" for name in sorted(missing))
        return Estimate(
            self.plan, clock, seconds * 1e6, memory * 1e6, resources, self.bytes_moved, self.operations,
            (*notes, f"{self.plan.stripes} channels, {self.plan.lanes} lanes each, at {clock / 1e6:.0f} MHz"),
        )  # fmt: skip

    def _extent(self, item: object) -> int:
        key = extent_key(item)  # type: ignore[arg-type]
        return key if isinstance(key, int) else self.dims[key]

    def _statement(self, op: RangedOp) -> None:
        outer = prod(self._extent(item.extent) for item in op.index_ranges[:-1])
        rows = self._extent(op.index_ranges[-1].extent) if op.ranges else 1
        match self.scans.get(op):
            case Scan() as scan:
                self._scan(op, scan, outer, rows)
            case SparseScan() as scan:
                self._sparse(op, scan, outer, rows)
            case None:
                self._nest(op, outer, rows)
        self._selection(op, outer, rows)
        for result in op.results:
            assert isinstance(result.type, TensorType)
            elements = prod(self._extent(extent) for extent in result.type.extents)
            self.bytes_moved += elements * storage_bits(result.type.element) / 8

    def _scan(self, op: RangedOp, scan: Scan, outer: int, rows: int) -> None:
        channels = self._channels(op)
        cost = self.costs.of(op, scan.fused, self.plan.lanes, scan.on_chip)
        words, taken, row_bytes = 0.0, 1.0, 0.0  # taken: of a row's words, in an iteration of their own
        for item in scan.streamed:
            type_ = item.tensor.type
            assert isinstance(type_, TensorType)
            size = prod(self._shape(type_, item.window)) * storage_bits(type_.element)
            lanes = lanes_of_row(type_, item.window, self.plan.port_bits)
            own = size / (lanes * storage_bits(type_.element))
            words = max(words, own)
            steps = row_steps(type_, item.window, lanes)
            if cost.rounds == 1 or not joins(steps, storage_bits(type_.element), lanes):
                taken = max(taken, own)
            row_bytes += size / 8
            self.bram36 += channels * ceil(self.plan.fifo_depth * size / (8 * BRAM36_BYTES))
        loads = 0.0
        for invariant in scan.invariants:
            type_ = invariant.tensor.type
            assert isinstance(type_, TensorType)
            elements = prod(self._shape(type_, invariant.window))
            loads = max(loads, elements)
            self.bram36 += channels * ceil(elements * 32 / (8 * BRAM36_BYTES))
            self.bytes_moved += outer * elements * storage_bits(type_.element) / 8
        pipelined = max(words, taken * cost.rounds)
        per_row = pipelined if cost.cycles == 0 else words + cost.cycles + cost.latency
        cycles = outer * (2 * loads + ceil(rows / channels) * per_row + cost.latency)
        moved = outer * rows * row_bytes
        self.bytes_moved += moved
        self.operations += outer * rows * cost.operations
        rate = channels * self.device.channel_usable_bytes_per_s(self.plan.port_bits, self.device.clock.asked_hz)
        self.parts.append((cycles, moved / rate))
        for key, count in cost.operators.items():
            self.operators[key] += count * channels

    def _channels(self, op: RangedOp) -> int:
        """Memory channels that a statement's scan reads side by side."""
        scan = self.scans.get(op)
        if not isinstance(scan, Scan):
            return 1
        arguments = [item.tensor.index for item in scan.streamed if isinstance(item.tensor, BlockArgument)]
        return self.plan.stripes if set(arguments) & set(self.plan.striped) else 1

    def _shape(self, type_: TensorType, window: tuple[int, ...]) -> list[int]:
        return [extent for position in window if isinstance(extent := type_.shape[position], int)]

    def _sparse(self, op: RangedOp, scan: SparseScan, outer: int, rows: int) -> None:
        type_ = scan.read.tensor.type
        assert isinstance(type_, TensorType)
        stored = type_.storage.stored_bound.data  # type: ignore[attr-defined]
        lists = self.dims.get(str(type_.shape[0]), type_.shape[0])
        entries = self._extent(scan.reduce.range.extent) * stored / max(int(lists), 1)
        cost = self.costs.of(op, scan.fused, 1)
        tiles = ceil(rows / self.plan.tile)
        search = 2 * log2(max(stored, 2)) * self._extent(scan.reduce.range.extent) * tiles
        cycles = outer * (entries + search + 2 * rows)
        moved = outer * (entries * (4 + storage_bits(type_.element) / 8) + 4 * rows)
        self.bytes_moved += moved
        self.operations += outer * entries * max(len(list(scan.reduce.body.block.ops)) - 2, 1)
        self.parts.append((cycles, moved / self.device.channel_usable_bytes_per_s(32, self.device.clock.asked_hz)))
        self._memory(min(self.plan.tile, rows) * 32)
        self.operators.update(cost.operators)

    def _nest(self, op: RangedOp, outer: int, rows: int) -> None:
        """Loops in order; each read of device memory is a beat of its own."""
        cost = self.costs.of(op, {}, 1)
        elements = outer * rows
        reads = sum(cost.reads.values())
        interval = max(cost.cycles, max(cost.reads.values(), default=1))
        self.parts.append((elements * (interval if cost.cycles == 0 else interval + cost.latency), 0.0))
        moved = 0.0
        for tensor, count in cost.reads.items():
            assert isinstance(tensor.type, TensorType)
            moved += count * storage_bits(tensor.type.element) / 8
        self.bytes_moved += elements * moved if reads else 0.0
        self.operations += elements * cost.operations
        self.operators.update(cost.operators)

    def _selection(self, op: RangedOp, outer: int, rows: int) -> None:
        """What a top-k or a selection adds: a shift register takes a score a cycle, a heap walks for each it keeps."""
        if not isinstance(op, TopkOp | SelectOp):
            return
        capacity = op.k.value.data if isinstance(op, TopkOp) else op.capacity.value.data
        channels = self._channels(op)
        drain = capacity * (1 + (channels if channels > 1 else 0))
        if capacity <= self.plan.register_queue:
            self.operators[("f32", "cmp")] += capacity * (channels + (channels > 1))
            self.parts.append((outer * drain, 0.0))
            return
        # In random order the n-th score is among the best K with probability K / n.
        kept = min(rows, capacity * (1 + log(max(rows / capacity, 1.0))))
        steps = 4 * ceil(log2(capacity))
        ordered = 1 if isinstance(op, SelectOp) or op.order.data != "any" else 0
        merges = channels * capacity if channels > 1 else 0
        self.parts.append((outer * (drain + steps * (kept / channels + merges + capacity * ordered)), 0.0))
        self._memory(capacity * 64 * (channels + (channels > 1)))

    def _memory(self, bits: float) -> None:
        """An on-chip array, in block RAM or URAM by its size."""
        if bits <= self.plan.bram_bits:
            self.bram36 += ceil(bits / (8 * BRAM36_BYTES))
        else:
            self.uram += ceil(bits / (8 * URAM_BYTES))
