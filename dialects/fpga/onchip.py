"""On-chip memory.

fpga.array  read and written
fpga.table  with constant contents
fpga.queue  the best (score, index) pairs seen so far
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseIntOrFPElementsAttr,
    IntegerAttr,
    StringAttr,
)
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    result_def,
)
from xdsl.utils.exceptions import VerifyException

from hetc.dialects.fpga.types import ArrayType, QueueType

ARRAY_MEMORIES = ("bram", "uram", "register")
PARTITIONS = ("none", "complete", "cyclic")


@irdl_op_definition
class ArrayOp(IRDLOperation):
    """`%row = fpga.array "row" in "register" partition "complete" : !fpga.array<[128], f32>`. `factors` are the
    numbers of banks of a cyclic partition, along each extent."""

    name = "fpga.array"
    sym_name = prop_def(StringAttr)
    memory = prop_def(StringAttr)
    partition = prop_def(StringAttr)
    factors = opt_prop_def(ArrayAttr[IntegerAttr])
    result = result_def(ArrayType)
    assembly_format = "$sym_name `in` $memory `partition` $partition (`factors` $factors^)? attr-dict `:` type($result)"

    def __init__(
        self,
        sym_name: str,
        type: ArrayType,
        memory: str = "bram",
        partition: str = "none",
        factors: Sequence[int] | None = None,
    ):
        super().__init__(
            properties={
                "sym_name": StringAttr(sym_name),
                "memory": StringAttr(memory),
                "partition": StringAttr(partition),
                "factors": None if factors is None else ArrayAttr([IntegerAttr(item, 64) for item in factors]),
            },
            result_types=[type],
        )
        self.result.name_hint = sym_name

    def verify_(self) -> None:
        if self.memory.data not in ARRAY_MEMORIES:
            raise VerifyException(f"fpga.array: memory is one of {', '.join(ARRAY_MEMORIES)}, got {self.memory.data}")
        if self.partition.data not in PARTITIONS:
            raise VerifyException(f"fpga.array: partition is one of {', '.join(PARTITIONS)}, got {self.partition.data}")
        if (self.partition.data == "cyclic") != (self.factors is not None):
            raise VerifyException("fpga.array: a cyclic partition needs factors, and no other has them")
        if self.factors is not None and len(self.factors) != len(self.result.type.extents):
            raise VerifyException(f"fpga.array: expected {len(self.result.type.extents)} factors")

    @property
    def banks(self) -> int:
        """Memories that the array is spread over by a cyclic partition."""
        return prod(item.value.data for item in self.factors) if self.factors is not None else 1


@irdl_op_definition
class TableOp(IRDLOperation):
    """`%t = fpga.table "lut" dense<[1, 2]> : tensor<2xi64> -> !fpga.array<[2], i64>`: a read-only array."""

    name = "fpga.table"
    sym_name = prop_def(StringAttr)
    value = prop_def(DenseIntOrFPElementsAttr)
    result = result_def(ArrayType)
    assembly_format = "$sym_name $value `->` type($result) attr-dict"

    def __init__(self, sym_name: str, value: DenseIntOrFPElementsAttr, type: ArrayType):
        super().__init__(properties={"sym_name": StringAttr(sym_name), "value": value}, result_types=[type])
        self.result.name_hint = sym_name


@irdl_op_definition
class QueueOp(IRDLOperation):
    """`%best = fpga.queue "best" : !fpga.queue<f32, 64, "register">`: empty where it is declared."""

    name = "fpga.queue"
    sym_name = prop_def(StringAttr)
    result = result_def(QueueType)
    assembly_format = "$sym_name attr-dict `:` type($result)"

    def __init__(self, sym_name: str, type: QueueType):
        super().__init__(properties={"sym_name": StringAttr(sym_name)}, result_types=[type])
        self.result.name_hint = sym_name
