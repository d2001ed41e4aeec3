"""Sums of products of narrow stored elements, carried out on the elements' codes without rounding.

`sum[d](q[h, d] * k[t, d])` over two e4m3 tensors (or two of narrow integers) needs no floating-point operator: a
product of two codes is a whole number, and a tree of integer adders is exact in any order.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from xdsl.dialects import arith
from xdsl.dialects.builtin import Float8E4M3FNType, IndexType, IntegerType, i1, i32
from xdsl.ir import Attribute, Block, Region, SSAValue

from hetc.dialects import fpga
from hetc.dialects.mp import ReadOp, ReduceOp, TensorType, YieldOp, dtype_name, extent_key
from hetc.passes.lower_hls.builder import Body
from hetc.passes.lower_hls.regions import RegionLowering

NARROW_INTEGERS = ("i8", "u8", "i16")


@dataclass(frozen=True)
class ExactProduct:
    """The two reads that a sum multiplies, and the type that their products are summed in."""

    lhs: ReadOp
    rhs: ReadOp
    total: IntegerType

    @property
    def tensors(self) -> tuple[SSAValue, SSAValue]:
        return self.lhs.tensor, self.rhs.tensor

    @property
    def is_float(self) -> bool:
        return isinstance(_element(self.lhs), Float8E4M3FNType)


def exact_product(op: ReduceOp) -> ExactProduct | None:
    """The sum as one of products of codes, or None."""
    extent, value = extent_key(op.range.extent), op.yielded.value.owner
    if op.kind.data != "sum" or op.yielded.present is not None or not isinstance(extent, int):
        return None
    if not isinstance(value, arith.MulfOp | arith.MuliOp) or value.parent_block() is not op.body.block:
        return None
    reads = [operand.owner for operand in (value.lhs, value.rhs)]
    if not all(isinstance(read, ReadOp) and read.present is None for read in reads):
        return None
    lhs, rhs = reads
    assert isinstance(lhs, ReadOp) and isinstance(rhs, ReadOp)
    floats = [isinstance(_element(read), Float8E4M3FNType) for read in (lhs, rhs)]
    integers = [dtype_name(_element(read)) in NARROW_INTEGERS for read in (lhs, rhs)]
    total = fpga.sum_type(_element(lhs), extent)
    if not (all(floats) or (all(integers) and op.result.type == i32)) or total is None:
        return None
    return ExactProduct(lhs, rhs, total)


def _element(read: ReadOp) -> Attribute:
    assert isinstance(read.tensor.type, TensorType)
    return read.tensor.type.element


def exact_sums(lanes: Mapping[ReduceOp, int], on_chip: Container[SSAValue]) -> dict[ReduceOp, ExactProduct]:
    """Of the reductions laid out in lanes, those that are: laid out completely, over tensors held on chip as codes."""
    found = {}
    for op, count in lanes.items():
        product = exact_product(op) if count == extent_key(op.range.extent) else None
        if product is not None and all(tensor in on_chip for tensor in product.tensors):
            found[op] = product
    return found


def lower_exact(region: RegionLowering, body: Body, op: ReduceOp, product: ExactProduct) -> SSAValue:
    """All products side by side, one tree of integer adders, one rounding."""
    count = region.lanes[op]
    total = _tree(region, body, op, product, "sum")
    if not product.is_float:
        return total
    assert count == extent_key(op.range.extent)
    return body.add(fpga.FromFixedOp(total, _tree(region, body, op, product, "any"))).result


def _tree(region: RegionLowering, body: Body, op: ReduceOp, product: ExactProduct, kind: str) -> SSAValue:
    """The sum of the products, or whether any factor is a NaN."""
    block = Block(arg_types=[IndexType()])
    index = block.args[0]
    index.name_hint = op.range.index.data
    inner = body.inner(block)
    region.values[op.body.block.args[0]] = index
    region.safe[index] = extent_key(op.range.extent)
    codes: dict[ReadOp, SSAValue] = {}
    for item in op.body.block.ops:
        if item is product.lhs or item is product.rhs:
            assert isinstance(item, ReadOp)
            codes[item] = region.load_code(inner, item)
        elif not isinstance(item, YieldOp) and item is not op.yielded.value.owner:
            region.lower_op(item, inner)
    lhs, rhs = codes[product.lhs], codes[product.rhs]
    type_: IntegerType = product.total if kind == "sum" else i1
    if kind == "sum":
        value: SSAValue = inner.add(fpga.ProductOp(lhs, rhs, type_)).result
    else:
        lhs_nan, rhs_nan = inner.add(fpga.IsNanOp(lhs)).result, inner.add(fpga.IsNanOp(rhs)).result
        value = inner.add(arith.OrIOp(lhs_nan, rhs_nan)).result
    inner.add(fpga.YieldOp([value]))
    return body.add(fpga.LanesOp(kind, op.range.index.data, region.lanes[op], Region(block), type_)).result
