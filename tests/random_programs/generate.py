"""Draws random well-typed programs: declarations, then steps whose statements read what is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from random_programs.declarations import Declarations
from random_programs.pieces import Pieces
from random_programs.program import Invoke, Loop, Program, Statement, Step, When, in_stages, walk, written
from random_programs.rewrite import children, mentioned_tensors, uses
from random_programs.tree import PACKED, Tensor
from random_programs.unused import dims_used

_STEPS = ("add", "ask", "change")
STAGES = ("prepare", "relevancy", "retrieve", "apply")


def generate(seed: int, statements: int = 6) -> Program:
    """A program for this seed; the same seed gives the same program."""
    return _Generator(seed).program(statements)


class _Generator(Pieces, Declarations):
    def program(self, statements: int) -> Program:
        self.draw_dims()
        self.declare()
        if self.chance(0.2):
            self.declare_blocks()
        steps = self._steps(statements)
        program = Program(self.seed, self.dims, self.tensors, tuple(self.functions), tuple(steps))
        used = dims_used(program)
        program.dims.update({name: dim for name, dim in program.dims.items() if name in used})
        return program

    def _steps(self, statements: int) -> list[Step]:
        names = self.random.choice([(f"random_{self.seed}",)] * 11 + [_STEPS[:2]] * 5 + [_STEPS] * 4)
        grows: list[dict[str, int | str]] = [{} for _ in names]
        for dim, choices in self.growing.items():
            for grown in [item for item in grows if self.chance(0.4)] or [self.random.choice(grows)]:
                grown[dim] = self.random.choice(choices)
        if len(names) == 1:
            return [self._step(names[0], grows[0], statements)]
        many = max(2, statements * 2 // (len(names) + 1))
        return [self._step(*item, self.random.randint(1, many)) for item in zip(names, grows, strict=True)]

    def _step(self, name: str, grows: dict[str, int | str], statements: int) -> Step:
        """One step: appends to what grows at random places, and other statements."""
        self._begin(grows)
        grown = [memory for memory in self.memories if set(memory.dims) & set(grows)]
        layers = [memory for memory in grown if memory.dims[0] == "L"]
        blocks = [memory for memory in grown if memory.name in ("packed", "sized")]
        appends = [[memory] for memory in grown if memory not in (*layers, *blocks)]
        appends += [items for items in (layers, blocks) if items]
        self.random.shuffle(appends)
        at = [self.random.randrange(statements) if self.chance(0.3) else 0 for _ in appends]
        stages, body = self._stages(), []
        for position in range(statements):
            for memories, place in zip(appends, at, strict=True):
                if place == position and memories is layers:
                    self.loop_over_layers(memories)
                elif place == position and memories is blocks:
                    self.append_blocks()
                elif place == position:
                    self.append(memories[0])
            if position < statements - 1 or not self.body:
                self.statement()
            body.append(tuple(map(self._around_stages, self.body)))
            self.body.clear()
        step = Step(name, None, grows, in_stages(body, stages), self._outputs())
        return replace(step, inputs=self._inputs(step)) if name in _STEPS and self.chance(0.6) else step

    def _around_stages(self, statement: Statement) -> Statement:
        """Now and then a block stands around stages."""
        if isinstance(statement, When | Loop) and self.chance(0.4):
            return replace(statement, stages=tuple(self._stages()))
        return statement

    def _inputs(self, step: Step) -> tuple[str, ...]:
        """The inputs that a step reads, by its functions and as initial values, and maybe others."""
        called = [item for item in walk(step.statements) if isinstance(item, Invoke)]
        functions = {item.function for item in called}
        read = {name for item in walk(step.statements) for name in (*uses(item), *written(item))} | set(step.outputs)
        for function in self.functions:
            if function.name in functions:
                read |= {name for item in walk(function.body) for name in uses(item)}
                read |= mentioned_tensors(children(function))
        read |= {memory.initial for memory in self.memories if memory.name in read and isinstance(memory.initial, str)}
        inputs = [tensor.name for tensor in self.tensors.values() if tensor.role == "input"]
        return tuple(name for name in inputs if name in read or self.chance(0.1))

    def _begin(self, grows: dict[str, int | str]) -> None:
        """What can be read, and what is present, when a step begins."""
        self.grows = grows
        self.appended.clear()
        # What the new rows of a memory hold before they are appended is nobody's.
        self.names = {
            tensor.name: tensor
            for tensor in self.tensors.values()
            if tensor.role not in ("value", "parameter")
            and not (tensor.role == "memory" and set(tensor.dims) & set(grows))
        }
        self.present = {
            tensor.name
            for tensor in self.names.values()
            if tensor.role in ("input", "weight") or not (tensor.ring or set(tensor.dims) & set(grows))
        }

    def _stages(self) -> list[str]:
        """Names of stages in any order, some of them repeated."""
        if self.chance(0.5):
            return list(STAGES)
        names: list[str] = []
        for _ in range(self.random.randint(1, 5)):
            names.append(self.random.choice([name for name in STAGES if names[-1:] != [name]]))
        return names

    def statement(self) -> None:
        """One statement, or what belongs together."""
        makes: list[tuple[int, Callable[[], object]]] = [
            (14, self.define),
            (4, self.topk),
            (2, self.select),
            (1, self.extreme),
            (2, self.softmax),
            (2, self.sort),
            (1, self.rope),
            (2, self.quantize),
            (3, self.update),
            (3, self.when),
            (3, self.loop),
            (2, self.append_to_ring),
            (1, self.clear),
            (2, self.invoke),
            (2, self.concat),
        ]
        for _ in range(5):
            before = len(self.body)
            self.random.choices([make for _, make in makes], [weight for weight, _ in makes])[0]()
            if len(self.body) > before:
                return

    def _outputs(self) -> tuple[str, ...]:
        rest = [tensor.name for tensor in self.names.values() if tensor.role == "value" and self._lies_whole(tensor)]
        values = [name for name in rest if name[0] != "r"]
        outputs = values[-4:] or rest[-1:]
        memories = [memory for memory in self.memories if self._is_output(memory)]
        return (*outputs, *(memory.name for memory in memories if self.chance(0.3)))

    def _lies_whole(self, tensor: Tensor) -> bool:
        """Whether rows of an output would be whole bytes."""
        return tensor.dtype not in PACKED or not tensor.dims or bool(self.dims[tensor.dims[-1]].size)

    def _is_output(self, memory: Tensor) -> bool:
        return not memory.ring and not memory.dtype.startswith("sparse")
