// Functions of lanes: narrow numbers, integers, maxima and mathematics, each as its scalar namesake lane by lane.
#ifndef HETC_LANES_MATH_H
#define HETC_LANES_MATH_H

#include "hetc_lanes.h"

namespace hetc {
namespace detail {

// The same steps as the scalar `decode_fast`.
template <int EXPONENT, int MANTISSA, bool FINITE, typename T, int N>
inline lanes<float, N> decode(const lanes<T, N>& codes) {
  typedef narrow<EXPONENT, MANTISSA, FINITE> format;
  return apply<float, N>(
      [](auto narrow_codes) {
        const auto code = converted<uint32_t>(narrow_codes);
        typedef decltype(code + code) words;
        const words magnitude = code & (format::sign - 1);
        const words scaled = magnitude << (23 - MANTISSA);
        const words first = words{} + (uint32_t(127 + format::smallest) << 23);
        const words normal = scaled + (uint32_t(127 - format::bias) << 23);
        const words subnormal = bits_as<uint32_t>(bits_as<float>(first + scaled) - bits_as<float>(first));
        const words nan = words{} + 0x7fc00000u;
        words bits = magnitude < (1u << MANTISSA) ? subnormal : normal;
        if (FINITE) {
          bits = magnitude == format::nan ? nan : bits;
        } else {
          bits = magnitude >= format::infinity ? (magnitude == format::infinity ? words{} + 0x7f800000u : nan) : bits;
        }
        return bits_as<float>(bits | (code & format::sign) << (31 - EXPONENT - MANTISSA));
      },
      codes);
}

}  // namespace detail

template <int N>
inline lanes<float, N> from_bf16(const lanes<uint16_t, N>& codes) {
  return detail::apply<float, N>(
      [](auto code) { return detail::bits_as<float>(detail::converted<uint32_t>(code) << 16); }, codes);
}
template <int N>
inline lanes<float, N> from_f16(const lanes<uint16_t, N>& codes) {
  if constexpr (N == detail::halves_at_once) {
    const auto found = detail::of_halves(codes.v);
    const auto bits = detail::bits_as<uint32_t>(found);
    return detail::wrapped<float, N>(detail::bits_as<float>(found == found ? bits : bits & 0xffc00000u));
  } else if constexpr (detail::halves_at_once != 0 && N > detail::halves_at_once) {
    return detail::joined<float, N>(from_f16(codes.low()), from_f16(codes.high()));
  } else {
    return detail::decode<5, 10, false>(codes);
  }
}
template <int N>
inline lanes<float, N> from_fp8(const lanes<uint8_t, N>& codes) {
  return detail::decode<4, 3, true>(codes);
}
template <int N>
inline lanes<float, N> from_fp8e5m2(const lanes<uint8_t, N>& codes) {
  return detail::decode<5, 2, false>(codes);
}
// Half of the last place kept, less one, and one more where that place is odd: to the nearest, ties to even.
template <int N>
inline lanes<uint16_t, N> to_bf16(const lanes<float, N>& value) {
  return detail::apply<uint16_t, N>(
      [](auto number) {
        const auto bits = detail::bits_as<uint32_t>(number);
        const auto rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
        const auto nan = ((bits >> 16) & 0x8000u) | 0x7fc0u;
        return detail::converted<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
      },
      value);
}

template <int N>
inline lanes<float, N> exp(const lanes<float, N>& x) {
  return detail::apply<float, N>(
      [](auto v) {
        return detail::exponential(v, [](auto floats) { return detail::bits_as<uint32_t>(floats); },
                                   [](auto words) { return detail::bits_as<float>(words); });
      },
      x);
}

// What has no shorter way in vectors is worked out lane by lane.
#define HETC_LANES_EACH(RESULT, NAME, TYPE)                                           \
  template <int N>                                                                    \
  inline lanes<RESULT, N> NAME(const lanes<TYPE, N>& a) {                             \
    return detail::each<RESULT, N>([](TYPE x) { return RESULT(hetc::NAME(x)); }, a);  \
  }
#define HETC_LANES_EACH_PAIR(NAME, TYPE)                                                                    \
  template <int N>                                                                                          \
  inline lanes<TYPE, N> NAME(const lanes<TYPE, N>& a, const lanes<TYPE, N>& b) {                            \
    return detail::each<TYPE, N>([](TYPE x, TYPE y) { return hetc::NAME(x, y); }, a, b);                    \
  }
#define HETC_LANES_EACH_PAIR_OF_INTEGERS(NAME) \
  HETC_LANES_EACH_PAIR(NAME, int32_t)          \
  HETC_LANES_EACH_PAIR(NAME, int64_t)
HETC_LANES_EACH(uint16_t, to_f16, float)
HETC_LANES_EACH(uint8_t, to_fp8, float)
HETC_LANES_EACH(uint8_t, to_fp8e5m2, float)
HETC_LANES_EACH(int32_t, to_i32, float)
HETC_LANES_EACH(int64_t, to_i64, float)
HETC_LANES_EACH(float, exp2, float)
HETC_LANES_EACH(float, expm1, float)
HETC_LANES_EACH(float, log, float)
HETC_LANES_EACH(float, log2, float)
HETC_LANES_EACH(float, log10, float)
HETC_LANES_EACH(float, log1p, float)
HETC_LANES_EACH(float, cbrt, float)
HETC_LANES_EACH(float, rsqrt, float)
HETC_LANES_EACH(float, tanh, float)
HETC_LANES_EACH(float, sin, float)
HETC_LANES_EACH(float, cos, float)
HETC_LANES_EACH(float, tan, float)
HETC_LANES_EACH(float, sinh, float)
HETC_LANES_EACH(float, cosh, float)
HETC_LANES_EACH(float, asin, float)
HETC_LANES_EACH(float, acos, float)
HETC_LANES_EACH(float, atan, float)
HETC_LANES_EACH(float, erf, float)
HETC_LANES_EACH(float, floor, float)
HETC_LANES_EACH(float, ceil, float)
HETC_LANES_EACH(float, trunc, float)
HETC_LANES_EACH(float, round, float)
HETC_LANES_EACH(float, rint, float)
HETC_LANES_EACH(float, sqrt, float)
HETC_LANES_EACH_PAIR(atan2, float)
HETC_LANES_EACH_PAIR(pow, float)
HETC_LANES_EACH_PAIR(copysign, float)
HETC_LANES_EACH_PAIR_OF_INTEGERS(floor_div)
HETC_LANES_EACH_PAIR_OF_INTEGERS(floor_mod)
HETC_LANES_EACH_PAIR_OF_INTEGERS(truncating_div)
HETC_LANES_EACH_PAIR_OF_INTEGERS(shift_left)
HETC_LANES_EACH_PAIR_OF_INTEGERS(shift_right_unsigned)
HETC_LANES_EACH_PAIR_OF_INTEGERS(shift_right_signed)
#undef HETC_LANES_EACH
#undef HETC_LANES_EACH_PAIR
#undef HETC_LANES_EACH_PAIR_OF_INTEGERS

template <int N>
inline lanes<float, N> fabs(const lanes<float, N>& a) {
  return detail::apply<float, N>(
      [](auto x) { return detail::bits_as<float>(detail::bits_as<uint32_t>(x) & 0x7fffffffu); }, a);
}
// NaN wins.
template <int N>
inline lanes<float, N> maximum(const lanes<float, N>& a, const lanes<float, N>& b) {
  return detail::apply<float, N>([](auto x, auto y) { return (x != x) | (x > y) ? x : y; }, a, b);
}
template <int N>
inline lanes<float, N> minimum(const lanes<float, N>& a, const lanes<float, N>& b) {
  return detail::apply<float, N>([](auto x, auto y) { return (x != x) | (x < y) ? x : y; }, a, b);
}
template <typename T, int N>
inline lanes<T, N> larger(const lanes<T, N>& a, const lanes<T, N>& b) {
  return detail::apply<T, N>([](auto x, auto y) { return x > y ? x : y; }, a, b);
}
template <typename T, int N>
inline lanes<T, N> smaller(const lanes<T, N>& a, const lanes<T, N>& b) {
  return detail::apply<T, N>([](auto x, auto y) { return x < y ? x : y; }, a, b);
}
// Integers wrap: their arithmetic is unsigned.
#define HETC_LANES_WRAPPING(NAME, OPERATOR)                                                              \
  template <typename T, int N>                                                                           \
  inline lanes<T, N> NAME(const lanes<T, N>& a, const lanes<T, N>& b) {                                  \
    typedef typename unsigned_of<T>::type word;                                                          \
    return detail::apply<T, N>(                                                                          \
        [](auto x, auto y) {                                                                             \
          return detail::bits_as<T>(detail::bits_as<word>(x) OPERATOR detail::bits_as<word>(y));         \
        },                                                                                               \
        a, b);                                                                                           \
  }
HETC_LANES_WRAPPING(wrap_add, +)
HETC_LANES_WRAPPING(wrap_sub, -)
HETC_LANES_WRAPPING(wrap_mul, *)
#undef HETC_LANES_WRAPPING
template <typename T, int N>
inline lanes<T, N> wrap_abs(const lanes<T, N>& a) {
  return select(a < T(0), wrap_sub(lanes<T, N>(T(0)), a), a);
}
// Bits as an i32, and an i32's bits as a float.
template <int N>
inline lanes<int32_t, N> bits_of(const lanes<float, N>& a) {
  return detail::apply<int32_t, N>([](auto x) { return detail::bits_as<int32_t>(x); }, a);
}
template <int N>
inline lanes<float, N> float_of(const lanes<int32_t, N>& a) {
  return detail::apply<float, N>([](auto x) { return detail::bits_as<float>(x); }, a);
}
// The nearest number of a narrower type.
template <typename T, int N>
inline lanes<int32_t, N> saturated(const lanes<T, N>& a, T low, T high) {
  return lanes<int32_t, N>(larger(smaller(a, lanes<T, N>(high)), lanes<T, N>(low)));
}
template <typename T, int N>
inline lanes<int32_t, N> saturate_i8(const lanes<T, N>& a) {
  return saturated(a, T(-128), T(127));
}
template <typename T, int N>
inline lanes<int32_t, N> saturate_u8(const lanes<T, N>& a) {
  return saturated(a, T(0), T(255));
}
template <typename T, int N>
inline lanes<int32_t, N> saturate_i16(const lanes<T, N>& a) {
  return saturated(a, T(-32768), T(32767));
}
template <int N>
inline lanes<int32_t, N> saturate_i32(const lanes<int64_t, N>& a) {
  return saturated(a, int64_t(-2147483647LL - 1), int64_t(2147483647LL));
}


// Pairs of each lane into a queue. One comparison of all lanes tells whether any of them is before the worst pair.
template <typename S, int N>
inline void offer(queue<S>& best, const lanes<S, N>& scores, const lanes<int64_t, N>& indices,
                  const lanes<bool, N>& here = lanes<bool, N>(true)) {
  lanes<bool, N> may = here;
  if constexpr (sizeof(S) > 1) {
    if (!score_rule<S>::eligible(score_rule<S>::absent())) may = may && scores > score_rule<S>::absent();
    if (best.is_full()) {
      const lanes<bool, N> near = may && scores >= best.worst_score();
      if (!any(near) || !any(near && (scores > best.worst_score() || indices < best.worst_index()))) {
        best.pass(any(!may) ? count(may) : N);
        return;
      }
    }
  }
  S score[N];
  int64_t index[N];
  store(score, scores);
  store(index, indices);
  for (int lane = 0; lane < N; ++lane)
    if (may.at(lane)) best.push(score[lane], index[lane]);
}

}  // namespace hetc

#endif
