"""Memories in pages, records and planes, the caller's own too: numbers stay, bytes lie where they must."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hetc.compiler.driver import Options, compile_source_file, write_directory
from hetc.diagnostics import DiagnosticError
from hetc.runtime.errors import CapacityError, DeviceError, InputError
from hetc.runtime.program import HostProgram, load_program
from hetc.source import SourceFile
from tests.executors import ProgramSession
from tests.language.running import WAYS, session_of

SCAN = """
pipeline scan grows T by C:
    dim B <= 4
    dim C = 2
    dim T <= 512 per B
    dim D = 16
    dim K = 4
    input q: f32[B, D]
    input k: bf16[B, C, D]
    memory keys: fp8[B, T, D] @{keys}
    memory scale: f32[B, T] @{scale}
    memory kv: bf16[B, T, D] @{kv}
    memory hits: i32[B, T] @{hits}
    prepare:
        k8[b, c, d], ks[b, c] = quantize[d](k[b, c, d], fp8)
        none[b, c] = i32(0 * k[b, c, 0])
        append(keys, k8); append(scale, ks); append(kv, k); append(hits, none)
    relevancy:
        s[b, t] = scale[b, t] * sum[d](q[b, d] * keys[b, t, d])
    retrieve:
        picked[b, j] = topk[t](s[b, t], K)
    apply:
        o[b, d] = sum[j](kv[b, picked[b, j], d])
        hits[b, picked[b, j]] += 1
    output o, picked, s
"""
LAYOUTS = {
    "pages": {"keys": "paged(block=16)", "scale": "paged(16)", "kv": "paged(8)", "hits": "paged(16)"},
    "planes": {"keys": "paged(block=8)", "scale": "planes(keys)", "kv": "paged(32)", "hits": "contiguous"},
    "records": {"keys": "contiguous", "scale": "record(keys)", "kv": "record(keys)", "hits": "record(keys)"},
    "records in pages": {"keys": "paged(7)", "scale": "record(keys)", "kv": "record(keys)", "hits": "paged(7)"},
}


def reference(session: Any, kv: np.ndarray, keys: np.ndarray, scale: np.ndarray, lengths: np.ndarray, q: np.ndarray,
              outputs: dict[str, np.ndarray], hits: np.ndarray) -> None:  # fmt: skip
    for row, length in enumerate(lengths):
        scores = scale[row, :length] * (keys[row, :length] @ q[row])
        np.testing.assert_allclose(outputs["s"][row, :length], scores, rtol=1e-4, atol=1e-4)
        picked = outputs["picked"][row]
        taken = picked[picked >= 0]
        assert set(taken) == set(np.argsort(-scores, kind="stable")[: len(taken)])
        np.testing.assert_allclose(outputs["o"][row], kv[row, taken].sum(0), rtol=1e-4, atol=1e-4)
        np.add.at(hits[row], taken, 1)


@pytest.mark.parametrize("layouts", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("way", WAYS[1:])
def test_numbers_stay(way: str, layouts: dict[str, str], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    before = np.array([3, 40, 0])
    session = session_of(SCAN.format(**layouts), way, {"B": 3, "T": 64}, {"T": before}, tmp_path)
    shapes = {"keys": (3, 64, 16), "scale": (3, 64), "kv": (3, 64, 16)}
    for name, shape in shapes.items():
        session.load(name, rng.integers(-4, 5, shape).astype(np.float32))
    hits = np.zeros((3, 64), np.int64)
    for call in range(1, 4):
        q, k = rng.normal(size=(3, 16)).astype(np.float32), rng.integers(-6, 7, (3, 2, 16)).astype(np.float32)
        lengths = before + 2 * call
        outputs = session.call(q=q, k=k)
        longest = lengths.max()
        keys, scale, kv = (np.asarray(session.memory(name), np.float64)[:, :longest] for name in shapes)
        for row, length in enumerate(lengths):
            np.testing.assert_array_equal(kv[row, length - 2 : length], k[row])
            found = keys[row, length - 2 : length] * scale[row, length - 2 : length, None]
            np.testing.assert_allclose(found, k[row], atol=0.25)
        reference(session, kv, keys, scale, lengths, q, outputs, hits)
        np.testing.assert_array_equal(session.memory("hits")[:, :longest], hits[:, :longest])


def compiled(
    text: str,
    tmp_path: Path,
    platform: str = "mi210",
    layouts: dict[str, str] | None = None,
    policy: str = "auto",
) -> HostProgram:
    options = Options(platform, layouts=layouts or {}, policy=policy)
    compilation = compile_source_file(SourceFile("test.mp", text), options)
    write_directory(compilation, tmp_path / "out")
    return load_program(tmp_path / "out", "emulation")


ATTEND = """
pipeline attend grows T by 1:
    dim B <= 4
    dim T <= 256 per B
    dim D = 128
    input q: f32[B, D]
    input k: f32[B, D]
    memory keys: fp8[B, T, D]
    memory scale: f32[B, T]
    prepare:
        k8[b, d], ks[b] = quantize[d](k[b, d], fp8, scale=f32)
        append(keys, k8); append(scale, ks)
    relevancy:
        s[b, t] = scale[b, t] * sum[d](q[b, d] * keys[b, t, d])
    output s
"""
INDEXER = {"keys": "paged(64)", "scale": "planes(keys)"}
"""64 rows of 128 bytes, then their 64 scales: 132 bytes a token, as serving engines keep index keys."""


def test_the_callers_pool_and_table_are_used_as_they_are(tmp_path: Path) -> None:
    program = compiled(ATTEND, tmp_path, layouts=INDEXER)
    rng = np.random.default_rng(2)
    pool = torch.zeros(9, 64 * 132, dtype=torch.uint8)
    table = torch.tensor([[5, 2, 0, 0], [8, 0, 0, 0]], dtype=torch.int32)
    values = torch.from_numpy(rng.normal(size=(2, 80, 128)).astype(np.float32)).to(torch.float8_e4m3fn)
    scales = rng.random((2, 80)).astype(np.float32)
    lengths = np.array([70, 3])
    for row in range(2):
        for t in range(lengths[row]):
            page = pool[table[row, t // 64]]
            page[t % 64 * 128 :][:128] = values[row, t].view(torch.uint8)
            page[64 * 128 :].view(torch.float32)[t % 64] = float(scales[row, t])
    state = program.new_state(B=2, T=256)
    state.bind(keys=pool, block_table=table, lengths=torch.tensor(lengths))
    before = pool.clone()
    q, k = (rng.normal(size=(2, 128)).astype(np.float32) for _ in range(2))
    s = program.step("attend")(state, q=q, k=k)["s"].numpy()
    for row, length in enumerate(lengths):
        wide = values[row, :length].float().numpy() * scales[row, :length, None]
        np.testing.assert_allclose(s[row, :length], wide @ q[row], rtol=1e-4, atol=1e-4)
        page = pool[table[row, length // 64]]
        key = page[length % 64 * 128 :][:128].view(torch.float8_e4m3fn).float().numpy()
        scale = float(page[64 * 128 :].view(torch.float32)[length % 64])
        np.testing.assert_allclose(key * scale, k[row], rtol=0.07, atol=0.01)
        np.testing.assert_allclose(s[row, length], key * scale @ q[row], rtol=1e-4, atol=1e-4)
    changed = (pool != before).any(1).nonzero().flatten().tolist()
    assert changed == [2, 8]
    # The owner moves a sequence to other pages between two steps.
    pool[[1, 3]] = pool[[5, 2]]
    pool[[5, 2]] = 255
    table[0, :2] = torch.tensor([1, 3])
    again = program.step("attend")(state, q=q, k=k)["s"].numpy()
    np.testing.assert_array_equal(again[0, :71], s[0, :71])


def test_pages_are_taken_as_they_are_needed(tmp_path: Path) -> None:
    program = compiled(ATTEND, tmp_path, layouts={"keys": "paged(4)", "scale": "paged(4)"})
    state = program.new_state({"T": 3}, B=2, T=256)
    given = {"q": np.ones((2, 128), np.float32), "k": np.ones((2, 128), np.float32)}
    for length in range(1, 5):
        program.step("attend")(state, **given)
        assert state.lengths["T"].tolist() == [length, length]
    kept = state.read("keys")
    with pytest.raises(CapacityError, match="dim T: 4 pages of 4 rows are needed, and there are 3"):
        program.step("attend")(state, **given)
    np.testing.assert_array_equal(state.read("keys"), kept)
    state.set_lengths(T=[0, 4])
    s = program.step("attend")(state, **given)["s"].numpy()
    assert state.lengths["T"].tolist() == [1, 5]
    np.testing.assert_allclose(s[1, :5], s[0, 0], rtol=1e-6)


def test_mistakes_of_binding(tmp_path: Path) -> None:
    program = compiled(ATTEND, tmp_path, layouts=INDEXER)
    state = program.new_state(B=2, T=256)
    pool, table = torch.zeros(9, 64 * 132, dtype=torch.uint8), torch.zeros(2, 4, dtype=torch.int32)
    cases: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"keys": pool[:, :-1]}, InputError, "contiguous"),
        ({"keys": pool[:, :100].contiguous()}, InputError, "no whole number of pages of 8448"),
        ({"keys": pool.to(torch.int16)}, InputError, "expected torch.uint8"),
        ({"keys": pool.numpy()}, InputError, "torch tensor"),
        ({"nope": pool}, InputError, "no memory 'nope'"),
        ({"keys": pool, "block_table": table.long()}, InputError, "expected int32"),
        ({"keys": pool, "block_table": table[:1]}, InputError, r"expected int32\[2, entries\]"),
        ({"keys": pool, "block_table": table[:, :2]}, InputError, "at least 4 entries"),
        ({"keys": pool, "block_table": table - 1, "lengths": [1, 0]}, CapacityError, "sequence 0 is 1 rows long"),
    ]
    for arguments, kind, message in cases:
        with pytest.raises(kind, match=message):
            state.bind(**arguments)
    on_fpga = compiled(ATTEND, tmp_path / "fpga", "mi210+u55c", INDEXER, "intensity").new_state(B=2, T=256)
    with pytest.raises(DeviceError, match="cannot use memory that others allocated"):
        on_fpga.bind(keys=pool)


def test_a_contiguous_memory_is_bound_too(tmp_path: Path) -> None:
    program = compiled(ATTEND, tmp_path)
    state = program.new_state(B=2, T=256)
    keys = torch.zeros(2, 256, 128).to(torch.float8_e4m3fn)
    scale = torch.zeros(2, 256)
    with pytest.raises(InputError, match=r"expected a tensor of \[2, 256, 128\]"):
        state.bind(keys=keys[:, :128].contiguous())
    state.bind(keys=keys, scale=scale, lengths=[0, 5])
    k = np.full((2, 128), 3.0, np.float32)
    program.step("attend")(state, q=k, k=k)
    assert (scale != 0).nonzero().tolist() == [[0, 0], [1, 5]]
    assert float(keys[1, 5, 0].float() * scale[1, 5]) == pytest.approx(3)


def test_layers_in_pages(tmp_path: Path) -> None:
    text = """
pipeline layers grows T by 1:
    dim L = 3
    dim B <= 4
    dim T <= 64 per B
    dim D = 8
    input x: f32[B, D]
    weight w: f32[L, D, D]
    memory keys: bf16[L, B, T, D] @paged(4)
    memory norm: f32[L, B, T] @planes(keys)
    prepare:
        h[b, d] = x[b, d]
        for l in L:
            k[b, e] = bf16(sum[d](h[b, d] * w[l, d, e]))
            n[b] = sum[e](k[b, e] ** 2)
            append(keys[l], k); append(norm[l], n)
            h[b, d] = tanh(sum[t](keys[l, b, t, d] / (1 + norm[l, b, t])))
    output h, keys
"""
    for way in ("gpu", "fpga"):
        session = session_of(text, way, {"B": 2, "T": 16}, {"T": [0, 0]}, tmp_path / way)
        rng = np.random.default_rng(1)
        w = rng.normal(size=(3, 8, 8)).astype(np.float32)
        keys = np.zeros((3, 2, 0, 8))
        for _ in range(6):
            x = rng.normal(size=(2, 8)).astype(np.float32)
            outputs, h, grown = session.call(x=x, w=w), x, []
            for layer in range(3):
                k = torch.from_numpy(h @ w[layer]).to(torch.bfloat16).float().numpy()
                grown.append(np.concatenate([keys[layer], k[:, None]], 1))
                n = (grown[-1] ** 2).sum(-1, keepdims=True)
                h = np.tanh((grown[-1] / (1 + n)).sum(1)).astype(np.float32)
            keys = np.stack(grown)
            np.testing.assert_allclose(outputs["h"], h, rtol=3e-2, atol=3e-2)
            np.testing.assert_allclose(outputs["keys"], keys, rtol=3e-2, atol=3e-2)
            keys = np.asarray(outputs["keys"], np.float64)


def test_pages_are_read_layer_by_layer(tmp_path: Path) -> None:
    text = ATTEND.replace("fp8[B, T, D]", "fp8[3, B, T, D] @paged(8)").replace(
        "append(keys, k8)", "all[l < 3, b, d] = fp8(k[b, d])\n        append(keys, all)"
    )
    with pytest.raises(DiagnosticError, match="is read layer by layer"):
        compiled(text.replace("keys[b, t, d]", "keys[1, b, t, d]"), tmp_path)


def test_layouts_of_the_command_line_go_before_the_programs(tmp_path: Path) -> None:
    text = ATTEND.replace("fp8[B, T, D]", "fp8[B, T, D] @paged(8)")
    program = compiled(text, tmp_path, layouts={"keys": "contiguous"})
    assert program.PIPELINE.tensors["keys"].rows is None
    with pytest.raises(DiagnosticError, match="unknown memory `kyes`"):
        compiled(text, tmp_path, layouts={"kyes": "paged(8)"})


def test_stripes_that_were_asked_for() -> None:
    text = ATTEND.replace("fp8[B, T, D]", "fp8[B, T, D] @striped(4)")
    options = Options("mi210+u55c", estimate={"T": 256, "B": 4}, policy="intensity")
    compilation = compile_source_file(SourceFile("test.mp", text), options)
    assert "stripes=4" in compilation.files["host/attend_host.py"]


@pytest.mark.parametrize("kind", ["gpu", "fpga", "cpu"])
def test_a_striped_memory_runs(kind: str, tmp_path: Path) -> None:
    text = ATTEND.replace("fp8[B, T, D]", "fp8[B, T, D] @striped(4)")
    session = session_of(text, kind, {"B": 2, "T": 64}, {"T": [9, 0]}, tmp_path)
    assert isinstance(session, ProgramSession)
    q = np.ones((2, 128), np.float32)
    s = session.call(q=q, k=q)["s"]
    np.testing.assert_allclose([s[0, 9], s[1, 0]], 128, rtol=1e-2)


def test_pages_that_are_only_read(tmp_path: Path) -> None:
    """The step that would append is never called: the caller fills the pool and says how long the sequences are."""
    text = """
pipeline reader:
    dim B <= 4
    dim T <= 64 per B
    dim D = 8
    input k: f32[B, D]
    input q: f32[B, D]
    memory keys: f32[B, T, D] @paged(4)
    step add(k) grows T by 1:
        prepare:
            append(keys, k)
    step ask(q):
        relevancy:
            s[b, t] = sum[d](q[b, d] * keys[b, t, d])
        output s
"""
    program = compiled(text, tmp_path)
    state = program.new_state(B=2, T=16)
    random = np.random.default_rng()
    pool = torch.from_numpy(random.normal(size=(10, 4, 8)).astype(np.float32))
    table = np.full((2, 4), -1, np.int32)
    table[0, :3], table[1, :2] = random.permutation(10)[:5][:3], random.permutation(10)[:2]
    state.bind(keys=pool, block_table=table, lengths=[10, 7])
    q = random.normal(size=(2, 8)).astype(np.float32)
    for _ in range(2):
        s = np.asarray(program.step("ask")(state, q=q)["s"])
        for row, length in enumerate([10, 7]):
            keys = np.concatenate([pool[page].numpy() for page in table[row] if page >= 0])[:length]
            np.testing.assert_allclose(s[row, :length], keys @ q[row], 1e-4, 1e-5)
