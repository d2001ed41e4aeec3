// Kernel nest_kernel, from test.mp:7.
#include "nest_kernel.h"

#include <hls_math.h>

#include "hetc_kernel.h"

namespace nest_kernel_parts {

// test.mp:7
static void compute(const int32_t* len_N, const float* x, float (&value_kept)[100][12]) {
  const int live_N = len_N[0];
  for (int n = 0; n < live_N; ++n) {
    for (int m = 0; m < 12; ++m) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT max=12
      const float x_value = x[int64_t(n) * 12 + m];
      value_kept[n][m] = x_value;
    }
  }
}

// test.mp:7
static void read_rows(int live_N, hls::stream<float>& rows_words, const float (&value_kept)[100][12]) {
  for (int row = 0; row < live_N; ++row) {
    for (int word = 0; word < 12; ++word) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT max=12
      const float value_kept_value = value_kept[row][word];
      rows_words.write(value_kept_value);
    }
  }
}

// test.mp:7
static void evaluate(int live_N, hls::stream<float>& rows_words, hls::stream<float>& values) {
  float value_here[12];
#pragma HLS ARRAY_PARTITION variable=value_here complete dim=0
  for (int row = 0; row < live_N; ++row) {
    for (int word = 0; word < 12; ++word) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT max=12
      const float from_rows_words = rows_words.read();
      value_here[word] = from_rows_words;
    }
    float lanes_m[12];
#pragma HLS ARRAY_PARTITION variable=lanes_m complete
    for (int m = 0; m < 12; ++m) {
#pragma HLS UNROLL
      const float value_here_value = value_here[m];
      lanes_m[m] = value_here_value;
    }
    const float over_m = hetc::tree_max(lanes_m);
    values.write(over_m);
  }
}

// test.mp:7
static void write(int live_N, hls::stream<float>& values, float* scratch_value) {
  for (int row = 0; row < live_N; ++row) {
#pragma HLS PIPELINE II=1
    const float from_values = values.read();
    scratch_value[row] = from_values;
  }
}

// test.mp:7
static void scan(int live_N, const float (&value_kept)[100][12], float* scratch_value) {
#pragma HLS DATAFLOW
  hls::stream<float, 192> rows_words("rows_words");
  hls::stream<float, 16> values("values");
  HETC_DATAFLOW_BEGIN();
  HETC_PROCESS(read_rows, live_N, rows_words, value_kept);
  HETC_PROCESS(evaluate, live_N, rows_words, values);
  HETC_PROCESS(write, live_N, values, scratch_value);
  HETC_DATAFLOW_END();
}

// test.mp:7
static void read_rows_2(int live_N, hls::stream<float>& rows_words, const float* scratch_value) {
  for (int row = 0; row < live_N; ++row) {
#pragma HLS PIPELINE II=1
    const float scratch_value_value = scratch_value[row];
    rows_words.write(scratch_value_value);
  }
}

// test.mp:7
static void evaluate_2(
    int live_N,
    hls::stream<float>& rows_words,
    hls::stream<float>& rows_words_2,
    hls::stream<float>& values) {
  float value_here[1];
#pragma HLS ARRAY_PARTITION variable=value_here complete dim=0
  float value_here_2[12];
#pragma HLS ARRAY_PARTITION variable=value_here_2 complete dim=0
  for (int row = 0; row < live_N; ++row) {
    const float from_rows_words = rows_words.read();
    value_here[0] = from_rows_words;
    for (int word = 0; word < 12; ++word) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT max=12
      const float from_rows_words_2 = rows_words_2.read();
      value_here_2[word] = from_rows_words_2;
    }
    const float value_here_value = value_here[0];
    float lanes_m[12];
#pragma HLS ARRAY_PARTITION variable=lanes_m complete
    for (int m = 0; m < 12; ++m) {
#pragma HLS UNROLL
      const float value_here_2_value = value_here_2[m];
      lanes_m[m] = hls::exp(value_here_2_value - value_here_value);
    }
    const float over_m = hetc::tree_sum(lanes_m);
    values.write(over_m);
  }
}

// test.mp:7
static void scan_2(
    int live_N,
    const float* scratch_value,
    const float (&value_kept)[100][12],
    float* scratch_value_2) {
#pragma HLS DATAFLOW
  hls::stream<float, 16> rows_words("rows_words");
  hls::stream<float, 192> rows_words_2("rows_words_2");
  hls::stream<float, 16> values("values");
  HETC_DATAFLOW_BEGIN();
  HETC_PROCESS(read_rows_2, live_N, rows_words, scratch_value);
  HETC_PROCESS(read_rows, live_N, rows_words_2, value_kept);
  HETC_PROCESS(evaluate_2, live_N, rows_words, rows_words_2, values);
  HETC_PROCESS(write, live_N, values, scratch_value_2);
  HETC_DATAFLOW_END();
}

// test.mp:7
static void compute_p(
    const int32_t* len_N,
    const float* scratch_value,
    const float (&value_kept)[100][12],
    const float* scratch_value_2,
    float* p,
    float (&p_kept)[100][12]) {
  const int live_N = len_N[0];
  for (int n = 0; n < live_N; ++n) {
    for (int m = 0; m < 12; ++m) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT max=12
      const float scratch_value_value = scratch_value[n];
      const float value_kept_value = value_kept[n][m];
      const float scratch_value_2_value = scratch_value_2[n];
      const float v = hls::exp(value_kept_value - scratch_value_value) / scratch_value_2_value;
      p[int64_t(n) * 12 + m] = v;
      p_kept[n][m] = v;
    }
  }
}

// test.mp:8
static void read_p(int live_N, hls::stream<float>& p_words, const float (&p_kept)[100][12]) {
  for (int row = 0; row < live_N; ++row) {
    for (int word = 0; word < 12; ++word) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT max=12
      const float p_kept_value = p_kept[row][word];
      p_words.write(p_kept_value);
    }
  }
}

// test.mp:8
static void evaluate_3(int live_N, hls::stream<float>& p_words, hls::stream<int>& values) {
  float p_here[12];
#pragma HLS ARRAY_PARTITION variable=p_here complete dim=0
  for (int row = 0; row < live_N; ++row) {
    for (int word = 0; word < 12; ++word) {
#pragma HLS PIPELINE II=1
#pragma HLS LOOP_TRIPCOUNT max=12
      const float from_p_words = p_words.read();
      p_here[word] = from_p_words;
    }
    float total = 0.0f;
    int total_2 = -1;
    for (int m = 0; m < 12; ++m) {
#pragma HLS PIPELINE II=2
#pragma HLS LOOP_TRIPCOUNT max=12
      const float p_here_value = p_here[m];
      const bool v = ((p_here_value > total) || (p_here_value != p_here_value)) && (total == total);
      const bool v_2 = (total_2 < 0) || v;
      const float next_total = v_2 ? p_here_value : total;
      const int next_total_2 = v_2 ? m : total_2;
      total = next_total;
      total_2 = next_total_2;
    }
    values.write(total_2);
  }
}

// test.mp:8
static void write_2(int live_N, hls::stream<int>& values, int32_t* f) {
  for (int row = 0; row < live_N; ++row) {
#pragma HLS PIPELINE II=1
    const int from_values = values.read();
    f[row] = from_values;
  }
}

// test.mp:8
static void scan_f(int live_N, const float (&p_kept)[100][12], int32_t* f) {
#pragma HLS DATAFLOW
  hls::stream<float, 192> p_words("p_words");
  hls::stream<int, 16> values("values");
  HETC_DATAFLOW_BEGIN();
  HETC_PROCESS(read_p, live_N, p_words, p_kept);
  HETC_PROCESS(evaluate_3, live_N, p_words, values);
  HETC_PROCESS(write_2, live_N, values, f);
  HETC_DATAFLOW_END();
}

}  // namespace nest_kernel_parts

extern "C" void nest_kernel(
    const float* x,
    float* p,
    int32_t* f,
    float* scratch_value,
    float* scratch_value_2,
    const int32_t* len_N) {
#pragma HLS INTERFACE m_axi port=x offset=slave bundle=gmem_x max_read_burst_length=64 num_read_outstanding=16
#pragma HLS INTERFACE s_axilite port=x bundle=control
#pragma HLS INTERFACE m_axi port=p offset=slave bundle=gmem_p max_write_burst_length=64 num_write_outstanding=16
#pragma HLS INTERFACE s_axilite port=p bundle=control
#pragma HLS INTERFACE m_axi port=f offset=slave bundle=gmem_f max_write_burst_length=64 num_write_outstanding=16
#pragma HLS INTERFACE s_axilite port=f bundle=control
#pragma HLS INTERFACE m_axi port=scratch_value offset=slave bundle=gmem_scratch_value max_read_burst_length=64 num_read_outstanding=16 max_write_burst_length=64 num_write_outstanding=16
#pragma HLS INTERFACE s_axilite port=scratch_value bundle=control
#pragma HLS INTERFACE m_axi port=scratch_value_2 offset=slave bundle=gmem_scratch_value_2 max_read_burst_length=64 num_read_outstanding=16 max_write_burst_length=64 num_write_outstanding=16
#pragma HLS INTERFACE s_axilite port=scratch_value_2 bundle=control
#pragma HLS INTERFACE m_axi port=len_N offset=slave bundle=gmem_len_N max_read_burst_length=64 num_read_outstanding=16
#pragma HLS INTERFACE s_axilite port=len_N bundle=control
#pragma HLS INTERFACE s_axilite port=return bundle=control
  float value_kept[100][12];
#pragma HLS BIND_STORAGE variable=value_kept type=ram_2p impl=bram
  float p_kept[100][12];
#pragma HLS BIND_STORAGE variable=p_kept type=ram_2p impl=bram
  // test.mp:7
  nest_kernel_parts::compute(len_N, x, value_kept);
  const int live_N = len_N[0];
  nest_kernel_parts::scan(live_N, value_kept, scratch_value);
  nest_kernel_parts::scan_2(live_N, scratch_value, value_kept, scratch_value_2);
  nest_kernel_parts::compute_p(len_N, scratch_value, value_kept, scratch_value_2, p, p_kept);
  // test.mp:8
  nest_kernel_parts::scan_f(live_N, p_kept, f);
}
