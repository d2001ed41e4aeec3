// Narrow number formats as synthesis stores them (see hetc_scalar.h), sums of their products without rounding, and keys
// that order floats.
#ifndef HETC_FLOAT_H
#define HETC_FLOAT_H

#include <ap_int.h>
#include <stdint.h>

#include "hetc_scalar.h"

namespace hetc {

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
