"""Statements that write some elements of a memory, or add to them."""

from __future__ import annotations

from xdsl.dialects.builtin import i1
from xdsl.ir import Region

from hetc.compiler.frontend.constructs.when import held
from hetc.compiler.frontend.expand.shadowing import free_names
from hetc.compiler.frontend.lower.hoist import Hoister
from hetc.compiler.frontend.lower.step import StepEmitter
from hetc.compiler.frontend.resolve import typed
from hetc.compiler.frontend.resolve.constraints import constraints_of
from hetc.compiler.frontend.resolve.expressions import resolve
from hetc.compiler.frontend.resolve.typed import Axis
from hetc.compiler.frontend.syntax import ast
from hetc.diagnostics import Related
from hetc.dialects.mp import PutOp, UpdateOp, compute_type


class UpdateEmitter:
    """Emits mp.update for `m[idx[j], d] = x[j, d]`, `m[d < 4] = x[d]` and `m[idx[j]] += x[j]`."""

    def __init__(self, step: StepEmitter):
        self.step = step
        self.environment = step.environment

    def emit(self, target: ast.Target, statement: ast.Define) -> None:
        """The statement; its target is a memory that is not sparse, with as many indices as it has dims."""
        self._check(target, statement.operator in ("+=", "-="))
        mode, value = self._mode(target, statement)
        shape = self.environment.declared[target.name].type.shape
        indices = self._indices(target)
        constraints = constraints_of(shape, target.span, f"`{target.name}`")
        given = [[constraints[at] for at, item in enumerate(target.indices) if item is index] for index in indices]
        computed = [item for item in target.indices if not isinstance(item, ast.Index)]
        axes, values = resolve(self.environment, indices, [*computed, value], given)
        found = iter(values)
        places = [
            typed.IndexValue(item.name, item.span) if isinstance(item, ast.Index) else next(found)
            for item in target.indices
        ]
        self._emit(target, mode, axes, places, values[-1], statement)

    def _emit(
        self,
        target: ast.Target,
        mode: str,
        axes: list[Axis],
        places: list[typed.Expr],
        value: typed.Expr,
        statement: ast.Define,
    ) -> None:
        type_ = self.environment.declared[target.name].type
        value = Hoister(self.step).rewrite(value, axes)
        ranges, emitter = self.step.region(axes, statement.span)
        at = [emitter.emit_as(place, "index") for place in places]
        emitted = self.step.stored(emitter, value, type_, target.name, keep_absence=mode == "add")
        self.environment.used.add(target.name)
        memory = self.environment.tensor(target.name, target.name_span).value
        assert memory is not None and emitted.type == compute_type(type_.element)
        present = held(self.environment.guards, axes, emitter, self.environment, target.span)
        emitter.add(PutOp(emitted, at, present))
        op = self.step.add(UpdateOp(mode, memory, ranges, Region(emitter.block)), statement.span, target.name)
        self.step.define(target.name, target.name_span, op.results[0])

    def _check(self, target: ast.Target, adds: bool) -> None:
        environment = self.environment
        declared = environment.declared[target.name]
        related = (Related(declared.span, "declared here"),)
        grown = [key for key in declared.type.shape if isinstance(key, str) and key in environment.growth]
        if grown and declared.name not in environment.appended:
            message = f"`{target.name}` grows: its new rows are appended before others are updated"
            help = f"move this below `append({target.name}, ...)`"
            raise environment.refuse("HET201", message, target.span, related=related, help=help)
        if adds and compute_type(declared.type.element) == i1:
            message = f"`{target.name}` holds bool; conditions are not added"
            help = "write `m[i] = m[i] or c`"
            raise environment.refuse("HET106", message, target.span, related=related, help=help)

    def _mode(self, target: ast.Target, statement: ast.Define) -> tuple[str, ast.Expr]:
        """`assign` or `add`, and the value."""
        match statement.operator:
            case "=":
                return "assign", statement.value
            case "+=":
                return "add", statement.value
            case "-=":
                return "add", ast.Unary("-", statement.value, statement.value.span)
        places = tuple(
            ast.Name(item.name, item.span) if isinstance(item, ast.Index) else item for item in target.indices
        )
        old = ast.Access(target.name, places, target.name_span, target.span)
        return "assign", ast.Binary(statement.operator[:-1], old, statement.value, statement.span)

    def _indices(self, target: ast.Target) -> list[ast.Index]:
        """The indices that the statement runs over, in the order in which they stand on the left: those that stand
        alone, and the names inside computed places that stand for nothing else."""
        environment = self.environment
        plain = {item.name for item in target.indices if isinstance(item, ast.Index)}
        found: dict[str, ast.Index] = {}
        for item in target.indices:
            if isinstance(item, ast.Index):
                if item.name in found:
                    message = f"the index `{item.name}` stands twice on the left"
                    help = "the order of writes follows the first; write the second as `i + 0`"
                    raise environment.refuse("HET101", message, item.span, help=help)
                found[item.name] = item
                continue
            known = plain | found.keys() | environment.dims.keys() | environment.tensors.keys()
            free = free_names(item).items()
            found |= {name: ast.Index(name, None, node.span) for name, node in free if name not in known}
        return list(found.values())
