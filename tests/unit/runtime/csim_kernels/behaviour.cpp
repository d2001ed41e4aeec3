// Small kernels, each for one thing that C simulation must do or refuse.
#include "hetc_hls.h"
#include <hls_math.h>

extern "C" void read_outside(float* out) {
  hls::stream<float, 4> lonely("lonely");
  out[0] = lonely.read();
}
extern "C" void write_outside(int n) {
  hls::stream<int, 4> stuffed("stuffed");
  for (int i = 0; i < n; ++i) stuffed.write(i);
  for (int i = 0; i < n; ++i) stuffed.read();
}

static void produce(hls::stream<int>& to, int n) {
  for (int i = 0; i < n; ++i) to.write(i);
}
static void consume(hls::stream<int>& from, int* out, int n) {
  for (int i = 0; i < n; ++i) out[i] = from.read();
}
static void consume_polling(hls::stream<int>& from, int* out, int n) {
  for (int i = 0; i < n;) {
    int value;
    if (from.read_nb(value)) out[i++] = value;
  }
}
extern "C" void uneven(int* out, int written, int taken) {
  hls::stream<int, 16> link("link");
  HETC_DATAFLOW_BEGIN();
  HETC_PROCESS(produce, link, written);
  HETC_PROCESS(consume, link, out, taken);
  HETC_DATAFLOW_END();
}
extern "C" void polling(int* out, int written, int taken) {
  hls::stream<int, 4> link("link");
  HETC_DATAFLOW_BEGIN();
  HETC_PROCESS(consume_polling, link, out, taken);
  HETC_PROCESS(produce, link, written);
  HETC_DATAFLOW_END();
}

static void relay(hls::stream<int>& from, hls::stream<int>& to, int n) {
  for (int i = 0; i < n; ++i) to.write(from.read() + 1);
}
static void relay_twice(hls::stream<int>& from, hls::stream<int>& to, int n) {
  hls::stream<int, 2> middle("middle");
  HETC_DATAFLOW_BEGIN();
  HETC_PROCESS(relay, from, middle, n);
  HETC_PROCESS(relay, middle, to, n);
  HETC_DATAFLOW_END();
}
extern "C" void nested(int* out, int n, int taken) {
  hls::stream<int, 2> first("first"), last("last");
  HETC_DATAFLOW_BEGIN();
  HETC_PROCESS(consume, last, out, taken);
  HETC_PROCESS(relay_twice, first, last, n);
  HETC_PROCESS(produce, first, n);
  HETC_DATAFLOW_END();
}

static void write_channel(hls::stream<int>& to, int channel, int n) {
  for (int i = 0; i < n; ++i) to.write(100 * channel + i);
}
static void gather(hls::stream<int> (&from)[4], int* out, int n) {
  for (int i = 0; i < n; ++i)
    for (int channel = 0; channel < 4; ++channel) *out++ = from[channel].read();
}
extern "C" void channels(int* out, int n) {
  hls::stream<int> links[4];
  HETC_DATAFLOW_BEGIN();
  for (int channel = 0; channel < 4; ++channel) HETC_PROCESS(write_channel, links[channel], channel, n);
  HETC_PROCESS(gather, links, out, n);
  HETC_DATAFLOW_END();
}

static void big_local(hls::stream<int>& from, int* out, int n) {
  int table[4 << 20];  // 16 MB, as URAM would hold
  for (int i = 0; i < (4 << 20); ++i) table[i] = i;
  for (int i = 0; i < n; ++i) out[i] = table[(4 << 20) - 1 - from.read()];
}
extern "C" void large_array(int* out, int n) {
  hls::stream<int, 2> link("link");
  HETC_DATAFLOW_BEGIN();
  HETC_PROCESS(produce, link, n);
  HETC_PROCESS(big_local, link, out, n);
  HETC_DATAFLOW_END();
}

static void bad_range(hls::stream<int>& from, int* out) {
  ap_uint<512> word = 7;
  int high = 0;
  for (int i = 0; i <= 600; ++i) high = from.read();
  out[0] = word.range(high, 0).to_int();
}
extern "C" void range_error(int* out) {
  hls::stream<int, 2> link("link");
  HETC_DATAFLOW_BEGIN();
  HETC_PROCESS(produce, link, 601);
  HETC_PROCESS(bad_range, link, out);
  HETC_DATAFLOW_END();
}
extern "C" void out_of_range_bits(int* out, int high) {
  ap_uint<512> word = 7;
  out[0] = word.range(high, 0).to_int();
}
extern "C" void lane_error(const ap_uint<512>* word, int* out, int lane) {
  out[0] = hetc::lane<16>(word[0], lane).to_int();
}
extern "C" void scalars(long long wide, unsigned char narrow, float real, bool flag, double* out) {
  out[0] = double(wide);
  out[1] = narrow;
  out[2] = real;
  out[3] = flag ? 1 : 0;
}
extern "C" void mathematics(const float* x, float* out) {
  out[0] = hls::round(x[0]);
  out[1] = hls::rint(x[0]);
  out[2] = hls::rsqrt(x[1]);
  out[3] = hls::erf(x[1]);
  out[4] = hls::fmax(x[0], x[1]);
  out[5] = hls::pow(x[1], 3.0f);
  out[6] = hls::atan2(x[0], x[1]);
}
extern "C" void throughput(int* out, long long n) {
  hls::stream<int, 16> first("first"), last("last");
  HETC_DATAFLOW_BEGIN();
  HETC_PROCESS(produce, first, int(n));
  HETC_PROCESS(relay, first, last, int(n));
  HETC_PROCESS([](hls::stream<int>& from, int* sum, int count) {
    int total = 0;
    for (int i = 0; i < count; ++i) total ^= from.read();
    sum[0] = total;
  }, last, out, int(n));
  HETC_DATAFLOW_END();
}

// Faults. Each is planted in a process, so that the report can name it.
static void stray(hls::stream<int>& from, const int* data, int* out, int at) { out[from.read()] = data[at]; }
extern "C" void stray_read(const int* data, int* out, int at) {
  hls::stream<int, 2> link("link");
  HETC_DATAFLOW_BEGIN();
  HETC_PROCESS(produce, link, 1);
  HETC_PROCESS(stray, link, data, out, at);
  HETC_DATAFLOW_END();
}
extern "C" void stray_write(int* out, int at) { out[at] = 1; }
extern "C" void divide(int* out, int by) { out[0] = 7 / by; }
static int descend(int depth, int* out) {
  volatile int frame[1024];
  frame[0] = depth;
  return depth == 0 ? out[0] : descend(depth - 1, out) + frame[0];
}
extern "C" void deep_stack(int* out, int depth) { out[0] = descend(depth, out); }
// Without end: in one loop, in the C library most of the time, and passing elements between processes for ever.
static void spin(hls::stream<int>& from, volatile int* out) {
  from.read();
  for (;;) out[0] = out[0] + 1;
}
extern "C" void endless_loop(int* out) {
  hls::stream<int, 2> link("link");
  HETC_DATAFLOW_BEGIN();
  HETC_PROCESS(produce, link, 1);
  HETC_PROCESS(spin, link, out);
  HETC_DATAFLOW_END();
}
extern "C" void endless_calls(float* out) {
  for (volatile float x = 0;; x = x + 1) out[0] = std::pow(std::sin(float(x)), 1.5f);
}
extern "C" void endless_streams(int* out) {
  hls::stream<int, 2> link("link");
  HETC_DATAFLOW_BEGIN();
  HETC_PROCESS([](hls::stream<int>& to) { for (int i = 0;; ++i) to.write(i); }, link);
  HETC_PROCESS([](hls::stream<int>& from, int* last) { for (;;) last[0] = from.read(); }, link, out);
  HETC_DATAFLOW_END();
}
