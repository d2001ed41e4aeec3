"""States of combiners, and what is done with them.

nest.acc       states, each its combiner's identity
nest.fold      one more element in a state
nest.merge     a partial state in a state
nest.finish    what a state ends as
nest.arrange   a queue put in order
nest.entry     one pair of a queue
nest.offered   how many pairs a queue could have taken
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import IndexType, StringAttr, i1
from xdsl.ir import Attribute, Region, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    opt_region_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.traits import MemoryAllocEffect, MemoryReadEffect, MemoryWriteEffect
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.nest.combiners import Combiner, combiner_of
from hetc.dialects.nest.structure import YieldOp
from hetc.dialects.nest.types import AccType

UNITS = ("fma", "dot bf16", "dot f16", "dot fp8", "dot int8", "split3")
ORDERS = ("score", "index")
QUEUE = "queue"


def _combiner(states: SSAValue) -> Combiner:
    type_ = states.type
    assert isinstance(type_, AccType)
    return combiner_of(type_.combiner)


def is_queue(states: SSAValue) -> bool:
    """Whether states are queues, which devices keep themselves."""
    type_ = states.type
    return isinstance(type_, AccType) and type_.combiner.kind.data == QUEUE


def _verify_indices(op: IRDLOperation, states: SSAValue, indices: Sequence[SSAValue]) -> None:
    type_ = states.type
    assert isinstance(type_, AccType)
    if len(indices) != len(type_.shape):
        raise VerifyException(f"{op.name}: expected {len(type_.shape)} indices, got {len(indices)}")


def _verify_queue(op: IRDLOperation, states: SSAValue) -> None:
    if not is_queue(states):
        raise VerifyException(f"{op.name}: expected a queue, got {states.type}")


@irdl_op_definition
class AccOp(IRDLOperation):
    """`%d = nest.acc "d" : !nest.acc<[64] of sum<f32>, reg>`: new states, one for each index. One that stands in a loop
    is a new one in each pass."""

    name = "nest.acc"
    sym_name = prop_def(StringAttr)
    result = result_def(AccType)
    traits = traits_def(MemoryAllocEffect())
    assembly_format = "$sym_name attr-dict `:` type($result)"

    def __init__(self, sym_name: str, type: AccType):
        super().__init__(properties={"sym_name": StringAttr(sym_name)}, result_types=[type])
        self.result.name_hint = sym_name if sym_name.isidentifier() else None


@irdl_op_definition
class FoldOp(IRDLOperation):
    """`nest.fold %v into %d[%h] if %p : f32 into type`: one more element; where the condition is false the state stays
    as it is. An index that is computed from data needs an exact combiner, or a column of `nest.entries` (each occurs
    once).

    The last of the values that a combiner of sized states takes is a region over an index of that size:
    `nest.fold %x into %f[] weights { ^bb0(%v: index): ... nest.yield %w : f32 } : ...`.
    `unit`: what multiplies and adds (an FMA, a matrix unit and its operand type). `tree`: a fixed shape of the
    reduction, as a string of widths."""

    name = "nest.fold"
    values = var_operand_def()
    states = operand_def(AccType)
    indices = var_operand_def(IndexType())
    present = opt_operand_def(i1)
    unit = opt_prop_def(StringAttr)
    tree = opt_prop_def(StringAttr)
    weights = opt_region_def("single_block")
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    assembly_format = (
        "$values `into` $states `[` $indices `]` (`if` $present^)? (`unit` $unit^)? (`tree` $tree^)? "
        "(`weights` $weights^)? attr-dict `:` type($values) `into` type($states)"
    )

    def __init__(
        self,
        values: Sequence[SSAValue],
        states: SSAValue,
        indices: Sequence[SSAValue] = (),
        present: SSAValue | None = None,
        weights: Region | None = None,
        unit: str | None = None,
    ):
        super().__init__(
            operands=[values, [states], indices, [present] if present is not None else []],
            properties={"unit": None if unit is None else StringAttr(unit)},
            regions=[[weights] if weights is not None else []],
        )

    @property
    def weight(self) -> SSAValue | None:
        """What the region over the size yields."""
        last = None if self.weights is None else self.weights.block.last_op
        return last.values[0] if isinstance(last, YieldOp) else None

    def verify_(self) -> None:
        _verify_indices(self, self.states, self.indices)
        combiner = _combiner(self.states)
        given: list[Attribute] = [value.type for value in self.values]
        if combiner.weighted:
            if self.weights is None or self.weight is None:
                raise VerifyException(f"nest.fold: {combiner.NAME} takes weights")
            if [argument.type for argument in self.weights.block.args] != [IndexType()]:
                raise VerifyException("nest.fold: the weights' region has one argument, of type index")
            given.append(self.weight.type)
        elif self.weights is not None:
            raise VerifyException(f"nest.fold: {combiner.NAME} takes no weights")
        if tuple(given) != combiner.takes:
            raise VerifyException(
                f"nest.fold: {combiner.NAME} takes {list(map(str, combiner.takes))}, got {list(map(str, given))}"
            )
        if self.unit is not None and self.unit.data not in UNITS:
            raise VerifyException(f"nest.fold: the unit is one of {', '.join(UNITS)}, got {self.unit.data}")


@irdl_op_definition
class MergeOp(IRDLOperation):
    """`nest.merge %part[%c] into %k[%b] : type, type`: the elements of a partial state, behind those that the state
    has. Both are states of one combiner."""

    name = "nest.merge"
    part = operand_def(AccType)
    part_indices = var_operand_def(IndexType())
    states = operand_def(AccType)
    indices = var_operand_def(IndexType())
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    assembly_format = (
        "$part `[` $part_indices `]` `into` $states `[` $indices `]` attr-dict `:` type($part) `,` type($states)"
    )

    def __init__(
        self, part: SSAValue, part_indices: Sequence[SSAValue], states: SSAValue, indices: Sequence[SSAValue] = ()
    ):
        super().__init__(operands=[[part], part_indices, [states], indices])

    def verify_(self) -> None:
        _verify_indices(self, self.part, self.part_indices)
        _verify_indices(self, self.states, self.indices)
        first, second = self.part.type, self.states.type
        assert isinstance(first, AccType) and isinstance(second, AccType)
        if first.combiner != second.combiner:
            raise VerifyException(f"nest.merge: {first.combiner} into {second.combiner}")


@irdl_op_definition
class FinishOp(IRDLOperation):
    """`%v = nest.finish %d[%h] : type -> f32`: what a state ends as. Of sized states an index of the size follows those
    of the state: `nest.finish %f[%b] at %v`."""

    name = "nest.finish"
    states = operand_def(AccType)
    indices = var_operand_def(IndexType())
    place = opt_operand_def(IndexType())
    results_ = var_result_def()
    traits = traits_def(MemoryReadEffect())
    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    assembly_format = "$states `[` $indices `]` (`at` $place^)? attr-dict `:` type($states) `->` type($results_)"

    def __init__(self, states: SSAValue, indices: Sequence[SSAValue] = (), place: SSAValue | None = None):
        super().__init__(
            operands=[[states], indices, [place] if place is not None else []],
            result_types=[list(_combiner(states).gives)],
        )

    def verify_(self) -> None:
        _verify_indices(self, self.states, self.indices)
        combiner = _combiner(self.states)
        if is_queue(self.states):
            raise VerifyException("nest.finish: a queue is read by nest.arrange and nest.entry")
        if (self.place is not None) != combiner.weighted:
            raise VerifyException(f"nest.finish: {combiner.NAME} ends as {combiner.size or 'one'} values")
        if tuple(result.type for result in self.results) != combiner.gives:
            raise VerifyException(f"nest.finish: {combiner.NAME} gives {list(map(str, combiner.gives))}")


@irdl_op_definition
class ArrangeOp(IRDLOperation):
    """`nest.arrange %k[%b] by "score" : type`: `score` descending (ties by lower index) or `index` ascending.
    Afterwards a queue takes no more."""

    name = "nest.arrange"
    states = operand_def(AccType)
    indices = var_operand_def(IndexType())
    order = prop_def(StringAttr)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = "$states `[` $indices `]` `by` $order attr-dict `:` type($states)"

    def __init__(self, states: SSAValue, indices: Sequence[SSAValue], order: str):
        super().__init__(operands=[states, indices], properties={"order": StringAttr(order)})

    def verify_(self) -> None:
        _verify_queue(self, self.states)
        _verify_indices(self, self.states, self.indices)
        if self.order.data not in ORDERS:
            raise VerifyException(f"nest.arrange: order is one of {', '.join(ORDERS)}, got {self.order.data}")


@irdl_op_definition
class EntryOp(IRDLOperation):
    """`%s, %i = nest.entry %k[%b] at %j : type -> f32`: pair `j` of a queue; past those that it holds -inf (the least
    integer) and -1."""

    name = "nest.entry"
    states = operand_def(AccType)
    indices = var_operand_def(IndexType())
    place = operand_def(IndexType())
    score = result_def(Attribute)
    index = result_def(IndexType())
    traits = traits_def(MemoryReadEffect())
    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    assembly_format = "$states `[` $indices `]` `at` $place attr-dict `:` type($states) `->` type($score)"

    def __init__(self, states: SSAValue, indices: Sequence[SSAValue], place: SSAValue):
        type_ = states.type
        assert isinstance(type_, AccType)
        super().__init__(operands=[[states], indices, [place]], result_types=[type_.combiner.type, IndexType()])

    def verify_(self) -> None:
        _verify_queue(self, self.states)
        _verify_indices(self, self.states, self.indices)
        if self.score.type != _combiner(self.states).type:
            raise VerifyException(f"nest.entry: expected a score of type {_combiner(self.states).type}")


@irdl_op_definition
class OfferedOp(IRDLOperation):
    """`%n = nest.offered %k[%b] : type`: how many of the pairs that were folded a queue could have taken, those that
    did not fit among them."""

    name = "nest.offered"
    states = operand_def(AccType)
    indices = var_operand_def(IndexType())
    result = result_def(IndexType())
    traits = traits_def(MemoryReadEffect())
    assembly_format = "$states `[` $indices `]` attr-dict `:` type($states)"

    def __init__(self, states: SSAValue, indices: Sequence[SSAValue] = ()):
        super().__init__(operands=[states, indices], result_types=[IndexType()])

    def verify_(self) -> None:
        _verify_queue(self, self.states)
        _verify_indices(self, self.states, self.indices)
