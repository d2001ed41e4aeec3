// What generated kernels call: integer rules of the language, conversions, balanced trees, a search in
// sorted columns, and the queues behind top-k and selection.
#ifndef HETC_KERNEL_H
#define HETC_KERNEL_H

#include <stdint.h>

#include "hetc_hls.h"

namespace hetc {

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
