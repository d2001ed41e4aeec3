"""GPUs, programmed in Triton."""

from hetc.devices import DeviceKind

DEVICE = DeviceKind(
    kind="gpu",
    title="GPU",
    role="arithmetic",
    rank=0,
    model="hetc.platforms.gpu:Gpu",
    scheduler="hetc.passes.schedule.gpu:plan",
    stage="tile",
    passes={"lower-to-triton": "hetc.passes.lower_triton.lower_to_triton:LowerToTritonPass"},
    dialects={"tile": "hetc.dialects.tile:TILE"},
    kernel="tile.kernel",
    launch_options=("grid", "num_warps", "num_stages", "constexprs"),
    printer="hetc.backends.triton.emit",
    prints={"triton": (".py",)},
    runtime="hetc.runtime.gpu:open_device",
    builds="hetc.compiler.gpu_builds",
    detect="hetc.runtime.gpu_found:detect",
    needs=("torch", "triton", "ml_dtypes"),
    checks={"triton": "hetc.runtime.gpu_found:check_triton", "gpu": "hetc.runtime.gpu_found:check_gpu"},
)
