// The exponential function of a float and of vectors of them, by the same steps: a lane gets the bits of a number.
#ifndef HETC_EXP_H
#define HETC_EXP_H

#include "hetc_scalar.h"

namespace hetc {
namespace detail {

// e^x = 2^n e^r with n the whole number next to x / ln 2: r is at most half of ln 2, and n ln 2 is subtracted in two
// parts, of which the first is exact. The polynomial is that of Cephes (expf, S. Moshier). Off by less than 1 in the last
// place. 2^n is two factors, as it may be out of a float's range alone.
// words_of, floats_of: the bits of floats, and back.
template <typename F, typename W, typename B>
inline F exponential(F x, W words_of, B floats_of) {
  const F bounded = x < -104.0f ? F{} - 104.0f : (x > 89.0f ? F{} + 89.0f : x);
  const F rounding = F{} + 12582912.0f;  // 1.5 2^23: what is added to it is rounded to a whole number, in its low bits
  const F moved = bounded * 1.44269504f + rounding;
  const F n = moved - rounding;
  const F r = bounded - n * 0.693359375f - n * -2.12194440e-4f;
  F p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  const auto power = words_of(moved) - 0x4b400000u;
  const auto half = (power + 256u) >> 1;
  return p * floats_of((half - 1u) << 23) * floats_of((power - half + 255u) << 23);
}

}  // namespace detail

inline float exp(float x) { return detail::exponential(x, bits_of, float_of); }

}  // namespace hetc

#endif
