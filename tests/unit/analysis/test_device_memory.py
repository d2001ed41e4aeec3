"""What programs need of a device's memory, against sums on paper; buffers are of 4096 bytes if nothing else is said."""

from __future__ import annotations

import pytest

from hetc.passes.analysis.device_memory import DeviceMemory, device_memory
from tests.unit.analysis.programs import kernel, launch, module_of, slots_of

SIZE = 4096
DECLARED = """
  mp.declare @x "input" : <[1024], f32>
  mp.declare @w "weight" : <[1024], f32>
  mp.declare @wl "weight" : <[2, 1024], f32>
  mp.declare @m "memory" : <[1024], f32> {home = "gpu"}
  mp.declare @n "memory" : <[1024], f32> {home = "gpu"}
"""
INPUT = """
  %x = host.input "x" : @host
  %x_gpu = host.copy "x_gpu" %x : @host -> @gpu
"""


def needs(step: str, kind: str = "gpu") -> DeviceMemory:
    return device_memory(module_of(f"host.step @p grows {{}} {{ {step} }}", DECLARED))[kind]


def largest(memory: DeviceMemory) -> set[str]:
    """What is in use at the peak of the one step, without what stays."""
    (peak,) = memory.peaks
    return {held.name for held in peak.live} - {held.name for held in memory.kept}


MEMORIES = 2 * SIZE  # m and n, whatever a step does with them


def test_of_a_chain_two_are_alive_at_once() -> None:
    """x -> a -> b -> c: a value and what is made of it, three times."""
    chain = INPUT + "".join(
        f'%{made} = host.allocate "{made}" : @gpu {kernel(made, f"%{read}", f"%{made}")} '
        for read, made in (("x_gpu", "a"), ("a", "b"), ("b", "c"))
    )
    memory = needs(chain + 'host.output "c", %c : @gpu')
    assert memory.workspace_bytes == 2 * SIZE
    assert memory.bytes == MEMORIES + 2 * SIZE
    assert memory.peaks[0].bytes == MEMORIES + 2 * SIZE and largest(memory) == {"x_gpu", "a"}
    on_host = needs(chain + 'host.output "c", %c : @gpu', "host")
    assert on_host.bytes == 2 * SIZE  # the input, and what the caller is given


def test_what_is_read_again_later_stays_alive() -> None:
    step = (
        INPUT
        + f'%a = host.allocate "a" : @gpu {kernel("one", "%x_gpu", "%a")} '
        + f'%b = host.allocate "b" : @gpu {kernel("two", "%a", "%b")} '
        + f'%c = host.allocate "c" : @gpu {kernel("three", "%b, %x_gpu", "%c")} '
        + 'host.output "c", %c : @gpu'
    )
    memory = needs(step)
    assert memory.workspace_bytes == 3 * SIZE
    assert largest(memory) == {"x_gpu", "a", "b"}
    assert slots_of(module_of(f"host.step @p grows {{}} {{ {step} }}", DECLARED))["c"] == 1  # where a was


def test_scratch_counts_during_the_launches_that_touch_it() -> None:
    """Of three launches the first two share one scratch, the last two another: beside x and r never more than both."""
    launches = launch("l0", "%s0") + launch("l1", "%s0, %s1") + launch("l2", "%s1") + launch("l3", "%s2")
    step = (
        INPUT
        + "".join(f'%{name} = host.allocate "{name}" : @gpu ' for name in ("r", "s0", "s1", "s2"))
        + kernel("k", "%x_gpu", "%r", launches)
        + 'host.output "r", %r : @gpu'
    )
    memory = needs(step)
    assert memory.workspace_bytes == 4 * SIZE
    assert largest(memory) == {"x_gpu", "r", "s0", "s1"}
    whats = {held.name: held.what for held in memory.peaks[0].live}
    assert whats["s0"] == "scratch" and whats["r"] == "intermediate" and whats["x_gpu"] == "copy"


def test_a_loop_keeps_what_lies_around_it_and_has_one_pass_at_a_time() -> None:
    """Five passes over a, b and c take what one takes; x is read in each, h goes from pass to pass."""
    body = (
        f'%a = host.allocate "a" : @gpu {kernel("one", "%h", "%a")} '
        f'%b = host.allocate "b" : @gpu {kernel("two", "%a", "%b")} '
        f'%c = host.allocate "c" : @gpu {kernel("three", "%b, %x_gpu", "%c")} '
        "host.store %c in %h : @gpu, @gpu"
    )
    step = (
        INPUT
        + '%h = host.allocate "h" : @gpu host.store %x_gpu in %h : @gpu, @gpu '
        + f'host.for "i" 5 : i64 {{ {body} }} '
        + f'%o = host.allocate "o" : @gpu {kernel("last", "%h", "%o")} host.output "o", %o : @gpu'
    )
    memory = needs(step)
    assert memory.workspace_bytes == 4 * SIZE  # x and h, and two of a, b, c
    slots = slots_of(module_of(f"host.step @p grows {{}} {{ {step} }}", DECLARED))
    assert slots["a"] == slots["c"] and len({slots["x_gpu"], slots["h"], slots["a"], slots["b"]}) == 4
    assert slots["o"] in (slots["x_gpu"], slots["a"], slots["b"])


def test_a_weight_of_a_loop_stays_layer_by_layer() -> None:
    text = (
        '%wl = host.input "wl" : !host.buffer<!mp.tensor<[2, 1024], f32> on "host"> '
        'host.for "l" 2 : i64 { '
        '%l = host.layer %wl : !host.buffer<!mp.tensor<[2, 1024], f32> on "host"> -> @host '
        '%l_gpu = host.copy "wl_gpu" %l : @host -> @gpu '
        f'%a = host.allocate "a" : @gpu {kernel("k", "%l_gpu", "%a")} }}'
    )
    memory = needs(text)
    weight = next(held for held in memory.kept if held.name == "wl")
    assert weight.bytes == 2 * SIZE and weight.what == "weight"
    assert memory.bytes == MEMORIES + 2 * SIZE + SIZE


def test_a_memory_that_is_written_in_place_needs_nothing_beside() -> None:
    step = (
        INPUT
        + '%m = host.memory "m" : @gpu '
        + '%n = host.append %m, %x_gpu along "T" : @gpu, @gpu -> @gpu host.commit "m", %n : @gpu'
    )
    memory = needs(step)
    assert memory.bytes == MEMORIES + SIZE and memory.beside == 0


def test_a_memory_that_is_made_anew_needs_its_size_again() -> None:
    """The new contents' buffer becomes the memory's; it shares its memory with none that dies before."""
    step = (
        INPUT
        + f'%a = host.allocate "a" : @gpu {kernel("one", "%x_gpu", "%a")} '
        + f'%new = host.allocate "m_new" : @gpu {kernel("two", "%a", "%new")} host.commit "m", %new : @gpu'
    )
    memory = needs(step)
    assert memory.bytes == MEMORIES + 3 * SIZE
    assert memory.peaks[0].bytes == MEMORIES + 2 * SIZE  # x and a, then a and m_new


def test_contents_that_no_memory_can_take_over_are_copied() -> None:
    """Both memories get one value: while they change, each has its old contents and its new ones."""
    step = (
        INPUT
        + f'%a = host.allocate "a" : @gpu {kernel("one", "%x_gpu", "%a")} '
        + 'host.commit "m", %a : @gpu host.commit "n", %a : @gpu'
    )
    memory = needs(step)
    assert memory.beside == 2 * SIZE and memory.bytes == MEMORIES + 2 * SIZE + 2 * SIZE


def test_steps_take_turns() -> None:
    """One slot for the largest of either step: a step's values are dead when the other runs."""
    step = 'host.step @{name} grows {{}} {{ %a = host.allocate "a" : @gpu {kernel} host.output "a", %a : @gpu }} '
    steps = "".join(step.format(name=name, kernel=kernel(name, "", "%a")) for name in ("one", "two"))
    memory = device_memory(module_of(steps, DECLARED))["gpu"]
    assert memory.workspace_bytes == SIZE
    assert [(peak.step, peak.bytes) for peak in memory.peaks] == [("one", MEMORIES + SIZE), ("two", MEMORIES + SIZE)]


@pytest.mark.parametrize(("extent", "bytes"), [(None, 4 * 32 * 8), (4, 4 * 4 * 8)])
def test_extents_of_dims_decide(extent: int | None, bytes: int) -> None:
    text = (
        'mp.dim @T bound 32 : i64 mp.declare @q "input" : <[T, 8], f32> host.step @p grows {} { '
        '%q = host.input "q" : !host.buffer<!mp.tensor<[T, 8], f32> on "host"> '
        '%g = host.copy "g" %q : !host.buffer<!mp.tensor<[T, 8], f32> on "host"> '
        '-> !host.buffer<!mp.tensor<[T, 8], f32> on "gpu"> }'
    )
    memory = device_memory(module_of(text), {} if extent is None else {"T": extent})["gpu"]
    assert memory.bytes == bytes
    assert memory.workspace[0].extents == (extent or 32, 8) and memory.workspace[0].type == "f32[T, 8]"


def test_what_crosses_between_devices_is_held_by_the_host() -> None:
    step = INPUT + '%x_fpga = host.copy "x_fpga" %x_gpu : @gpu -> @fpga ' + kernel("k", "%x_fpga", "", kind="fpga")
    memory = needs(step, "host")
    # The input all along, x on its way, and XRT's own copy of the card's buffers, that of x.
    assert memory.beside == 2 * SIZE and memory.kept_bytes == SIZE
    assert {held.what for held in memory.peaks[0].live} == {"input", "crosses", "mapped"}


def test_only_what_lies_alike_shares() -> None:
    """Layers that lie apart are no use to a buffer that is one array."""
    step = (
        '%l = host.allocate "l" : @layers '
        '%l0 = host.allocate "same" : @layers host.store %l in %l0 : @layers, @layers '
        f'%a = host.allocate "a" : @gpu {kernel("k", "", "%a")} host.output "a", %a : @gpu'
    )
    slots = slots_of(module_of(f"host.step @p grows {{}} {{ {step} }}", DECLARED))
    assert len(set(slots.values())) == 3
    assert needs(step).workspace_bytes == 2 * 2 * SIZE + SIZE


def test_channels_are_those_of_the_ports() -> None:
    """Two values that are never in use together, in channels of their own: they share nothing."""
    port = 'bundle "g" bank {bank} : i64 burst 64 : i64 outstanding 16 : i64 access "read" : !fpga.pointer<f32>'
    argument = '#task.argument<"operand", #builtin.int<0>, "">'
    kernels = "".join(
        f'fpga.kernel @{name} task "{name}" arguments [{argument}] scratch [] target {{}} '
        f'{{ %a = fpga.port "a" {port.format(bank=bank)} }} '
        for name, bank in (("k3", 3), ("k5", 5))
    )
    launches = {
        name: f'host.launch "{name}" arguments [{argument}] options {{}} (%{name}) : @fpga' for name in ("k3", "k5")
    }
    step = '%x = host.input "x" : @host ' + "".join(
        f'%{name} = host.copy "{name}" %x : @host -> @fpga {kernel(name, f"%{name}", "", launches[name], "fpga")} '
        for name in ("k3", "k5")
    )
    module = module_of(f"host.step @p grows {{}} {{ {step} }}", DECLARED, kernels)
    assert device_memory(module)["fpga"].channels == {3: SIZE, 5: SIZE}
    alone = module_of(f"host.step @p grows {{}} {{ {step} }}", DECLARED)
    assert device_memory(alone)["fpga"].workspace_bytes == SIZE and device_memory(alone)["fpga"].channels == {}
