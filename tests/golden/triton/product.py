"""GPU kernels. Generated; runs alone, on a GPU or, with TRITON_INTERPRET=1, on a CPU."""

import triton
import triton.language as tl


@triton.jit
def k_0_y(x, w, y, len_N):
    program = tl.program_id(0)
    n_start = program // 8 * 32
    n = n_start + tl.arange(0, 32)[:, None, None]
    live_N = tl.load(len_N)
    in_n = n < live_N
    m = program % 8 * 32 + tl.arange(0, 32)[None, :, None]
    if n_start < live_N:
        total = tl.full((32, 32), 0.0, tl.float32)
        for e_start in range(0, 512, 32):
            e = e_start + tl.arange(0, 32)[None, None, :]
            x_2 = tl.load(x + n * 512 + e, mask=in_n, other=0.0)
            w_2 = tl.load(w + e * 256 + m)
            total = tl.dot(tl.reshape(x_2.to(tl.float32), (32, 32)), tl.permute(tl.reshape(w_2, (32, 32)), (1, 0)), total, input_precision="ieee")
        tl.store(y + n * 256 + m, tl.reshape(total, (32, 32, 1)).to(tl.bfloat16), mask=in_n)
