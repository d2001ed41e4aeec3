// A streaming selection and a two-pass softmax in the style of emitted kernels.
#include "hetc_hls.h"
#include <hls_math.h>

static void read_rows(const ap_uint<512>* keys, hls::stream<ap_uint<512>>& words, int rows) {
  for (int row = 0; row < rows; ++row) {
#pragma HLS PIPELINE II=1
    words.write(keys[row]);
  }
}

template <int LANES>
static void dot(hls::stream<ap_uint<512>>& words, const ap_uint<512>* query, hls::stream<float>& scores, int rows) {
  const ap_uint<512> q = query[0];
  for (int row = 0; row < rows; ++row) {
#pragma HLS PIPELINE II=1
    const ap_uint<512> word = words.read();
    float sum = 0;
    for (int lane = 0; lane < LANES; ++lane) {
#pragma HLS UNROLL
      sum += hetc::from_bf16(hetc::lane<16>(word, lane)) * hetc::from_bf16(hetc::lane<16>(q, lane));
    }
    scores.write(sum);
  }
}

// An insertion register chain: the highest scores, equal ones by lower index.
template <int K>
static void top_k(hls::stream<float>& scores, hls::stream<int>& picked, int rows) {
  ap_uint<64> best[K];
  for (int i = 0; i < K; ++i) best[i] = 0;
  for (int row = 0; row < rows; ++row) {
#pragma HLS PIPELINE II=1
    ap_uint<64> key = (ap_uint<64>(hetc::ordered(scores.read())) << 32) | ap_uint<64>(0xffffffffu - unsigned(row));
    for (int i = 0; i < K; ++i) {
#pragma HLS UNROLL
      if (key > best[i]) {
        const ap_uint<64> lower = best[i];
        best[i] = key;
        key = lower;
      }
    }
  }
  for (int i = 0; i < K; ++i) picked.write(best[i] == 0 ? -1 : int(0xffffffffu - best[i].range(31, 0).to_uint()));
}

template <int K>
static void write_picked(hls::stream<int>& picked, int* out) {
  for (int i = 0; i < K; ++i) out[i] = picked.read();
}

extern "C" void select_rows(const ap_uint<512>* keys, const ap_uint<512>* query, int* out, int rows) {
#pragma HLS INTERFACE m_axi port=keys bundle=gmem0
#pragma HLS INTERFACE m_axi port=query bundle=gmem1
#pragma HLS INTERFACE m_axi port=out bundle=gmem2
#pragma HLS DATAFLOW
  hls::stream<ap_uint<512>, 8> words("words");
  hls::stream<float, 4> scores("scores");
  hls::stream<int, 2> picked("picked");
  HETC_DATAFLOW_BEGIN();
  HETC_PROCESS(read_rows, keys, words, rows);
  HETC_PROCESS(dot<32>, words, query, scores, rows);
  HETC_PROCESS(top_k<4>, scores, picked, rows);
  HETC_PROCESS(write_picked<4>, picked, out);
  HETC_DATAFLOW_END();
}

// A softmax in two passes: the sum is known only after the last element, so `held` keeps N-1 of them.
static void split(const float* x, hls::stream<float>& summed, hls::stream<float>& held, int n) {
  for (int i = 0; i < n; ++i) {
    const float e = hls::exp(x[i]);
    summed.write(e);
    held.write(e);
  }
}
static void add_up(hls::stream<float>& summed, hls::stream<float>& total, int n) {
  float sum = 0;
  for (int i = 0; i < n; ++i) sum += summed.read();
  total.write(sum);
}
static void normalise(hls::stream<float>& held, hls::stream<float>& total, float* out, int n) {
  const float sum = total.read();
  for (int i = 0; i < n; ++i) out[i] = held.read() / sum;
}
template <int DEPTH>
static void softmax(const float* x, float* out, int n) {
  hls::stream<float, 1> summed("summed");
  hls::stream<float, DEPTH> held("held");
  hls::stream<float, 2> total("total");
  HETC_DATAFLOW_BEGIN();
  HETC_PROCESS(split, x, summed, held, n);
  HETC_PROCESS(add_up, summed, total, n);
  HETC_PROCESS(normalise, held, total, out, n);
  HETC_DATAFLOW_END();
}
extern "C" void softmax_shallow(const float* x, float* out, int n) { softmax<62>(x, out, n); }
extern "C" void softmax_deep(const float* x, float* out, int n) { softmax<63>(x, out, n); }
