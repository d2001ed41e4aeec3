"""Building loops: ops at the end of a block, each with the location of the statement that it is made for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import IndexType, IntegerAttr, ModuleOp, i1
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from hetc.dialects import nest
from hetc.dialects.locations import copy_location
from hetc.dialects.mp import DimOp, DimSizeOp, PipelineOp, extent_key


@dataclass
class Builder:
    """The end of the block at which ops are put, and where their location comes from."""

    dims: Mapping[str, DimOp]
    block: Block
    source: Operation
    values: dict[SSAValue, SSAValue] = field(default_factory=dict)

    def add(self, op: Operation) -> Operation:
        self.block.add_op(copy_location(self.source, op))
        return op

    def value(self, op: Operation) -> SSAValue:
        """The result of an op that is added."""
        return self.add(op).results[0]

    def index(self, number: int) -> SSAValue:
        return self.value(arith.ConstantOp(IntegerAttr(number, IndexType())))

    def true(self) -> SSAValue:
        return self.value(arith.ConstantOp(IntegerAttr(1, i1)))

    def most(self, extent: Attribute) -> int:
        """The largest that an extent can be."""
        key = extent_key(extent)
        return key if isinstance(key, int) else self.dims[key].largest

    def size(self, extent: Attribute, row: SSAValue | None = None) -> SSAValue:
        """The live extent of a dim: of a row where the dim is per a dim."""
        key = extent_key(extent)
        return self.index(key) if isinstance(key, int) else self.value(DimSizeOp(key, row))

    def row_of(self, extent: Attribute, extents: Sequence[Attribute], indices: Sequence[SSAValue]) -> SSAValue | None:
        """The index of the row that an extent is of, among the indices of the extents before it; None where it is the
        same in every row."""
        key = extent_key(extent)
        per = None if isinstance(key, int) else self.dims[key].per
        if per is None:
            return None
        keys = [extent_key(item) for item in extents[: len(indices)]]
        return indices[keys.index(per.data)]

    @contextmanager
    def loop(self, name: str, extent: Attribute, row: SSAValue | None = None) -> Iterator[SSAValue]:
        """A loop over an extent; gives its index. Inside, ops go into the loop."""
        with self.counted(name, self.size(extent, row), self.most(extent)) as index:
            yield index

    @contextmanager
    def counted(self, name: str, upper: SSAValue, most: int, lower: SSAValue | None = None) -> Iterator[SSAValue]:
        """A loop from `lower` (0, if left out) to `upper`, at most `most` passes."""
        body = Block(arg_types=[IndexType()])
        body.args[0].name_hint = name
        self.add(nest.ForOp(self.index(0) if lower is None else lower, upper, most, Region(body)))
        with self.inside(body):
            yield body.args[0]

    @contextmanager
    def like(self, loop: nest.ForOp) -> Iterator[SSAValue]:
        """A loop of another one's limits; gives its index, which stands for the other's. Inside, ops go into it."""
        body = Block(arg_types=[IndexType()])
        body.args[0].name_hint = loop.index.name_hint
        lower, upper = (self.values.get(value, value) for value in (loop.lower, loop.upper))
        self.add(nest.ForOp(lower, upper, loop.most_passes, Region(body), loop.step_size))
        self.values[loop.index] = body.args[0]
        with self.inside(body):
            yield body.args[0]

    @contextmanager
    def lanes(self, count: int) -> Iterator[SSAValue]:
        """One step of so many lanes; gives a lane's number. Inside, ops go into the loop."""
        body = Block(arg_types=[IndexType()])
        body.args[0].name_hint = "lane"
        bind = nest.BindAttr(nest.VECTOR, count)
        self.add(nest.ForOp(self.index(0), self.index(count), count, Region(body), bind=bind))
        with self.inside(body):
            yield body.args[0]

    @contextmanager
    def only_if(self, condition: SSAValue | None) -> Iterator[None]:
        """Ops go into a branch that is taken where the condition holds; without one they stay here."""
        if condition is None:
            yield
            return
        body = Block()
        self.add(scf.IfOp(condition, [], Region(body)))
        with self.inside(body):
            yield
            self.add(scf.YieldOp())

    @contextmanager
    def inside(self, block: Block) -> Iterator[None]:
        """Ops go into another block."""
        outer, self.block = self.block, block
        yield
        self.block = outer

    @contextmanager
    def phase(self) -> Iterator[None]:
        """Ops go into a new phase."""
        body = Block()
        self.add(nest.PhaseOp(Region(body)))
        with self.inside(body):
            yield


def dims_of(module: ModuleOp) -> dict[str, DimOp]:
    """The dims of a module's pipeline."""
    pipelines = [item for item in module.body.block.ops if isinstance(item, PipelineOp)]
    return {name: dim for pipeline in pipelines for name, dim in pipeline.dims.items()}


def put_before(builder: Builder, op: Operation) -> None:
    """The ops of the builder's block, moved in front of an op."""
    block = op.parent
    assert block is not None
    for made in list(builder.block.ops):
        made.detach()
        block.insert_op_before(made, op)
