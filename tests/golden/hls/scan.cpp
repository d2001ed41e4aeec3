// Kernel scan_kernel, from test.mp:10.
#include "scan_kernel.h"

#include <hls_math.h>

#include "hetc_kernel.h"

namespace scan_kernel_parts {

// test.mp:11
static void read_keys(
    int rows,
    hls::stream<ap_uint<512>>& keys_words,
    int b,
    const ap_uint<512>* keys,
    int cap_T_of_stripe) {
  for (int row = 0; row < rows; ++row) {
#pragma HLS PIPELINE II=1
    const ap_uint<512> keys_value = keys[(int64_t(b) * cap_T_of_stripe + row) * 1];
    keys_words.write(keys_value);
  }
}

// test.mp:11
static void load_w(int b, const float* w, hls::stream<float>& w_2, hls::stream<float>& w_3) {
  for (int i1 = 0; i1 < 8; ++i1) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT max=8
    const float w_value = w[int64_t(b) * 8 + i1];
    w_2.write(w_value);
    w_3.write(w_value);
  }
}

// test.mp:11
static void load_q(int b, const uint16_t* q, hls::stream<float>& q_2, hls::stream<float>& q_3) {
  for (int i1 = 0; i1 < 8; ++i1) {
#pragma HLS LOOP_TRIPCOUNT max=8
    for (int i2 = 0; i2 < 64; ++i2) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT max=64
      const float q_value = hetc::from_bf16(q[(int64_t(b) * 8 + i1) * 64 + i2]);
      q_2.write(q_value);
      q_3.write(q_value);
    }
  }
}

// test.mp:11
static void evaluate(
    hls::stream<float>& w,
    hls::stream<float>& q,
    int rows,
    hls::stream<ap_uint<512>>& keys_words,
    int first,
    hls::stream<float>& scores) {
  float w_here[8];
#pragma HLS BIND_STORAGE variable=w_here type=ram_2p impl=bram
#pragma HLS ARRAY_PARTITION variable=w_here cyclic factor=2 dim=1
  for (int i1 = 0; i1 < 8; ++i1) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT max=8
    const float from_w = w.read();
    w_here[i1] = from_w;
  }
  float q_here[8][64];
#pragma HLS BIND_STORAGE variable=q_here type=ram_2p impl=bram
#pragma HLS ARRAY_PARTITION variable=q_here cyclic factor=2 dim=1
#pragma HLS ARRAY_PARTITION variable=q_here complete dim=2
  for (int i1_2 = 0; i1_2 < 8; ++i1_2) {
#pragma HLS LOOP_TRIPCOUNT max=8
    for (int i2 = 0; i2 < 64; ++i2) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT max=64
      const float from_q = q.read();
      q_here[i1_2][i2] = from_q;
    }
  }
  float keys_here[64];
#pragma HLS ARRAY_PARTITION variable=keys_here complete dim=0
  float total = 0.0f;
  float total_2 = 0.0f;
  float total_3 = 0.0f;
  float total_4 = 0.0f;
  for (int step = 0; step < (rows * 4); ++step) {
#pragma HLS PIPELINE II=1
    const int round = step & 3;
    if (round == 0) {
      const ap_uint<512> from_keys_words = keys_words.read();
      for (int lane = 0; lane < 64; ++lane) {
#pragma HLS UNROLL
        const float lane_2 = hetc::from_fp8(hetc::lane<8>(from_keys_words, lane));
        keys_here[lane] = lane_2;
      }
    }
    const int v = round * 2;
    float lanes_h[2];
#pragma HLS ARRAY_PARTITION variable=lanes_h complete
    for (int h = 0; h < 2; ++h) {
#pragma HLS UNROLL
      const int v_2 = v + h;
      const float w_here_value = w_here[v_2];
      float lanes_d[64];
#pragma HLS ARRAY_PARTITION variable=lanes_d complete
      for (int d = 0; d < 64; ++d) {
#pragma HLS UNROLL
        const float q_here_value = q_here[v_2][d];
        const float keys_here_value = keys_here[d];
        lanes_d[d] = q_here_value * keys_here_value;
      }
      const float over_d = hetc::tree_sum(lanes_d);
      lanes_h[h] = w_here_value * hetc::maximum(over_d, 0.0f);
    }
    const float over_h = hetc::tree_sum(lanes_h);
    const float v_3 = (over_h + total) + (total_2 + total_3);
    if (round == 3) {
      scores.write(v_3);
    }
    const float next_total = over_h;
    const float next_total_2 = total;
    const float next_total_3 = total_2;
    const float next_total_4 = total_3;
    total = next_total;
    total_2 = next_total_2;
    total_3 = next_total_3;
    total_4 = next_total_4;
  }
}

// test.mp:11
static void select(
    int rows,
    hls::stream<float>& scores,
    int first,
    hls::stream<float>& best,
    hls::stream<int>& places) {
  hetc::register_queue<float, 16> best_2;
  for (int row = 0; row < rows; ++row) {
#pragma HLS PIPELINE II=1
    const float from_scores = scores.read();
    best_2.push(from_scores, (row * 2) + first);
  }
  for (int j = 0; j < 16; ++j) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT max=16
    const float entry_score = best_2.score_at(j);
    const int entry_index = best_2.index_at(j);
    best.write(entry_score);
    places.write(entry_index);
  }
}

// test.mp:11
static void merge(
    hls::stream<float>& best,
    hls::stream<int>& places,
    hls::stream<float>& best_2,
    hls::stream<int>& places_2,
    int b,
    int32_t* picked) {
  hetc::register_queue<float, 16> best_3;
  for (int j = 0; j < 16; ++j) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT max=16
    const float from_best = best.read();
    const int from_places = places.read();
    best_3.push(from_best, from_places);
  }
  for (int j_2 = 0; j_2 < 16; ++j_2) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT max=16
    const float from_best_2 = best_2.read();
    const int from_places_2 = places_2.read();
    best_3.push(from_best_2, from_places_2);
  }
  for (int j_3 = 0; j_3 < 16; ++j_3) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT max=16
    const int entry_index = best_3.index_at(j_3);
    picked[int64_t(b) * 16 + j_3] = entry_index;
  }
}

// test.mp:11
static void scan_picked(
    int rows,
    int b,
    const ap_uint<512>* keys,
    int cap_T_of_stripe,
    int rows_2,
    const ap_uint<512>* keys_2,
    const float* w,
    const uint16_t* q,
    int first,
    int first_2,
    int32_t* picked) {
#pragma HLS DATAFLOW
  hls::stream<ap_uint<512>, 16> keys_words("keys_words");
  hls::stream<ap_uint<512>, 16> keys_words_2("keys_words_2");
  hls::stream<float, 16> w_2("w_2");
  hls::stream<float, 16> w_3("w_3");
  hls::stream<float, 16> q_2("q_2");
  hls::stream<float, 16> q_3("q_3");
  hls::stream<float, 16> scores("scores");
  hls::stream<float, 16> scores_2("scores_2");
  hls::stream<float, 16> best("best");
  hls::stream<int, 16> places("places");
  hls::stream<float, 16> best_2("best_2");
  hls::stream<int, 16> places_2("places_2");
  HETC_DATAFLOW_BEGIN();
  HETC_PROCESS(read_keys, rows, keys_words, b, keys, cap_T_of_stripe);
  HETC_PROCESS(read_keys, rows_2, keys_words_2, b, keys_2, cap_T_of_stripe);
  HETC_PROCESS(load_w, b, w, w_2, w_3);
  HETC_PROCESS(load_q, b, q, q_2, q_3);
  HETC_PROCESS(evaluate, w_2, q_2, rows, keys_words, first, scores);
  HETC_PROCESS(evaluate, w_3, q_3, rows_2, keys_words_2, first_2, scores_2);
  HETC_PROCESS(select, rows, scores, first, best, places);
  HETC_PROCESS(select, rows_2, scores_2, first_2, best_2, places_2);
  HETC_PROCESS(merge, best, places, best_2, places_2, b, picked);
  HETC_DATAFLOW_END();
}

}  // namespace scan_kernel_parts

extern "C" void scan_kernel(
    const uint16_t* q,
    const float* w,
    const ap_uint<512>* keys_0,
    const ap_uint<512>* keys_1,
    int32_t* picked,
    const int32_t* len_B,
    const int32_t* len_T,
    int cap_T) {
#pragma HLS INTERFACE m_axi port=q offset=slave bundle=gmem_q max_read_burst_length=64 num_read_outstanding=16
#pragma HLS INTERFACE s_axilite port=q bundle=control
#pragma HLS INTERFACE m_axi port=w offset=slave bundle=gmem_w max_read_burst_length=64 num_read_outstanding=16
#pragma HLS INTERFACE s_axilite port=w bundle=control
#pragma HLS INTERFACE m_axi port=keys_0 offset=slave bundle=gmem_keys_0 max_read_burst_length=64 num_read_outstanding=16
#pragma HLS INTERFACE s_axilite port=keys_0 bundle=control
#pragma HLS INTERFACE m_axi port=keys_1 offset=slave bundle=gmem_keys_1 max_read_burst_length=64 num_read_outstanding=16
#pragma HLS INTERFACE s_axilite port=keys_1 bundle=control
#pragma HLS INTERFACE m_axi port=picked offset=slave bundle=gmem_picked max_write_burst_length=64 num_write_outstanding=16
#pragma HLS INTERFACE s_axilite port=picked bundle=control
#pragma HLS INTERFACE m_axi port=len_B offset=slave bundle=gmem_len_B max_read_burst_length=64 num_read_outstanding=16
#pragma HLS INTERFACE s_axilite port=len_B bundle=control
#pragma HLS INTERFACE m_axi port=len_T offset=slave bundle=gmem_len_T max_read_burst_length=64 num_read_outstanding=16
#pragma HLS INTERFACE s_axilite port=len_T bundle=control
#pragma HLS INTERFACE s_axilite port=cap_T bundle=control
#pragma HLS INTERFACE s_axilite port=return bundle=control
  const int cap_T_of_stripe = hetc::floor_div(cap_T + 1, 2);
  const int live_B = len_B[0];
  // test.mp:10
  for (int b = 0; b < live_B; ++b) {
    const int live_T = len_T[b];
    // test.mp:11
    scan_kernel_parts::scan_picked(hetc::floor_div(live_T + 1, 2), b, keys_0, cap_T_of_stripe, hetc::floor_div(live_T + 0, 2), keys_1, w, q, 0, 1, picked);
  }
}
