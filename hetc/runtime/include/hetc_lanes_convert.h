// Vectors of numbers as vectors of another type of numbers.
//
// A conversion means what the language says of one number, whatever its way: another size of integer goes through those
// between, and a narrow integer to a float through an integer as wide. Compilers have an instruction for each such step;
// GCC takes the numbers one by one where a step is longer, and several instructions for the widenings that x86 has one for,
// so these are named.
#ifndef HETC_LANES_CONVERT_H
#define HETC_LANES_CONVERT_H

#include "hetc_cpu.h"

namespace hetc {
namespace detail {

template <typename T>
struct word {
  typedef T type;
};
template <>
struct word<bool> {
  typedef int32_t type;
};

template <typename T, int N>
struct vector_of {
  typedef T type __attribute__((vector_size(N * sizeof(T))));
};
template <typename T, int N>
using vector = typename vector_of<typename word<T>::type, N>::type;
template <typename V>
constexpr int count_of = sizeof(V) / sizeof(V{}[0]);
template <typename V>
using element_of = __typeof__(V{}[0]);

template <typename T>
constexpr bool is_float = T(0.5f) != T(0);
template <typename T>
constexpr bool is_signed = T(-1) < T(0);

// 32-bit integers of numbers of 8 or 16 bits.
template <typename V>
inline vector<int32_t, count_of<V>> as_words(V v) {
  typedef element_of<V> narrow;
  constexpr int count = count_of<V>;
#if defined(__GNUC__) && !defined(__clang__) && defined(__AVX512F__)
  if constexpr (count == 16) {
    const vector<int32_t, 16> none = {};
    if constexpr (sizeof(narrow) == 1 && is_signed<narrow>) {
      return __builtin_ia32_pmovsxbd512_mask((vector<char, 16>)v, none, 0xffff);
    } else if constexpr (sizeof(narrow) == 1) {
      return __builtin_ia32_pmovzxbd512_mask((vector<char, 16>)v, none, 0xffff);
    } else if constexpr (is_signed<narrow>) {
      return __builtin_ia32_pmovsxwd512_mask((vector<int16_t, 16>)v, none, 0xffff);
    } else {
      return __builtin_ia32_pmovzxwd512_mask((vector<int16_t, 16>)v, none, 0xffff);
    }
  }
#elif defined(__GNUC__) && !defined(__clang__) && defined(__AVX2__)
  if constexpr (count == 8) {
    vector<narrow, 16 / sizeof(narrow)> padded = {};
    __builtin_memcpy(&padded, &v, sizeof(v));
    if constexpr (sizeof(narrow) == 1 && is_signed<narrow>) {
      return __builtin_ia32_pmovsxbd256((vector<char, 16>)padded);
    } else if constexpr (sizeof(narrow) == 1) {
      return __builtin_ia32_pmovzxbd256((vector<char, 16>)padded);
    } else if constexpr (is_signed<narrow>) {
      return __builtin_ia32_pmovsxwd256((vector<int16_t, 8>)padded);
    } else {
      return __builtin_ia32_pmovzxwd256((vector<int16_t, 8>)padded);
    }
  }
#endif
  if constexpr (sizeof(narrow) == 1) {
    return __builtin_convertvector(__builtin_convertvector(v, vector<int16_t, count>), vector<int32_t, count>);
  } else {
    return __builtin_convertvector(v, vector<int32_t, count>);
  }
}

// Floats of 16-bit floats by the processor's instruction, where it has one for vectors of this size. It keeps bits of a NaN
// that the plain way does not: they go.
#if defined(__GNUC__) && !defined(__clang__) && defined(__AVX512F__)
constexpr int halves_at_once = 16;
inline vector<float, 16> of_halves(vector<uint16_t, 16> codes) {
  return __builtin_ia32_vcvtph2ps512_mask((vector<int16_t, 16>)codes, vector<float, 16>{}, 0xffff, 4);
}
#elif defined(__GNUC__) && !defined(__clang__) && defined(__F16C__)
constexpr int halves_at_once = 8;
inline vector<float, 8> of_halves(vector<uint16_t, 8> codes) {
  return __builtin_ia32_vcvtph2ps256((vector<int16_t, 8>)codes);
}
#else
constexpr int halves_at_once = 0;
template <typename V>
vector<float, count_of<V>> of_halves(V codes);
#endif

// Numbers as another type's.
template <typename T, typename V>
inline vector<T, count_of<V>> converted(V v) {
  typedef element_of<V> from;
  typedef typename word<T>::type to;
  constexpr int count = count_of<V>;
  if constexpr (sizeof(from) < 4 && sizeof(to) >= 4) {
    return __builtin_convertvector(as_words(v), vector<to, count>);
  } else if constexpr (is_float<from> && sizeof(to) < 4) {
    return converted<to>(__builtin_convertvector(v, vector<int32_t, count>));  // a number of the element's range
  } else if constexpr (sizeof(from) == 8 && sizeof(to) < 4) {
    return converted<to>(__builtin_convertvector(v, vector<int32_t, count>));
  } else if constexpr (sizeof(from) == 4 && sizeof(to) == 1) {
    return __builtin_convertvector(__builtin_convertvector(v, vector<int16_t, count>), vector<to, count>);
  } else {
    return __builtin_convertvector(v, vector<to, count>);
  }
}

}  // namespace detail
}  // namespace hetc

#endif
