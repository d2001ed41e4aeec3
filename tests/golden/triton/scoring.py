"""GPU kernels. Generated; runs alone, on a GPU or, with TRITON_INTERPRET=1, on a CPU."""

import triton
import triton.language as tl


@triton.jit
def nan_maximum(a, b):
    return tl.maximum(a, b, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def decode_e4m3(code, kind: tl.constexpr, native: tl.constexpr):
    if native:
        result = code.to(tl.float8e4nv, bitcast=True).to(kind)
    else:
        # The bits are those of an f16 whose exponent is 8 too low.
        word = code.to(tl.int16)
        half = (((word & 128) << 8) | ((word & 127) << 7)).to(tl.float16, bitcast=True)
        number = half.to(tl.float32) * 256.0
        result = tl.where((word & 127) == 127, float("nan"), number).to(kind)
    return result


@triton.jit(do_not_specialize=["cap_T", "longest_T"])
def k_0_y(q, w, keys, scale, y, len_B, len_T, cap_T, longest_T, NATIVE_FP8: tl.constexpr):
    program = tl.program_id(0)
    t_programs = (longest_T + 63) // 64
    b = program // t_programs
    t_start = program % t_programs * 64
    live_B = tl.load(len_B)
    lane = tl.arange(0, 64)[:, None, None]
    t = t_start + lane
    live_T = tl.load(len_T + b)
    in_t = t < live_T
    if (b < live_B) & (t_start < live_T):
        h = tl.arange(0, 64)[None, :, None]
        total = tl.full((64, 64), 0.0, tl.float32)
        for d_start in range(0, 128, 64):
            lane_2 = tl.arange(0, 64)[None, None, :]
            q_2 = tl.load(q + (b * 64 + h) * 128 + d_start + lane_2)
            value = tl.cast(b, tl.int64) * tl.cast(cap_T, tl.int64) + tl.cast(t_start, tl.int64)
            value_2 = value * 128 + tl.cast(d_start, tl.int64) + (lane * 128 + lane_2).to(tl.int64)
            keys_2 = tl.load(keys + value_2, mask=in_t, other=0)
            value_3 = tl.reshape(decode_e4m3(keys_2, tl.bfloat16, NATIVE_FP8), (64, 64))
            total = tl.dot(tl.reshape(q_2, (64, 64)), tl.permute(value_3, (1, 0)), total)
        r = nan_maximum(tl.reshape(tl.permute(total, (1, 0)), (64, 64, 1)), tl.full((), 0.0, tl.float32))
        w_2 = tl.load(w + b * 64 + h)
        scale_2 = tl.load(scale + b * cap_T + t, mask=in_t, other=0.0)
        tl.store(y + b * cap_T + t, tl.sum(w_2 * r, 1, keep_dims=True) * scale_2, mask=in_t)
