// What generated kernels for a processor call beside hetc_scalar.h: narrow numbers as they lie in memory, mathematics, and
// the queue behind top-k and selection. No header of the standard library is included: they take longer to compile than
// the kernels.
#ifndef HETC_CPU_H
#define HETC_CPU_H

#include "hetc_exp.h"
#include "hetc_scalar.h"

namespace hetc {

inline float from_bf16(uint16_t code) { return float_of(uint32_t(code) << 16); }
inline float from_f16(uint16_t code) { return detail::decode<5, 10, false>(code); }
inline float from_fp8(uint8_t code) { return detail::decode<4, 3, true>(code); }
inline float from_fp8e5m2(uint8_t code) { return detail::decode<5, 2, false>(code); }
inline uint32_t to_bf16(float value) { return detail::encode<8, 7, false, false>(value); }
inline uint32_t to_f16(float value) { return detail::encode<5, 10, false, false>(value); }
inline uint32_t to_fp8(float value) { return detail::encode<4, 3, true, true>(value); }
inline uint32_t to_fp8e5m2(float value) { return detail::encode<5, 2, false, true>(value); }

inline float fabs(float x) { return __builtin_fabsf(x); }
inline float exp2(float x) { return __builtin_exp2f(x); }
inline float expm1(float x) { return __builtin_expm1f(x); }
inline float log(float x) { return __builtin_logf(x); }
inline float log2(float x) { return __builtin_log2f(x); }
inline float log10(float x) { return __builtin_log10f(x); }
inline float log1p(float x) { return __builtin_log1pf(x); }
inline float sqrt(float x) { return __builtin_sqrtf(x); }
inline float cbrt(float x) { return __builtin_cbrtf(x); }
inline float rsqrt(float x) { return 1.0f / __builtin_sqrtf(x); }
inline float tanh(float x) { return __builtin_tanhf(x); }
inline float sin(float x) { return __builtin_sinf(x); }
inline float cos(float x) { return __builtin_cosf(x); }
inline float tan(float x) { return __builtin_tanf(x); }
inline float sinh(float x) { return __builtin_sinhf(x); }
inline float cosh(float x) { return __builtin_coshf(x); }
inline float asin(float x) { return __builtin_asinf(x); }
inline float acos(float x) { return __builtin_acosf(x); }
inline float atan(float x) { return __builtin_atanf(x); }
inline float atan2(float y, float x) { return __builtin_atan2f(y, x); }
inline float erf(float x) { return __builtin_erff(x); }
inline float floor(float x) { return __builtin_floorf(x); }
inline float ceil(float x) { return __builtin_ceilf(x); }
inline float trunc(float x) { return __builtin_truncf(x); }
inline float round(float x) { return __builtin_roundf(x); }
inline float rint(float x) { return __builtin_rintf(x); }
inline float pow(float x, float y) { return __builtin_powf(x, y); }
inline float copysign(float x, float y) { return __builtin_copysignf(x, y); }
inline float fma(float x, float y, float z) { return __builtin_fmaf(x, y, z); }

// The best pairs of score and index in a binary heap, the worst of them at its root: an offer that does not beat the
// root costs one comparison.
template <typename S>
class queue {
 public:
  explicit queue(int64_t capacity)
      : score_(static_cast<S*>(__builtin_malloc(capacity * sizeof(S)))),
        index_(static_cast<int64_t*>(__builtin_malloc(capacity * sizeof(int64_t)))),
        capacity_(capacity) {
    if (score_ == nullptr || index_ == nullptr) __builtin_trap();
  }
  ~queue() {
    __builtin_free(score_);
    __builtin_free(index_);
  }
  queue(const queue&) = delete;
  queue& operator=(const queue&) = delete;

  void push(S score, int64_t index) {
    if (!score_rule<S>::eligible(score)) return;
    ++offered_;
    if (count_ < capacity_) {
      rise(count_++, score, index);
    } else if (before(score, index, score_[0], index_[0])) {
      sink(0, count_, score, index, false);
    }
  }
  void merge(const queue& other) {
    offered_ += other.offered_ - other.count_;
    for (int64_t i = 0; i < other.count_; ++i) push(other.score_[i], other.index_[i]);
  }
  // The worst pair of a queue that is full: what is not before it in the order is not taken.
  bool is_full() const { return count_ == capacity_; }
  S worst_score() const { return score_[0]; }
  int64_t worst_index() const { return index_[0]; }
  // So many pairs that could have been taken, and are not before the worst.
  void pass(int64_t pairs) { offered_ += pairs; }
  // How many pairs could have been taken.
  int64_t offered() const { return offered_; }
  // The root is the worst: taken out last to first, what remains is in order.
  void arrange_by_score() { arrange(false); }
  void arrange_by_index() {
    for (int64_t place = count_ / 2; place-- > 0;) sink(place, count_, score_[place], index_[place], true);
    arrange(true);
  }
  S score_at(int64_t i) const { return i < count_ ? score_[i] : score_rule<S>::absent(); }
  int64_t index_at(int64_t i) const { return i < count_ ? index_[i] : -1; }

 private:
  static bool before(S score_a, int64_t index_a, S score_b, int64_t index_b) {
    return score_a > score_b || (score_a == score_b && index_a < index_b);
  }
  // Whether the pair at `place` is to stand nearer to the root than the given one.
  bool above(int64_t place, S score, int64_t index, bool by_index) const {
    return by_index ? index_[place] > index : before(score, index, score_[place], index_[place]);
  }
  void put(int64_t place, S score, int64_t index) {
    score_[place] = score;
    index_[place] = index;
  }
  void rise(int64_t place, S score, int64_t index) {
    while (place > 0 && before(score_[(place - 1) / 2], index_[(place - 1) / 2], score, index)) {
      put(place, score_[(place - 1) / 2], index_[(place - 1) / 2]);
      place = (place - 1) / 2;
    }
    put(place, score, index);
  }
  void sink(int64_t place, int64_t size, S score, int64_t index, bool by_index) {
    while (true) {
      int64_t child = 2 * place + 1;
      if (child >= size) break;
      if (child + 1 < size && above(child + 1, score_[child], index_[child], by_index)) ++child;
      if (!above(child, score, index, by_index)) break;
      put(place, score_[child], index_[child]);
      place = child;
    }
    put(place, score, index);
  }
  void arrange(bool by_index) {
    for (int64_t size = count_; size > 1; --size) {
      const S score = score_[size - 1];
      const int64_t index = index_[size - 1];
      put(size - 1, score_[0], index_[0]);
      sink(0, size - 1, score, index, by_index);
    }
  }

  S* score_;
  int64_t* index_;
  int64_t capacity_;
  int64_t count_ = 0;
  int64_t offered_ = 0;
};

}  // namespace hetc

#endif
