// What a processor does at most, for `hetc platform measure`. Each function works for a while and gives what it has done, so
// that nothing is left out by the compiler.
#include <stdint.h>

typedef float floats __attribute__((vector_size(64)));
typedef int32_t ints __attribute__((vector_size(64)));
typedef int64_t longs __attribute__((vector_size(64)));

template <typename V>
static V chains(int64_t rounds, V start, V factor) {
  V a = start, b = start + factor, c = start - factor, d = start * factor, e = a, f = b, g = c, h = d;
  for (int64_t i = 0; i < rounds; ++i) {
    a = a * factor + start, b = b * factor + start, c = c * factor + start, d = d * factor + start;
    e = e * factor + start, f = f * factor + start, g = g * factor + start, h = h * factor + start;
  }
  return ((a + b) + (c + d)) + ((e + f) + (g + h));
}

template <typename V, typename T>
static double peak(int64_t rounds) {
  double total = 0;
#pragma omp parallel reduction(+ : total)
  {
    V start, factor;
    for (int lane = 0; lane < int(sizeof(V) / sizeof(T)); ++lane) start[lane] = T(lane + 1), factor[lane] = T(1);
    const V end = chains<V>(rounds, start, factor);
    total += double(end[0]);
  }
  return total;
}

// 16 operations a lane and round: 8 multiply-adds.
extern "C" double peak_f32(int64_t rounds) { return peak<floats, float>(rounds); }
extern "C" double peak_i32(int64_t rounds) { return peak<ints, int32_t>(rounds); }
extern "C" double peak_i64(int64_t rounds) { return peak<longs, int64_t>(rounds); }

static float read_part(const floats* data, int64_t first, int64_t last) {
  floats a = {}, b = {}, c = {}, d = {};
  for (int64_t i = first; i + 3 < last; i += 4) a += data[i], b += data[i + 1], c += data[i + 2], d += data[i + 3];
  a = (a + b) + (c + d);
  return a[0];
}

// `count` vectors of 64 bytes, on one core and on all of them.
extern "C" double read_one(const floats* data, int64_t count) { return read_part(data, 0, count); }
extern "C" double read_all(const floats* data, int64_t count) {
  double total = 0;
  const int64_t part = 1 << 14;
#pragma omp parallel for reduction(+ : total) schedule(static)
  for (int64_t first = 0; first < count; first += part)
    total += read_part(data, first, first + part < count ? first + part : count);
  return total;
}

// A loop as naive kernels have: 6 operations a pass, the sum in the order of the loop.
extern "C" double scalar_loop(const float* a, const float* b, int64_t count, int64_t rounds) {
  float total = 0;
  for (int64_t r = 0; r < rounds; ++r)
    for (int64_t i = 0; i < count; ++i) {
      const float product = a[i] * b[i];
      total += product > 0.0f ? product : 0.0f;
    }
  return double(total);
}

extern "C" double region(int64_t) {
  double total = 0;
#pragma omp parallel reduction(+ : total)
  total += 1;
  return total;
}
