// Several numbers that are worked on in lockstep, as generated kernels for a processor use them in loops of lanes.
//
// `lanes<T, N>` behaves as a T does: the same operators, the same functions of hetc_cpu.h and hetc_scalar.h, each lane on
// its own. A lane gets the same bits whatever instructions the compiler has: vectors are those of the compiler's
// language, split in halves down to what the processor's registers hold, and nothing here is a target's intrinsic.
// A mask, `lanes<bool, N>`, holds words of which each is all ones or none.
#ifndef HETC_LANES_H
#define HETC_LANES_H

#include "hetc_lanes_convert.h"

namespace hetc {
namespace detail {

#if defined(__AVX512F__)
constexpr int register_bytes = 64;
#elif defined(__AVX__)
constexpr int register_bytes = 32;
#else
constexpr int register_bytes = 16;
#endif

// Narrow numbers lie in as many lanes as what they are widened to.
template <typename T>
constexpr int lane_bytes = sizeof(typename word<T>::type) < 4 ? 4 : sizeof(typename word<T>::type);
template <typename T, int N>
constexpr bool is_split = N * lane_bytes<T> > register_bytes;

template <typename T>
struct same {
  typedef T type;
};

template <typename T, int N, bool SPLIT>
struct storage {
  vector<T, N> v;
};

}  // namespace detail

template <typename T, int N>
struct lanes;

namespace detail {

template <typename T, int N>
struct storage<T, N, true> {
  lanes<T, N / 2> first, second;
};

}  // namespace detail

template <typename T, int N>
struct lanes : detail::storage<T, N, detail::is_split<T, N>> {
  lanes() = default;
  // The same number in every lane.
  lanes(T value);
  // Of another type, as a number would be.
  template <typename U>
  explicit lanes(lanes<U, N> other);
  lanes<T, N / 2> low() const;
  lanes<T, N / 2> high() const;
  // One lane.
  T at(int64_t lane) const;
  void set(int64_t lane, T value);
};

namespace detail {

template <int... I>
struct places {};
template <int FROM, int COUNT, int... I>
struct places_of : places_of<FROM, COUNT - 1, FROM + COUNT - 1, I...> {};
template <int FROM, int... I>
struct places_of<FROM, 0, I...> {
  typedef places<I...> type;
};

// Lanes of two vectors, the second's behind the first's.
template <typename R, typename V, int... I>
inline R picked(V a, V b, places<I...>) {
#if defined(__has_builtin) && __has_builtin(__builtin_shufflevector)
  return __builtin_shufflevector(a, b, I...);
#else
  constexpr int count = sizeof(V) / sizeof(a[0]);
  return R{(I < count ? a[I % count] : b[I % count])...};
#endif
}

template <typename T, int N>
inline lanes<T, N> wrapped(vector<T, N> v) {
  lanes<T, N> result;
  result.v = v;
  return result;
}
template <typename T, int N>
inline lanes<T, N> joined(lanes<T, N / 2> first, lanes<T, N / 2> second) {
  lanes<T, N> result;
  if constexpr (is_split<T, N>) {
    result.first = first;
    result.second = second;
  } else {
    result.v = picked<vector<T, N>>(first.v, second.v, typename places_of<0, N>::type());
  }
  return result;
}

// `f` of vectors, on as many lanes at a time as registers hold of each type.
template <typename R, int N, typename F, typename... A>
inline lanes<R, N> apply(F f, const lanes<A, N>&... a) {
  if constexpr (is_split<R, N> || (is_split<A, N> || ...)) {
    return joined<R, N>(apply<R, N / 2>(f, a.low()...), apply<R, N / 2>(f, a.high()...));
  } else {
    return wrapped<R, N>(f(a.v...));
  }
}
// The bits of words as those of another type.
template <typename T, typename V>
inline vector<T, count_of<V>> bits_as(V v) {
  return (vector<T, count_of<V>>)v;
}
// The mask by which a vector of this type is selected from.
template <typename V, typename M>
inline auto mask_for(M mask) {
  typedef decltype(V{} == V{}) wanted;
  return __builtin_convertvector(mask, wanted);
}

// `f` of numbers, lane by lane.
template <typename R, int N, typename F, typename... A>
inline lanes<R, N> each(F f, const lanes<A, N>&... a) {
  return apply<R, N>(
      [f](auto first, auto... rest) {
        constexpr int count = count_of<decltype(first)>;
        vector<R, count> result;
        for (int lane = 0; lane < count; ++lane) {
          const R one = f(first[lane], rest[lane]...);
          result[lane] = sizeof(R) < sizeof(result[0]) ? -one : one;
        }
        return result;
      },
      a...);
}
template <typename T, int N, int... I>
inline vector<T, N> in_order(places<I...>) {
  return vector<T, N>{I...};
}

}  // namespace detail

template <typename T, int N>
inline lanes<T, N>::lanes(T value) {
  if constexpr (detail::is_split<T, N>) {
    this->first = this->second = lanes<T, N / 2>(value);
  } else if constexpr (sizeof(T) < sizeof(typename detail::word<T>::type)) {
    this->v = detail::vector<T, N>{} - int32_t(value);
  } else {
    this->v = value - detail::vector<T, N>{};  // -0 stays
  }
}
template <typename T, int N>
template <typename U>
inline lanes<T, N>::lanes(lanes<U, N> other) {
  *this = detail::apply<T, N>(
      [](auto v) {
        return detail::converted<T>(sizeof(U) < sizeof(typename detail::word<U>::type) ? -v : v);
      },
      other);
}
template <typename T, int N>
inline lanes<T, N / 2> lanes<T, N>::low() const {
  if constexpr (detail::is_split<T, N>) {
    return this->first;
  } else {
    typedef typename detail::places_of<0, N / 2>::type places;
    return detail::wrapped<T, N / 2>(detail::picked<detail::vector<T, N / 2>>(this->v, this->v, places()));
  }
}
template <typename T, int N>
inline lanes<T, N / 2> lanes<T, N>::high() const {
  if constexpr (detail::is_split<T, N>) {
    return this->second;
  } else {
    typedef typename detail::places_of<N / 2, N / 2>::type places;
    return detail::wrapped<T, N / 2>(detail::picked<detail::vector<T, N / 2>>(this->v, this->v, places()));
  }
}
template <typename T, int N>
inline T lanes<T, N>::at(int64_t lane) const {
  if constexpr (detail::is_split<T, N>) {
    return lane < N / 2 ? this->first.at(lane) : this->second.at(lane - N / 2);
  } else {
    return T(this->v[lane]);
  }
}
// By a comparison in each lane: a vector that is written at a place stays in its registers.
template <typename T, int N>
inline void lanes<T, N>::set(int64_t lane, T value) {
  if constexpr (detail::is_split<T, N>) {
    this->first.set(lane, value);
    this->second.set(lane - N / 2, value);
  } else {
    const auto here = detail::in_order<int32_t, N>(typename detail::places_of<0, N>::type()) == int32_t(lane);
    this->v = detail::mask_for<detail::vector<T, N>>(here) ? lanes(value).v : this->v;
  }
}

// The numbers from `first` on.
template <int N>
inline lanes<int64_t, N> counting(int64_t first) {
  lanes<int64_t, N> result;
  if constexpr (detail::is_split<int64_t, N>) {
    result.first = counting<N / 2>(first);
    result.second = counting<N / 2>(first + N / 2);
  } else {
    result.v = detail::in_order<int64_t, N>(typename detail::places_of<0, N>::type()) + first;
  }
  return result;
}
// N consecutive lanes of a vector, from `FIRST` on.
template <int N, int FIRST, typename T, int M>
inline lanes<T, N> part(const lanes<T, M>& all) {
  if constexpr (N == M) {
    return all;
  } else if constexpr (FIRST < M / 2) {
    return part<N, FIRST>(all.low());
  } else {
    return part<N, FIRST - M / 2>(all.high());
  }
}

// Operators, of lanes and of lanes with one number.

#define HETC_LANES_OPERATOR(RESULT, OPERATOR, VALUE)                                                     \
  template <typename T, int N>                                                                           \
  inline lanes<RESULT, N> operator OPERATOR(lanes<T, N> a, lanes<T, N> b) {                              \
    return detail::apply<RESULT, N>([](auto x, auto y) { return detail::converted<RESULT>(VALUE); }, a, b); \
  }                                                                                                      \
  template <typename T, int N>                                                                           \
  inline lanes<RESULT, N> operator OPERATOR(lanes<T, N> a, typename detail::same<T>::type b) {           \
    return a OPERATOR lanes<T, N>(b);                                                                    \
  }                                                                                                      \
  template <typename T, int N>                                                                           \
  inline lanes<RESULT, N> operator OPERATOR(typename detail::same<T>::type a, lanes<T, N> b) {           \
    return lanes<T, N>(a) OPERATOR b;                                                                    \
  }
HETC_LANES_OPERATOR(T, +, x + y)
HETC_LANES_OPERATOR(T, -, x - y)
HETC_LANES_OPERATOR(T, *, x* y)
HETC_LANES_OPERATOR(T, /, x / y)
HETC_LANES_OPERATOR(T, &, x& y)
HETC_LANES_OPERATOR(T, |, x | y)
HETC_LANES_OPERATOR(T, ^, x ^ y)
HETC_LANES_OPERATOR(bool, ==, x == y)
HETC_LANES_OPERATOR(bool, !=, x != y)
HETC_LANES_OPERATOR(bool, <, x < y)
HETC_LANES_OPERATOR(bool, <=, x <= y)
HETC_LANES_OPERATOR(bool, >, x > y)
HETC_LANES_OPERATOR(bool, >=, x >= y)
// Of conditions: both sides are worked out.
HETC_LANES_OPERATOR(bool, &&, x& y)
HETC_LANES_OPERATOR(bool, ||, x | y)
#undef HETC_LANES_OPERATOR

template <typename T, int N>
inline lanes<T, N> operator-(lanes<T, N> a) {
  return detail::apply<T, N>([](auto x) { return -x; }, a);
}
template <int N>
inline lanes<bool, N> operator!(lanes<bool, N> a) {
  return detail::apply<bool, N>([](auto x) { return ~x; }, a);
}
template <typename T, int N>
inline lanes<T, N>& operator+=(lanes<T, N>& a, lanes<T, N> b) {
  return a = a + b;
}
template <typename T, int N>
inline lanes<T, N>& operator+=(lanes<T, N>& a, typename detail::same<T>::type b) {
  return a = a + b;
}
template <typename T, int N>
inline lanes<T, N> select(lanes<bool, N> condition, lanes<T, N> then, lanes<T, N> otherwise) {
  return detail::apply<T, N>(
      [](auto c, auto x, auto y) { return detail::mask_for<decltype(x)>(c) ? x : y; }, condition, then, otherwise);
}
template <int N>
inline bool any(const lanes<bool, N>& condition) {
  if constexpr (N > 4) {
    return any(condition.low() || condition.high());
  } else {
    bool found = false;
    for (int lane = 0; lane < N; ++lane) found = found || condition.at(lane);
    return found;
  }
}
// How many of the conditions hold.
template <int N>
inline int count(const lanes<bool, N>& condition) {
  int holding = 0;
  for (int lane = 0; lane < N; ++lane) holding += condition.at(lane);
  return holding;
}

// Memory.

template <int N, typename T>
inline lanes<T, N> load(const T* from) {
  lanes<T, N> result;
  if constexpr (detail::is_split<T, N>) {
    result.first = load<N / 2>(from);
    result.second = load<N / 2>(from + N / 2);
  } else {
    __builtin_memcpy(&result.v, from, sizeof(result.v));
  }
  return result;
}
// Rounded or saturated before: a number of the element's range.
template <typename T, typename U, int N>
inline void store(T* to, const lanes<U, N>& value) {
  if constexpr (detail::is_split<T, N> || detail::is_split<U, N>) {
    store(to, value.low());
    store(to + N / 2, value.high());
  } else {
    const lanes<T, N> stored(value);
    __builtin_memcpy(to, &stored.v, sizeof(stored.v));
  }
}
// 0 where the condition is false; nothing is read there.
template <int N, typename T>
inline lanes<T, N> load_if(const lanes<bool, N>& condition, const T* from) {
  if (!any(!condition)) return load<N>(from);
  T found[N];
  for (int lane = 0; lane < N; ++lane) found[lane] = condition.at(lane) ? from[lane] : T(0);
  return load<N>(found);
}
template <int N, typename T>
inline lanes<T, N> gather(const T* from, const lanes<int64_t, N>& places) {
  T found[N];
  for (int lane = 0; lane < N; ++lane) found[lane] = from[places.at(lane)];
  return load<N>(found);
}
template <int N, typename T>
inline lanes<T, N> gather_if(const lanes<bool, N>& condition, const T* from, const lanes<int64_t, N>& places) {
  T found[N];
  for (int lane = 0; lane < N; ++lane) found[lane] = condition.at(lane) ? from[places.at(lane)] : T(0);
  return load<N>(found);
}
template <typename T, typename U, int N>
inline void scatter(T* to, const lanes<int64_t, N>& places, const lanes<U, N>& value) {
  const lanes<T, N> stored(value);
  for (int lane = 0; lane < N; ++lane) to[places.at(lane)] = stored.at(lane);
}

}  // namespace hetc

#endif
