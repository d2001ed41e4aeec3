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
def k_0_chunks(x, best_positions, best_keys, len_B, len_T, cap_T):
    value = tl.program_id(0)
    value_2 = (cap_T + 32767) // 32768
    chunk_start = value % value_2 * 32768
    b = value // value_2
    live_B = tl.load(len_B)
    if b < live_B:
        live_T = tl.load(len_T + b)
        if chunk_start < live_T:
            live_T_2 = tl.load(len_T + b)
            entries = tl.minimum(live_T_2 - chunk_start, 32768)
            counts = tl.full((512,), tl.full((), 0, tl.int32), tl.int32)
            for start in range(0, entries, 4096):
                value_3 = start + tl.arange(0, 4096)
                value_4 = value_3 < entries
                x_2 = tl.load(x + b * cap_T + chunk_start + value_3, mask=value_4, other=0.0)
                value_5 = tl.where(x_2 == 0.0, 0.0, x_2).to(tl.int32, bitcast=True)
                value_6 = tl.where(x_2 > float("-inf"), tl.where(value_5 >= 0, value_5, value_5 ^ 2147483647), -2147483648)
                value_7 = shift_right_logical(tl.where(value_4, value_6, -2147483648) ^ -2147483648, tl.full((), 24, tl.int32))
                value_8 = value_4 & (shift_right_logical(value_7, tl.full((), 8, tl.int32)) == 0)
                value_9 = counts + tl.histogram(tl.where(value_8, value_7 & 255, 256), 512)
                counts = value_9
            value_10 = tl.arange(0, 512)
            value_11 = tl.where(value_10 < 256, counts, 0)
            value_12 = tl.sum(value_11) - tl.cumsum(value_11, 0)
            digit = tl.max(tl.where(value_12 + value_11 >= 2048, value_10, 0))
            remaining = 2048 - tl.sum(tl.where(value_10 == digit, value_12, 0))
            value_13 = tl.full((), 0, tl.int32) << tl.full((), 8, tl.int32) | digit
            counts_2 = tl.full((512,), tl.full((), 0, tl.int32), tl.int32)
            for start_2 in range(0, entries, 4096):
                value_14 = start_2 + tl.arange(0, 4096)
                value_15 = value_14 < entries
                x_3 = tl.load(x + b * cap_T + chunk_start + value_14, mask=value_15, other=0.0)
                value_16 = tl.where(x_3 == 0.0, 0.0, x_3).to(tl.int32, bitcast=True)
                value_17 = tl.where(x_3 > float("-inf"), tl.where(value_16 >= 0, value_16, value_16 ^ 2147483647), -2147483648)
                value_18 = shift_right_logical(tl.where(value_15, value_17, -2147483648) ^ -2147483648, tl.full((), 16, tl.int32))
                value_19 = shift_right_logical(value_18, tl.full((), 8, tl.int32)) == value_13
                value_20 = tl.histogram(tl.where(value_15 & value_19, value_18 & 255, 256), 512)
                counts_2 = counts_2 + value_20
            value_21 = tl.arange(0, 512)
            value_22 = tl.where(value_21 < 256, counts_2, 0)
            value_23 = tl.sum(value_22) - tl.cumsum(value_22, 0)
            digit_2 = tl.max(tl.where(value_23 + value_22 >= remaining, value_21, 0))
            remaining_2 = remaining - tl.sum(tl.where(value_21 == digit_2, value_23, 0))
            value_24 = value_13 << 8 | digit_2
            counts_3 = tl.full((512,), tl.full((), 0, tl.int32), tl.int32)
            for start_3 in range(0, entries, 4096):
                value_25 = start_3 + tl.arange(0, 4096)
                value_26 = value_25 < entries
                x_4 = tl.load(x + b * cap_T + chunk_start + value_25, mask=value_26, other=0.0)
                value_27 = tl.where(x_4 == 0.0, 0.0, x_4).to(tl.int32, bitcast=True)
                value_28 = tl.where(x_4 > float("-inf"), tl.where(value_27 >= 0, value_27, value_27 ^ 2147483647), -2147483648)
                value_29 = shift_right_logical(tl.where(value_26, value_28, -2147483648) ^ -2147483648, tl.full((), 8, tl.int32))
                value_30 = shift_right_logical(value_29, tl.full((), 8, tl.int32)) == value_24
                value_31 = tl.histogram(tl.where(value_26 & value_30, value_29 & 255, 256), 512)
                counts_3 = counts_3 + value_31
            value_32 = tl.arange(0, 512)
            value_33 = tl.where(value_32 < 256, counts_3, 0)
            value_34 = tl.sum(value_33) - tl.cumsum(value_33, 0)
            digit_3 = tl.max(tl.where(value_34 + value_33 >= remaining_2, value_32, 0))
            remaining_3 = remaining_2 - tl.sum(tl.where(value_32 == digit_3, value_34, 0))
            value_35 = value_24 << 8 | digit_3
            counts_4 = tl.full((512,), tl.full((), 0, tl.int32), tl.int32)
            for start_4 in range(0, entries, 4096):
                value_36 = start_4 + tl.arange(0, 4096)
                value_37 = value_36 < entries
                x_5 = tl.load(x + b * cap_T + chunk_start + value_36, mask=value_37, other=0.0)
                value_38 = tl.where(x_5 == 0.0, 0.0, x_5).to(tl.int32, bitcast=True)
                value_39 = tl.where(x_5 > float("-inf"), tl.where(value_38 >= 0, value_38, value_38 ^ 2147483647), -2147483648)
                value_40 = tl.where(value_37, value_39, -2147483648) ^ -2147483648
                value_41 = shift_right_logical(value_40, tl.full((), 8, tl.int32)) == value_35
                value_42 = tl.histogram(tl.where(value_37 & value_41, value_40 & 255, 256), 512)
                counts_4 = counts_4 + value_42
            value_43 = tl.arange(0, 512)
            value_44 = tl.where(value_43 < 256, counts_4, 0)
            value_45 = tl.sum(value_44) - tl.cumsum(value_44, 0)
            digit_4 = tl.max(tl.where(value_45 + value_44 >= remaining_3, value_43, 0))
            remaining_4 = remaining_3 - tl.sum(tl.where(value_43 == digit_4, value_45, 0))
            threshold = (value_35 << 8 | digit_4) ^ -2147483648
            value_46 = tl.where(threshold != -2147483648, remaining_4, 0)
            taken = tl.full((), 0, tl.int32)
            ties = tl.full((), 0, tl.int32)
            candidates = tl.full((), 0, tl.int32)
            for start_5 in range(0, entries, 4096):
                value_47 = start_5 + tl.arange(0, 4096)
                value_48 = value_47 < entries
                t = chunk_start + value_47
                x_6 = tl.load(x + b * cap_T + t, mask=value_48, other=0.0)
                value_49 = tl.where(x_6 == 0.0, 0.0, x_6).to(tl.int32, bitcast=True)
                value_50 = tl.where(x_6 > float("-inf"), tl.where(value_49 >= 0, value_49, value_49 ^ 2147483647), -2147483648)
                key = tl.where(value_48, value_50, -2147483648)
                value_51 = (value_48 & (key == threshold)).to(tl.int32)
                value_52 = (value_51 != 0) & (ties + tl.cumsum(value_51, 0) <= value_46)
                value_53 = (key > threshold) | value_52
                value_54 = value_53.to(tl.int32)
                value_55 = chunk_start + taken + tl.cumsum(value_54, 0) - 1
                tl.store(best_positions + b * cap_T + value_55, t, mask=value_53)
                tl.store(best_keys + b * cap_T + value_55, key, mask=value_53)
                value_56 = taken + tl.sum(value_54)
                value_57 = ties + tl.sum(value_51)
                value_58 = candidates + tl.sum((key != -2147483648).to(tl.int32))
                taken = value_56
                ties = value_57
                candidates = value_58
            value_59 = tl.minimum(entries, 2048)
            for start_6 in range(0, value_59 - taken, 4096):
                value_60 = taken + start_6 + tl.arange(0, 4096)
                value_61 = value_60 < value_59
                value_62 = chunk_start + value_60
                tl.store(best_positions + b * cap_T + value_62, -1, mask=value_61)
                tl.store(best_keys + b * cap_T + value_62, -2147483648, mask=value_61)


@triton.jit(do_not_specialize=["cap_T"])
def k_1_unordered(unordered, unordered_keys, best_positions, best_keys, len_B, len_T, cap_T):
    program = tl.program_id(0)
    live_B = tl.load(len_B)
    if program < live_B:
        live_T = tl.load(len_T + program)
        entries = (live_T + 32767) // 32768 * 2048
        counts = tl.full((512,), tl.full((), 0, tl.int32), tl.int32)
        for start in range(0, entries, 4096):
            value = start + tl.arange(0, 4096)
            place = value // 2048 * 32768 + value % 2048
            value_2 = (value < entries) & (place < live_T)
            value_3 = tl.load(best_keys + program * cap_T + place, mask=value_2, other=0)
            value_4 = tl.load(best_positions + program * cap_T + place, mask=value_2, other=0)
            value_5 = shift_right_logical(tl.where(value_2, value_3, -2147483648) ^ -2147483648, tl.full((), 24, tl.int32))
            value_6 = value_2 & (shift_right_logical(value_5, tl.full((), 8, tl.int32)) == 0)
            value_7 = counts + tl.histogram(tl.where(value_6, value_5 & 255, 256), 512)
            counts = value_7
        value_8 = tl.arange(0, 512)
        value_9 = tl.where(value_8 < 256, counts, 0)
        value_10 = tl.sum(value_9) - tl.cumsum(value_9, 0)
        digit = tl.max(tl.where(value_10 + value_9 >= 2048, value_8, 0))
        remaining = 2048 - tl.sum(tl.where(value_8 == digit, value_10, 0))
        value_11 = tl.full((), 0, tl.int32) << tl.full((), 8, tl.int32) | digit
        counts_2 = tl.full((512,), tl.full((), 0, tl.int32), tl.int32)
        for start_2 in range(0, entries, 4096):
            value_12 = start_2 + tl.arange(0, 4096)
            place_2 = value_12 // 2048 * 32768 + value_12 % 2048
            value_13 = (value_12 < entries) & (place_2 < live_T)
            value_14 = tl.load(best_keys + program * cap_T + place_2, mask=value_13, other=0)
            value_15 = tl.load(best_positions + program * cap_T + place_2, mask=value_13, other=0)
            value_16 = shift_right_logical(tl.where(value_13, value_14, -2147483648) ^ -2147483648, tl.full((), 16, tl.int32))
            value_17 = shift_right_logical(value_16, tl.full((), 8, tl.int32)) == value_11
            value_18 = tl.histogram(tl.where(value_13 & value_17, value_16 & 255, 256), 512)
            counts_2 = counts_2 + value_18
        value_19 = tl.arange(0, 512)
        value_20 = tl.where(value_19 < 256, counts_2, 0)
        value_21 = tl.sum(value_20) - tl.cumsum(value_20, 0)
        digit_2 = tl.max(tl.where(value_21 + value_20 >= remaining, value_19, 0))
        remaining_2 = remaining - tl.sum(tl.where(value_19 == digit_2, value_21, 0))
        value_22 = value_11 << 8 | digit_2
        counts_3 = tl.full((512,), tl.full((), 0, tl.int32), tl.int32)
        for start_3 in range(0, entries, 4096):
            value_23 = start_3 + tl.arange(0, 4096)
            place_3 = value_23 // 2048 * 32768 + value_23 % 2048
            value_24 = (value_23 < entries) & (place_3 < live_T)
            value_25 = tl.load(best_keys + program * cap_T + place_3, mask=value_24, other=0)
            value_26 = tl.load(best_positions + program * cap_T + place_3, mask=value_24, other=0)
            value_27 = shift_right_logical(tl.where(value_24, value_25, -2147483648) ^ -2147483648, tl.full((), 8, tl.int32))
            value_28 = shift_right_logical(value_27, tl.full((), 8, tl.int32)) == value_22
            value_29 = tl.histogram(tl.where(value_24 & value_28, value_27 & 255, 256), 512)
            counts_3 = counts_3 + value_29
        value_30 = tl.arange(0, 512)
        value_31 = tl.where(value_30 < 256, counts_3, 0)
        value_32 = tl.sum(value_31) - tl.cumsum(value_31, 0)
        digit_3 = tl.max(tl.where(value_32 + value_31 >= remaining_2, value_30, 0))
        remaining_3 = remaining_2 - tl.sum(tl.where(value_30 == digit_3, value_32, 0))
        value_33 = value_22 << 8 | digit_3
        counts_4 = tl.full((512,), tl.full((), 0, tl.int32), tl.int32)
        for start_4 in range(0, entries, 4096):
            value_34 = start_4 + tl.arange(0, 4096)
            place_4 = value_34 // 2048 * 32768 + value_34 % 2048
            value_35 = (value_34 < entries) & (place_4 < live_T)
            value_36 = tl.load(best_keys + program * cap_T + place_4, mask=value_35, other=0)
            value_37 = tl.load(best_positions + program * cap_T + place_4, mask=value_35, other=0)
            value_38 = tl.where(value_35, value_36, -2147483648) ^ -2147483648
            value_39 = shift_right_logical(value_38, tl.full((), 8, tl.int32)) == value_33
            value_40 = tl.histogram(tl.where(value_35 & value_39, value_38 & 255, 256), 512)
            counts_4 = counts_4 + value_40
        value_41 = tl.arange(0, 512)
        value_42 = tl.where(value_41 < 256, counts_4, 0)
        value_43 = tl.sum(value_42) - tl.cumsum(value_42, 0)
        digit_4 = tl.max(tl.where(value_43 + value_42 >= remaining_3, value_41, 0))
        remaining_4 = remaining_3 - tl.sum(tl.where(value_41 == digit_4, value_43, 0))
        threshold = (value_33 << 8 | digit_4) ^ -2147483648
        value_44 = tl.where(threshold != -2147483648, remaining_4, 0)
        taken = tl.full((), 0, tl.int32)
        ties = tl.full((), 0, tl.int32)
        candidates = tl.full((), 0, tl.int32)
        for start_5 in range(0, entries, 4096):
            value_45 = start_5 + tl.arange(0, 4096)
            place_5 = value_45 // 2048 * 32768 + value_45 % 2048
            value_46 = (value_45 < entries) & (place_5 < live_T)
            value_47 = tl.load(best_keys + program * cap_T + place_5, mask=value_46, other=0)
            key = tl.where(value_46, value_47, -2147483648)
            value_48 = tl.load(best_positions + program * cap_T + place_5, mask=value_46, other=0)
            value_49 = (value_46 & (key == threshold)).to(tl.int32)
            value_50 = (value_49 != 0) & (ties + tl.cumsum(value_49, 0) <= value_44)
            value_51 = (key > threshold) | value_50
            value_52 = value_51.to(tl.int32)
            value_53 = taken + tl.cumsum(value_52, 0) - 1
            tl.store(unordered + program * 2048 + value_53, value_48, mask=value_51)
            tl.store(unordered_keys + program * 2048 + value_53, key, mask=value_51)
            value_54 = taken + tl.sum(value_52)
            value_55 = ties + tl.sum(value_49)
            value_56 = candidates + tl.sum((key != -2147483648).to(tl.int32))
            taken = value_54
            ties = value_55
            candidates = value_56
        for start_6 in range(0, 2048 - taken, 4096):
            value_57 = taken + start_6 + tl.arange(0, 4096)
            value_58 = value_57 < 2048
            tl.store(unordered + program * 2048 + value_57, -1, mask=value_58)
            tl.store(unordered_keys + program * 2048 + value_57, -2147483648, mask=value_58)


@triton.jit
def k_2_picked_by_score(picked, best, unordered, unordered_keys, len_B):
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
