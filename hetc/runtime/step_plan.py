"""What a call of a step does: worked out once for a state and for a way of calling it (see `plan_builder`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from hetc.runtime.buffers import Buffer
from hetc.runtime.call import Action, Call
from hetc.runtime.call_lengths import CallLengths
from hetc.runtime.commits import Commit, commit
from hetc.runtime.devices import Device
from hetc.runtime.inputs import Given
from hetc.runtime.layers import WholeValues
from hetc.runtime.live_length import LiveLength


@dataclass(frozen=True)
class Output:
    """What is read at the end of a call, as a torch tensor of its element type."""

    values: WholeValues
    to_torch: Callable[[NDArray], Any]


@dataclass(frozen=True)
class StepPlan:
    """The plan of a step for calls with tensors of the same shapes in the same places.

    It stays right as long as the state's capacities, the arrays that its memories are bound to, and what is frozen are
    as they were. It holds no reference to the state, so that this goes when its owner lets go of it, and between calls
    none to the caller's tensors.

    lengths: how long dims are in such calls. given: the caller's tensors. late: the buffers whose arrays are a call's
    own. live: the lengths that kernels read, by dim and device kind.
    """

    lengths: CallLengths
    given: Mapping[str, Buffer]
    late: Sequence[Buffer]
    live: Mapping[tuple[str, str], LiveLength]
    actions: Sequence[Action]
    outputs: Mapping[str, Output]
    commits: Sequence[Commit]
    devices: Sequence[Device]

    def run(self, call: Call, given: Mapping[str, Given]) -> dict[str, Any]:
        """One call, of a state that no other step changes meanwhile: its outputs, once everything has succeeded. An
        exception anywhere leaves the state as it was."""
        during = call.during
        try:
            for name, buffer in self.given.items():
                buffer.arrays = (given[name].array,)
            for (dim, _), live in self.live.items():
                live.hold(during[dim])
            for action in self.actions:
                action(call)
            results = {name: item.to_torch(item.values.read(during)) for name, item in self.outputs.items()}
            for device in self.devices:
                device.wait()
            if self.commits:
                commit(self.commits, call.state.workspace, during)
        except BaseException:
            call.undo()
            raise
        finally:
            for buffer in self.late:
                buffer.arrays = ()
        call.complete()
        return results
