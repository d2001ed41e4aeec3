// Numbers of the language in plain C++, for every device that is programmed in it: narrow formats to and from float,
// integers that wrap and saturate, divisions that round down, maxima that keep a NaN, and the order of a selection.
//
//            exponent  mantissa  beyond the largest value
//   bf16        8         7      infinity
//   f16         5        10      infinity
//   fp8         4         3      saturates at 448 (e4m3fn: no infinity)
//   fp8e5m2     5         2      saturates at 57344; a stored infinity is read as one
//
// Where a format saturates, an infinity does too. A NaN stays a NaN of its sign. Read by synthesis too:
// integer operations only, but for the bits of a float.
#ifndef HETC_SCALAR_H
#define HETC_SCALAR_H

#include <stdint.h>

namespace hetc {

inline uint32_t bits_of(float value) {
#pragma HLS INLINE
  union {
    float number;
    uint32_t bits;
  } both;
  both.number = value;
  return both.bits;
}

inline float float_of(uint32_t bits) {
#pragma HLS INLINE
  union {
    float number;
    uint32_t bits;
  } both;
  both.bits = bits;
  return both.number;
}

namespace detail {

template <int EXPONENT, int MANTISSA, bool FINITE>
struct narrow {
  static constexpr int bias = (1 << (EXPONENT - 1)) - 1;
  static constexpr int smallest = 1 - bias;  // exponent of the smallest normal number
  static constexpr uint32_t sign = 1u << (EXPONENT + MANTISSA);
  static constexpr uint32_t infinity = ((1u << EXPONENT) - 1) << MANTISSA;
  static constexpr uint32_t largest = FINITE ? sign - 2 : infinity - 1;
  static constexpr uint32_t nan = FINITE ? sign - 1 : infinity | (1u << (MANTISSA - 1));
};

// A subnormal is shifted up by a priority encoder: a multiplication would cost DSPs in every lane.
template <int EXPONENT, int MANTISSA, bool FINITE>
inline float decode_bits(uint32_t code) {
#pragma HLS INLINE
  static_assert(EXPONENT < 8, "a subnormal of the format is a normal float");
  typedef narrow<EXPONENT, MANTISSA, FINITE> format;
  const uint32_t sign = (code & format::sign) ? 0x80000000u : 0u;
  const uint32_t magnitude = code & (format::sign - 1);
  uint32_t bits = 0;
  if (FINITE ? magnitude == format::nan : magnitude >= format::infinity) {
    bits = (!FINITE && magnitude == format::infinity) ? 0x7f800000u : 0x7fc00000u;
  } else if (magnitude >> MANTISSA) {
    bits = (magnitude << (23 - MANTISSA)) + (uint32_t(127 - format::bias) << 23);
  } else {
    for (int place = 0; place < MANTISSA; ++place) {
#pragma HLS UNROLL
      if (magnitude >> place & 1) {
        const uint32_t exponent = uint32_t(127 + format::smallest - MANTISSA + place);
        bits = exponent << 23 | ((magnitude << (23 - place)) & 0x7fffffu);
      }
    }
  }
  return float_of(sign | bits);
}

// The same for a host, where a subtraction of two normal numbers is cheaper than a search.
template <int EXPONENT, int MANTISSA, bool FINITE>
inline float decode_fast(uint32_t code) {
  static_assert(EXPONENT < 8, "a subnormal of the format is a normal float");
  typedef narrow<EXPONENT, MANTISSA, FINITE> format;
  const uint32_t magnitude = code & (format::sign - 1);
  const uint32_t first = uint32_t(127 + format::smallest) << 23;
  const uint32_t normal = (magnitude << (23 - MANTISSA)) + (uint32_t(127 - format::bias) << 23);
  const float subnormal = float_of(first + (magnitude << (23 - MANTISSA))) - float_of(first);
  uint32_t bits = (magnitude >> MANTISSA) ? normal : bits_of(subnormal);
  if (FINITE ? magnitude == format::nan : magnitude >= format::infinity)
    bits = (!FINITE && magnitude == format::infinity) ? 0x7f800000u : 0x7fc00000u;
  return float_of(bits | ((code & format::sign) ? 0x80000000u : 0u));
}

template <int EXPONENT, int MANTISSA, bool FINITE>
inline float decode(uint32_t code) {
#pragma HLS INLINE
#ifdef __SYNTHESIS__
  return decode_bits<EXPONENT, MANTISSA, FINITE>(code);
#else
  return decode_fast<EXPONENT, MANTISSA, FINITE>(code);
#endif
}

template <int EXPONENT, int MANTISSA, bool FINITE, bool SATURATES>
inline uint32_t encode(float value) {
#pragma HLS INLINE
  typedef narrow<EXPONENT, MANTISSA, FINITE> format;
  const uint32_t all = bits_of(value);
  const uint32_t sign = all >> 31 ? format::sign : 0u;
  const uint32_t magnitude = all & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return sign | format::nan;
  const int biased = int(magnitude >> 23);
  const int exponent = biased == 0 ? -126 : biased - 127;
  const uint32_t mantissa = (magnitude & 0x7fffffu) | (biased == 0 ? 0u : 0x800000u);
  const int below = exponent < format::smallest ? format::smallest - exponent : 0;
  // Past 25 places everything is under half of the smallest step.
  const int places = 23 - MANTISSA + (below > MANTISSA + 2 ? MANTISSA + 2 : below);
  const uint32_t kept = mantissa >> places;
  const uint32_t rest = mantissa & ((1u << places) - 1);
  const uint32_t half = 1u << (places - 1);
  const uint32_t rounded = kept + ((rest > half || (rest == half && (kept & 1))) ? 1 : 0);
  // A carry out of the mantissa moves into the exponent, from subnormal to normal as well.
  uint32_t code = rounded;
  if (below == 0) code += uint32_t(exponent - format::smallest) << MANTISSA;
  if (code > format::largest || magnitude == 0x7f800000u) code = SATURATES ? format::largest : format::infinity;
  return sign | code;
}

}  // namespace detail

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

}  // namespace hetc

#endif
