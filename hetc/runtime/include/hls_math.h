// The functions of the vendor's hls_math.h that generated kernels call, over the standard library.
// Only names that UG1399 ("HLS Math Library") lists: log2 is not among them. The vendor's cores are 1 to 4
// ulp from the exact result, so the last bits may differ.
#ifndef HETC_HLS_MATH_H
#define HETC_HLS_MATH_H

#include <cmath>

namespace hls {

#define HETC_HLS_MATH_1(name)                                \
  inline float name(float x) { return std::name(x); }        \
  inline double name(double x) { return std::name(x); }
#define HETC_HLS_MATH_2(name)                                            \
  inline float name(float x, float y) { return std::name(x, y); }        \
  inline double name(double x, double y) { return std::name(x, y); }

HETC_HLS_MATH_1(exp)
HETC_HLS_MATH_1(exp2)
HETC_HLS_MATH_1(expm1)
HETC_HLS_MATH_1(log)
HETC_HLS_MATH_1(log10)
HETC_HLS_MATH_1(log1p)
HETC_HLS_MATH_1(sqrt)
HETC_HLS_MATH_1(cbrt)
HETC_HLS_MATH_1(sin)
HETC_HLS_MATH_1(cos)
HETC_HLS_MATH_1(tan)
HETC_HLS_MATH_1(asin)
HETC_HLS_MATH_1(acos)
HETC_HLS_MATH_1(atan)
HETC_HLS_MATH_1(sinh)
HETC_HLS_MATH_1(cosh)
HETC_HLS_MATH_1(tanh)
HETC_HLS_MATH_1(erf)
HETC_HLS_MATH_1(erfc)
HETC_HLS_MATH_1(fabs)
HETC_HLS_MATH_1(abs)
HETC_HLS_MATH_1(floor)
HETC_HLS_MATH_1(ceil)
HETC_HLS_MATH_1(trunc)
HETC_HLS_MATH_1(round)  // halves away from zero, as C and the vendor have it
HETC_HLS_MATH_1(rint)   // halves to even: what the language's round is
HETC_HLS_MATH_2(atan2)
HETC_HLS_MATH_2(pow)
HETC_HLS_MATH_2(fmin)
HETC_HLS_MATH_2(fmax)
HETC_HLS_MATH_2(fmod)
HETC_HLS_MATH_2(copysign)

#undef HETC_HLS_MATH_1
#undef HETC_HLS_MATH_2

// Through double, so that the float result is rounded once.
inline float rsqrt(float x) { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(x))); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline float recip(float x) { return 1.0f / x; }
inline double recip(double x) { return 1.0 / x; }

inline float ldexp(float x, int exponent) { return std::ldexp(x, exponent); }
inline double ldexp(double x, int exponent) { return std::ldexp(x, exponent); }
inline float fma(float x, float y, float z) { return std::fma(x, y, z); }
inline double fma(double x, double y, double z) { return std::fma(x, y, z); }

inline bool isnan(float x) { return std::isnan(x); }
inline bool isnan(double x) { return std::isnan(x); }
inline bool isinf(float x) { return std::isinf(x); }
inline bool isinf(double x) { return std::isinf(x); }
inline bool isfinite(float x) { return std::isfinite(x); }
inline bool isfinite(double x) { return std::isfinite(x); }
inline bool signbit(float x) { return std::signbit(x); }
inline bool signbit(double x) { return std::signbit(x); }

}  // namespace hls

#endif
