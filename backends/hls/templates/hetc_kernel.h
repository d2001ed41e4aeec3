// What generated kernels call: integer rules of the language, conversions, balanced trees, a search in
// sorted columns, and the queues behind top-k and selection.
#ifndef HETC_KERNEL_H
#define HETC_KERNEL_H

#include <stdint.h>

#include "hetc_hls.h"

namespace hetc {

template <typename T>
struct unsigned_of;
template <>
struct unsigned_of<int32_t> {
  typedef uint32_t type;
};
template <>
struct unsigned_of<int64_t> {
  typedef uint64_t type;
};

// Integers wrap; the arithmetic is unsigned because overflow of a signed one has no meaning in C++.
template <typename T>
inline T wrap_add(T a, T b) {
#pragma HLS INLINE
  typedef typename unsigned_of<T>::type word;
  return T(word(a) + word(b));
}
template <typename T>
inline T wrap_sub(T a, T b) {
#pragma HLS INLINE
  typedef typename unsigned_of<T>::type word;
  return T(word(a) - word(b));
}
template <typename T>
inline T wrap_mul(T a, T b) {
#pragma HLS INLINE
  typedef typename unsigned_of<T>::type word;
  return T(word(a) * word(b));
}
template <typename T>
inline T wrap_abs(T a) {
#pragma HLS INLINE
  return a < 0 ? wrap_sub(T(0), a) : a;
}
// Bits shifted out are lost; by the width or more, all of them.
template <typename T>
inline T shift_left(T a, T by) {
#pragma HLS INLINE
  typedef typename unsigned_of<T>::type word;
  return word(by) >= 8 * sizeof(T) ? T(0) : T(word(a) << word(by));
}
template <typename T>
inline T shift_right_unsigned(T a, T by) {
#pragma HLS INLINE
  typedef typename unsigned_of<T>::type word;
  return word(by) >= 8 * sizeof(T) ? T(0) : T(word(a) >> word(by));
}
template <typename T>
inline T shift_right_signed(T a, T by) {
#pragma HLS INLINE
  typedef typename unsigned_of<T>::type word;
  return a >> (word(by) >= 8 * sizeof(T) ? word(8 * sizeof(T) - 1) : word(by));
}
// Rounded down; 0 where the divisor is 0. The divisor -1 is apart: the least integer has no negative.
template <typename T>
inline T floor_div(T a, T b) {
#pragma HLS INLINE
  if (b == 0) return 0;
  if (b == -1) return wrap_sub(T(0), a);
  const T quotient = a / b;
  return quotient * b != a && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}
template <typename T>
inline T floor_mod(T a, T b) {
#pragma HLS INLINE
  return b == 0 ? T(0) : wrap_sub(a, wrap_mul(b, floor_div(a, b)));
}
// Towards zero; 0 where the divisor is 0.
template <typename T>
inline T truncating_div(T a, T b) {
#pragma HLS INLINE
  return b == 0 ? T(0) : b == -1 ? wrap_sub(T(0), a) : T(a / b);
}

// The nearest representable value.
template <typename T, typename S>
inline T saturate_to(S value, S low, S high) {
#pragma HLS INLINE
  return T(value < low ? low : value > high ? high : value);
}
inline int8_t saturate_i4(int64_t value) { return saturate_to<int8_t, int64_t>(value, -8, 7); }
inline int8_t saturate_i8(int64_t value) { return saturate_to<int8_t, int64_t>(value, -128, 127); }
inline uint8_t saturate_u8(int64_t value) { return saturate_to<uint8_t, int64_t>(value, 0, 255); }
inline int16_t saturate_i16(int64_t value) { return saturate_to<int16_t, int64_t>(value, -32768, 32767); }
inline int32_t saturate_i32(int64_t value) {
  return saturate_to<int32_t, int64_t>(value, -2147483647LL - 1, 2147483647LL);
}

// A float whose fraction is already gone, as an integer: saturating, NaN gives 0.
inline int32_t to_i32(float value) {
#pragma HLS INLINE
  if (value != value) return 0;
  if (value >= 2147483648.0f) return 2147483647;
  if (value < -2147483648.0f) return -2147483647 - 1;
  return int32_t(value);
}
inline int64_t to_i64(float value) {
#pragma HLS INLINE
  if (value != value) return 0;
  if (value >= 9223372036854775808.0f) return 9223372036854775807LL;
  if (value < -9223372036854775808.0f) return -9223372036854775807LL - 1;
  return int64_t(value);
}

inline float infinity() { return float_of(0x7f800000u); }
inline float not_a_number() { return float_of(0x7fc00000u); }

// NaN wins.
inline float maximum(float a, float b) {
#pragma HLS INLINE
  return a != a || a > b ? a : b;
}
inline float minimum(float a, float b) {
#pragma HLS INLINE
  return a != a || a < b ? a : b;
}
inline int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }
inline int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }
inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

struct add_values {
  static float join(float a, float b) { return a + b; }
  static int32_t join(int32_t a, int32_t b) { return wrap_add(a, b); }
  static int64_t join(int64_t a, int64_t b) { return wrap_add(a, b); }
  template <int WIDTH>
  static ap_int<WIDTH> join(const ap_int<WIDTH>& a, const ap_int<WIDTH>& b) {
    return a + b;
  }
};
struct multiply_values {
  static float join(float a, float b) { return a * b; }
  static int32_t join(int32_t a, int32_t b) { return wrap_mul(a, b); }
  static int64_t join(int64_t a, int64_t b) { return wrap_mul(a, b); }
};
struct larger_value {
  static float join(float a, float b) { return maximum(a, b); }
  static int32_t join(int32_t a, int32_t b) { return larger(a, b); }
  static int64_t join(int64_t a, int64_t b) { return larger(a, b); }
  static bool join(bool a, bool b) { return a || b; }
};
struct smaller_value {
  static float join(float a, float b) { return minimum(a, b); }
  static int32_t join(int32_t a, int32_t b) { return smaller(a, b); }
  static int64_t join(int64_t a, int64_t b) { return smaller(a, b); }
  static bool join(bool a, bool b) { return a && b; }
};

// A balanced tree: log2(N) operators deep, none waiting for its own result.
template <typename OPERATION, typename T, int N>
inline T tree(const T (&values)[N]) {
#pragma HLS INLINE
  T level[N];
#pragma HLS ARRAY_PARTITION variable=level complete
  for (int i = 0; i < N; ++i) {
#pragma HLS UNROLL
    level[i] = values[i];
  }
  for (int width = N; width > 1; width = (width + 1) / 2) {
#pragma HLS UNROLL
    for (int i = 0; i < width / 2; ++i) {
#pragma HLS UNROLL
      level[i] = OPERATION::join(level[2 * i], level[2 * i + 1]);
    }
    if (width % 2) level[width / 2] = level[width - 1];
  }
  return level[0];
}
template <typename T, int N>
inline T tree_sum(const T (&values)[N]) {
  return tree<add_values>(values);
}
template <typename T, int N>
inline T tree_prod(const T (&values)[N]) {
  return tree<multiply_values>(values);
}
template <typename T, int N>
inline T tree_max(const T (&values)[N]) {
  return tree<larger_value>(values);
}
template <typename T, int N>
inline T tree_min(const T (&values)[N]) {
  return tree<smaller_value>(values);
}

// Of `length` ascending columns, how many lie below `column`.
inline int lower_bound(const int32_t* columns, int64_t start, int length, int column) {
  int low = 0, high = length;
  while (low < high) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=24
    const int middle = low + (high - low) / 2;
    if (columns[start + middle] < column) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// Scores that a selection may take, and what stands where there is none.
template <typename S>
struct score_rule {
  static bool eligible(S) { return true; }
  static S absent() { return S(typename unsigned_of<S>::type(1) << (8 * sizeof(S) - 1)); }
};
template <>
struct score_rule<float> {
  static bool eligible(float score) { return score > -infinity(); }  // false for NaN too
  static float absent() { return -infinity(); }
};
template <>
struct score_rule<bool> {
  static bool eligible(bool) { return true; }
  static bool absent() { return false; }
};

// A higher score comes first, of equal ones the lower index: a total order, so that what a queue holds
// does not depend on the order in which it was offered.
template <typename S>
inline bool comes_before(S score_a, int index_a, S score_b, int index_b) {
#pragma HLS INLINE
  return score_a > score_b || (score_a == score_b && index_a < index_b);
}

// The best pairs in a shift register, sorted at all times. One push a cycle.
template <typename S, int N>
struct register_queue {
  S score[N];
  int index[N];
  int count;

  register_queue() : count(0) {
#pragma HLS ARRAY_PARTITION variable=score complete
#pragma HLS ARRAY_PARTITION variable=index complete
  }
  int taken() const { return count; }
  void push(S new_score, int new_index) {
#pragma HLS INLINE
    if (!score_rule<S>::eligible(new_score)) return;
#ifndef __SYNTHESIS__
    if (count == N && !comes_before(new_score, new_index, score[N - 1], index[N - 1])) return;
#endif
    bool before[N];
#pragma HLS ARRAY_PARTITION variable=before complete
    for (int i = 0; i < N; ++i) {
#pragma HLS UNROLL
      before[i] = i >= count || comes_before(new_score, new_index, score[i], index[i]);
    }
    for (int i = N - 1; i >= 0; --i) {
#pragma HLS UNROLL
      if (before[i]) {
        const bool from_left = i > 0 && before[i > 0 ? i - 1 : 0];
        score[i] = from_left ? score[i > 0 ? i - 1 : 0] : new_score;
        index[i] = from_left ? index[i > 0 ? i - 1 : 0] : new_index;
      }
    }
    if (count < N) ++count;
  }
  void arrange_by_score() {}
  // Odd-even transposition: N rounds of neighbours.
  void arrange_by_index() {
    for (int round = 0; round < N; ++round) {
#pragma HLS PIPELINE II=1
      for (int i = 0; i + 1 < N; ++i) {
#pragma HLS UNROLL
        if (i % 2 == round % 2 && i + 1 < count && index[i] > index[i + 1]) {
          const S score_moved = score[i];
          const int index_moved = index[i];
          score[i] = score[i + 1];
          index[i] = index[i + 1];
          score[i + 1] = score_moved;
          index[i + 1] = index_moved;
        }
      }
    }
  }
  S score_at(int i) const { return i < count ? score[i] : score_rule<S>::absent(); }
  int index_at(int i) const { return i < count ? index[i] : -1; }
};

// The best pairs in a binary heap, the worst of them at its root: an offer that does not beat the root
// costs one comparison, another one as many steps as the heap has levels.
template <typename S, int N>
struct heap_queue {
  S score[N];
  int index[N];
  int count;

  heap_queue() : count(0) {}
  int taken() const { return count; }
  bool worse(int a, int b) const { return comes_before(score[b], index[b], score[a], index[a]); }
  void swap_entries(int a, int b) {
    const S score_moved = score[a];
    const int index_moved = index[a];
    score[a] = score[b];
    index[a] = index[b];
    score[b] = score_moved;
    index[b] = index_moved;
  }
  void sink(int place, int size, bool by_index) {
    while (true) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=16
      const int left = 2 * place + 1, right = left + 1;
      int top = place;
      if (left < size && (by_index ? index[left] > index[top] : worse(left, top))) top = left;
      if (right < size && (by_index ? index[right] > index[top] : worse(right, top))) top = right;
      if (top == place) return;
      swap_entries(place, top);
      place = top;
    }
  }
  void push(S new_score, int new_index) {
    if (!score_rule<S>::eligible(new_score)) return;
    if (count == N) {
      if (!comes_before(new_score, new_index, score[0], index[0])) return;
      score[0] = new_score;
      index[0] = new_index;
      sink(0, N, false);
      return;
    }
    int place = count++;
    score[place] = new_score;
    index[place] = new_index;
    while (place > 0 && worse(place, (place - 1) / 2)) {
#pragma HLS LOOP_TRIPCOUNT min=1 max=16
      swap_entries(place, (place - 1) / 2);
      place = (place - 1) / 2;
    }
  }
  // The root is the worst: taken out last to first, what remains is in order.
  void arrange_by_score() {
    for (int size = count; size > 1; --size) {
      swap_entries(0, size - 1);
      sink(0, size - 1, false);
    }
  }
  void arrange_by_index() {
    for (int place = count / 2 - 1; place >= 0; --place) sink(place, count, true);
    for (int size = count; size > 1; --size) {
      swap_entries(0, size - 1);
      sink(0, size - 1, true);
    }
  }
  S score_at(int i) const { return i < count ? score[i] : score_rule<S>::absent(); }
  int index_at(int i) const { return i < count ? index[i] : -1; }
};

}  // namespace hetc

#endif
