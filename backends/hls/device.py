"""FPGAs, programmed in HLS C++."""

from hetc.devices import DeviceKind

DEVICE = DeviceKind(
    kind="fpga",
    title="FPGA",
    role="streaming",
    rank=0,
    model="hetc.platforms.fpga:Fpga",
    scheduler="hetc.passes.schedule.fpga:plan",
    stage="fpga",
    passes={"lower-to-hls": "hetc.passes.lower_hls.lower_to_hls:LowerToHlsPass"},
    host_passes={"assign-banks": "hetc.passes.lower_hls.assign_banks:AssignBanksPass"},
    channels="hetc.passes.lower_hls.ports:channels_of",
    dialects={"fpga": "hetc.dialects.fpga:FPGA"},
    kernel="fpga.kernel",
    printer="hetc.backends.hls.project",
    prints={"hls-cpp": (".cpp", ".h")},
    runtime="hetc.runtime.fpga:open_device",
    needs=("g++", "ap_int"),
    checks={
        "g++": "hetc.runtime.cxx_found:check_compiler",
        "ap_int": "hetc.runtime.fpga_found:check_ap_int",
        "xrt": "hetc.runtime.fpga_found:check_xrt",
        "fpga": "hetc.runtime.fpga_found:check_fpga",
        "vitis": "hetc.runtime.fpga_found:check_vitis",
    },
    # XRT keeps a copy of a card's buffers in the host's memory.
    mapped=True,
    options={"xclbin": "the FPGA's bitstream; without one its kernels are simulated"},
    notes=(
        "FPGA launches are serial: XRT's Python binding waits without releasing Python's lock, so one is in flight at "
        "a time.\nGPU work that can start earlier is launched before the host waits for the FPGA."
    ),
)
