"""GPU kernels. Generated; runs alone, on a GPU or, with TRITON_INTERPRET=1, on a CPU."""

import triton
import triton.language as tl


@triton.jit
def shift_right_logical(a, b):
    if a.dtype == tl.int64:
        result = (a.to(tl.uint64, bitcast=True) >> b.to(tl.uint64)).to(tl.int64, bitcast=True)
    else:
        result = (a.to(tl.uint32, bitcast=True) >> b.to(tl.uint32)).to(tl.int32, bitcast=True)
    return result


@triton.jit(do_not_specialize=["cap_T"])
def k_0_unordered(x, unordered, unordered_keys, len_B, len_T, cap_T):
    program = tl.program_id(0)
    live_B = tl.load(len_B)
    if program < live_B:
        live_T = tl.load(len_T + program)
        counts = tl.full((512,), tl.full((), 0, tl.int32), tl.int32)
        for start in range(0, live_T, 2048):
            t = start + tl.arange(0, 2048)
            value = t < live_T
            x_2 = tl.load(x + program * cap_T + t, mask=value, other=0.0)
            value_2 = tl.where(x_2 == 0.0, 0.0, x_2).to(tl.int32, bitcast=True)
            value_3 = tl.where(x_2 > float("-inf"), tl.where(value_2 >= 0, value_2, value_2 ^ 2147483647), -2147483648)
            value_4 = shift_right_logical(tl.where(value, value_3, -2147483648) ^ -2147483648, tl.full((), 24, tl.int32))
            value_5 = value & (shift_right_logical(value_4, tl.full((), 8, tl.int32)) == 0)
            value_6 = counts + tl.histogram(tl.where(value_5, value_4 & 255, 256), 512)
            counts = value_6
        value_7 = tl.arange(0, 512)
        value_8 = tl.where(value_7 < 256, counts, 0)
        value_9 = tl.sum(value_8) - tl.cumsum(value_8, 0)
        digit = tl.max(tl.where(value_9 + value_8 >= 2048, value_7, 0))
        remaining = 2048 - tl.sum(tl.where(value_7 == digit, value_9, 0))
        value_10 = tl.full((), 0, tl.int32) << tl.full((), 8, tl.int32) | digit
        counts_2 = tl.full((512,), tl.full((), 0, tl.int32), tl.int32)
        for start_2 in range(0, live_T, 2048):
            t_2 = start_2 + tl.arange(0, 2048)
            value_11 = t_2 < live_T
            x_3 = tl.load(x + program * cap_T + t_2, mask=value_11, other=0.0)
            value_12 = tl.where(x_3 == 0.0, 0.0, x_3).to(tl.int32, bitcast=True)
            value_13 = tl.where(x_3 > float("-inf"), tl.where(value_12 >= 0, value_12, value_12 ^ 2147483647), -2147483648)
            value_14 = shift_right_logical(tl.where(value_11, value_13, -2147483648) ^ -2147483648, tl.full((), 16, tl.int32))
            value_15 = shift_right_logical(value_14, tl.full((), 8, tl.int32)) == value_10
            value_16 = tl.histogram(tl.where(value_11 & value_15, value_14 & 255, 256), 512)
            counts_2 = counts_2 + value_16
        value_17 = tl.arange(0, 512)
        value_18 = tl.where(value_17 < 256, counts_2, 0)
        value_19 = tl.sum(value_18) - tl.cumsum(value_18, 0)
        digit_2 = tl.max(tl.where(value_19 + value_18 >= remaining, value_17, 0))
        remaining_2 = remaining - tl.sum(tl.where(value_17 == digit_2, value_19, 0))
        value_20 = value_10 << 8 | digit_2
        counts_3 = tl.full((512,), tl.full((), 0, tl.int32), tl.int32)
        for start_3 in range(0, live_T, 2048):
            t_3 = start_3 + tl.arange(0, 2048)
            value_21 = t_3 < live_T
            x_4 = tl.load(x + program * cap_T + t_3, mask=value_21, other=0.0)
            value_22 = tl.where(x_4 == 0.0, 0.0, x_4).to(tl.int32, bitcast=True)
            value_23 = tl.where(x_4 > float("-inf"), tl.where(value_22 >= 0, value_22, value_22 ^ 2147483647), -2147483648)
            value_24 = shift_right_logical(tl.where(value_21, value_23, -2147483648) ^ -2147483648, tl.full((), 8, tl.int32))
            value_25 = shift_right_logical(value_24, tl.full((), 8, tl.int32)) == value_20
            value_26 = tl.histogram(tl.where(value_21 & value_25, value_24 & 255, 256), 512)
            counts_3 = counts_3 + value_26
        value_27 = tl.arange(0, 512)
        value_28 = tl.where(value_27 < 256, counts_3, 0)
        value_29 = tl.sum(value_28) - tl.cumsum(value_28, 0)
        digit_3 = tl.max(tl.where(value_29 + value_28 >= remaining_2, value_27, 0))
        remaining_3 = remaining_2 - tl.sum(tl.where(value_27 == digit_3, value_29, 0))
        value_30 = value_20 << 8 | digit_3
        counts_4 = tl.full((512,), tl.full((), 0, tl.int32), tl.int32)
        for start_4 in range(0, live_T, 2048):
            t_4 = start_4 + tl.arange(0, 2048)
            value_31 = t_4 < live_T
            x_5 = tl.load(x + program * cap_T + t_4, mask=value_31, other=0.0)
            value_32 = tl.where(x_5 == 0.0, 0.0, x_5).to(tl.int32, bitcast=True)
            value_33 = tl.where(x_5 > float("-inf"), tl.where(value_32 >= 0, value_32, value_32 ^ 2147483647), -2147483648)
            value_34 = tl.where(value_31, value_33, -2147483648) ^ -2147483648
            value_35 = shift_right_logical(value_34, tl.full((), 8, tl.int32)) == value_30
            value_36 = tl.histogram(tl.where(value_31 & value_35, value_34 & 255, 256), 512)
            counts_4 = counts_4 + value_36
        value_37 = tl.arange(0, 512)
        value_38 = tl.where(value_37 < 256, counts_4, 0)
        value_39 = tl.sum(value_38) - tl.cumsum(value_38, 0)
        digit_4 = tl.max(tl.where(value_39 + value_38 >= remaining_3, value_37, 0))
        remaining_4 = remaining_3 - tl.sum(tl.where(value_37 == digit_4, value_39, 0))
        threshold = (value_30 << 8 | digit_4) ^ -2147483648
        value_40 = tl.where(threshold != -2147483648, remaining_4, 0)
        taken = tl.full((), 0, tl.int32)
        ties = tl.full((), 0, tl.int32)
        candidates = tl.full((), 0, tl.int32)
        for start_5 in range(0, live_T, 2048):
            t_5 = start_5 + tl.arange(0, 2048)
            value_41 = t_5 < live_T
            x_6 = tl.load(x + program * cap_T + t_5, mask=value_41, other=0.0)
            value_42 = tl.where(x_6 == 0.0, 0.0, x_6).to(tl.int32, bitcast=True)
            value_43 = tl.where(x_6 > float("-inf"), tl.where(value_42 >= 0, value_42, value_42 ^ 2147483647), -2147483648)
            key = tl.where(value_41, value_43, -2147483648)
            value_44 = (value_41 & (key == threshold)).to(tl.int32)
            value_45 = (value_44 != 0) & (ties + tl.cumsum(value_44, 0) <= value_40)
            value_46 = (key > threshold) | value_45
            value_47 = value_46.to(tl.int32)
            value_48 = taken + tl.cumsum(value_47, 0) - 1
            tl.store(unordered + program * 2048 + value_48, t_5, mask=value_46)
            tl.store(unordered_keys + program * 2048 + value_48, key, mask=value_46)
            value_49 = taken + tl.sum(value_47)
            value_50 = ties + tl.sum(value_44)
            value_51 = candidates + tl.sum((key != -2147483648).to(tl.int32))
            taken = value_49
            ties = value_50
            candidates = value_51
        for start_6 in range(0, 2048 - taken, 2048):
            value_52 = taken + start_6 + tl.arange(0, 2048)
            value_53 = value_52 < 2048
            tl.store(unordered + program * 2048 + value_52, -1, mask=value_53)
            tl.store(unordered_keys + program * 2048 + value_52, -2147483648, mask=value_53)


@triton.jit
def k_1_picked_by_score(picked, best, unordered, unordered_keys, len_B):
    value = tl.program_id(0)
    value_2 = value % 32
    b = value // 32
    live_B = tl.load(len_B)
    if b < live_B:
        value_3 = value_2 * 64 + tl.arange(0, 64)[:, None]
        value_4 = value_3 < 2048
        value_5 = tl.load(unordered_keys + b * 2048 + value_3, mask=value_4, other=0)
        value_6 = tl.load(unordered + b * 2048 + value_3, mask=value_4, other=0)
        place = tl.full((64, 1), tl.full((), 0, tl.int32), tl.int32)
        for start in range(0, 2048, 64):
            value_7 = start + tl.arange(0, 64)[None, :]
            value_8 = value_7 < 2048
            value_9 = tl.load(unordered_keys + b * 2048 + value_7, mask=value_8, other=0)
            value_10 = tl.where(value_8, value_9, -2147483648)
            value_11 = (value_10 > value_5) | (value_10 == value_5) & (value_7 < value_3)
            value_12 = place + tl.sum((value_11 & value_8).to(tl.int32), 1, keep_dims=True)
            place = value_12
        tl.store(picked + b * 2048 + place, value_6, mask=value_4)
        value_13 = tl.where(value_5 >= 0, value_5, value_5 ^ 2147483647).to(tl.float32, bitcast=True)
        tl.store(best + b * 2048 + place, tl.where(value_6 >= 0, value_13, float("-inf")), mask=value_4)
