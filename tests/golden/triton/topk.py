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


@triton.jit(do_not_specialize=["cap_T", "longest_T"])
def k_0_chunks(x, best_positions, best_keys, len_B, len_T, cap_T, longest_T):
    value = tl.program_id(0)
    value_2 = (longest_T + 32767) // 32768
    chunk_start = value % value_2 * 32768
    b = value // value_2
    live_B = tl.load(len_B)
    if b < live_B:
        live_T = tl.load(len_T + b)
        if chunk_start < live_T:
            live_T_2 = tl.load(len_T + b)
            entries = tl.minimum(live_T_2 - chunk_start, 32768)
            counts = tl.full((512,), 0, tl.int32)
            for start in range(0, entries, 2048):
                value_3 = start + tl.arange(0, 2048)
                in_t = value_3 < entries
                x_2 = tl.load(x + b * cap_T + chunk_start + value_3, mask=in_t, other=0.0)
                value_4 = tl.where(x_2 == 0.0, 0.0, x_2).to(tl.int32, bitcast=True)
                chosen = tl.where(x_2 > float("-inf"), tl.where(value_4 >= 0, value_4, value_4 ^ 2147483647), -2147483648)
                value_5 = shift_right_logical(tl.where(in_t, chosen, -2147483648) ^ -2147483648, tl.full((), 24, tl.int32))
                counts = counts + tl.histogram(tl.where(in_t, value_5 & 255, 256), 512)
            lane = tl.arange(0, 512)
            chosen_2 = tl.where(lane < 256, counts, 0)
            value_6 = tl.sum(chosen_2) - tl.cumsum(chosen_2, 0)
            digit = tl.max(tl.where(value_6 + chosen_2 >= 2048, lane, 0))
            remaining = 2048 - tl.sum(tl.where(lane == digit, value_6, 0))
            counts_2 = tl.full((512,), 0, tl.int32)
            for start_2 in range(0, entries, 2048):
                value_7 = start_2 + tl.arange(0, 2048)
                in_t_2 = value_7 < entries
                x_3 = tl.load(x + b * cap_T + chunk_start + value_7, mask=in_t_2, other=0.0)
                value_8 = tl.where(x_3 == 0.0, 0.0, x_3).to(tl.int32, bitcast=True)
                chosen_3 = tl.where(x_3 > float("-inf"), tl.where(value_8 >= 0, value_8, value_8 ^ 2147483647), -2147483648)
                value_9 = shift_right_logical(tl.where(in_t_2, chosen_3, -2147483648) ^ -2147483648, tl.full((), 16, tl.int32))
                holds = shift_right_logical(value_9, tl.full((), 8, tl.int32)) == digit
                counts_3 = tl.histogram(tl.where(in_t_2 & holds, value_9 & 255, 256), 512)
                counts_2 = counts_2 + counts_3
            lane_2 = tl.arange(0, 512)
            chosen_4 = tl.where(lane_2 < 256, counts_2, 0)
            value_10 = tl.sum(chosen_4) - tl.cumsum(chosen_4, 0)
            digit_2 = tl.max(tl.where(value_10 + chosen_4 >= remaining, lane_2, 0))
            remaining_2 = remaining - tl.sum(tl.where(lane_2 == digit_2, value_10, 0))
            value_11 = digit << 8 | digit_2
            counts_4 = tl.full((512,), 0, tl.int32)
            for start_3 in range(0, entries, 2048):
                value_12 = start_3 + tl.arange(0, 2048)
                in_t_3 = value_12 < entries
                x_4 = tl.load(x + b * cap_T + chunk_start + value_12, mask=in_t_3, other=0.0)
                value_13 = tl.where(x_4 == 0.0, 0.0, x_4).to(tl.int32, bitcast=True)
                chosen_5 = tl.where(x_4 > float("-inf"), tl.where(value_13 >= 0, value_13, value_13 ^ 2147483647), -2147483648)
                value_14 = shift_right_logical(tl.where(in_t_3, chosen_5, -2147483648) ^ -2147483648, tl.full((), 8, tl.int32))
                holds_2 = shift_right_logical(value_14, tl.full((), 8, tl.int32)) == value_11
                counts_5 = tl.histogram(tl.where(in_t_3 & holds_2, value_14 & 255, 256), 512)
                counts_4 = counts_4 + counts_5
            lane_3 = tl.arange(0, 512)
            chosen_6 = tl.where(lane_3 < 256, counts_4, 0)
            value_15 = tl.sum(chosen_6) - tl.cumsum(chosen_6, 0)
            digit_3 = tl.max(tl.where(value_15 + chosen_6 >= remaining_2, lane_3, 0))
            remaining_3 = remaining_2 - tl.sum(tl.where(lane_3 == digit_3, value_15, 0))
            value_16 = value_11 << 8 | digit_3
            counts_6 = tl.full((512,), 0, tl.int32)
            for start_4 in range(0, entries, 2048):
                value_17 = start_4 + tl.arange(0, 2048)
                in_t_4 = value_17 < entries
                x_5 = tl.load(x + b * cap_T + chunk_start + value_17, mask=in_t_4, other=0.0)
                value_18 = tl.where(x_5 == 0.0, 0.0, x_5).to(tl.int32, bitcast=True)
                chosen_7 = tl.where(x_5 > float("-inf"), tl.where(value_18 >= 0, value_18, value_18 ^ 2147483647), -2147483648)
                value_19 = tl.where(in_t_4, chosen_7, -2147483648) ^ -2147483648
                holds_3 = shift_right_logical(value_19, tl.full((), 8, tl.int32)) == value_16
                counts_7 = tl.histogram(tl.where(in_t_4 & holds_3, value_19 & 255, 256), 512)
                counts_6 = counts_6 + counts_7
            lane_4 = tl.arange(0, 512)
            chosen_8 = tl.where(lane_4 < 256, counts_6, 0)
            value_20 = tl.sum(chosen_8) - tl.cumsum(chosen_8, 0)
            digit_4 = tl.max(tl.where(value_20 + chosen_8 >= remaining_3, lane_4, 0))
            remaining_4 = remaining_3 - tl.sum(tl.where(lane_4 == digit_4, value_20, 0))
            threshold = (value_16 << 8 | digit_4) ^ -2147483648
            chosen_9 = tl.where(threshold != -2147483648, remaining_4, 0)
            taken = tl.full((), 0, tl.int32)
            ties = tl.full((), 0, tl.int32)
            candidates = tl.full((), 0, tl.int32)
            for start_5 in range(0, entries, 2048):
                value_21 = start_5 + tl.arange(0, 2048)
                in_t_5 = value_21 < entries
                t = chunk_start + value_21
                x_6 = tl.load(x + b * cap_T + t, mask=in_t_5, other=0.0)
                value_22 = tl.where(x_6 == 0.0, 0.0, x_6).to(tl.int32, bitcast=True)
                chosen_10 = tl.where(x_6 > float("-inf"), tl.where(value_22 >= 0, value_22, value_22 ^ 2147483647), -2147483648)
                key = tl.where(in_t_5, chosen_10, -2147483648)
                value_23 = (in_t_5 & (key == threshold)).to(tl.int32)
                value_24 = (value_23 != 0) & (ties + tl.cumsum(value_23, 0) <= chosen_9)
                value_25 = (key > threshold) | value_24
                value_26 = value_25.to(tl.int32)
                value_27 = chunk_start + taken + tl.cumsum(value_26, 0) - 1
                tl.store(best_positions + b * cap_T + value_27, t, mask=value_25)
                tl.store(best_keys + b * cap_T + value_27, key, mask=value_25)
                value_28 = taken + tl.sum(value_26)
                value_29 = ties + tl.sum(value_23)
                value_30 = candidates + tl.sum((key != -2147483648).to(tl.int32))
                taken = value_28
                ties = value_29
                candidates = value_30
            value_31 = tl.minimum(entries, 2048)
            for start_6 in range(0, value_31 - taken, 2048):
                value_32 = taken + start_6 + tl.arange(0, 2048)
                holds_4 = value_32 < value_31
                value_33 = chunk_start + value_32
                tl.store(best_positions + b * cap_T + value_33, -1, mask=holds_4)
                tl.store(best_keys + b * cap_T + value_33, -2147483648, mask=holds_4)


@triton.jit(do_not_specialize=["cap_T"])
def k_1_unordered(unordered, unordered_keys, best_positions, best_keys, len_B, len_T, cap_T):
    program = tl.program_id(0)
    live_B = tl.load(len_B)
    if program < live_B:
        live_T = tl.load(len_T + program)
        entries = (live_T + 32767) // 32768 * 2048
        counts = tl.full((512,), 0, tl.int32)
        for start in range(0, entries, 2048):
            value = start + tl.arange(0, 2048)
            place = value // 2048 * 32768 + value % 2048
            value_2 = (value < entries) & (place < live_T)
            value_3 = tl.load(best_keys + program * cap_T + place, mask=value_2, other=0)
            value_4 = tl.load(best_positions + program * cap_T + place, mask=value_2, other=0)
            value_5 = shift_right_logical(tl.where(value_2, value_3, -2147483648) ^ -2147483648, tl.full((), 24, tl.int32))
            counts = counts + tl.histogram(tl.where(value_2, value_5 & 255, 256), 512)
        lane = tl.arange(0, 512)
        chosen = tl.where(lane < 256, counts, 0)
        value_6 = tl.sum(chosen) - tl.cumsum(chosen, 0)
        digit = tl.max(tl.where(value_6 + chosen >= 2048, lane, 0))
        remaining = 2048 - tl.sum(tl.where(lane == digit, value_6, 0))
        counts_2 = tl.full((512,), 0, tl.int32)
        for start_2 in range(0, entries, 2048):
            value_7 = start_2 + tl.arange(0, 2048)
            place_2 = value_7 // 2048 * 32768 + value_7 % 2048
            value_8 = (value_7 < entries) & (place_2 < live_T)
            value_9 = tl.load(best_keys + program * cap_T + place_2, mask=value_8, other=0)
            value_10 = tl.load(best_positions + program * cap_T + place_2, mask=value_8, other=0)
            value_11 = shift_right_logical(tl.where(value_8, value_9, -2147483648) ^ -2147483648, tl.full((), 16, tl.int32))
            holds = shift_right_logical(value_11, tl.full((), 8, tl.int32)) == digit
            counts_3 = tl.histogram(tl.where(value_8 & holds, value_11 & 255, 256), 512)
            counts_2 = counts_2 + counts_3
        lane_2 = tl.arange(0, 512)
        chosen_2 = tl.where(lane_2 < 256, counts_2, 0)
        value_12 = tl.sum(chosen_2) - tl.cumsum(chosen_2, 0)
        digit_2 = tl.max(tl.where(value_12 + chosen_2 >= remaining, lane_2, 0))
        remaining_2 = remaining - tl.sum(tl.where(lane_2 == digit_2, value_12, 0))
        value_13 = digit << 8 | digit_2
        counts_4 = tl.full((512,), 0, tl.int32)
        for start_3 in range(0, entries, 2048):
            value_14 = start_3 + tl.arange(0, 2048)
            place_3 = value_14 // 2048 * 32768 + value_14 % 2048
            value_15 = (value_14 < entries) & (place_3 < live_T)
            value_16 = tl.load(best_keys + program * cap_T + place_3, mask=value_15, other=0)
            value_17 = tl.load(best_positions + program * cap_T + place_3, mask=value_15, other=0)
            value_18 = shift_right_logical(tl.where(value_15, value_16, -2147483648) ^ -2147483648, tl.full((), 8, tl.int32))
            holds_2 = shift_right_logical(value_18, tl.full((), 8, tl.int32)) == value_13
            counts_5 = tl.histogram(tl.where(value_15 & holds_2, value_18 & 255, 256), 512)
            counts_4 = counts_4 + counts_5
        lane_3 = tl.arange(0, 512)
        chosen_3 = tl.where(lane_3 < 256, counts_4, 0)
        value_19 = tl.sum(chosen_3) - tl.cumsum(chosen_3, 0)
        digit_3 = tl.max(tl.where(value_19 + chosen_3 >= remaining_2, lane_3, 0))
        remaining_3 = remaining_2 - tl.sum(tl.where(lane_3 == digit_3, value_19, 0))
        value_20 = value_13 << 8 | digit_3
        counts_6 = tl.full((512,), 0, tl.int32)
        for start_4 in range(0, entries, 2048):
            value_21 = start_4 + tl.arange(0, 2048)
            place_4 = value_21 // 2048 * 32768 + value_21 % 2048
            value_22 = (value_21 < entries) & (place_4 < live_T)
            value_23 = tl.load(best_keys + program * cap_T + place_4, mask=value_22, other=0)
            value_24 = tl.load(best_positions + program * cap_T + place_4, mask=value_22, other=0)
            value_25 = tl.where(value_22, value_23, -2147483648) ^ -2147483648
            holds_3 = shift_right_logical(value_25, tl.full((), 8, tl.int32)) == value_20
            counts_7 = tl.histogram(tl.where(value_22 & holds_3, value_25 & 255, 256), 512)
            counts_6 = counts_6 + counts_7
        lane_4 = tl.arange(0, 512)
        chosen_4 = tl.where(lane_4 < 256, counts_6, 0)
        value_26 = tl.sum(chosen_4) - tl.cumsum(chosen_4, 0)
        digit_4 = tl.max(tl.where(value_26 + chosen_4 >= remaining_3, lane_4, 0))
        remaining_4 = remaining_3 - tl.sum(tl.where(lane_4 == digit_4, value_26, 0))
        threshold = (value_20 << 8 | digit_4) ^ -2147483648
        chosen_5 = tl.where(threshold != -2147483648, remaining_4, 0)
        taken = tl.full((), 0, tl.int32)
        ties = tl.full((), 0, tl.int32)
        candidates = tl.full((), 0, tl.int32)
        for start_5 in range(0, entries, 2048):
            value_27 = start_5 + tl.arange(0, 2048)
            place_5 = value_27 // 2048 * 32768 + value_27 % 2048
            value_28 = (value_27 < entries) & (place_5 < live_T)
            value_29 = tl.load(best_keys + program * cap_T + place_5, mask=value_28, other=0)
            key = tl.where(value_28, value_29, -2147483648)
            value_30 = tl.load(best_positions + program * cap_T + place_5, mask=value_28, other=0)
            value_31 = (value_28 & (key == threshold)).to(tl.int32)
            value_32 = (value_31 != 0) & (ties + tl.cumsum(value_31, 0) <= chosen_5)
            value_33 = (key > threshold) | value_32
            value_34 = value_33.to(tl.int32)
            value_35 = taken + tl.cumsum(value_34, 0) - 1
            tl.store(unordered + program * 2048 + value_35, value_30, mask=value_33)
            tl.store(unordered_keys + program * 2048 + value_35, key, mask=value_33)
            value_36 = taken + tl.sum(value_34)
            value_37 = ties + tl.sum(value_31)
            value_38 = candidates + tl.sum((key != -2147483648).to(tl.int32))
            taken = value_36
            ties = value_37
            candidates = value_38
        for start_6 in range(0, 2048 - taken, 2048):
            value_39 = taken + start_6 + tl.arange(0, 2048)
            holds_4 = value_39 < 2048
            tl.store(unordered + program * 2048 + value_39, -1, mask=holds_4)
            tl.store(unordered_keys + program * 2048 + value_39, -2147483648, mask=holds_4)


@triton.jit
def k_2_picked_by_score(picked, best, unordered, unordered_keys, len_B):
    value = tl.program_id(0)
    value_2 = value % 32
    b = value // 32
    live_B = tl.load(len_B)
    if b < live_B:
        value_3 = value_2 * 64 + tl.arange(0, 64)[:, None]
        holds = value_3 < 2048
        value_4 = tl.load(unordered_keys + b * 2048 + value_3, mask=holds, other=0)
        value_5 = tl.load(unordered + b * 2048 + value_3, mask=holds, other=0)
        place = tl.full((64, 1), 0, tl.int32)
        for start in range(0, 2048, 64):
            value_6 = start + tl.arange(0, 64)[None, :]
            holds_2 = value_6 < 2048
            value_7 = tl.load(unordered_keys + b * 2048 + value_6, mask=holds_2, other=0)
            chosen = tl.where(holds_2, value_7, -2147483648)
            value_8 = (chosen > value_4) | (chosen == value_4) & (value_6 < value_3)
            place = place + tl.sum((value_8 & holds_2).to(tl.int32), 1, keep_dims=True)
        tl.store(picked + b * 2048 + place, value_5, mask=holds)
        value_9 = tl.where(value_4 >= 0, value_4, value_4 ^ 2147483647).to(tl.float32, bitcast=True)
        tl.store(best + b * 2048 + place, tl.where(value_5 >= 0, value_9, float("-inf")), mask=holds)
