"""Kernels compiled for GPUs that are not here: resources read, errors, crashes and time limits reported, cache."""

import dataclasses
import textwrap

import pytest

from hetc.runtime import triton_compile
from hetc.runtime.triton_compile import CompilerUnavailable, KernelBuild, KernelSpec, compile_kernels, violations

TARGETS = ["sm_80", "sm_90", "gfx90a", "gfx942"]
# Shared memory of one program, as the vendors' tables give it.
LIMITS = {"sm_80": 166912, "sm_90": 232448, "gfx90a": 65536, "gfx942": 65536}

MODULE = textwrap.dedent(
    '''
    import os
    import time

    import triton
    import triton.language as tl


    @triton.jit
    def matmul(a, b, c, K, M: tl.constexpr, N: tl.constexpr, BK: tl.constexpr):
        m = tl.program_id(0) * M + tl.arange(0, M)
        n = tl.program_id(1) * N + tl.arange(0, N)
        total = tl.zeros([M, N], tl.float32)
        for start in range(0, K, BK):
            k = start + tl.arange(0, BK)
            left = tl.load(a + m[:, None] * K + k[None, :], mask=k[None, :] < K, other=0.0)
            right = tl.load(b + n[None, :] * K + k[:, None], mask=k[:, None] < K, other=0.0)
            total = tl.dot(left, right, total)
        tl.store(c + m[:, None] * (tl.num_programs(1) * N) + n[None, :], total)


    @triton.jit
    def row_sum(x, out, count, N: tl.constexpr, KIND: tl.constexpr):
        lane = tl.arange(0, N)
        row = tl.program_id(0)
        value = tl.load(x + row * count + lane, mask=lane < count, other=0.0)
        tl.store(out + row, tl.sum(value.to(KIND), axis=0))


    @triton.jit
    def wrong(x, N: tl.constexpr):
        tl.store(x + tl.arange(0, N), tl.no_such_function(N))


    @triton.jit
    def too_wide(x, out, N: tl.constexpr):
        cell = tl.arange(0, N)[:, None] * N + tl.arange(0, N)[None, :]
        value = tl.load(x + cell)
        for i in range(4):
            value = value * tl.load(x + cell + i) + tl.load(x + cell - i)
            tl.debug_barrier()
        tl.store(out + cell, value)


    def _crash():
        os.abort()


    def _sleep():
        time.sleep(60)


    class Misbehaving:
        """Stands for a kernel on which the compiler itself fails."""

        def __init__(self, act):
            self.act = act

        @property
        def arg_names(self):
            self.act()


    crashing = Misbehaving(_crash)
    endless = Misbehaving(_sleep)
    '''
)
MATMUL = KernelSpec("matmul", {"a": "*bf16", "b": "*bf16", "c": "*fp32", "K": "i32"}, {"M": 64, "N": 64, "BK": 32})
ROW_SUM = KernelSpec("row_sum", {"x": "*bf16", "out": "*fp32", "count": "i32"}, {"N": 1024, "KIND": "tl.float32"})


@pytest.fixture(scope="module")
def cache_root(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache(cache_root, monkeypatch):
    monkeypatch.setenv("HETC_CACHE_DIR", str(cache_root))


@pytest.fixture(scope="module")
def builds(cache_root):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HETC_CACHE_DIR", str(cache_root))
        return compile_kernels(MODULE, [MATMUL, ROW_SUM], TARGETS, shared_limit_bytes=LIMITS)


def test_each_kernel_for_each_target(builds):
    assert [(b.kernel, b.target) for b in builds] == [(k, t) for k in ("matmul", "row_sum") for t in TARGETS]
    for build in builds:
        assert build.ok, build.error
        assert 8 <= build.registers <= 255
        assert violations(build) == []
        assert set(build.artifacts) >= ({"ptx", "cubin"} if "sm" in build.target else {"amdgcn", "hsaco"})
    assert b".target sm_90" in builds[1].artifacts["ptx"]
    assert b"mfma" in builds[3].artifacts["amdgcn"]


def test_shared_memory_is_read(builds):
    for build in builds[:4]:  # at least one stage of both bf16 tiles, or the accumulator on its way out
        assert 4096 <= build.shared_bytes <= LIMITS[build.target]
    for build in builds[4:]:
        assert 0 < build.shared_bytes <= 1024  # one number a warp


def test_a_cache_hit_starts_no_process(builds, monkeypatch):
    def refuse(*_arguments, **_named):
        raise AssertionError("a subprocess was started")

    monkeypatch.setattr(triton_compile.subprocess, "run", refuse)
    again = compile_kernels(MODULE, [ROW_SUM, MATMUL], TARGETS[::-1], shared_limit_bytes=LIMITS)
    assert all(build.from_cache for build in again)
    cold = [dataclasses.replace(build, from_cache=False) for build in again]
    assert sorted(cold, key=lambda b: (b.kernel, b.target)) == sorted(builds, key=lambda b: (b.kernel, b.target))
    with pytest.raises(AssertionError, match="subprocess"):
        compile_kernels(MODULE + "\n", [ROW_SUM], ["sm_80"])
    with pytest.raises(AssertionError, match="subprocess"):
        compile_kernels(MODULE, [dataclasses.replace(ROW_SUM, num_warps=8)], ["sm_80"])


def test_half_written_entries_are_not_read(builds, cache_root):
    entries = list((cache_root / "triton").iterdir())
    assert len(entries) == 8 and not any(entry.name.startswith(".") for entry in entries)
    entry = cache_root / "triton" / triton_compile._key(MODULE, ROW_SUM, "sm_80", triton_compile._triton_version())
    figures = entry / "build.json"
    damages = (
        (entry / "kernel.cubin").unlink,
        lambda: (entry / "kernel.cubin").write_bytes(builds[4].artifacts["cubin"][:-1]),
        lambda: figures.write_text(figures.read_text().replace('"spill_bytes": 0', '"spill_bytes": 8')),
    )
    for damage in damages:
        damage()
        for from_cache in (False, True):
            (build,) = compile_kernels(MODULE, [ROW_SUM], ["sm_80"], shared_limit_bytes=LIMITS)
            # The text of a build names the folder that it was made in.
            figures_of = [dataclasses.replace(item, from_cache=False, artifacts={}) for item in (build, builds[4])]
            assert figures_of[0] == figures_of[1] and build.from_cache is from_cache
            assert len(build.artifacts["cubin"]) == len(builds[4].artifacts["cubin"])


def test_failures_are_reported_one_by_one():
    specs = [
        KernelSpec("wrong", {"x": "*fp32"}, {"N": 16}),
        KernelSpec("crashing", {}),
        KernelSpec("row_sum", {"x": "*bf16"}, {"N": 1024, "rows": 4}),
        KernelSpec("absent", {}),
    ]
    wrong, crashing, arguments, absent = compile_kernels(MODULE, specs, ["sm_80"])
    assert (wrong.ok, wrong.failure, wrong.kernel) == (False, "error", "wrong")
    assert "no_such_function" in wrong.error and "tl.store(x" in wrong.error
    assert violations(wrong) == [f"wrong on sm_80 does not compile: {wrong.error}"]
    assert crashing.failure == "crash" and "SIGABRT" in crashing.error
    assert "no type was given for ['out', 'count', 'KIND']" in arguments.error and "rows" in arguments.error
    assert "absent" in absent.error
    again = compile_kernels(MODULE, specs[:1], ["sm_80"])
    assert again[0].from_cache and again[0].error == wrong.error


def test_a_kernel_without_end_is_stopped():
    for _ in range(2):  # the second time too: a time limit is no property of the kernel, and is not kept
        (build,) = compile_kernels(MODULE, [KernelSpec("endless", {})], ["sm_80"], timeout_s=1.5)
        assert build.failure == "timeout" and "1.5 s" in build.error and not build.from_cache


@pytest.mark.parametrize(("target", "width"), [("sm_80", 128), ("gfx90a", 256)])
def test_spills_are_seen(target, width):
    spec = KernelSpec("too_wide", {"x": "*fp32", "out": "*fp32"}, {"N": width}, num_warps=1)
    (build,) = compile_kernels(MODULE, [spec], [target], shared_limit_bytes=LIMITS)
    assert build.ok, build.error
    assert build.spill_bytes > 0 and build.stack_bytes > 0
    assert len(violations(build)) == 2 and "spills" in violations(build)[0]


def test_violations_of_shared_memory():
    build = KernelBuild("k", "sm_80", ok=True, shared_bytes=170000, shared_limit_bytes=166912)
    assert violations(build) == ["k on sm_80 needs 170000 bytes of shared memory of 166912"]
    assert violations(dataclasses.replace(build, shared_limit_bytes=170000)) == []
    with pytest.raises(ValueError, match="limit of sm_80 was not given"):
        violations(dataclasses.replace(build, shared_limit_bytes=None))


def test_a_target_that_is_none():
    with pytest.raises(ValueError, match="`h200` is not a GPU target"):
        compile_kernels(MODULE, [ROW_SUM], ["h200"])


def test_without_triton(monkeypatch):
    monkeypatch.setattr(triton_compile.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CompilerUnavailable, match="not installed"):
        compile_kernels(MODULE, [ROW_SUM], ["sm_80"])


def test_a_worker_that_does_not_start(monkeypatch, tmp_path):
    broken = tmp_path / "worker.py"
    broken.write_text("raise SystemExit('no compiler here')")
    monkeypatch.setattr(triton_compile, "_WORKER", broken)
    with pytest.raises(CompilerUnavailable, match="no compiler here"):
        compile_kernels(MODULE, [ROW_SUM], ["sm_80"], cache=False)
