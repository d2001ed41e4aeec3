"""Reductions: one more axis in front, its elements combined; a long range goes through in chunks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from xdsl.dialects.arith import MulfOp
from xdsl.dialects.builtin import AnyFloat
from xdsl.ir import Operation, SSAValue

from hetc.backends.reference.arithmetic import integer_limits, wrap
from hetc.backends.reference.contraction import contract
from hetc.backends.reference.environment import Environment
from hetc.backends.reference.lanes import Axes, Lanes, condition, merge
from hetc.backends.reference.magnitude import magnitude_of_product
from hetc.backends.reference.region import Frame, RegionEvaluator
from hetc.dialects.mp import ReduceOp, YieldOp, extent_key


@dataclass
class Partial:
    """The combination of the elements so far. `value` holds the sum, product, ..., or the best value of an argmax."""

    value: np.ndarray
    count: np.ndarray
    position: np.ndarray | None = None
    magnitude: np.ndarray | None = None
    unstored: dict[Axes, np.ndarray] = field(default_factory=dict)


class Reduction:
    """One evaluation of a `mp.reduce` in a frame of outer indices."""

    def __init__(self, evaluator: RegionEvaluator, op: ReduceOp, frame: Frame, bindings: dict[SSAValue, Lanes]):
        self.evaluator, self.op, self.frame, self.bindings = evaluator, op, frame, bindings
        self.kind = op.kind.data
        self.axis = frame.depth + 1
        self.is_float = isinstance(op.yielded.value.type, AnyFloat)

    def evaluate(self) -> Lanes:
        per = self.bindings[self.op.per] if self.op.per is not None else None
        length = self.evaluator.length(self.op.range, per)
        longest = int(length.value.max(initial=0))
        at_once = self.evaluator.environment.elements_at_once
        chunk = max(1, at_once // max(1, self.frame.elements * product_below(self.op, self.evaluator.environment)))
        total: Partial | None = None
        conditions: dict[Axes, np.ndarray] = dict(length.conditions)
        axes = length.axes
        for start in range(0, max(longest, 1), chunk):  # a range without elements is evaluated too, once
            lanes, partial = self._chunk(start, min(start + chunk, longest), length)
            total = partial if total is None else self._combine(total, partial)
            passed = {key: mask for key, mask in lanes.conditions.items() if self.axis not in key}
            conditions = merge([conditions, passed])
            axes = axes | (lanes.axes - {self.axis})
        assert total is not None
        return self._finish(total, axes, conditions)

    def _chunk(self, start: int, stop: int, length: Lanes) -> tuple[Lanes, Partial]:
        index = self.evaluator.index(0, self.axis, start, stop)
        bindings = dict(self.bindings)
        bindings[self.op.body.block.args[0]] = index
        inside = index.value < length.value
        frame = Frame(self.axis, self.frame.elements * max(stop - start, 1), (*self.frame.exists, inside))
        mask = {index.axes | length.axes: inside}
        product = self._sum_of_products()
        if product is not None:  # not with unstored entries: which of a sum's terms are matters to what uses it
            self.evaluator.body(self.op.body.block, frame, bindings, without=product)
            factors = bindings[product.lhs], bindings[product.rhs]
            plain = not (factors[0].unstored or factors[1].unstored)
            contracted = contract(*factors, self.axis, stop - start, mask) if plain else None
            if contracted is not None:
                value, count, size = contracted
                axes = factors[0].axes | factors[1].axes
                lanes = Lanes(np.zeros(()), axes, merge([factors[0].conditions, factors[1].conditions]))
                return lanes, Partial(value, count, magnitude=size)
            self.evaluator.operation(product, frame, bindings)
            ended = self.op.yielded
        else:
            self.evaluator.body(self.op.body.block, frame, bindings)
            ended = self.op.yielded
        return self._combined(ended, bindings, mask, start, stop)

    def _combined(
        self, ended: YieldOp, bindings: dict[SSAValue, Lanes], mask: dict[Axes, np.ndarray], start: int, stop: int
    ) -> tuple[Lanes, Partial]:
        lanes = bindings[ended.value]
        if ended.present is not None:
            lanes = self._guarded(lanes, bindings[ended.present])
        taken = np.asarray(next(iter(mask.values())))
        for axes, one in lanes.conditions.items():
            if self.axis in axes:
                taken = taken & one
        size = lanes.magnitude
        extent = stop - start
        partial = self._reduce(
            _with_axis(lanes.value, self.axis, extent),
            _with_axis(taken, self.axis, extent),
            None if size is None else _with_axis(size, self.axis, extent),
            start,
        )
        if self.kind in ("sum", "any", "count"):
            partial.unstored = {
                axes: np.all(_with_axis(mask, self.axis, extent), axis=0)
                for axes, mask in lanes.unstored.items()
                if self.axis not in axes
            }
        return lanes, partial

    def _guarded(self, lanes: Lanes, guard: Lanes) -> Lanes:
        """The lanes under the region's own `if`. In the explicit form it says which lanes are combined and no more;
        before, it is a condition like any other, passed on if it does not mention this index."""
        axes = guard.axes | {self.axis} if self.evaluator.environment.strict else guard.axes
        conditions = merge([lanes.conditions, guard.conditions, {axes: guard.value}])
        return replace(lanes, axes=lanes.axes | axes, conditions=conditions)

    def _sum_of_products(self) -> MulfOp | None:
        """The product that a sum is over, where nothing else uses it and its presence is that of its factors."""
        ended = self.op.yielded
        product = ended.value.owner
        if self.kind != "sum" or ended.present is not None or not isinstance(product, MulfOp):
            return None
        inside = product.parent is self.op.body.block and ended.value.has_one_use()
        return product if inside else None

    def _reduce(self, value: np.ndarray, taken: np.ndarray, size: np.ndarray | None, start: int) -> Partial:
        kind = self.kind
        shape = np.broadcast_shapes(value.shape, taken.shape)
        count = np.add.reduce(np.broadcast_to(taken, shape), axis=0, dtype=np.int64)
        if kind in ("argmax", "argmin"):
            return self._reduce_best(np.broadcast_to(value, shape), np.broadcast_to(taken, shape), start, count)
        chosen = np.where(taken, value, self._neutral(value.dtype))
        combined = np.asarray(_COMBINERS[kind].reduce(chosen, axis=0, initial=self._neutral(value.dtype)))
        if kind == "count":
            combined = np.add.reduce(np.where(taken, value, False), axis=0, dtype=np.int64)
        if size is not None:
            sizes = np.where(taken, size, 0.0)
            if kind == "prod":
                size = np.maximum(magnitude_of_product(chosen, sizes), np.abs(combined))
            else:
                rule = np.add if kind in ("sum", "mean") else np.maximum
                size = np.asarray(rule.reduce(sizes, axis=0, initial=0.0))
        return Partial(combined, count, magnitude=size)

    def _reduce_best(self, value: np.ndarray, taken: np.ndarray, start: int, count: np.ndarray) -> Partial:
        """The best value and its lowest position; a NaN is better than anything."""
        if not value.shape[0]:
            empty = np.full(value.shape[1:], self._neutral(value.dtype), value.dtype)
            return Partial(empty, count, np.full(empty.shape, -1, np.int64))
        reducer = _COMBINERS["max" if self.kind == "argmax" else "min"]
        chosen = np.where(taken, value, self._neutral(value.dtype))
        best = reducer.reduce(chosen, axis=0)
        hit = taken & ((value == best) | ((value != value) & (best != best)))
        position = np.argmax(hit, axis=0) + start
        return Partial(best, count, np.where(hit.any(axis=0), position, -1))

    def _combine(self, first: Partial, second: Partial) -> Partial:
        count = first.count + second.count
        if first.position is not None and second.position is not None:
            better = second.value > first.value if self.kind == "argmax" else second.value < first.value
            nan_wins = (second.value != second.value) & (first.value == first.value)
            later = (better & (first.value == first.value)) | nan_wins | (first.position < 0)
            position = np.where(later & (second.position >= 0), second.position, first.position)
            return Partial(np.where(later, second.value, first.value), count, position)
        unstored = {axes: mask & second.unstored[axes] for axes, mask in first.unstored.items()}
        combiner = np.add if self.kind == "count" else _COMBINERS[self.kind]
        size = None
        if first.magnitude is not None and second.magnitude is not None:
            if self.kind == "prod":
                with np.errstate(invalid="ignore", over="ignore"):
                    size = np.abs(first.value) * second.magnitude + first.magnitude * np.abs(second.value)
            else:
                rule = np.add if self.kind in ("sum", "mean") else np.maximum
                size = rule(first.magnitude, second.magnitude)
        return Partial(combiner(first.value, second.value), count, magnitude=size, unstored=unstored)

    def _neutral(self, dtype: np.dtype) -> float | int | bool:
        """What combining over nothing gives (of an argmax: the value that any other beats)."""
        kind = self.kind
        if kind in ("sum", "mean", "count"):
            return False if dtype == np.bool_ else 0
        if kind == "prod":
            return 1
        if kind in ("any", "all"):
            return kind == "all"
        lowest = kind in ("max", "argmax")
        if dtype == np.float64:
            return -np.inf if lowest else np.inf
        low, high = integer_limits(self.op.yielded.value.type)
        return low if lowest else high

    def _finish(self, total: Partial, axes: Axes, conditions: dict[Axes, np.ndarray]) -> Lanes:
        size = total.magnitude
        if total.position is not None:
            if not self.evaluator.environment.strict:  # over nothing there is none
                conditions = merge([conditions, condition(axes, total.position >= 0)])
            return Lanes(total.position, axes, conditions)
        value = total.value
        if self.kind == "mean":
            divisor = np.maximum(total.count, 1)
            value = np.asarray(value / divisor)
            size = None if size is None else size / divisor
        elif not self.is_float:
            value = wrap(value, self.op.result.type) if value.dtype != np.bool_ else value
        elif self.evaluator.environment.magnitudes:
            size = np.zeros_like(value) if size is None else np.where(np.isfinite(size), size, np.inf)
        unstored = {key: mask & (value == 0) for key, mask in total.unstored.items()}
        return Lanes(value, axes, conditions, unstored, size)


_COMBINERS: dict[str, np.ufunc] = {
    "sum": np.add,
    "mean": np.add,
    "prod": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
    "any": np.logical_or,
    "all": np.logical_and,
    "count": np.logical_or,
}


def _with_axis(value: np.ndarray, axis: int, extent: int) -> np.ndarray:
    """The array with the reduced axis in front, of the chunk's extent. Axes of inner reductions, which are over,
    may stand before it, one lane long; they are dropped."""
    value = np.asarray(value)
    value = value.reshape(value.shape[max(value.ndim - axis, 0) :])
    full = value.reshape((1,) * (axis - value.ndim) + value.shape)
    return np.broadcast_to(full, (extent, *full.shape[1:]))


def product_below(op: Operation, environment: Environment) -> int:
    """How many elements one element of `op` takes at once: the largest product of nested ranges' extents."""
    largest = 1
    for nested in op.regions[0].block.ops if op.regions else ():
        if isinstance(nested, ReduceOp):
            extent = environment.longest(extent_key(nested.range.extent))
            largest = max(largest, extent * product_below(nested, environment))
    return largest
