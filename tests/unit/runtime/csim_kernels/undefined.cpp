// One function for each thing that C++ leaves undefined.
#include "hetc_hls.h"

extern "C" void add(int* out, int by) { out[0] = out[0] + by; }
extern "C" void subtract(int* out, int by) { out[0] = out[0] - by; }
extern "C" void multiply(int64_t* out, int64_t by) { out[0] = out[0] * by; }
extern "C" void negate(int* out) { out[0] = -out[0]; }
extern "C" void divide(int* out, int by) { out[0] = out[0] / by; }
extern "C" void shift(int* out, int by) { out[0] = 1 << by; }
extern "C" void local_index(int* out, int at) {
  int local[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  out[0] = local[at];
}
extern "C" void float_to_int(float value, int* out) { out[0] = int(value); }
extern "C" void read_condition(const uint8_t* stored, int* out) { out[0] = *reinterpret_cast<const bool*>(stored); }
extern "C" void misaligned(const uint8_t* bytes, int* out, int at) {
  out[0] = *reinterpret_cast<const int*>(bytes + at);
}
extern "C" void null_pointer(int* out, bool is_null) {
  const int* pointer = is_null ? nullptr : out;
  out[0] = *pointer + 1;
}
static int without_value(int given) {
  if (given > 0) return given;
}
extern "C" void no_return(int* out, int given) { out[0] = without_value(given); }
extern "C" void never_set(int* out, int given) {
  int forgotten;
  if (given > 0) forgotten = given;
  out[0] = forgotten;
}

static void add_one(hls::stream<int>& from, int* out) { out[0] = from.read() + 1; }
static void feed(hls::stream<int>& to, int value) { to.write(value); }
extern "C" void in_a_process(int* out, int value) {
  hls::stream<int, 2> link("link");
  HETC_DATAFLOW_BEGIN();
  HETC_PROCESS(feed, link, value);
  HETC_PROCESS(add_one, link, out);
  HETC_DATAFLOW_END();
}
