// Narrow number formats to and from float, exact one way and rounded to nearest, ties to even, the other.
//
//            exponent  mantissa  beyond the largest value
//   bf16        8         7      infinity
//   f16         5        10      infinity
//   fp8         4         3      saturates at 448 (e4m3fn: no infinity)
//   fp8e5m2     5         2      saturates at 57344; a stored infinity is read as one
//
// Where a format saturates, an infinity does too. A NaN stays a NaN of its sign. Read by synthesis too:
// integer operations only, but for the bits of a float.
#ifndef HETC_FLOAT_H
#define HETC_FLOAT_H

#include <ap_int.h>
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

inline float from_bf16(ap_uint<16> code) {
#pragma HLS INLINE
  return float_of(uint32_t(code.to_uint()) << 16);
}
inline ap_uint<16> to_bf16(float value) {
#pragma HLS INLINE
  return detail::encode<8, 7, false, false>(value);
}
inline float from_f16(ap_uint<16> code) {
#pragma HLS INLINE
  return detail::decode<5, 10, false>(code.to_uint());
}
inline ap_uint<16> to_f16(float value) {
#pragma HLS INLINE
  return detail::encode<5, 10, false, false>(value);
}
inline float from_fp8(ap_uint<8> code) {
#pragma HLS INLINE
  return detail::decode<4, 3, true>(code.to_uint());
}
inline ap_uint<8> to_fp8(float value) {
#pragma HLS INLINE
  return detail::encode<4, 3, true, true>(value);
}
inline float from_fp8e5m2(ap_uint<8> code) {
#pragma HLS INLINE
  return detail::decode<5, 2, false>(code.to_uint());
}
inline ap_uint<8> to_fp8e5m2(float value) {
#pragma HLS INLINE
  return detail::encode<5, 2, false, true>(value);
}
inline float from_f32(ap_uint<32> code) {
#pragma HLS INLINE
  return float_of(code.to_uint());
}
inline ap_uint<32> to_f32(float value) {
#pragma HLS INLINE
  return bits_of(value);
}

// Sums of products of fp8 numbers, without rounding: whole numbers of WIDTH bits, in units of 2^-18. What has room in
// WIDTH bits has the same value in the 64 that a host adds faster.
#ifdef __SYNTHESIS__
template <int WIDTH>
using fixed = ap_int<WIDTH>;
#else
template <int WIDTH>
using fixed = int64_t;
#endif

inline bool fp8_is_nan(uint8_t code) {
#pragma HLS INLINE
  return (code & 0x7f) == 0x7f;
}
// Significands of 4 bits multiplied, shifted by the sum of the exponents. Of no meaning for a NaN.
inline fixed<37> fp8_product(uint8_t a, uint8_t b) {
#pragma HLS INLINE
#ifdef __SYNTHESIS__
  typedef ap_uint<4> part;
  typedef ap_uint<5> shift;
#else
  typedef unsigned part;
  typedef unsigned shift;
#endif
  const part exponent_a = a >> 3 & 15, exponent_b = b >> 3 & 15;
  const part significand_a = (a & 7) | (exponent_a != 0 ? 8 : 0);
  const part significand_b = (b & 7) | (exponent_b != 0 ? 8 : 0);
  // A subnormal has the exponent of the smallest normal number.
  const shift step_a = exponent_a != 0 ? part(exponent_a - 1) : part(0);
  const shift step_b = exponent_b != 0 ? part(exponent_b - 1) : part(0);
  const shift places = step_a + step_b;
  const fixed<37> magnitude = fixed<37>(significand_a * significand_b) << places;
  return (a ^ b) & 0x80 ? fixed<37>(-magnitude) : magnitude;
}
// The nearest float, ties to even: only the conversion rounds, the exponent is then lowered by 18.
template <typename T>
inline float from_fixed(const T& total, bool is_nan) {
#pragma HLS INLINE
  const uint32_t bits = bits_of(float(int64_t(total)));
  return float_of(is_nan ? 0x7fc00000u : total == 0 ? 0u : bits - (18u << 23));
}

// Two signed 4-bit numbers a byte, the even index in the low half.
inline int from_i4(ap_uint<4> code) {
#pragma HLS INLINE
  const int value = int(code.to_uint());
  return value >= 8 ? value - 16 : value;
}
inline ap_uint<4> to_i4(int value) {
#pragma HLS INLINE
  const int saturated = value < -8 ? -8 : value > 7 ? 7 : value;
  return ap_uint<4>(saturated & 15);
}
inline int i4_low(ap_uint<8> pair) {
#pragma HLS INLINE
  return from_i4(ap_uint<4>(pair.to_uint() & 15));
}
inline int i4_high(ap_uint<8> pair) {
#pragma HLS INLINE
  return from_i4(ap_uint<4>(pair.to_uint() >> 4));
}
inline ap_uint<8> i4_pair(int low, int high) {
#pragma HLS INLINE
  return ap_uint<8>(to_i4(low).to_uint() | to_i4(high).to_uint() << 4);
}

// Unsigned order of keys is order of numbers; -0 and +0 have one key, and every NaN has the lowest.
inline ap_uint<32> ordered(float value) {
#pragma HLS INLINE
  const uint32_t bits = bits_of(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0u;
  if ((bits & 0x7fffffffu) == 0) return 0x80000000u;
  return (bits >> 31) ? ~bits : bits | 0x80000000u;
}
inline float from_ordered(ap_uint<32> key) {
#pragma HLS INLINE
  const uint32_t bits = key.to_uint();
  return float_of((bits >> 31) ? bits & 0x7fffffffu : ~bits);
}

}  // namespace hetc

#endif
