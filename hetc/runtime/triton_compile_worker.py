"""The subprocess of `triton_compile`: a folder with emitted_kernels.py and request.json in, results/KEY/ out.

Run as a program, with nothing of hetc imported. The parent imports Triton once and forks a child for each job,
so that a crash or a kernel without end costs that job alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1  # of <sys/prctl.h>
LOG_CHARACTERS = 4000  # of a compiler's messages, the end


def gpu_target(name: str) -> Any:
    from triton.backends.compiler import GPUTarget

    if name.startswith("sm_"):
        return GPUTarget("cuda", int(name[3:]), 32)
    return GPUTarget("hip", name, 64 if name.startswith("gfx9") else 32)


def constant(value: Any) -> Any:
    """A constexpr's value; "tl.bfloat16" names a type."""
    if isinstance(value, str) and value.startswith("tl."):
        import triton.language as tl

        return getattr(tl, value[3:])
    return value


def compile_job(kernel: Any, job: dict[str, Any]) -> Any:
    import triton
    from triton.compiler import ASTSource

    constants = {name: constant(value) for name, value in job["constexprs"].items()}
    types = job["signature"] | dict.fromkeys(constants, "constexpr")
    absent = [name for name in kernel.arg_names if name not in types]
    unknown = [name for name in types if name not in kernel.arg_names]
    if absent or unknown:
        raise TypeError(f"{job['name']}: no type was given for {absent}, and it has no argument {unknown}")
    signature = {name: types[name] for name in kernel.arg_names}
    attributes = {
        (kernel.arg_names.index(name),): [["tt.divisibility", 16]]
        for name in job["divisible"]
        if types[name] != "constexpr"
    }
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=attributes)
    # Fusion of a * b + c is said because the releases do not agree on what holds when nothing is said.
    options = {"num_warps": job["num_warps"], "num_stages": job["num_stages"], "enable_fp_fusion": True}
    return triton.compile(source, target=gpu_target(job["target"]), options=options)


def _numbers(pattern: str, text: str) -> dict[str, int]:
    return {name: int(value) for name, value in re.findall(pattern, text)}


def cuda_resources(cubin: bytes, ptx: str, target: str) -> dict[str, int]:
    """Registers, stack and spills of a cubin, by cuobjdump; ptxas says how much of a stack is spills."""
    from triton import knobs

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.cubin"
        path.write_bytes(cubin)
        usage = subprocess.run(
            [knobs.nvidia.cuobjdump.path, "-res-usage", str(path)], capture_output=True, text=True, check=True
        )
        found = _numbers(r"\b(REG|STACK|LOCAL|SHARED):(\d+)", usage.stdout)
        stack = found["STACK"] + found["LOCAL"]
        spills = cuda_spills(ptx, target, Path(folder)) if stack else 0
    return {"registers": found["REG"], "stack_bytes": stack, "spill_bytes": spills, "static": found["SHARED"]}


def cuda_spills(ptx: str, target: str, folder: Path) -> int:
    """Bytes a thread spilled, stores and loads, by ptxas's own account of compiling the same text."""
    import inspect

    from triton.backends.nvidia.compiler import get_ptxas

    assembler = get_ptxas(int(target[3:])) if inspect.signature(get_ptxas).parameters else get_ptxas()
    source = folder / "kernel.ptx"
    source.write_text(ptx)
    architecture = re.search(r"^\.target\s+(\w+)", ptx, re.MULTILINE)
    name = architecture.group(1) if architecture else target
    command = [assembler.path, "-v", f"--gpu-name={name}", str(source), "-o", str(folder / "again.cubin")]
    log = subprocess.run(command, capture_output=True, text=True, check=True)
    return sum(int(count) for count in re.findall(r"(\d+) bytes spill (?:stores|loads)", log.stderr + log.stdout))


def amd_resources(assembly: str) -> dict[str, int]:
    """The same from the metadata at the end of AMD assembly; a spilled register is four bytes a lane.

    Scalar registers spill into lanes of vector registers, which are counted, and past those into the stack."""
    names = "vgpr_count|vgpr_spill_count|private_segment_fixed_size|group_segment_fixed_size"
    found = _numbers(rf"\.({names}):\s+(\d+)", assembly)
    return {
        "registers": found["vgpr_count"],
        "stack_bytes": found["private_segment_fixed_size"],
        "spill_bytes": 4 * found["vgpr_spill_count"],
        "static": found.get("group_segment_fixed_size", 0),
    }


def measured(compiled: Any, target: str) -> dict[str, Any]:
    assembly = compiled.asm
    if target.startswith("sm_"):
        resources = cuda_resources(assembly["cubin"], assembly["ptx"], target)
    else:
        resources = amd_resources(assembly["amdgcn"])
    static = resources.pop("static")
    return resources | {"shared_bytes": max(static, compiled.metadata.shared)}


def write_result(folder: Path, build: dict[str, Any], artifacts: dict[str, Any]) -> None:
    """Write a result folder, build.json last: a result without it is none."""
    folder.mkdir(parents=True, exist_ok=True)
    for extension, content in artifacts.items():
        data = content.encode() if isinstance(content, str) else bytes(content)
        (folder / f"kernel.{extension}").write_bytes(data)
    partial = folder / "build.partial"
    partial.write_text(json.dumps(build | {"artifacts": list(artifacts)}))
    partial.rename(folder / "build.json")


def failed(job: dict[str, Any], failure: str, error: str) -> dict[str, Any]:
    return {"kernel": job["name"], "target": job["target"], "ok": False, "failure": failure, "error": error}


def load_kernels(folder: Path) -> Any:
    specification = importlib.util.spec_from_file_location("emitted_kernels", folder / "emitted_kernels.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["emitted_kernels"] = module
    specification.loader.exec_module(module)
    return module


def child(folder: Path, key: str, job: dict[str, Any]) -> None:
    """Compile one job; runs in a process and a process group of its own, its messages in a file."""
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # a parent that is killed leaves none behind
    log = os.open(folder / f"{key}.log", os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    artifacts: dict[str, Any] = {}
    try:
        compiled = compile_job(getattr(load_kernels(folder), job["name"]), job)
        resources = measured(compiled, job["target"])
        artifacts = {name: content for name, content in compiled.asm.items() if isinstance(content, str | bytes)}
        build = {"kernel": job["name"], "target": job["target"], "ok": True, **resources}
    except BaseException as error:
        text = "".join(traceback.format_exception_only(error)).strip()
        cause = error.__cause__
        while cause is not None:
            text += f"\n{type(cause).__name__}: {cause}"
            cause = cause.__cause__
        sys.stdout.flush()
        sys.stderr.flush()
        messages = (folder / f"{key}.log").read_text(errors="replace")[-LOG_CHARACTERS:].strip()
        build = failed(job, "error", f"{text}\n{messages}".strip().replace(f"{folder}/", ""))
    write_result(folder / "results" / key, build, artifacts)


def report_end(folder: Path, key: str, job: dict[str, Any], status: int) -> None:
    """After a child's end: where it left no result, say how it ended."""
    if (folder / "results" / key / "build.json").exists():
        return
    code = os.waitstatus_to_exitcode(status)
    how = f"signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"exit status {code}"
    log = folder / f"{key}.log"
    messages = log.read_text(errors="replace")[-LOG_CHARACTERS:] if log.exists() else ""
    text = f"the compiler crashed with {how}\n{messages}".strip()
    write_result(folder / "results" / key, failed(job, "crash", text), {})


def run(folder: Path) -> None:
    request = json.loads((folder / "request.json").read_text())
    import triton  # once, before any child
    import triton.compiler  # noqa: F401

    waiting = list(request["jobs"].items())
    running: dict[int, tuple[str, dict[str, Any], float]] = {}
    while waiting or running:
        while waiting and len(running) < request["parallel"]:
            key, job = waiting.pop(0)
            process = os.fork()
            if process == 0:
                child(folder, key, job)
                os._exit(0)
            running[process] = (key, job, time.monotonic() + request["timeout_s"])
        for process, (key, job, deadline) in list(running.items()):
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                del running[process]
                report_end(folder, key, job, status)
            elif time.monotonic() > deadline:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process, signal.SIGKILL)
                os.waitpid(process, 0)
                del running[process]
                text = f"the compiler took longer than {request['timeout_s']:g} s"
                write_result(folder / "results" / key, failed(job, "timeout", text), {})
        time.sleep(0.01)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
